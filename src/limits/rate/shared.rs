//! One limit over all replicas: the database counts, by its clock. What a replica lets through was counted before.
//!
//! Writing requests are counted one by one. For reading ones a replica leases a block, so that most of them ask
//! nobody. Requests without a valid token are let through for a block before the database hears of them, so that many
//! addresses with a few requests each write nothing.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::leases::{Asked, Lease, Leases, Taken, Then, block};
use super::{Limit, Refused, WINDOW, network};
use crate::clock::Clock;
use crate::id::{TenantId, UserId};
use crate::limits::windows::Exceeded;
use crate::store::rate_limits::{self, Counted, Key};
use crate::store::{Db, DbError};

/// Questions about addresses that are under way at the same time. Whoever sends from many addresses gets no more of
/// the database than this; beyond it an address is counted by this replica alone until its window ends.
const QUESTIONS_ABOUT_ADDRESSES: usize = 2;

/// The window of addresses, in milliseconds on the clock that only runs on.
const WINDOW_OF_AN_ADDRESS: u64 = WINDOW.unsigned_abs();

/// The key of all addresses for which there is no room. 0 is as likely to be another one's as any number.
const ADDRESSES_WITHOUT_ROOM: u64 = 0;

/// Who counts.
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
    questions_about_addresses: Arc<Semaphore>,
}

/// A user, and the limit that they are counted against.
#[derive(Clone, Copy, Hash)]
pub struct LimitedUser<'u> {
    pub limit: Limit,
    pub tenant: &'u TenantId,
    pub user: &'u UserId,
}

/// A question to the database, and what follows from its answer.
#[derive(Clone, Copy)]
struct Question {
    key: Key,
    most: u32,
    requests: u32,
    unreported: u32,
    /// What this replica lets through by itself for a window where no answer comes.
    otherwise: Option<u32>,
}

impl<C: Counter> Shared<C> {
    pub fn new(clock: Clock, counter: C) -> Self {
        Self {
            clock,
            counter,
            users: Arc::default(),
            addresses: Arc::default(),
            questions_about_addresses: Arc::new(Semaphore::new(QUESTIONS_ABOUT_ADDRESSES)),
        }
    }

    /// Counts one request of a user: the database decides about this one.
    pub async fn count_one(&self, user: &LimitedUser<'_>, most: u32) -> Result<(), Refused> {
        let key = self.users.key(user);
        let sent = self.now();
        // A user who is over the limit costs no more writes.
        if let Taken::Exceeded(exceeded) = self.users.lock().take(key, sent) {
            return Err(exceeded.into());
        }
        let counted = self.counter.count(&user.hashed(), WINDOW, 1).await?;
        let lease = Lease::granted(most, 1, 0, counted, sent);
        if lease.then == Then::Refuse {
            let mut table = self.users.lock();
            if table.has_room_for(key, sent) {
                table.refuse_until(key, lease.end);
            }
        }
        if lease.left > 0 { Ok(()) } else { Err(Exceeded::until(counted.left).into()) }
    }

    /// Counts one request of a user against what this replica has leased for them.
    pub async fn count_leased(&self, user: &LimitedUser<'_>, most: u32) -> Result<(), Refused> {
        let key = self.users.key(user);
        loop {
            let asked = {
                let now = self.now();
                let mut table = self.users.lock();
                match table.take(key, now) {
                    Taken::Passed => return Ok(()),
                    Taken::Exceeded(exceeded) => return Err(exceeded.into()),
                    Taken::Ask { .. } if !table.has_room_for(key, now) => None,
                    Taken::Ask { unreported } => Some(table.asked(key).unwrap_or_else(|| {
                        let requests = block(most);
                        let question =
                            Question { key: user.hashed(), most, requests, unreported, otherwise: None };
                        let asked = self.ask(&self.users, key, question, None);
                        table.begin_asking(key, asked.clone());
                        asked
                    })),
                }
            };
            match asked {
                // What cannot be remembered is asked each time.
                None => return self.count_one(user, most).await,
                Some(asked) => {
                    let given_up = || DbError::Unavailable("the question was given up".to_owned());
                    answer(asked).await.ok_or_else(given_up)??;
                }
            }
        }
    }

    /// Counts one request that ends in 401. Without the database it is counted by this replica alone.
    pub async fn count_unauthenticated(&self, most: u32, remote: IpAddr) -> Result<(), Exceeded> {
        let network = network(remote);
        let own_key = self.addresses.key(&network);
        loop {
            let (key, asked) = {
                let now = self.now();
                let mut table = self.addresses.lock();
                let has_room = table.has_room_for(own_key, now);
                let key = if has_room { own_key } else { ADDRESSES_WITHOUT_ROOM };
                if !table.holds(key, now) {
                    table.put(key, if has_room { unasked(most, now) } else { alone(most, now) });
                }
                match table.take(key, now) {
                    Taken::Passed => return Ok(()),
                    Taken::Exceeded(exceeded) => return Err(exceeded),
                    Taken::Ask { unreported } => {
                        let question = Question {
                            key: address_key(network),
                            most,
                            requests: unreported + block(most),
                            unreported,
                            otherwise: Some(most.saturating_sub(unreported)),
                        };
                        let place = || Arc::clone(&self.questions_about_addresses).try_acquire_owned().ok();
                        let asked = match table.asked(key) {
                            Some(asked) => Some(asked),
                            None => place().map(|place| {
                                let asked = self.ask(&self.addresses, key, question, Some(place));
                                table.begin_asking(key, asked.clone());
                                asked
                            }),
                        };
                        (key, asked)
                    }
                }
            };
            // However a question ends, the table knows how to go on. Where none was or is answered, it is told here.
            let answered = match asked {
                Some(asked) => answer(asked).await.is_some(),
                None => false,
            };
            if !answered {
                self.addresses.lock().put(key, alone(most, self.now()));
            }
        }
    }

    /// Asks the database on a task of its own, since whoever asked may go away while others wait, and what was counted
    /// is not to be lost. `place` is given back when the answer has come.
    fn ask(
        &self,
        leases: &Arc<Leases>,
        key: u64,
        question: Question,
        place: Option<OwnedSemaphorePermit>,
    ) -> Asked {
        let (tell, asked) = watch::channel(None);
        let (clock, database, leases) = (self.clock.clone(), self.counter.clone(), Arc::clone(leases));
        tokio::spawn(async move {
            let Question { key: hash, most, requests, unreported, otherwise } = question;
            let sent = milliseconds(&clock);
            let counted = database.count(&hash, WINDOW, requests).await;
            let (lease, outcome) = match counted {
                Ok(counted) => (Some(Lease::granted(most, requests, unreported, counted, sent)), Ok(())),
                Err(error) => (otherwise.map(|left| alone(left, milliseconds(&clock))), Err(error)),
            };
            drop(place);
            {
                let mut table = leases.lock();
                if let Some(lease) = lease {
                    table.put(key, lease);
                }
                table.end_asking(key);
            }
            let _ = tell.send(Some(outcome));
        });
        asked
    }

    fn now(&self) -> u64 {
        milliseconds(&self.clock)
    }
}

/// So many requests, counted by this replica alone.
fn alone(left: u32, now: u64) -> Lease {
    Lease { end: now + WINDOW_OF_AN_ADDRESS, left, then: Then::Refuse }
}

/// The first block of an address, of which the database hears when it is used up.
fn unasked(most: u32, now: u64) -> Lease {
    let first = block(most);
    Lease { end: now + WINDOW_OF_AN_ADDRESS, left: first, then: Then::Ask { unreported: first } }
}

/// How the question ended; none where nobody is there to answer it, as in a process that ends.
async fn answer(mut asked: Asked) -> Option<Result<(), DbError>> {
    asked.wait_for(Option::is_some).await.ok()?.clone()
}

fn milliseconds(clock: &Clock) -> u64 {
    u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl LimitedUser<'_> {
    /// As the database knows them: of a fixed length, and no name of anybody.
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
