//! The built binary against real peers: Postfix with Dovecot, the two official clients, and a browser.
//!
//! `scripts/test` installs and starts the peers, names their folder in `TRANSPORTS_PEERS`, and runs what
//! `cargo test` alone leaves out.

mod browser;
#[path = "../it/support/client.rs"]
#[allow(dead_code, reason = "the client of the integration tests; not every part of it is needed here")]
mod client;
mod mail_server;
mod official_clients;
mod postfix_delivery;
mod postfix_refusals;
mod service;
