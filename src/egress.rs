//! All outgoing connections: resolves a name, checks every address against the policy, connects to the checked address.
//!
//! `clippy.toml` bans every other way to connect.

mod dialer;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod host;
pub mod http_client;
mod policy;
mod resolver;
pub mod tls;
pub mod untrusted;

pub use dialer::{Connection, DialError, Dialer};
pub use host::{Host, HostError};
pub use policy::{Policy, PolicyError, Refusal};
pub use resolver::{Lookup, ResolveError, Resolver, SystemResolver};
