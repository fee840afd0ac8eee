//! Sends the platform's own mail through a tenant's account.

pub mod request;
