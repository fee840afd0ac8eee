//! What the tests stand on: a service under test, a scripted mail server, certificates, tokens.

pub mod app;
pub mod certificates;
pub mod child;
pub mod client;
pub mod database;
pub mod disk;
pub mod email_config_cli;
pub mod eventually;
pub mod figures;
pub mod http_server;
pub mod journal;
pub mod jwks_server;
pub mod leaks;
pub mod ledger;
pub mod load;
pub mod microsoft365;
pub mod openid_provider;
pub mod postgres_server;
pub mod power;
pub mod process;
pub mod proxy;
pub mod random;
pub mod session;
pub mod smtp_server;
pub mod tokens;
