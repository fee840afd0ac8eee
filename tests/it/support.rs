//! What the tests stand on: a service under test, a scripted mail server, certificates, tokens.

pub mod certificates;
pub mod jwks_server;
pub mod session;
pub mod smtp_server;
pub mod tokens;
