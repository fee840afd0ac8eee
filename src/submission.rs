//! The SMTP gateway: takes mail of programs that send by SMTP, as the send API takes it.
//!
//! A front door like `http`: it signs a client in by its API key, and passes a message to the same use case.

mod certificate;

pub use certificate::Certificate;
