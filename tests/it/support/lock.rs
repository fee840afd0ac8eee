//! Holds back every write to a table, as another program could.

use std::time::Duration;

use super::database::{Database, Engine};

/// Keeps every write to the table waiting until it is dropped.
pub enum Lock {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Lock {
    pub async fn new(database: &Database, table: &str) -> Self {
        match Engine::chosen() {
            Engine::Sqlite => {
                let connection = database.connect();
                connection.busy_timeout(Duration::from_secs(10)).expect("a timeout");
                connection.execute_batch("begin immediate").expect("nobody else writes for long");
                Self::Sqlite(connection)
            }
            Engine::Postgres => {
                let connected = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("PostgreSQL answers");
                tokio::spawn(connection);
                let lock = format!("begin; lock table {table} in exclusive mode");
                client.batch_execute(&lock).await.expect("a superuser");
                Self::Postgres(client)
            }
        }
    }

    pub async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("rollback").expect("a transaction"),
            Self::Postgres(client) => client.batch_execute("rollback").await.expect("a transaction"),
        }
    }
}
