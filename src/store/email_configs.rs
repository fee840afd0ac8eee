//! Filled in by the store.
