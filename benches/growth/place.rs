//! Where the tenants are: a file of SQLite, or a database on the server of `GROWTH_POSTGRES_URL`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_postgres::NoTls;
use transports::clock::Clock;
use transports::config::{Config, DatabaseUrl};
use transports::secret::Secret;
use transports::store::Db;
use transports::vault::{Keys, check_keys};

use crate::service::{KEY, Service};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub fn named(name: &str) -> Self {
        match name {
            "sqlite" => Self::Sqlite,
            "postgres" => Self::Postgres,
            other => panic!("GROWTH_ENGINES holds sqlite and postgres, not {other}"),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A database with `size` tenants.
pub struct Place {
    pub engine: Engine,
    pub name: String,
    pub size: usize,
    pub url: String,
    file: PathBuf,
}

fn server() -> String {
    std::env::var("GROWTH_POSTGRES_URL").expect("GROWTH_POSTGRES_URL: scripts/postgres-for-tests prints it")
}

impl Place {
    /// The service on this database.
    pub fn serve(&self) -> Service {
        // So high that nobody is refused, and not off: the counts are a part of the memory.
        let limits =
            [("RATE_LIMIT__TIER1_PER_MINUTE", "1000000"), ("RATE_LIMIT__TIER2_PER_MINUTE", "1000000")];
        Service::start(&self.url, &limits)
    }

    pub async fn create(engine: Engine, folder: &Path, name: &str, size: usize) -> Self {
        let file = folder.join(format!("growth-{name}{size}.db"));
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", file.display()),
            Engine::Postgres => {
                let database = format!("growth_{}_{name}{size}", std::process::id());
                batch(&server(), &format!("create database {database}")).await;
                let server = server();
                let (host, _) = server.rsplit_once('/').expect("postgres://USER@HOST/NAME");
                format!("{host}/{database}")
            }
        };
        Self { engine, name: name.to_owned(), size, url, file }
    }

    pub fn settings(&self) -> Config {
        let mut config = Config::default();
        config.database.url = DatabaseUrl::new(self.url.clone());
        config.encryption.keys = vec![Secret::new(KEY.to_owned())];
        config
    }

    /// Opens it, with the canaries of its keys.
    pub async fn open(&self) -> (Db, Keys) {
        let config = self.settings();
        let tls = transports::egress::tls::client_config(&config.tls).expect("TLS");
        let db = Db::open(&config.database, &Arc::clone(&tls)).await.expect("the database opens");
        let keys = Keys::load(&config.encryption, None).expect("keys");
        check_keys(&keys, &db, &Clock::System).await.expect("good keys");
        (db, keys)
    }

    /// One statement of an operator's.
    pub async fn execute(&self, sql: &str) {
        match self.engine {
            Engine::Sqlite => {
                let connection = rusqlite::Connection::open(&self.file).expect("SQLite opens it");
                connection.execute_batch(sql).expect("SQLite does it");
            }
            Engine::Postgres => batch(&self.url, sql).await,
        }
    }

    /// On the disk, with all indexes.
    pub async fn bytes(&self) -> u64 {
        match self.engine {
            Engine::Sqlite => {
                let size = |end: &str| {
                    let path = format!("{}{end}", self.file.display());
                    std::fs::metadata(path).map_or(0, |file| file.len())
                };
                size("") + size("-wal")
            }
            Engine::Postgres => {
                let client = connect(&self.url).await;
                let sum = "select sum(pg_total_relation_size(oid))::bigint from pg_class
                    where relkind = 'r' and relnamespace = 'public'::regnamespace";
                let bytes: i64 = client.query_one(sum, &[]).await.expect("a size").get(0);
                u64::try_from(bytes).expect("a size")
            }
        }
    }
}

pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    client
}

async fn batch(url: &str, sql: &str) {
    connect(url).await.batch_execute(sql).await.expect("PostgreSQL does it");
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.engine == Engine::Postgres {
            let (server, name) = (server(), self.url.rsplit('/').next().unwrap_or_default().to_owned());
            let dropping = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let sql = format!("drop database if exists {name} with (force)");
                runtime.expect("a runtime").block_on(batch(&server, &sql));
            });
            let _ = dropping.join();
        }
    }
}
