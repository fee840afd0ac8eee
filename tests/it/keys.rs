//! Encryption keys: commands, rotation, the key service.

mod commands;
mod reload;
mod rotation;
mod service;
mod vault;
