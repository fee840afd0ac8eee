//! Checks at the start that the database's user may do what the service does.

use anyhow::bail;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Each table that the service reads and writes.
const TABLES: [&str; 16] = [
    "api_keys",
    "audit",
    "background_tasks",
    "content_keys",
    "delivery_accounts",
    "email_bodies",
    "email_configs",
    "email_events",
    "email_queue",
    "email_recipients",
    "email_tags",
    "emails",
    "ended_sessions",
    "key_canaries",
    "lease_clock",
    "rate_limits",
];

/// The rights on the tables of $1 that this user lacks, as `RIGHT on TABLE`.
const MISSING_RIGHTS: &str = "select format('%s on %s', lacking.name, tables.name)
    from unnest($1::text[]) as tables (name),
        unnest(array['select', 'insert', 'update', 'delete']) as lacking (name)
    where not has_table_privilege(format('%I.%I', current_schema(), tables.name), lacking.name)";

/// # Errors
/// Names each right that is missing.
pub(super) async fn check(client: &Client) -> anyhow::Result<()> {
    let lacking = client.query(MISSING_RIGHTS, &[&TABLES.as_slice()]).await?;
    let lacking: Vec<String> = lacking.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if !lacking.is_empty() {
        bail!("this user lacks rights ({}): {GRANT}", lacking.join(", "));
    }
    Ok(())
}

const GRANT: &str = "`grant select, insert, update, delete on all tables in schema SCHEMA to USER`, by the user who \
                     has made the tables";

/// Adds to a failed migration what has to be granted, where that is its cause.
pub(super) fn explain(error: anyhow::Error) -> anyhow::Error {
    let state = error.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::code);
    if state.is_some_and(|state| {
        [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::INVALID_SCHEMA_NAME].contains(state)
    }) {
        return error.context(format!(
            "this user lacks rights: `grant usage, create on schema SCHEMA to USER` lets it make the tables; where \
             another user makes them, it needs `grant usage on schema SCHEMA to USER` and {GRANT}"
        ));
    }
    error
}
