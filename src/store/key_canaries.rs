//! The table of canaries: for each key of the ring one known text, sealed with it.
