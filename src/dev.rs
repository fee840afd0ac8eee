//! The parts of `transports dev`: an SMTP server on loopback that keeps every mail in memory, pages that show the
//! mails, and a fake of Entra and Graph, so that Microsoft 365 can be tried without an account.
//!
//! This room knows neither settings nor tenants, neither the database nor the API. It is tested without them, and
//! nothing here can weaken `transports serve`.

pub mod certificates;
pub mod fake_microsoft365;
pub mod folder;
pub mod inbox;
pub mod mail;
pub mod pages;
pub mod ports;
pub mod running;
pub mod session;
pub mod smtp;
