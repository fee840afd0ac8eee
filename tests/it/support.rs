//! What the tests stand on: a service under test, a scripted mail server, certificates, tokens.

pub mod child;
pub mod database;
pub mod eventually;
pub mod jwks_server;
pub mod proxy;
pub mod tokens;
