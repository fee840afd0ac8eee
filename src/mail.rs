//! Mail as values: addresses, host names, messages, and the record of a dialogue with a server.

pub mod address;
pub mod domain_name;
pub mod mailbox;
pub mod message;
pub mod transcript;
