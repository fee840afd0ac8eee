//! Name resolution: the system's, or a test's table.

use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResolveError {
    /// NXDOMAIN, or a name without an address.
    #[error("no such host")]
    NotFound,
    /// SERVFAIL, or no answer: nothing is known about the name.
    #[error("the name server did not answer")]
    Unavailable,
}

/// Asked once per dial.
#[derive(Clone)]
pub enum Resolver {
    System,
    /// A test's answers; also counts the questions, if the closure does.
    Table(Arc<dyn Fn(&str) -> Result<Vec<IpAddr>, ResolveError> + Send + Sync>),
}
