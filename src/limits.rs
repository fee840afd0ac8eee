//! Rate limits, quotas and limits on connections.

mod bounded;
pub mod connections;
pub mod quotas;
pub mod rate;
mod windows;

pub use windows::Exceeded;
