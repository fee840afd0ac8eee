//! A database of the first release that had delivery, with mail that waits, opens with this version and sends it.

use rusqlite::Connection;

use super::{EMAILS, Post, account, status, to};
use crate::support::app::TestApp;
use crate::support::database::{Database, Engine};
use crate::support::smtp_server::{Script, SmtpServer};

/// The schema as it was released.
const RELEASED: [&str; 2] = [
    include_str!("../../../migrations/0001_first_schema.sql"),
    include_str!("../../../migrations/0002_delivery.sql"),
];

const APPLIED: &str =
    "create table schema_migrations (version bigint not null primary key, name text not null,
    checksum text not null, applied_at bigint not null, works_with bigint not null);
    insert into schema_migrations select version, name, checksum, applied_at, works_with
        from present.schema_migrations where version <= 2;";

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("SQLite prepares it");
    statement.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("texts")
}

/// Copies what the columns of the released schema hold.
fn copy_into_released_schema(present: &Database, released: &Database) {
    let connection = Connection::open(released.file()).expect("a new file");
    let text = RELEASED.iter().fold("pragma journal_mode = wal;".to_owned(), |all, text| all + text);
    connection.execute_batch(&text).expect("the released schema");
    connection
        .execute_batch(&format!("attach '{}' as present; {APPLIED}", present.file().display()))
        .expect("the present file");
    let tables = "select name from main.sqlite_schema where type = 'table' and name <> 'schema_migrations'";
    for table in texts(&connection, tables) {
        let columns =
            texts(&connection, &format!("select name from pragma_table_info('{table}')")).join(", ");
        let copy =
            format!("insert or replace into main.{table} ({columns}) select {columns} from present.{table}");
        connection.execute_batch(&copy).expect("the same columns");
    }
}

#[tokio::test]
async fn mail_that_waits_in_a_database_of_the_released_schema_goes_out() {
    let present = Database::create(Engine::Sqlite).await;
    let app = TestApp::with_database(present, |config| config.delivery.enabled = false).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::starttls()).await;
    app.admin("acme").put(&account(&server)).await.expect(204);
    let mut ids = Vec::new();
    for recipients in [&["bob@example.net"][..], &["carol@example.net", "dora@example.net"]] {
        let taken = app.admin("acme").json("POST", EMAILS, &to(recipients)).await.expect(202).json();
        ids.push(taken["id"].as_str().expect("an id").to_owned());
    }
    let present = app.stop().await;
    let released = Database::create(Engine::Sqlite).await;
    copy_into_released_schema(&present, &released);
    let versions = released.query("select max(version) from schema_migrations").await;
    assert_eq!(versions[0][0].as_deref(), Some("2"));

    let app = TestApp::with_database(released, |_| {}).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let post = Post::over(app, server);
    for id in &ids {
        post.until(id, |email| status(email) == "accepted").await;
        assert_eq!(post.events(id).await, ["email.queued", "email.sent"]);
    }
    assert_eq!(post.server.mails().len(), 2);
    let newest = post.app.database.query("select max(version) from schema_migrations").await;
    assert_ne!(newest[0][0].as_deref(), Some("2"), "it was migrated");
}
