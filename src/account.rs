//! What a tenant's users do with its mail account. Knows neither HTTP nor a language.

pub mod secrets;
