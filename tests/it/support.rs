//! What the tests stand on: a service under test, a scripted mail server, certificates, tokens.

pub mod app;
pub mod certificates;
pub mod child;
pub mod client;
pub mod database;
pub mod eventually;
pub mod jwks_server;
pub mod microsoft365;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod session;
pub mod smtp_server;
pub mod tokens;
