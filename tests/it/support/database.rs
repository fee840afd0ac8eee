//! A fresh database for each test, on either engine.
//!
//! PostgreSQL is the server of `TEST_POSTGRES_URL`, a superuser's URL as `scripts/postgres-for-tests start`
//! prints it. Without the variable the tests run on SQLite alone; `scripts/test` sets it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rusqlite::types::ValueRef;
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use transports::config::{Config, Database as Settings, DatabaseUrl};
use transports::store::Db;
use uuid::Uuid;

use super::eventually::eventually;
use super::leaks;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Every engine that this run has.
    pub fn all() -> Vec<Self> {
        match server() {
            Some(_) => vec![Self::Sqlite, Self::Postgres],
            None => vec![Self::Sqlite],
        }
    }

    /// The engine that this run is for: `TEST_ENGINE=postgres`, or SQLite.
    pub fn chosen() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
        let chosen = std::env::var("TEST_ENGINE");
        match chosen.as_deref() {
            Ok("postgres") => Self::Postgres,
            Ok("sqlite") | Err(_) => Self::Sqlite,
            Ok(other) => panic!("TEST_ENGINE is sqlite or postgres, not {other}"),
        }
    }

    /// PostgreSQL, where this run has it.
    pub fn postgres() -> Option<Self> {
        server().map(|_| Self::Postgres)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    SERVER.get_or_init(|| std::env::var("TEST_POSTGRES_URL").ok()).as_deref()
}

/// One row of the audit.
#[derive(Debug)]
pub struct AuditRow {
    pub at: i64,
    pub user: String,
    pub action: String,
    pub outcome: String,
    pub changed: String,
    pub trace_id: String,
}

/// A database that is removed when the last of its clones is dropped.
#[derive(Clone)]
pub struct Database(Arc<Place>);

enum Place {
    Sqlite { folder: TempDir },
    Postgres { server: String, name: String },
}

impl Database {
    /// Empty: without a schema, and on SQLite without a file.
    pub async fn create(engine: Engine) -> Self {
        Self(Arc::new(match engine {
            Engine::Sqlite => Place::Sqlite { folder: TempDir::new().expect("a folder") },
            Engine::Postgres => return Self::on(server().expect("TEST_POSTGRES_URL is set")).await,
        }))
    }

    /// On a server of PostgreSQL, by the URL of a superuser.
    pub async fn on(server: &str) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        batch(server, &format!("create database {name} template template0")).await;
        Self(Arc::new(Place::Postgres { server: server.to_owned(), name }))
    }

    /// The value of `database.url`.
    pub fn url(&self) -> String {
        match &*self.0 {
            Place::Sqlite { .. } => format!("sqlite://{}", self.file().display()),
            Place::Postgres { server, name } => url_of(server, name),
        }
    }

    /// The file of SQLite.
    pub fn file(&self) -> PathBuf {
        match &*self.0 {
            Place::Sqlite { folder } => folder.path().join("transports.db"),
            Place::Postgres { .. } => panic!("PostgreSQL is no file"),
        }
    }

    pub fn settings(&self) -> Settings {
        settings(&self.url())
    }

    /// Opens it as the service does.
    pub async fn open(&self) -> Db {
        Db::open(&self.settings(), &tls()).await.expect("the database opens")
    }

    /// Does what an operator does by hand: one or more statements, as text.
    pub async fn execute(&self, sql: &str) {
        match &*self.0 {
            Place::Sqlite { .. } => self.connect().execute_batch(sql).expect("SQLite does it"),
            Place::Postgres { .. } => batch(&self.url(), sql).await,
        }
    }

    /// The same where it may be refused.
    pub async fn try_execute(&self, sql: &str) -> Result<(), String> {
        match &*self.0 {
            Place::Sqlite { .. } => self.connect().execute_batch(sql).map_err(|error| error.to_string()),
            Place::Postgres { server, name } => {
                let refused = connect(&url_of(server, name)).await.batch_execute(sql).await;
                refused.map_err(|error| format!("{error:?}"))
            }
        }
    }

    /// Waits until readers of the feed see every event that was committed. PostgreSQL shows none that is newer than a
    /// transaction which still writes, of whichever test on the server.
    pub async fn all_events_are_shown(&self) {
        if let Place::Sqlite { .. } = &*self.0 {
            return;
        }
        let hidden = "select count(*) from email_events
            where transaction_id >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
        eventually("no event is hidden", async || self.query(hidden).await == [[Some("0".to_owned())]]).await;
    }

    /// What one statement reads, each value as text, bytes as `\x` and hexadecimal digits.
    pub async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match &*self.0 {
            Place::Sqlite { .. } => {
                let connection = self.connect();
                let mut statement = connection.prepare(sql).expect("SQLite prepares it");
                let columns = statement.column_count();
                let row = |row: &rusqlite::Row<'_>| (0..columns).map(|i| row.get_ref(i).map(text)).collect();
                statement.query_map([], row).expect("reads").collect::<Result<_, _>>().expect("reads")
            }
            Place::Postgres { .. } => {
                let client = connect(&self.url()).await;
                let messages = client.simple_query(sql).await.expect("PostgreSQL does it");
                let rows = messages.into_iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                rows.map(|row| (0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()).collect()
            }
        }
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> usize {
        let rows = self.query(&format!("select count(*) from {table}")).await;
        rows[0][0].as_deref().and_then(|text| text.parse().ok()).expect("a number")
    }

    /// The audit of a tenant in the order in which it was written.
    pub async fn audit(&self, tenant: &str) -> Vec<AuditRow> {
        let columns = "at, user_id, action, outcome, changed, trace_id";
        let sql = format!("select {columns} from audit where tenant_id = '{tenant}' order by id");
        let row = |row: Vec<Option<String>>| {
            let text = |column: usize| row[column].clone().unwrap_or_default();
            AuditRow {
                at: text(0).parse().expect("a number"),
                user: text(1),
                action: text(2),
                outcome: text(3),
                changed: text(4),
                trace_id: text(5),
            }
        };
        self.query(&sql).await.into_iter().map(row).collect()
    }

    /// Prepares a text as its engine does: an error where it does not fit the schema.
    pub async fn prepare(&self, sql: &str) -> Result<(), String> {
        match &*self.0 {
            Place::Sqlite { .. } => {
                self.connect().prepare(sql).map(|_| ()).map_err(|error| error.to_string())
            }
            Place::Postgres { .. } => {
                let client = connect(&self.url()).await;
                client.prepare(sql).await.map(|_| ()).map_err(|error| format!("{error:?}"))
            }
        }
    }

    /// All that stands on the disk, to look for what must not be there: the files of SQLite with its log; the
    /// files of this database, and PostgreSQL's log of all.
    pub async fn bytes(&self) -> Vec<u8> {
        match &*self.0 {
            Place::Sqlite { folder } => {
                let files = std::fs::read_dir(folder.path()).expect("a folder");
                files
                    .flat_map(|file| std::fs::read(file.expect("a file").path()).expect("readable"))
                    .collect()
            }
            Place::Postgres { .. } => {
                let client = connect(&self.url()).await;
                client.batch_execute("checkpoint").await.expect("a superuser");
                let files = "select pg_read_binary_file(file, 0, size, true) from (
                        select file, (pg_stat_file(file, true)).size from (
                            select 'base/' || oid || '/' || pg_ls_dir('base/' || oid) as file
                            from pg_database where datname = current_database()
                        ) as names
                        union all select 'pg_wal/' || name, size from pg_ls_waldir()
                    ) as files";
                let rows = client.query(files, &[]).await.expect("a superuser");
                // None of a file that PostgreSQL has taken away meanwhile.
                rows.iter().filter_map(|row| row.get::<_, Option<Vec<u8>>>(0)).flatten().collect()
            }
        }
    }

    /// A connection of the test's own to SQLite.
    pub fn connect(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).expect("SQLite opens it")
    }
}

/// What every column of every row holds, bytes in hexadecimal digits.
const ALL_ROWS: &str =
    "select string_agg(query_to_xml(format('select * from %I', table_name), true, false, '')::text, '')
    from information_schema.tables where table_schema = 'public'";

impl Drop for Place {
    /// The end of a test: what is left on the disk holds no secret.
    fn drop(&mut self) {
        let left = match self {
            Self::Sqlite { folder } => {
                let files = std::fs::read_dir(folder.path()).expect("a folder");
                files.filter_map(|file| std::fs::read(file.expect("a file").path()).ok()).flatten().collect()
            }
            Self::Postgres { server, name } => {
                let (server, name) = (server.clone(), name.clone());
                // The test's own runtime cannot be waited for in here.
                let dropping = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime.expect("a runtime").block_on(drop_database(&server, &name))
                });
                dropping.join().unwrap_or_default()
            }
        };
        if !std::thread::panicking() {
            leaks::assert_absent("the database", &left);
        }
    }
}

/// Removes it, and gives what its rows held.
async fn drop_database(server: &str, name: &str) -> Vec<u8> {
    let rows = connect(&url_of(server, name)).await.query_opt(ALL_ROWS, &[]).await.ok().flatten();
    let held = rows.and_then(|row| row.get::<_, Option<String>>(0)).unwrap_or_default();
    batch(server, &format!("drop database {name} with (force)")).await;
    held.into_bytes()
}

/// `database` settings with this URL.
pub fn settings(url: &str) -> Settings {
    let mut settings = Config::default().database;
    settings.url = DatabaseUrl::new(url);
    settings
}

/// What `Db::open` takes; no test but those of TLS makes use of it.
pub fn tls() -> Arc<rustls::ClientConfig> {
    tls_trusting(rustls::RootCertStore::empty())
}

pub fn tls_trusting(roots: rustls::RootCertStore) -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(builder.expect("TLS versions").with_root_certificates(roots).with_no_client_auth())
}

/// The URL of the server with the name of another database.
fn url_of(server: &str, name: &str) -> String {
    let (address, parameters) = match server.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (server, String::new()),
    };
    let (host, _) = address.rsplit_once('/').expect("postgres://USER@HOST/NAME");
    format!("{host}/{name}{parameters}")
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    client
}

async fn batch(url: &str, sql: &str) {
    connect(url).await.batch_execute(sql).await.expect("PostgreSQL does it");
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => {
            Some(bytes.iter().fold("\\x".to_owned(), |text, byte| format!("{text}{byte:02x}")))
        }
    }
}
