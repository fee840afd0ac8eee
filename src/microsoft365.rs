//! A client of Microsoft's identity platform (Entra) and of Graph, for an app that signs in with its own secret
//! (OAuth 2.0 client credentials, RFC 6749 section 4.4).
//!
//! It knows no tenant of ours, no store and no HTTP server.

mod client;
mod cloud;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod graph;
pub mod setup;
mod token;

pub use client::{Client, Key, Token};
pub use cloud::Endpoints;
pub use error::{Error, ErrorKind};
pub use token::{AccessToken, Credentials};
