//! `transports api-keys create`: creates a key and prints it once.

use clap::Args;

use super::options::{Whose, parse_end, parse_sender};
use super::{document, failure, output, shown_owner};
use crate::auth::api_key::Permission;
use crate::clock::Timestamp;
use crate::delivery::api_keys::{ApiKeys, Author, KeyRequest};
use crate::outgoing::account_settings::AllowedSender;
use crate::store::api_keys::KeyOwner;
use crate::store::{Db, email_configs};

/// Create a key, and print it to standard output. It cannot be shown again.
///
/// Example: transports api-keys create --tenant acme --name billing --expires 90d
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    whose: Whose,

    /// Purpose of the key, at most 50 characters.
    #[arg(long)]
    name: String,

    /// `full_access` allows the whole send API; `sending_access` allows sending, and reading emails that were sent
    /// with the key.
    #[arg(long, value_enum, default_value = "full_access", hide_possible_values = true)]
    permission: Permission,

    /// Sender that the key may use: an address or `*@domain`. Can be repeated. Without it, any sender of the account.
    #[arg(long = "allowed-sender", value_name = "SENDER", value_parser = parse_sender)]
    allowed_senders: Vec<AllowedSender>,

    /// Expiry: a time such as 2027-01-01T00:00:00Z, or a duration from now such as 90d.
    #[arg(long, value_name = "TIME", value_parser = parse_end)]
    expires: Option<Timestamp>,

    /// Create a test key: its emails are never sent; the start of the recipient's address decides the simulated
    /// outcome.
    #[arg(long)]
    test: bool,

    /// Print one JSON document, with the key as `token`.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, keys: &ApiKeys, db: &Db) -> anyhow::Result<()> {
    let request = KeyRequest {
        name: arguments.name.trim().to_owned(),
        permission: arguments.permission,
        allowed_senders: (!arguments.allowed_senders.is_empty()).then(|| arguments.allowed_senders.clone()),
        is_test: arguments.test,
        expires_at: arguments.expires,
    };
    let owner = arguments.whose.owner();
    let (key, text) = keys.create(&owner, &Author::operator(), request).await.map_err(failure)?;
    if let KeyOwner::Tenant(tenant) = &owner
        && email_configs::find(db, tenant).await?.is_none()
    {
        output::note(&format!(
            "note: {} has no mail account yet, and nothing can be sent before one is set up. `transports tenants ls` lists the \
             tenants with one: a key is of the tenant with exactly this id.",
            shown_owner(&key)
        ));
    }
    if arguments.json {
        let mut document = document(&key);
        document["token"] = text.expose().into();
        return output::data(&format!("{document}\n"));
    }
    output::note(&format!("The key {} of {}; it is shown only once:", key.id, shown_owner(&key)));
    output::data(&format!("{}\n", text.expose()))
}
