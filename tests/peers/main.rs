//! The built binary against real peers: Postfix with Dovecot, mail servers of two registries, a pooler, the official
//! clients of this API and of Resend's, a browser, and requests that schemathesis generates.
//!
//! `scripts/test` installs and starts the peers, names their folder in `TRANSPORTS_PEERS`, and runs what
//! `cargo test` alone leaves out.

mod browser;
#[path = "../it/support/client.rs"]
#[allow(dead_code, reason = "the client of the integration tests; not every part of it is needed here")]
mod client;
/// What the client looks for in the integration tests. Here the passwords are those of the mail server's accounts.
mod leaks {
    pub fn assert_marked(_request: &serde_json::Value) {}
    pub fn assert_absent(_place: &str, _bytes: &[u8]) {}
}
mod deployment;
mod destinations;
mod documentation;
mod mail_server;
mod official_clients;
mod other_mail_servers;
mod packages;
mod pgbouncer;
mod postfix_delivery;
mod postfix_refusals;
mod profile;
mod proxies;
mod resend;
mod schemathesis;
mod service;
mod smtp_clients;
