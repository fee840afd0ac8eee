//! The table of configurations: one row for each tenant that has one.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::tenant_list::Group;
use super::{Columns, Db, DbError, Statement, sql};
use crate::clock::Timestamp;
use crate::email_config::settings::SettingsRow;
use crate::email_config::{
    CheckOutcome, EmailConfig, Health, HealthState, LastCheck, ProviderKind, Settings, Version,
};
use crate::id::TenantId;
use crate::mail::transcript::Stage;
use crate::secret::Sealed;

statements! {
    FIND = "select config_version, health_version, provider,
            server_address, server_port, security_type, username, email_address, sender_name,
            client_id, provider_tenant_id, secret_key_id, secret_wrapped_key, secret_payload,
            health_state, auth_failures, diagnosis_code, health_reason, failed_stage, last_check,
            modified_at, updated_at
        from email_configs where tenant_id = $1";
    INSERT = "insert into email_configs (tenant_id, config_version, health_version, provider,
            server_address, server_port, security_type, username, email_address, sender_name,
            client_id, provider_tenant_id, secret_key_id, secret_wrapped_key, secret_payload,
            health_state, auth_failures, diagnosis_code, health_reason, modified_at, updated_at, listing_group,
            failed_stage, last_check)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
            $20, $21, $22, $23, $24)
        on conflict (tenant_id) do nothing";
    /// A sealed secret that stays has the same payload: then whatever wraps its data key stays too. It may have been
    /// rewrapped since the row was read.
    UPDATE = "update email_configs set config_version = $2, health_version = $3, provider = $4,
            server_address = $5, server_port = $6, security_type = $7, username = $8, email_address = $9,
            sender_name = $10, client_id = $11, provider_tenant_id = $12,
            secret_key_id = case when secret_payload = $15 then secret_key_id else $13 end,
            secret_wrapped_key = case when secret_payload = $15 then secret_wrapped_key else $14 end,
            secret_payload = $15, health_state = $16, auth_failures = $17,
            diagnosis_code = $18, health_reason = $19, modified_at = $20, updated_at = $21, listing_group = $22,
            failed_stage = $23, last_check = $24
        where tenant_id = $1 and config_version = $25";
    DELETE = "delete from email_configs where tenant_id = $1 and config_version = $2";
    RECORD_SUCCESS = "update email_configs set health_version = health_version + 1, updated_at = $3,
            health_state = $4, listing_group = $5, auth_failures = 0, diagnosis_code = null, health_reason = null,
            failed_stage = null
        where tenant_id = $1 and config_version = $2 and (health_state <> $4 or auth_failures <> 0
            or diagnosis_code is not null or health_reason is not null)";
    /// Counts in SQL, so that two checks at the same time count as two.
    RECORD_REFUSED_CREDENTIALS = "update email_configs
        set health_version = health_version + 1, updated_at = $3,
            health_state = $4, listing_group = $5, auth_failures = auth_failures + 1, diagnosis_code = $6,
            health_reason = $7, failed_stage = null
        where tenant_id = $1 and config_version = $2";
    RECORD_PROVIDER_ERROR = "update email_configs set health_version = health_version + 1, updated_at = $3,
            health_state = $4, listing_group = $5, diagnosis_code = $6, health_reason = $7,
            failed_stage = $8
        where tenant_id = $1 and config_version = $2 and (health_state <> $4
            or diagnosis_code is distinct from $6 or health_reason is distinct from $7
            or failed_stage is distinct from $8)";
    RECORD_LAST_CHECK = "update email_configs set health_version = health_version + 1, updated_at = $3, last_check = $4
        where tenant_id = $1 and config_version = $2";
}

/// The tenant's configuration.
///
/// # Errors
/// See [`DbError`]; a row that cannot be understood is [`DbError::Statement`].
pub async fn find(db: &Db, tenant: &TenantId) -> Result<Option<EmailConfig>, DbError> {
    let row = db.optional(sql(FIND).bind(tenant.as_str())).await?;
    row.map(|row| read(&mut row.columns())).transpose()
}

/// Creates the row; touches none, and undoes the write, where the tenant has one already.
pub fn insert(tenant: &TenantId, next: &EmailConfig) -> Statement {
    bind_row(sql(INSERT), tenant, next).require_affected()
}

/// Replaces the row where its version is still `version`; undoes the write where it is not.
pub fn update(tenant: &TenantId, version: &str, next: &EmailConfig) -> Statement {
    bind_row(sql(UPDATE), tenant, next).bind(version).require_affected()
}

/// Deletes the row where its version is still `version`; undoes the write where it is not.
pub fn delete(tenant: &TenantId, version: &str) -> Statement {
    sql(DELETE).bind(tenant.as_str()).bind(version).require_affected()
}

/// Writes what a check of the configuration `checked` has shown. Affects no row where the stored version is another
/// one, or where the outcome changes nothing. `None` where the outcome says nothing about the configuration.
pub fn record_check(
    tenant: &TenantId,
    checked: &EmailConfig,
    outcome: &CheckOutcome,
    now: Timestamp,
) -> Option<Statement> {
    let (text, health_state, details) = match outcome {
        CheckOutcome::Nothing => return None,
        CheckOutcome::Success => (RECORD_SUCCESS, HealthState::Ok, None),
        CheckOutcome::CredentialsRefused { diagnosis_code, reason } => (
            RECORD_REFUSED_CREDENTIALS,
            HealthState::InvalidCredentials,
            Some((diagnosis_code, reason, None)),
        ),
        CheckOutcome::ProviderError { diagnosis_code, reason, stage } => {
            (RECORD_PROVIDER_ERROR, HealthState::ProviderError, Some((diagnosis_code, reason, Some(stage))))
        }
    };
    // With the version, what the group says of the settings is the same; the outcome decides the rest.
    let health = checked.health.after_check(outcome).unwrap_or_else(|| checked.health.clone());
    let group = Group::from(&EmailConfig { health, ..checked.clone() });
    let statement = sql(text)
        .bind(tenant.as_str())
        .bind(checked.version.config.as_str())
        .bind(now.0)
        .bind(state_text(health_state))
        .bind(group.as_str());
    Some(match details {
        Some((code, reason, stage)) => {
            let statement = statement.bind(code.as_str()).bind(reason.as_str());
            stage.into_iter().fold(statement, |statement, stage| statement.bind(stage.as_str()))
        }
        None => statement,
    })
}

/// Writes how the last check of the configuration `checked` ended. Affects no row where the stored version is another one.
pub fn record_last_check(
    tenant: &TenantId,
    checked: &EmailConfig,
    last_check: &LastCheck,
    now: Timestamp,
) -> Statement {
    sql(RECORD_LAST_CHECK)
        .bind(tenant.as_str())
        .bind(checked.version.config.as_str())
        .bind(now.0)
        .bind(last_check_text(&checked.version, last_check))
}

/// The last check as it is stored. It names its version of the configuration: an earlier version of this service changes
/// the configuration and leaves this column as it is.
#[derive(Serialize, Deserialize)]
struct LastCheckColumn<T> {
    config_version: String,
    check: T,
}

/// Null where it cannot be written: the last check is then not known.
fn last_check_text(version: &Version, check: &LastCheck) -> Option<String> {
    serde_json::to_string(&LastCheckColumn { config_version: version.config.clone(), check }).ok()
}

/// None where it is that of other settings, or was written by a newer version in a form that this one does not know.
fn last_check(version: &Version, stored: Option<&str>) -> Option<LastCheck> {
    let column: LastCheckColumn<LastCheck> = serde_json::from_str(stored?).ok()?;
    (column.config_version == version.config).then_some(column.check)
}

/// Binds the row in the order of the columns of [`INSERT`] and [`UPDATE`].
fn bind_row(statement: Statement, tenant: &TenantId, config: &EmailConfig) -> Statement {
    let row = config.settings.to_row();
    let (secret, health) = (config.secret.as_ref(), &config.health);
    statement
        .bind(tenant.as_str())
        .bind(config.version.config.as_str())
        .bind(config.version.health)
        .bind(config.settings.kind().as_str())
        .bind(row.server_address)
        .bind(row.server_port)
        .bind(row.security_type)
        .bind(row.username)
        .bind(row.email_address)
        .bind(row.sender_name)
        .bind(row.client_id)
        .bind(row.provider_tenant_id)
        .bind(secret.map(|sealed| sealed.key_id.as_str()))
        .bind(secret.map(|sealed| sealed.wrapped_key.as_slice()))
        .bind(secret.map(|sealed| sealed.payload.as_slice()))
        .bind(state_text(health.state))
        .bind(health.auth_failures)
        .bind(health.diagnosis_code.as_deref())
        .bind(health.reason.as_deref())
        .bind(config.modified_at.0)
        .bind(config.updated_at.0)
        .bind(Group::from(config).as_str())
        .bind(health.failed_stage.map(Stage::as_str))
        .bind(config.last_check.as_ref().and_then(|check| last_check_text(&config.version, check)))
}

/// Reads the columns of [`FIND`], in its order.
fn read(columns: &mut Columns) -> Result<EmailConfig, DbError> {
    let version = Version { config: columns.text()?, health: columns.integer()? };
    let provider = ProviderKind::parse(&columns.text()?);
    let provider = provider.ok_or_else(|| unreadable_row("provider", "is not one of ours"))?;
    let row = SettingsRow {
        server_address: columns.optional_text()?,
        server_port: columns.optional_integer()?,
        security_type: columns.optional_text()?,
        username: columns.optional_text()?,
        email_address: columns.optional_text()?,
        sender_name: columns.optional_text()?,
        client_id: columns.optional_text()?,
        provider_tenant_id: columns.optional_text()?,
    };
    let settings =
        Settings::from_row(provider, row).map_err(|error| unreadable_row(error.column, error.problem))?;
    Ok(EmailConfig {
        settings,
        secret: secret(columns)?,
        health: Health {
            state: state(&columns.text()?)?,
            auth_failures: columns.integer()?,
            diagnosis_code: columns.optional_text()?,
            reason: columns.optional_text()?,
            failed_stage: columns.optional_text()?.as_deref().and_then(Stage::parse),
        },
        last_check: last_check(&version, columns.optional_text()?.as_deref()),
        version,
        modified_at: Timestamp(columns.integer()?),
        updated_at: Timestamp(columns.integer()?),
    })
}

fn secret(columns: &mut Columns) -> Result<Option<Sealed>, DbError> {
    let parts = (columns.optional_text()?, columns.optional_bytes()?, columns.optional_bytes()?);
    match parts {
        (Some(key_id), Some(wrapped_key), Some(payload)) => Ok(Some(Sealed { key_id, wrapped_key, payload })),
        (None, None, None) => Ok(None),
        _ => Err(unreadable_row("secret", "is there in part only")),
    }
}

/// Never holds the value: it was edited by hand, and may be anything.
fn unreadable_row(column: &str, problem: impl Display) -> DbError {
    DbError::Statement(format!("a row of email_configs cannot be understood: {column} {problem}"))
}

fn state_text(state: HealthState) -> &'static str {
    match state {
        HealthState::Ok => "OK",
        HealthState::InvalidCredentials => "INVALID_CREDENTIALS",
        HealthState::ProviderError => "PROVIDER_ERROR",
    }
}

fn state(text: &str) -> Result<HealthState, DbError> {
    [HealthState::Ok, HealthState::InvalidCredentials, HealthState::ProviderError]
        .into_iter()
        .find(|state| state_text(*state) == text)
        .ok_or_else(|| unreadable_row("health_state", "is not one of ours"))
}
