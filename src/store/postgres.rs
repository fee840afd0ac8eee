//! PostgreSQL: a few connections that many reads share, and a pool of connections for writes.

mod error;
mod readers;
mod rights;
mod session;
mod url;
mod value;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio::time::timeout;
use tokio_postgres::{Config, IsolationLevel};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::statement::WrittenRows;
use super::{DbError, Row, Statement, Write, migrations};
use crate::config::{Database, DatabaseUrl, Problem};
use error::{Failure, Replace, classify, explain, is_foreign_key, pool_error, timeout_error};
use readers::Readers;
use session::Connector;

/// Whatever is asked of the database, the caller has its answer below five seconds.
const TIME_LIMIT: Duration = Duration::from_secs(4);

/// Connections that reads share. One carries many reads at once; four saturated two cores in measurements.
const READERS: usize = 4;

/// Whether the driver understands the URL of a server.
///
/// # Errors
/// A text without any part of the URL.
pub fn check_url(url: &DatabaseUrl) -> anyhow::Result<()> {
    if url.sqlite_path().is_some() { Ok(()) } else { url::parse(url.expose()).map(drop) }
}

/// What `database.url` allows, and the operator should know.
pub fn warnings(settings: &Database) -> Vec<Problem> {
    let text = "database.url: allows the password and all rows to reach PostgreSQL without TLS";
    let hint = "where anybody else is on the way to the server, take sslmode=require, or leave sslmode out";
    let is_open = url::allows_clear_text(settings.url.expose());
    is_open.then(|| Problem::new(text).with_hint(hint)).into_iter().collect()
}

const START_ONCE: &str = "start the service once with `transports serve`, which makes them; or name the settings of the one \
                          that is served with --config";

/// What becomes of a database without tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Empty {
    IsFilled,
    IsRefused,
}

pub(super) struct Postgres {
    readers: Readers,
    pool: Pool,
}

impl Postgres {
    /// Connects, and brings the schema up to date.
    ///
    /// # Errors
    /// A text for the operator that names server, user and database.
    pub async fn open(
        url: &str,
        connections: usize,
        tls: &Arc<rustls::ClientConfig>,
        empty: Empty,
    ) -> anyhow::Result<Self> {
        let config = url::parse(url)?;
        let place = url::shown(&config);
        Self::open_parsed(config, connections, tls, empty)
            .await
            .with_context(|| format!("database.url: {place}"))
    }

    async fn open_parsed(
        config: Config,
        connections: usize,
        tls: &Arc<rustls::ClientConfig>,
        empty: Empty,
    ) -> anyhow::Result<Self> {
        let connector = Connector { tls: MakeRustlsConnect::new(rustls::ClientConfig::clone(tls)) };
        let mut migrating = connector.plain(&config).await.map_err(|error| explain(&error))?;
        timeout(TIME_LIMIT, check_server(&connector, &config, &migrating))
            .await
            .map_err(|_| timeout_error())??;
        if empty == Empty::IsRefused && !migrations::is_migrated(&migrating).await? {
            let problem = Problem::new("this database has no tables of the service");
            return Err(problem.with_hint(START_ONCE).into());
        }
        migrations::on_postgres(&mut migrating, migrations::MIGRATIONS).await.map_err(rights::explain)?;
        rights::check(&migrating).await?;
        drop(migrating);

        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(config.clone(), connector.clone(), manager);
        let pool = Pool::builder(manager).max_size(connections).build()?;
        let client =
            timeout(TIME_LIMIT, pool.get()).await.map_err(|_| timeout_error())?.map_err(pool_error)?;
        timeout(TIME_LIMIT, session::check_settings(&client)).await.map_err(|_| timeout_error())??;
        drop(client);
        Ok(Self { readers: Readers::new(config, connector, READERS.min(connections)), pool })
    }

    pub async fn read(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        match timeout(TIME_LIMIT, self.readers.read(statement)).await {
            Ok(Err(Failure { error, replace: Replace::EveryConnection })) => {
                self.replace_connections();
                Err(error)
            }
            Ok(rows) => rows.map_err(|failure| failure.error),
            Err(_) => Err(self.give_up_connections()),
        }
    }

    pub async fn write(self: &Arc<Self>, write: Write) -> Result<WrittenRows, DbError> {
        // A task of its own, since the caller may go away.
        tokio::spawn(Arc::clone(self).write_within_limit(write))
            .await
            .unwrap_or_else(|error| Err(DbError::Unavailable(error.to_string())))
    }

    async fn write_within_limit(self: Arc<Self>, write: Write) -> Result<WrittenRows, DbError> {
        let begun = tokio::time::Instant::now();
        let mut client =
            timeout(TIME_LIMIT, self.pool.get()).await.map_err(|_| timeout_error())?.map_err(pool_error)?;
        let left = TIME_LIMIT.saturating_sub(begun.elapsed());
        let Ok(outcome) = timeout(left, transaction(&mut client, &write)).await else {
            // A connection with outstanding answers does not go back to the pool.
            drop(Object::take(client));
            return Err(self.give_up_connections());
        };
        outcome.map_err(|Failure { error, replace }| {
            if replace != Replace::Nothing {
                drop(Object::take(client));
            }
            if replace == Replace::EveryConnection {
                self.replace_connections();
            }
            error
        })
    }

    /// After one connection has timed out, the others to the same server are replaced too: each would let a request wait
    /// as long.
    fn give_up_connections(&self) -> DbError {
        self.replace_connections();
        timeout_error()
    }

    /// Later statements make new connections. Old connections end after their last answer.
    fn replace_connections(&self) {
        self.readers.replace_connections();
        self.pool.retain(|_, _| false);
    }

    /// All connections of the pool, and those in use.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.max_size, status.size.saturating_sub(status.available))
    }

    pub fn close(&self) {
        self.pool.close();
        self.readers.close();
    }
}

/// Looks at what cannot be fixed later, before anything is written.
async fn check_server(
    connector: &Connector,
    config: &Config,
    migrating: &tokio_postgres::Client,
) -> anyhow::Result<()> {
    let second = connector.plain(config).await.map_err(|error| explain(&error))?;
    session::check_own(migrating, &second).await?;
    session::check_encoding(migrating).await
}

/// Read committed: the second of two writes waits for the first, then finds the version moved.
async fn transaction(client: &mut Object, write: &Write) -> Result<WrittenRows, Failure> {
    let isolation = IsolationLevel::ReadCommitted;
    let start = client.build_transaction().isolation_level(isolation).start();
    let transaction = start.await.map_err(|error| classify(&error))?;
    let mut returned = Vec::new();
    for statement in &write.statements {
        let prepared = transaction.prepare_cached(statement.text).await.map_err(|error| classify(&error))?;
        let parameters = value::parameters(&prepared, &statement.values)?;
        let executed = if statement.returns_rows {
            match transaction.query(&prepared, &parameters).await {
                Ok(rows) => {
                    let count = rows.len() as u64;
                    for row in &rows {
                        returned.push(value::row(row)?);
                    }
                    Ok(count)
                }
                Err(error) => Err(error),
            }
        } else {
            transaction.execute(&prepared, &parameters).await
        };
        let unmet = match executed {
            Ok(affected) => statement.is_unmet(affected),
            Err(error) if is_foreign_key(&error) => true,
            Err(error) => return Err(classify(&error)),
        };
        if unmet {
            transaction.rollback().await.map_err(|error| classify(&error))?;
            return Ok(None);
        }
    }
    transaction.commit().await.map_err(|error| classify(&error))?;
    Ok(Some(returned))
}
