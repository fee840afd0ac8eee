//! `transports api-keys ls`: lists the keys of a tenant or of the platform.

use clap::Args;
use serde_json::json;

use super::options::Whose;
use super::{document, failure, output};
use crate::cli::email_config::shown;
use crate::cli::moment;
use crate::cli::queue::columns;
use crate::clock::Clock;
use crate::delivery::api_keys::ApiKeys;
use crate::store::api_keys::{ApiKey, Page};

/// List the keys of a tenant or of the platform, the newest first.
///
/// Example: transports api-keys ls --tenant acme
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    whose: Whose,

    /// Include revoked keys, as long as they are kept.
    #[arg(long)]
    revoked: bool,

    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

const NAMES: [&str; 6] = ["KEY", "NAME", "PERMISSION", "STATE", "EXPIRES", "LAST USED"];

/// Keys that are read at once.
const PAGE: usize = 500;

pub(super) async fn run(arguments: &Arguments, keys: &ApiKeys) -> anyhow::Result<()> {
    let (owner, mut found, mut page) = (arguments.whose.owner(), Vec::new(), Page::First);
    loop {
        let (more, has_more) = keys.list(&owner, page, arguments.revoked, PAGE).await.map_err(failure)?;
        found.extend(more);
        match found.last() {
            Some(last) if has_more => page = Page::After(last.id),
            _ => break,
        }
    }
    if arguments.json {
        let listed: Vec<_> = found.iter().map(document).collect();
        return output::data(&format!("{}\n", json!({ "apiKeys": listed })));
    }
    if found.is_empty() {
        output::note("No keys.");
        return Ok(());
    }
    let lines: Vec<_> = std::iter::once(NAMES.map(str::to_owned)).chain(found.iter().map(cells)).collect();
    output::data(&columns(&lines))
}

fn cells(key: &ApiKey) -> [String; 6] {
    let state = match key.revoked_at {
        Some(_) => "revoked",
        None if !key.is_usable(Clock::System.now()) => "expired",
        None if key.is_test => "test",
        None => "usable",
    };
    [
        key.id.to_string(),
        shown(&key.name),
        key.permission.as_str().to_owned(),
        state.to_owned(),
        moment::utc_or_hyphen(key.expires_at),
        moment::utc_or_hyphen(key.last_used_at),
    ]
}
