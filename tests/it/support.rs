//! What the tests stand on: a service under test, a scripted mail server, certificates, tokens.

pub mod client;
pub mod jwks_server;
pub mod tokens;
