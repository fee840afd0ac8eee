mod cli;
mod egress_dial;
mod egress_http;
mod support;
mod token_claims;
mod token_form;
mod token_jwks;
mod token_keys;
