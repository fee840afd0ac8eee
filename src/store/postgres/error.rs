//! What PostgreSQL's errors mean for the caller.

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::TIME_LIMIT;
use crate::store::DbError;
use crate::store::db::chain;

/// Classes of SQLSTATE that say something about the server or the connection, and nothing about the statement:
/// connection, authorization, transaction rollback (as by a deadlock), resources, prerequisite state (as a
/// lock), operator intervention, system error, internal error.
const TROUBLE: [&str; 9] = ["08", "28", "40", "53", "55", "57", "58", "F0", "XX"];

/// Whether the database is in trouble, or the statement is wrong.
pub(super) fn classify(error: &Error) -> DbError {
    match error.code() {
        Some(state) if !is_trouble(state) => DbError::Statement(chain(error)),
        // Without a state no answer came: the connection broke, or was never made.
        _ => DbError::Unavailable(chain(error)),
    }
}

fn is_trouble(state: &SqlState) -> bool {
    // A server that has become a standby refuses writes with 25006, and tables that are not logged with 0A000; 3D000
    // is a database that is not there.
    let single = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_CATALOG_NAME,
    ];
    single.contains(state) || TROUBLE.iter().any(|class| state.code().starts_with(class))
}

/// Whether a row refers to one that is not there, or one is removed that another refers to.
pub(super) fn is_foreign_key(error: &Error) -> bool {
    error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION)
}

/// Whether a statement has to be prepared anew, since what it returns has changed. The server names it by a text in
/// its own language, and by the function that found it out.
pub(super) fn is_outdated(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| error.routine() == Some("RevalidateCachedQuery"))
}

pub(super) fn pool_error(error: PoolError) -> DbError {
    match error {
        PoolError::Backend(error) => classify(&error),
        other => DbError::Unavailable(other.to_string()),
    }
}

pub(super) fn too_slow() -> DbError {
    DbError::Unavailable(format!("it did not answer within {} s", TIME_LIMIT.as_secs()))
}

/// What the operator reads where the server cannot be reached at the start.
pub(super) fn explain(error: &Error) -> anyhow::Error {
    let text = chain(error);
    let advice = if text.contains("certificate") {
        "the server's certificate is not trusted: name its authority in tls.ca_file, or add sslmode=disable to \
         database.url where the way to the server is safe"
    } else if error.code().is_some() {
        "the server refuses: check user, password and name of the database"
    } else {
        "check that the server runs there, and that this host may reach it"
    };
    anyhow::Error::msg(text).context(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security case K9.
    #[test]
    fn trouble_with_the_server_is_told_from_a_wrong_statement() {
        let states = [
            ("08006", true),
            ("0A000", true),
            ("25006", true),
            ("28P01", true),
            ("3D000", true),
            ("40001", true),
            ("40P01", true),
            ("53100", true),
            ("53300", true),
            ("55P03", true),
            ("57014", true),
            ("57P01", true),
            ("58030", true),
            ("XX001", true),
            ("22021", false),
            ("23505", false),
            ("25P02", false),
            ("42601", false),
            ("42P01", false),
        ];
        for (code, trouble) in states {
            assert_eq!(is_trouble(&SqlState::from_code(code)), trouble, "{code}");
        }
    }
}
