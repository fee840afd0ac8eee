//! Rate limits, quotas and limits on connections.

mod addresses;
mod bounded;
pub mod connections;
pub mod quotas;
pub mod rate;
pub mod recent_audit_rows;
pub mod refused_sign_ins;
pub mod submission_sign_ins;
mod windows;

pub use addresses::network_of;
pub use windows::Exceeded;
