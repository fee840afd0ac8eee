//! Who is calling: bearer tokens, and the console's sign-in provider.

pub mod open_id_connect;
pub mod token;
