//! Connections that many reads share: each pipelines the statements of all callers. A broken one is replaced when the
//! next read needs it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Config;

use super::error::{Failure, Replace, classify, is_outdated};
use super::session::Connector;
use super::value;
use crate::store::{DbError, Row, Statement};

pub(super) struct Readers {
    config: Config,
    connector: Connector,
    slots: Vec<Slot>,
    next: AtomicUsize,
    closed: AtomicBool,
}

#[derive(Default)]
struct Slot {
    client: Mutex<Option<Arc<ClientWrapper>>>,
    /// Held while connecting, so that many who wait make one connection.
    connecting: tokio::sync::Mutex<()>,
}

impl Slot {
    fn client(&self) -> MutexGuard<'_, Option<Arc<ClientWrapper>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> Option<Arc<ClientWrapper>> {
        self.client().as_ref().filter(|client| !client.is_closed()).cloned()
    }

    /// The next read makes a new connection, unless another one has done so already.
    fn forget(&self, failed: &Arc<ClientWrapper>) {
        self.client().take_if(|client| Arc::ptr_eq(client, failed));
    }
}

impl Readers {
    pub fn new(config: Config, connector: Connector, count: usize) -> Self {
        let slots = (0..count.max(1)).map(|_| Slot::default()).collect();
        Self { config, connector, slots, next: AtomicUsize::new(0), closed: AtomicBool::new(false) }
    }

    pub async fn read(&self, statement: &Statement) -> Result<Vec<Row>, Failure> {
        let slot = &self.slots[self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len()];
        let client = self.connected(slot).await?;
        let result = query(&client, statement).await;
        // The server may have gone since the last read. Nothing was changed, so it can be asked again.
        if result.is_err() && client.is_closed() {
            return query(&*self.connected(slot).await?, statement).await;
        }
        if let Err(Failure { replace: Replace::Connection, .. }) = &result {
            slot.forget(&client);
        }
        result
    }

    async fn connected(&self, slot: &Slot) -> Result<Arc<ClientWrapper>, Failure> {
        if let Some(client) = slot.live() {
            return Ok(client);
        }
        let _alone = slot.connecting.lock().await;
        if let Some(client) = slot.live() {
            return Ok(client);
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("it is closed".to_owned()).into());
        }
        let client = self.connector.wrapped(&self.config).await.map_err(|error| classify(&error))?;
        let client = Arc::new(client);
        *slot.client() = Some(Arc::clone(&client));
        Ok(client)
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.replace_connections();
    }

    /// The next reads make new connections.
    pub fn replace_connections(&self) {
        for slot in &self.slots {
            *slot.client() = None;
        }
    }
}

async fn query(client: &ClientWrapper, statement: &Statement) -> Result<Vec<Row>, Failure> {
    let prepared = client.prepare_cached(statement.text).await.map_err(|error| classify(&error))?;
    let parameters = value::parameters(&prepared, &statement.values)?;
    let mut rows = client.query(&prepared, &parameters).await;
    if rows.as_ref().is_err_and(is_outdated) {
        // A newer version has changed the type of a column meanwhile, as during a rolling upgrade.
        client.statement_cache.remove(statement.text, &[]);
        let prepared = client.prepare_cached(statement.text).await.map_err(|error| classify(&error))?;
        rows = client.query(&prepared, &parameters).await;
    }
    let rows = rows.map_err(|error| classify(&error))?;
    Ok(rows.iter().map(value::row).collect::<Result<_, _>>()?)
}
