//! PostgreSQL: a few connections that many reads share, and a pool of connections for writes.

mod error;
mod readers;
mod url;
mod value;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use deadpool_postgres::{ClientWrapper, Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio::time::timeout;
use tokio_postgres::{Config, IsolationLevel};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{DbError, Row, Statement, Write, WriteOutcome, migrations};
use error::{classify, explain, is_foreign_key, pool_error, too_slow};
use readers::Readers;

/// Whatever is asked of the database, the caller has its answer below five seconds.
const TIME_LIMIT: Duration = Duration::from_secs(4);

/// Connections that reads share. One carries many reads at once; four saturated two cores in measurements.
const READERS: usize = 4;

/// What every connection asks of its session: an acknowledged commit is on disk, and neither a statement nor a
/// transaction of a process that is gone holds a lock for long.
const SESSION: &str =
    "-c synchronous_commit=on -c statement_timeout=4s -c idle_in_transaction_session_timeout=8s";

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
    ) -> anyhow::Result<Self> {
        let config = url::parse(url)?;
        let place = url::shown(&config);
        Self::open_parsed(config, connections, tls).await.with_context(|| format!("database.url: {place}"))
    }

    async fn open_parsed(
        config: Config,
        connections: usize,
        tls: &Arc<rustls::ClientConfig>,
    ) -> anyhow::Result<Self> {
        let tls = MakeRustlsConnect::new(rustls::ClientConfig::clone(tls));
        // Without the limits of `SESSION`: a migration takes its time, and waits for that of another process.
        let mut migrating = connect(&config, &tls).await.map_err(|error| explain(&error))?;
        migrations::on_postgres(&mut migrating, migrations::MIGRATIONS).await?;
        drop(migrating);

        let mut config = config;
        let given = config.get_options().unwrap_or_default();
        config.options(format!("{given} {SESSION}").trim_start());
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.clone(), tls.clone(), manager);
        let pool = Pool::builder(manager).max_size(connections).build()?;
        let postgres = Self { readers: Readers::new(config, tls, READERS.min(connections)), pool };
        postgres.check_durability().await?;
        Ok(postgres)
    }

    /// Something between us and the server may have ignored what the session asked for.
    async fn check_durability(&self) -> anyhow::Result<()> {
        let client =
            timeout(TIME_LIMIT, self.pool.get()).await.map_err(|_| too_slow())?.map_err(pool_error)?;
        let row = client.query_one("show synchronous_commit", &[]).await?;
        match row.try_get(0)? {
            "on" => Ok(()),
            other => bail!(
                "synchronous_commit is {other}, so that acknowledged changes could be lost: let this user set it \
                 to on"
            ),
        }
    }

    pub async fn read(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        match timeout(TIME_LIMIT, self.readers.read(statement)).await {
            Ok(rows) => rows,
            Err(_) => Err(self.give_up()),
        }
    }

    pub async fn write(self: &Arc<Self>, write: Write) -> Result<WriteOutcome, DbError> {
        // A task of its own, since the caller may go away.
        tokio::spawn(Arc::clone(self).write_within_limit(write))
            .await
            .unwrap_or_else(|error| Err(DbError::Unavailable(error.to_string())))
    }

    async fn write_within_limit(self: Arc<Self>, write: Write) -> Result<WriteOutcome, DbError> {
        let begun = tokio::time::Instant::now();
        let mut client =
            timeout(TIME_LIMIT, self.pool.get()).await.map_err(|_| too_slow())?.map_err(pool_error)?;
        let left = TIME_LIMIT.saturating_sub(begun.elapsed());
        if let Ok(outcome) = timeout(left, transaction(&mut client, &write)).await {
            return outcome;
        }
        // Nobody else gets a connection that owes answers.
        drop(Object::take(client));
        Err(self.give_up())
    }

    /// Where one connection has been silent for so long, the others that lead the same way are no longer believed
    /// in: each would let a request wait as long to find out. Those that carry something end when it has come.
    fn give_up(&self) -> DbError {
        self.readers.give_up();
        self.pool.retain(|_, _| false);
        too_slow()
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

/// A new connection with its cache of prepared statements.
async fn connect(config: &Config, tls: &MakeRustlsConnect) -> Result<ClientWrapper, tokio_postgres::Error> {
    let (client, connection) = config.connect(tls.clone()).await?;
    // Its error also reaches whoever waits for an answer.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Ok(ClientWrapper::new(client, driver))
}

/// Read committed: the second of two writes waits for the first, then finds the version moved.
async fn transaction(client: &mut Object, write: &Write) -> Result<WriteOutcome, DbError> {
    let isolation = IsolationLevel::ReadCommitted;
    let start = client.build_transaction().isolation_level(isolation).start();
    let transaction = start.await.map_err(|error| classify(&error))?;
    for statement in &write.statements {
        let prepared = transaction.prepare_cached(statement.text).await.map_err(|error| classify(&error))?;
        let parameters = value::parameters(&prepared, &statement.values)?;
        let unmet = match transaction.execute(&prepared, &parameters).await {
            Ok(affected) => statement.is_unmet(affected),
            Err(error) if is_foreign_key(&error) => true,
            Err(error) => return Err(classify(&error)),
        };
        if unmet {
            transaction.rollback().await.map_err(|error| classify(&error))?;
            return Ok(WriteOutcome::NoRowsAffected);
        }
    }
    transaction.commit().await.map_err(|error| classify(&error))?;
    Ok(WriteOutcome::Committed)
}
