//! What the tests stand on: a service under test, a scripted mail server, certificates, tokens.
