//! `transports openapi`: prints the OpenAPI document.

use clap::Args;

use super::output;

/// Print the OpenAPI document.
///
/// OpenAPI 3.1 in JSON, the same document as at /openapi.json. Needs no settings.
///
/// Example: transports openapi > openapi.json
#[derive(Debug, Args)]
#[command(after_help = super::EXIT_CODES)]
pub struct Arguments {}

pub(super) fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    let document = crate::http::openapi::document_json();
    output::data(&format!("{}\n", document.trim_end()))
}
