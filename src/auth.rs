//! Authentication: bearer tokens, and the sign-in to the console.

pub mod console_sign_in;
pub mod open_id_connect;
pub mod token;
