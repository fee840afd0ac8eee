//! What may be connected to, and how.

mod destinations;
mod dial;
mod http;
mod networks;
mod resolver;
