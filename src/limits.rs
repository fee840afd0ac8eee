//! What a tenant, a user or an address may do in a time, and how many connections may be open at once.

mod bounded;
pub mod connections;
pub mod quotas;
pub mod rate;
mod windows;

pub use windows::Exceeded;
