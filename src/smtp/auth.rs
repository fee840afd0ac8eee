//! Signing in (RFC 4954): PLAIN, LOGIN, XOAUTH2; one mechanism per attempt.

use crate::secret::Secret;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    Plain,
    Login,
    XOAuth2,
}

/// What a session signs in with.
pub enum Credentials<'a> {
    Password { username: &'a str, password: &'a Secret },
    OAuthToken { username: &'a str, token: &'a Secret },
}
