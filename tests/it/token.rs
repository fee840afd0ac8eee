//! Bearer tokens and key sets.

mod cache;
mod claims;
mod form;
mod jwks;
mod keys;
