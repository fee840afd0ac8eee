//! The database, on the engine of `TEST_ENGINE`.

mod backup;
mod delivery;
mod delivery_model;
mod email_configs;
mod postgres;
mod schema;
mod sqlite;
mod writes;
