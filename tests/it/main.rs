mod cli;
mod smtp_session;
mod smtp_tls;
mod support;
mod token_claims;
mod token_form;
mod token_jwks;
mod token_keys;
