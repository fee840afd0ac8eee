//! One limit over all replicas: the database counts, by its clock, before a replica lets a request pass.
//!
//! Writing requests are counted one by one. For reading ones a replica leases a block of requests, so that most of them
//! need no query. Requests without a valid token pass for one block before the database counts them, so that many
//! addresses with a few requests each cause no writes.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::leases::{Admission, Lease, Leases, OnExhausted, PendingQuery, block_size};
use super::{Limit, Refused, WINDOW};
use crate::clock::{Clock, Timestamp};
use crate::id::{TenantId, UserId};
use crate::limits::addresses::Addresses;
use crate::limits::network_of;
use crate::limits::windows::{Exceeded, WindowKind};
use crate::store::rate_limits::{self, Counted, Key};
use crate::store::{Db, DbError};

/// Concurrent queries about addresses, so that a client with many addresses cannot occupy the database.
/// Beyond it this replica alone counts an address until its window ends.
const MAX_ADDRESS_QUERIES: usize = 2;

/// The window of addresses, in milliseconds on the monotonic clock.
const ADDRESS_WINDOW: u64 = WINDOW.unsigned_abs();

/// What counts requests for all replicas.
pub trait Counter: Clone + Send + Sync + 'static {
    /// Counts so many requests of a key, in a window of `length` milliseconds.
    fn count(
        &self,
        key: &Key,
        length: i64,
        requests: u32,
    ) -> impl Future<Output = Result<Counted, DbError>> + Send;
}

impl Counter for Db {
    async fn count(&self, key: &Key, length: i64, requests: u32) -> Result<Counted, DbError> {
        rate_limits::count(self, key, length, requests).await
    }
}

/// Limits that are counted by `C`.
pub struct Shared<C> {
    clock: Clock,
    counter: C,
    users: Arc<Leases>,
    addresses: Arc<Leases>,
    /// Addresses for which the leases have no room: counted by this replica alone.
    overflow: Addresses,
    address_queries: Arc<Semaphore>,
}

/// A user, and the limit that they are counted against.
#[derive(Clone, Copy, Hash)]
pub struct LimitedUser<'u> {
    pub limit: Limit,
    pub tenant: &'u TenantId,
    pub user: &'u UserId,
}

/// A query to the database, and what it is for.
#[derive(Clone, Copy)]
struct Query {
    key: Key,
    max: u32,
    requests: u32,
    unreported: u32,
    /// The requests that this replica lets pass in a window where the query fails.
    fallback: Option<u32>,
}

impl<C: Counter> Shared<C> {
    pub fn new(clock: Clock, counter: C) -> Self {
        Self {
            clock,
            counter,
            users: Arc::default(),
            addresses: Arc::default(),
            overflow: Addresses::default(),
            address_queries: Arc::new(Semaphore::new(MAX_ADDRESS_QUERIES)),
        }
    }

    /// Counts one request of a user: the database decides about this one.
    pub async fn count_one(&self, user: &LimitedUser<'_>, max: u32) -> Result<(), Refused> {
        let key = self.users.key(user);
        let sent = self.now();
        // A user who is over the limit costs no more writes.
        if let Admission::Exceeded(exceeded) = self.users.lock().take(key, sent) {
            return Err(exceeded.into());
        }
        let counted = self.counter.count(&user.hashed(), WINDOW, 1).await?;
        let lease = Lease::from_count(max, 1, 0, counted, sent);
        if lease.on_exhausted == OnExhausted::Refuse {
            let mut table = self.users.lock();
            if table.has_room_for(key, sent) {
                table.refuse_until(key, lease.end);
            }
        }
        if lease.left > 0 { Ok(()) } else { Err(Exceeded::for_milliseconds(counted.left).into()) }
    }

    /// Counts one request of a user against what this replica has leased for them.
    pub async fn count_leased(&self, user: &LimitedUser<'_>, max: u32) -> Result<(), Refused> {
        let key = self.users.key(user);
        loop {
            let pending = {
                let now = self.now();
                let mut table = self.users.lock();
                match table.take(key, now) {
                    Admission::Allowed => return Ok(()),
                    Admission::Exceeded(exceeded) => return Err(exceeded.into()),
                    Admission::QueryNeeded { .. } if !table.has_room_for(key, now) => None,
                    Admission::QueryNeeded { unreported } => {
                        Some(table.pending_query(key).unwrap_or_else(|| {
                            let requests = block_size(max);
                            let query =
                                Query { key: user.hashed(), max, requests, unreported, fallback: None };
                            let pending = self.begin_query(&self.users, key, query, None);
                            table.begin_query(key, pending.clone());
                            pending
                        }))
                    }
                }
            };
            match pending {
                // There is no room for a lease: each request is counted on its own.
                None => return self.count_one(user, max).await,
                Some(pending) => {
                    let gone = || DbError::Unavailable("the query was given up".to_owned());
                    outcome(pending).await.ok_or_else(gone)??;
                }
            }
        }
    }

    /// Counts one request that ends in 401. Without the database it is counted by this replica alone.
    pub async fn count_unauthenticated(&self, max: u32, remote: IpAddr) -> Result<(), Exceeded> {
        let network = network_of(remote);
        let key = self.addresses.key(&network);
        loop {
            let pending = {
                let now = self.now();
                let mut table = self.addresses.lock();
                if !table.has_room_for(key, now) {
                    let kind = WindowKind { number: Limit::Unauthenticated.number(), length: WINDOW, max };
                    let now = Timestamp(i64::try_from(now).unwrap_or(i64::MAX));
                    return self.overflow.count_by_wider_networks(kind, remote, now);
                }
                if !table.contains(key, now) {
                    table.insert(key, first_lease(max, now));
                }
                match table.take(key, now) {
                    Admission::Allowed => return Ok(()),
                    Admission::Exceeded(exceeded) => return Err(exceeded),
                    Admission::QueryNeeded { unreported } => {
                        let query = address_query(network, max, unreported);
                        table.pending_query(key).or_else(|| {
                            let permit = Arc::clone(&self.address_queries).try_acquire_owned().ok()?;
                            let pending = self.begin_query(&self.addresses, key, query, Some(permit));
                            table.begin_query(key, pending.clone());
                            Some(pending)
                        })
                    }
                }
            };
            // A query leaves a lease in the table, however it ends. Without one the lease is made here.
            let has_ended = match pending {
                Some(pending) => outcome(pending).await.is_some(),
                None => false,
            };
            if !has_ended {
                self.addresses.lock().insert(key, local_lease(max, self.now()));
            }
        }
    }

    /// Queries the database on a task of its own: the request that began the query may be given up while others wait
    /// for it, and what was counted must not be lost. Drops `permit` when the database has answered.
    fn begin_query(
        &self,
        leases: &Arc<Leases>,
        key: u64,
        query: Query,
        permit: Option<OwnedSemaphorePermit>,
    ) -> PendingQuery {
        let (sender, pending) = watch::channel(None);
        let (clock, counter, leases) = (self.clock.clone(), self.counter.clone(), Arc::clone(leases));
        tokio::spawn(async move {
            let Query { key: hash, max, requests, unreported, fallback } = query;
            let sent = milliseconds(&clock);
            let (lease, outcome) = match counter.count(&hash, WINDOW, requests).await {
                Ok(count) => (Some(Lease::from_count(max, requests, unreported, count, sent)), Ok(())),
                Err(error) => (fallback.map(|left| local_lease(left, milliseconds(&clock))), Err(error)),
            };
            drop(permit);
            {
                let mut table = leases.lock();
                if let Some(lease) = lease {
                    table.insert(key, lease);
                }
                table.end_query(key);
            }
            let _ = sender.send(Some(outcome));
        });
        pending
    }

    fn now(&self) -> u64 {
        milliseconds(&self.clock)
    }
}

fn address_query(network: u128, max: u32, unreported: u32) -> Query {
    Query {
        key: address_key(network),
        max,
        requests: unreported + block_size(max),
        unreported,
        fallback: Some(max.saturating_sub(unreported)),
    }
}

/// So many requests, counted by this replica alone.
fn local_lease(left: u32, now: u64) -> Lease {
    Lease { end: now + ADDRESS_WINDOW, left, on_exhausted: OnExhausted::Refuse }
}

/// The first block of an address: the database counts it when it is used up.
fn first_lease(max: u32, now: u64) -> Lease {
    let first = block_size(max);
    Lease { end: now + ADDRESS_WINDOW, left: first, on_exhausted: OnExhausted::Query { unreported: first } }
}

/// How the query ended; `None` where its task has gone, as in a process that ends.
async fn outcome(mut pending: PendingQuery) -> Option<Result<(), DbError>> {
    pending.wait_for(Option::is_some).await.ok()?.clone()
}

fn milliseconds(clock: &Clock) -> u64 {
    u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl LimitedUser<'_> {
    /// The key in the database: a hash of fixed length, without any name in it.
    fn hashed(&self) -> Key {
        let tenant = self.tenant.as_str().as_bytes();
        // With its length in front, no two pairs are the same bytes.
        hash(self.limit, &[&tenant.len().to_be_bytes(), tenant, self.user.as_str().as_bytes()])
    }
}

fn address_key(network: u128) -> Key {
    hash(Limit::Unauthenticated, &[&network.to_be_bytes()])
}

fn hash(limit: Limit, parts: &[&[u8]]) -> Key {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[limit.number()]);
    for part in parts {
        context.update(part);
    }
    let mut key = Key::default();
    key.copy_from_slice(context.finish().as_ref());
    key
}

#[cfg(test)]
mod tests;
