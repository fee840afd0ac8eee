//! Authentication: bearer tokens, API keys, and the sign-in to the console.

pub mod api_key;
pub mod console_sign_in;
pub mod open_id_connect;
pub mod token;
