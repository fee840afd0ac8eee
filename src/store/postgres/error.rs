//! What PostgreSQL's errors mean for the caller.

use std::error::Error as _;
use std::io;

use deadpool_postgres::PoolError;
use rustls::{AlertDescription, CertificateError};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::TIME_LIMIT;
use crate::store::DbError;
use crate::store::db::chain;

/// Classes of SQLSTATE that say something about the server or the connection, and nothing about the statement:
/// connection, authorization, transaction rollback (as by a deadlock), resources, prerequisite state (as a
/// lock), operator intervention, system error, internal error.
const UNAVAILABLE_CLASSES: [&str; 9] = ["08", "28", "40", "53", "55", "57", "58", "F0", "XX"];

/// The function of the server that looks the role up: the text beside it is in the server's language.
const ROLE_CHECK: &str = "InitializeSessionUserId";

/// An error, and which connections cannot be trusted any more.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: DbError,
    pub replace: Replace,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Replace {
    Nothing,
    Connection,
    /// The server is the wrong one, and the other connections lead there as well.
    EveryConnection,
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self { error, replace: Replace::Nothing }
    }
}

/// Whether the database is in trouble, or the statement is wrong; and whether the connection is still good.
pub(super) fn classify(error: &Error) -> Failure {
    let text = chain(error);
    match error.code() {
        Some(state) if !is_trouble(state) => DbError::Statement(text).into(),
        Some(state) => Failure { error: DbError::Unavailable(text), replace: to_replace(state) },
        // Without a state no answer came: the connection broke, or was never made.
        None => Failure { error: DbError::Unavailable(text), replace: Replace::Connection },
    }
}

fn is_trouble(state: &SqlState) -> bool {
    // A server that has become a standby refuses writes with 25006, and tables that are not logged with 0A000; 3D000
    // is a database that is not there; 42501 a right that was taken away; 26000 a prepared statement that a pooler has
    // left behind in another session.
    let single = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ];
    single.contains(state) || UNAVAILABLE_CLASSES.iter().any(|class| state.code().starts_with(class))
}

fn to_replace(state: &SqlState) -> Replace {
    let ends_the_connection = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ];
    if *state == SqlState::READ_ONLY_SQL_TRANSACTION {
        Replace::EveryConnection
    } else if state.code().starts_with("08") || ends_the_connection.contains(state) {
        Replace::Connection
    } else {
        Replace::Nothing
    }
}

/// Whether a row refers to one that is not there, or one is removed that another refers to.
pub(super) fn is_foreign_key(error: &Error) -> bool {
    error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION)
}

/// Whether a statement must be prepared again since its columns have changed. The server reports it by a text in its
/// own language, and by the name of a function in its source.
pub(super) fn is_outdated(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| error.routine() == Some("RevalidateCachedQuery"))
}

pub(super) fn pool_error(error: PoolError) -> DbError {
    match error {
        PoolError::Backend(error) => classify(&error).error,
        other => DbError::Unavailable(other.to_string()),
    }
}

pub(super) fn timeout_error() -> DbError {
    DbError::Unavailable(format!("it did not answer within {} s", TIME_LIMIT.as_secs()))
}

/// What the operator reads where the server cannot be reached at the start.
pub(super) fn explain(error: &Error) -> anyhow::Error {
    // The role is missing, or may not log in: what the server says names it, and no rule of pg_hba.conf would help.
    if let Some(refusal) = error.as_db_error().filter(|error| error.routine() == Some(ROLE_CHECK)) {
        return anyhow::anyhow!(
            "the server says `{}`: correct the user in database.url, or let the server's administrator make the role \
             with `create role NAME login`",
            refusal.message()
        );
    }
    anyhow::Error::msg(chain(error)).context(advice(error))
}

fn advice(error: &Error) -> &'static str {
    if let Some(state) = error.code() {
        return advice_on_refusal(state);
    }
    match cause(error) {
        Cause::Tls(error) => advice_on_tls(error),
        Cause::NoTls => {
            "the server does not offer TLS: switch it on there, or add sslmode=disable to database.url where the way \
             to the server is safe"
        }
        Cause::OnlyReads => {
            "the server only reads, as a standby does: lead database.url to the primary, or name all servers there, \
             separated by commas"
        }
        Cause::Other => "check that the server runs there, and that this host may reach it",
    }
}

fn advice_on_refusal(state: &SqlState) -> &'static str {
    if *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        "the server does not admit this user: look at its pg_hba.conf for the user, the database, this host, and \
         whether it asks for TLS or for a certificate of the client, which this service has none of"
    } else if *state == SqlState::TOO_MANY_CONNECTIONS {
        "the server has no connection left: raise its max_connections, or lower database.connections"
    } else if state.code().starts_with("57") {
        "the server is starting or stopping: try again when it is up"
    } else {
        "the server refuses: check user, password and name of the database"
    }
}

fn advice_on_tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            "the server's certificate is for another name: write the name that it holds in database.url, or give the \
             server a certificate for this one"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => {
            "the server's certificate has expired or is not valid yet: renew it, or set the clock of this host"
        }
        rustls::Error::InvalidCertificate(_) => {
            "the server's certificate is not trusted: name its authority in tls.ca_file, or add sslmode=disable to \
             database.url where the way to the server is safe"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a certificate of the client, which this service has none of: let it take the password \
             alone"
        }
        rustls::Error::AlertReceived(_) => {
            "the server broke off TLS: its log says why; it has to offer TLS 1.2 or newer and to want no certificate \
             of the client"
        }
        _ => "the server and this service have no TLS in common: it has to offer TLS 1.2 or newer",
    }
}

/// What lies behind an error that is no answer of the server.
enum Cause<'a> {
    Tls(&'a rustls::Error),
    NoTls,
    OnlyReads,
    Other,
}

fn cause(error: &Error) -> Cause<'_> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref()) {
                return Cause::Tls(tls);
            }
            // The driver's own, where `target_session_attrs` is not met; one of the system has its number.
            if io.kind() == io::ErrorKind::PermissionDenied && io.raw_os_error().is_none() {
                return Cause::OnlyReads;
            }
        }
        // The driver says it by a text alone.
        if error.to_string() == "server does not support TLS" {
            return Cause::NoTls;
        }
        next = error.source();
    }
    Cause::Other
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
            ("26000", true),
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
            ("42501", true),
            ("42601", false),
            ("42P01", false),
        ];
        for (code, trouble) in states {
            assert_eq!(is_trouble(&SqlState::from_code(code)), trouble, "{code}");
        }
    }

    /// Security case K9.
    #[test]
    fn a_connection_that_leads_to_the_wrong_place_is_not_kept() {
        let states = [
            ("08006", Replace::Connection),
            ("08P01", Replace::Connection),
            ("57P01", Replace::Connection),
            ("57P02", Replace::Connection),
            ("57P03", Replace::Connection),
            ("26000", Replace::Connection),
            ("25006", Replace::EveryConnection),
            ("40001", Replace::Nothing),
            ("53100", Replace::Nothing),
            ("57014", Replace::Nothing),
            ("55P03", Replace::Nothing),
        ];
        for (code, expected) in states {
            assert_eq!(to_replace(&SqlState::from_code(code)), expected, "{code}");
        }
    }
}
