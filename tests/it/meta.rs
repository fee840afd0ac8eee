//! Documents, guards and lists that the tests hold to the code.

mod deployment;
mod documents;
mod guards;
mod layers;
mod leaks;
mod memory;
mod security_cases;
