//! The inbox of `transports dev`: an SMTP server on loopback that keeps every mail in memory, and pages that
//! show them. Beside it an Entra and a Graph of our own, so that Microsoft 365 can be tried without an account.
//!
//! It must not know the service that it stands beside: neither settings nor tenants, neither the database nor
//! the API. So it is tested without them, and nothing here can weaken what `transports serve` does.

pub mod certificates;
pub mod fake_microsoft365;
pub mod folder;
pub mod inbox;
pub mod mail;
pub mod pages;
pub mod ports;
pub mod session;
pub mod smtp;
