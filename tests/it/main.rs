mod cli;
mod dev_command;
mod dev_inbox;
mod support;
mod token_claims;
mod token_form;
mod token_jwks;
mod token_keys;
