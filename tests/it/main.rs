mod cli;
mod smtp_session;
mod support;
mod token_claims;
mod token_form;
mod token_jwks;
mod token_keys;
