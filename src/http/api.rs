//! The operations of the API: a handler and its bodies for each.

pub mod api_keys;
pub mod audit;
pub mod checks;
pub mod email_config;
pub mod emails;
pub mod events;
pub mod live;
pub mod mail_services;
pub mod microsoft365_setup;
pub mod paging;
mod refusal;
pub mod sending_account;
