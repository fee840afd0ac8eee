//! The connection, plain or in TLS, with the one reader that owns its buffer.
