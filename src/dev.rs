//! What only `transports dev` and the tests use.

pub mod fake_microsoft365;
