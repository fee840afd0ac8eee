//! A pooler, as it is installed, between the service and PostgreSQL.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio_postgres::{Config, NoTls};

use crate::service::Service;

/// In front of a database of its own. Killed when dropped.
struct PgBouncer {
    process: Child,
    _folder: TempDir,
    url: String,
}

impl PgBouncer {
    async fn start(database: &Config, settings: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the owner");
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("is bound").port();
        let file = folder.path().join("pgbouncer.ini");
        let server = database.get_ports()[0];
        let configuration = format!(
            "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\n{settings}\n"
        );
        fs::write(&file, configuration).expect("a file");
        // It refuses to run as root.
        let is_root = fs::metadata("/proc/self").expect("Linux").uid() == 0;
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "/usr/sbin/pgbouncer"]);
            command
        } else {
            Command::new("/usr/sbin/pgbouncer")
        };
        let process =
            command.arg(file).stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it is installed");
        let name = database.get_dbname().expect("a name");
        let bouncer =
            Self { process, _folder: folder, url: format!("postgres://postgres@127.0.0.1:{port}/{name}") };
        for _ in 0..3_000 {
            if tokio_postgres::connect(&bouncer.url, NoTls).await.is_ok() {
                return bouncer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("PgBouncer does not answer");
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A database of the test's own.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
async fn database() -> Config {
    let server =
        std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL: run these tests by scripts/test");
    let mut config: Config = server.parse().expect("a URL");
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = config.connect(NoTls).await.expect("a server");
    tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await.expect("a superuser");
    config.dbname(name);
    config
}

/// Session pooling with its defaults: settings are in force, and nothing is mixed up under load.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn session_pooling_serves() {
    let bouncer = PgBouncer::start(&database().await, "pool_mode = session").await;
    let service = Service::with(&[("TRANSPORTS_DATABASE__URL", &bouncer.url)]);
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let admin = service.admin(&format!("tenant-{number}"));
            tokio::spawn(async move {
                for round in 0..20 {
                    let name = format!("{number} in round {round}");
                    admin.patch(&json!({ "senderName": name })).await.expect(204);
                    assert_eq!(admin.config().await["providerConfig"]["senderName"], json!(name));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    service.admin("any").get("/health/ready").await.expect(200);
}

/// What everybody sets after the first complaint does not lead to a service that answers 500.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn pooling_that_shares_sessions_is_refused_at_the_start() {
    let database = database().await;
    for mode in ["transaction", "statement"] {
        let settings = format!("pool_mode = {mode}\nignore_startup_parameters = options,extra_float_digits");
        let bouncer = PgBouncer::start(&database, &settings).await;
        let told = Service::refused(&[("TRANSPORTS_DATABASE__URL", &bouncer.url)]);
        assert!(told.contains("shares sessions") && told.contains("`pool_mode = session`"), "{mode}: {told}");
    }
}
