//! The one TLS configuration of all outgoing connections: certificates are always verified.

use std::sync::Arc;

use crate::config::Tls;

/// TLS 1.2 and 1.3, the public authorities, and those of `tls.ca_file`.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn client_config(_settings: &Tls) -> anyhow::Result<Arc<rustls::ClientConfig>> {
    todo!()
}
