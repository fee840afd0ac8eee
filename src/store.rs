//! The database: one SQL text for SQLite and PostgreSQL, a file for each table.

pub mod audit;
mod db;
pub mod email_configs;
pub mod key_canaries;
mod migrations;
mod postgres;
mod sqlite;

pub use db::{Db, DbError, Row, Statement, Value, Write, WriteOutcome, sql};
