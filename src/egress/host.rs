//! A host name or address as a tenant may write it, in its one normal form.

use std::net::IpAddr;

/// Where a configuration points: a DNS name (ASCII, lower case, no final dot) or an IP literal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostError {
    #[error("is empty")]
    Empty,
}

impl Host {
    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(_text: &str) -> Result<Self, HostError> {
        todo!()
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, _formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
