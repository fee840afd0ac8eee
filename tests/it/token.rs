//! Bearer tokens and key sets.

mod cache;
mod claims;
mod documents;
mod form;
mod jwks;
mod keys;
mod providers;
