//! `transports api-keys update`: changes the name, permission, senders or expiry of a key.

use clap::{ArgGroup, Args};
use uuid::Uuid;

use super::options::{parse_end, parse_sender};
use super::{document, failure, output};
use crate::auth::api_key::Permission;
use crate::cli::values::IdParser;
use crate::clock::Timestamp;
use crate::delivery::api_keys::{ApiKeys, Author};
use crate::outgoing::account_settings::AllowedSender;
use crate::store::api_keys::KeyChange;

/// Change the name, permission, senders or expiry of a key.
///
/// If the key becomes usable again, its held emails continue within a second.
///
/// Example: transports api-keys update 0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a --expires 90d
#[derive(Debug, Args)]
#[command(
    after_help = crate::cli::EXIT_CODES,
    group = ArgGroup::new("change").required(true).multiple(true)
        .args(["name", "permission", "allowed_senders", "any_sender", "expires", "no_expiry"])
)]
pub struct Arguments {
    /// Id of the key, as `api-keys ls` shows it, or the key's beginning with its id.
    #[arg(value_parser = IdParser::ApiKey)]
    id: Uuid,

    /// Purpose of the key, at most 50 characters.
    #[arg(long)]
    name: Option<String>,

    /// What the key may do.
    #[arg(long, value_enum)]
    permission: Option<Permission>,

    /// Sender that the key may use: an address or `*@domain`. Can be repeated; replaces the previous senders.
    #[arg(long = "allowed-sender", value_name = "SENDER", value_parser = parse_sender, conflicts_with = "any_sender")]
    allowed_senders: Vec<AllowedSender>,

    /// Allow any sender of the account.
    #[arg(long)]
    any_sender: bool,

    /// Expiry: a time such as 2027-01-01T00:00:00Z, or a duration from now such as 90d.
    #[arg(long, value_name = "TIME", value_parser = parse_end, conflicts_with = "no_expiry")]
    expires: Option<Timestamp>,

    /// Remove the expiry.
    #[arg(long)]
    no_expiry: bool,

    /// Print the key as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, keys: &ApiKeys) -> anyhow::Result<()> {
    let senders = (!arguments.allowed_senders.is_empty()).then(|| Some(arguments.allowed_senders.clone()));
    let change = KeyChange {
        name: arguments.name.as_deref().map(|name| name.trim().to_owned()),
        permission: arguments.permission,
        allowed_senders: senders.or(arguments.any_sender.then_some(None)),
        expires_at: arguments.expires.map(Some).or(arguments.no_expiry.then_some(None)),
    };
    let key = keys.find(arguments.id).await.map_err(failure)?;
    let changed = keys.update(&key.owner, &Author::operator(), key.id, &change).await.map_err(failure)?;
    if arguments.json {
        return output::data(&format!("{}\n", document(&changed)));
    }
    output::data(&format!("changed: {}\n", key.id))
}
