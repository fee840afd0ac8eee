//! A multi-tenant email transport service.
//!
//! `ARCHITECTURE.md` says how the modules fit together; `http.rs` is the map of the API.

pub mod address;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dev;
pub mod diagnosis;
pub mod domain_name;
pub mod egress;
pub mod email_config;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz_targets;
pub mod http;
pub mod id;
pub mod json;
pub mod language;
pub mod message;
pub mod metrics;
pub mod microsoft365;
pub mod open_id_connect;
pub mod privacy;
pub mod provider;
pub mod retention;
pub mod secret;
pub mod smtp;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod transcript;
pub mod vault;
