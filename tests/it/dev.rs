//! `transports dev`.

mod command;
mod inbox;
mod outcomes;
