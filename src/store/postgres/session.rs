//! The settings of a session with the server, and the check that no pooler in between undoes them.

use std::pin::Pin;

use anyhow::bail;
use deadpool_postgres::{ClientWrapper, Connect};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

/// An acknowledged commit is on disk, and neither a statement nor a transaction of a process that is gone holds a
/// lock for long. Sent as statements, since poolers refuse them as parameters of the start.
const SETTINGS: [(&str, &str); 3] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "4s"),
    ("idle_in_transaction_session_timeout", "8s"),
];

/// Two looks might meet a pooler at the moment at which it gives both connections what they had before.
const CHECK_ROUNDS: usize = 3;

/// Makes sessions with [`SETTINGS`]: for the pool, and for the readers.
#[derive(Clone)]
pub(super) struct Connector {
    pub tls: MakeRustlsConnect,
}

impl Connector {
    /// A session with its cache of prepared statements.
    pub async fn wrapped(&self, config: &Config) -> Result<ClientWrapper, Error> {
        let (client, driver) = self.open(config).await?;
        Ok(ClientWrapper::new(client, driver))
    }

    /// A session without [`SETTINGS`]: a migration takes its time, and waits for that of another process.
    pub async fn plain(&self, config: &Config) -> Result<ClientWrapper, Error> {
        let (client, driver) = self.drive(config).await?;
        Ok(ClientWrapper::new(client, driver))
    }

    async fn open(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, driver) = self.drive(config).await?;
        let settings = SETTINGS.map(|(name, value)| format!("set {name}='{value}'")).join(";");
        client.batch_execute(&settings).await?;
        Ok((client, driver))
    }

    async fn drive(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, connection) = config.connect(self.tls.clone()).await?;
        // Its error also reaches the callers that wait for an answer.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok((client, driver))
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move { self.open(&config).await })
    }
}

/// Refuses a database that cannot hold every letter.
pub(super) async fn check_encoding(client: &Client) -> anyhow::Result<()> {
    match show(client, "show server_encoding").await?.as_deref() {
        Some("UTF8") => Ok(()),
        other => bail!(
            "the encoding of this database is {}, which does not hold every letter: make one with \
             `create database NAME encoding 'UTF8' template template0`",
            other.unwrap_or("unknown")
        ),
    }
}

/// Refuses a pooler that gives the session of one connection to another between two transactions: neither settings
/// nor prepared statements last there, and what is set here would hold for others.
pub(super) async fn check_own(first: &Client, second: &Client) -> anyhow::Result<()> {
    const MARK: &str = "select current_setting('transports.session', true)";
    let mark = Uuid::new_v4().to_string();
    first.batch_execute(&format!("set transports.session = '{mark}'")).await?;
    for _ in 0..CHECK_ROUNDS {
        let seen =
            [show(second, MARK).await?, show(first, MARK).await?].map(|seen| seen == Some(mark.clone()));
        if seen != [false, true] {
            bail!(
                "a pooler in front of PostgreSQL shares sessions between connections (as PgBouncer does with \
                 `pool_mode = transaction`): lead database.url to PostgreSQL itself, or set `pool_mode = session` \
                 for this database"
            );
        }
    }
    Ok(())
}

/// Something between us and the server may have ignored what the session asked for.
pub(super) async fn check_settings(client: &Client) -> anyhow::Result<()> {
    for (name, asked) in SETTINGS {
        let found = show(client, &format!("show {name}")).await?.unwrap_or_default();
        if found != asked {
            bail!(
                "{name} is {found} although the session asked for {asked}: find out what stands between this \
                 service and PostgreSQL, or let the database set it by `alter role USER set {name} = '{asked}'`"
            );
        }
    }
    Ok(())
}

/// One value, asked for without a prepared statement.
async fn show(client: &Client, text: &str) -> Result<Option<String>, Error> {
    let messages = client.simple_query(text).await?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
