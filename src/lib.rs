//! A multi-tenant email transport service.
//!
//! `ARCHITECTURE.md` says how the modules fit together; `http.rs` is the map of the API.

pub mod account;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod dev;
pub mod diagnosis;
pub mod egress;
pub mod email_config;
pub mod error;
mod file_stamp;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz_targets;
pub mod http;
pub mod id;
pub mod json;
pub mod language;
pub mod limits;
pub mod mail;
pub mod mail_services;
pub mod outgoing;
pub mod percent;
pub mod process;
pub mod providers;
pub mod secret;
pub mod smtp;
pub mod store;
pub mod submission;
pub mod telemetry;
pub mod unwind;
pub mod vault;
