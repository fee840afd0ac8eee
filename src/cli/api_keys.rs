//! `transports api-keys`: creates, lists, changes and revokes the keys that programs send with.

mod create;
mod ls;
mod options;
mod revoke;
mod update;

use anyhow::anyhow;
use clap::Subcommand;

use super::output;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::delivery::Error;
use crate::delivery::api_keys::ApiKeys;
use crate::store::api_keys::{ApiKey, KeyOwner};

/// Create, list, change and revoke the keys that programs send with.
///
/// Works on the database, whether the service runs or not. New and revoked keys take effect with the next request.
/// Each change of a tenant's key is recorded in its audit, with `operator` as its user.
#[derive(Debug, Subcommand)]
#[command(after_help = super::EXIT_CODES)]
pub enum Command {
    Create(create::Arguments),
    Ls(ls::Arguments),
    Update(update::Arguments),
    Revoke(revoke::Arguments),
}

pub(super) async fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    if let Command::Revoke(arguments) = command {
        arguments.require_answer()?;
    }
    let db = super::tenants::open(config).await?;
    let keys = ApiKeys::new(&db, Clock::System);
    let done = match command {
        Command::Create(arguments) => create::run(arguments, &keys, &db).await,
        Command::Ls(arguments) => ls::run(arguments, &keys).await,
        Command::Update(arguments) => update::run(arguments, &keys).await,
        Command::Revoke(arguments) => revoke::run(arguments, &keys).await,
    };
    db.close().await;
    done
}

/// Whose a key is, as it is shown.
fn shown_owner(key: &ApiKey) -> String {
    match &key.owner {
        KeyOwner::Tenant(tenant) => format!("tenant {:?}", super::email_config::shown(tenant.as_str())),
        KeyOwner::Platform => "the platform".to_owned(),
    }
}

/// A key with the names of the API.
fn document(key: &ApiKey) -> serde_json::Value {
    let (tenant, is_platform) = match &key.owner {
        KeyOwner::Tenant(tenant) => (Some(tenant.as_str()), false),
        KeyOwner::Platform => (None, true),
    };
    serde_json::json!({
        "id": key.id.to_string(),
        "tenantId": tenant,
        "platform": is_platform,
        "name": key.name,
        "permission": key.permission.as_str(),
        "allowed_senders": key.allowed_senders.is_some().then(|| key.shown_senders()),
        "test": key.is_test,
        "created_at": key.created_at.to_iso(),
        "expires_at": key.expires_at.map(Timestamp::to_iso),
        "revoked_at": key.revoked_at.map(Timestamp::to_iso),
        "last_used_at": key.last_used_at.map(Timestamp::to_iso),
    })
}

fn failure(error: Error) -> anyhow::Error {
    match error {
        Error::Input(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            anyhow!("{}", faults.join("; "))
        }
        Error::TooManyKeys => anyhow!("the limit of keys is reached: revoke one first"),
        Error::NotFound => anyhow!(
            "no such key, or it is already revoked: `transports api-keys ls --tenant TENANT --revoked` lists all"
        ),
        Error::Database(error) => error.into(),
        Error::Internal(error) => error,
        other => anyhow!("{other:?}"),
    }
}
