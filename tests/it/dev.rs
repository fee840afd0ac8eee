//! `transports dev`.

mod command;
mod inbox;
