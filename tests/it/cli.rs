//! The command line.

mod api_keys;
mod commands;
mod draining;
mod email_config;
mod email_config_answers;
mod email_config_secrets;
mod init;
mod process;
mod profiles;
mod queue;
mod serve;
mod tenants;
