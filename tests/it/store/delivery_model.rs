//! Random operations on the tables of the delivery beside a model in memory: what is stored is what the model holds, a row
//! of the queue exists where something waits and nowhere else, and the feed has each change once.

use std::collections::BTreeSet;
use std::time::Duration;

use transports::clock::Timestamp;
use transports::id::TenantId;
use transports::outgoing::transition::{Attempt, AttemptResult};
use transports::outgoing::{Email, Event, Lane, LastAttempt, OnUnknown};
use transports::store::delivery_accounts::NextDue;
use transports::store::email_events::Feed;
use transports::store::{Db, Write, WriteOutcome, delivery_accounts, email_events, emails};
use uuid::Uuid;

use super::delivery::{NOW, WAITS, email, insert_at, set_lease_clock, tenant};
use crate::support::database::{Database, Engine};
use crate::support::figures::rounds;
use crate::support::random::Random;

struct Tenant {
    id: TenantId,
    /// The fence of the present owner; none where nobody owns the account.
    fence: Option<i64>,
    /// That of an owner that was taken over.
    late: i64,
    emails: Vec<Email>,
    /// As they stand before their last change, for a writer that has read them then.
    old: Vec<Email>,
    feed: Vec<Uuid>,
    /// Keys of the emails that are there.
    keys: BTreeSet<String>,
}

struct World {
    db: Db,
    database: Database,
    now: Timestamp,
    tenants: Vec<Tenant>,
    random: Random,
    log: Vec<String>,
}

fn attempt(result: AttemptResult, now: Timestamp) -> Attempt {
    let last = LastAttempt {
        at: now,
        stage: "data".to_owned(),
        smtp_code: Some(250),
        enhanced_code: None,
        reply: None,
        is_recipients_fault: false,
        diagnosis: serde_json::Map::new(),
    };
    Attempt { result, last }
}

const RESULTS: [AttemptResult; 6] = [
    AttemptResult::Accepted,
    AttemptResult::Refused,
    AttemptResult::Deferred { retry_after: None },
    AttemptResult::Held,
    AttemptResult::Unknown,
    AttemptResult::Failed,
];

impl World {
    async fn new(engine: Engine, random: Random) -> Self {
        let database = Database::create(engine).await;
        let db = database.open().await;
        // The test's own.
        set_lease_clock(&database, engine, "null").await;
        let tenants = ["acme", "beta"].map(|name| Tenant {
            id: tenant(name),
            fence: None,
            late: 0,
            emails: Vec::new(),
            old: Vec::new(),
            feed: Vec::new(),
            keys: BTreeSet::new(),
        });
        Self { db, database, now: NOW, tenants: tenants.into(), random, log: Vec::new() }
    }

    async fn write(&self, write: Write) -> WriteOutcome {
        self.db.write(write).await.expect("a database")
    }

    async fn step(&mut self) {
        let of = self.random.below(self.tenants.len());
        match self.random.below(10) {
            0 | 1 => self.enqueue(of).await,
            2 => self.take_or_release(of).await,
            3 => self.pass().await,
            4 => self.restart().await,
            5 => self.remove(of).await,
            _ => self.change(of).await,
        }
    }

    async fn enqueue(&mut self, of: usize) {
        let (now, lane) = (self.now, *self.random.pick(&Lane::ALL));
        let due = now.after(Duration::from_secs(60 * self.random.below(2) as u64));
        let new = Email {
            created_at: now,
            expires_at: now.after(Duration::from_hours(72)),
            on_unknown: *self.random.pick(&OnUnknown::ALL),
            ..email(lane, due)
        };
        let key = format!("key {}", self.random.below(8));
        let tenant = &mut self.tenants[of];
        let (write, events) = insert_at(&tenant.id, &new, Some(&key), now);
        let write = write.then(delivery_accounts::wake(&tenant.id, due));
        let outcome = self.db.write(write).await.expect("a database");
        let is_new = tenant.keys.insert(key.clone());
        self.log.push(format!("enqueue {key}: {outcome:?}"));
        assert_eq!(outcome == WriteOutcome::Committed, is_new, "a key is taken once: {:#?}", self.log);
        if is_new {
            tenant.feed.extend(events);
            tenant.old.push(new.clone());
            tenant.emails.push(new);
        }
    }

    async fn take_or_release(&mut self, of: usize) {
        let Some(fence) = self.tenants[of].fence else { return self.take().await };
        let due = *self.random.pick(&[
            NextDue::WithNextEmail,
            NextDue::WithNextEmailOrAt(self.now),
            NextDue::At(self.now),
        ]);
        let release = delivery_accounts::release(&self.tenants[of].id, fence, due);
        let _ = self.write(Write::default().then_all(release)).await;
        self.log.push(format!("release {of}"));
        self.tenants[of].fence = None;
    }

    /// Takes what is due and free, with another name each time.
    async fn take(&mut self) {
        let owner = Uuid::now_v7().to_string();
        let taken =
            delivery_accounts::take(&self.db, &owner, WAITS.lease, self.now, 9).await.expect("a database");
        self.log.push(format!("take: {taken:?}"));
        for account in taken.into_iter().map(|taken| taken.account) {
            let of = self.tenants.iter_mut().find(|tenant| tenant.id == account.tenant).expect("one of ours");
            assert!(account.fence > of.late && Some(account.fence) > of.fence, "fences grow");
            of.late = of.fence.unwrap_or(of.late);
            of.fence = Some(account.fence);
        }
    }

    async fn pass(&mut self) {
        let minutes = *self.random.pick(&[1, 20, 300]);
        self.now = self.now.after(Duration::from_mins(minutes));
        self.take().await;
    }

    /// The database is opened by another process, which takes over when the leases are over.
    async fn restart(&mut self) {
        self.db.close().await;
        self.db = self.database.open().await;
        self.now = self.now.after(WAITS.lease + Duration::from_secs(1));
        self.take().await;
    }

    /// Changes an email as its owner, as an earlier owner, as a person, or with what was read before another change.
    async fn change(&mut self, of: usize) {
        if self.tenants[of].emails.is_empty() {
            return;
        }
        let index = self.random.below(self.tenants[of].emails.len());
        let (is_late, is_outdated) = (self.random.below(6) == 0, self.random.below(6) == 0);
        let tenant = &self.tenants[of];
        let before = if is_outdated { &tenant.old[index] } else { &tenant.emails[index] }.clone();
        let mut after = before.clone();
        let fence = if is_late { tenant.late } else { tenant.fence.unwrap_or(tenant.late) };
        // Fences begin with 1: before that nobody has owned the account.
        let by_owner = fence > 0 && self.random.below(3) > 0;
        let events = if by_owner { self.owns(&mut after, fence) } else { self.person(&mut after) };
        if after == before {
            return;
        }
        let tenant = &mut self.tenants[of];
        let save = emails::save(&tenant.id, &before, &after, &events, by_owner.then_some(fence), self.now);
        let outcome = self.db.write(Write::default().then_all(save)).await.expect("a database");
        let is_current = before == tenant.emails[index];
        // A released account keeps its fence until somebody takes it.
        let latest = tenant.fence.unwrap_or(fence).max(fence);
        let may = is_current && (!by_owner || (fence == latest && fence > 0));
        self.log.push(format!("change {before:?} → {after:?}, by owner {by_owner} {fence}: {outcome:?}"));
        if outcome == WriteOutcome::NoRowsAffected {
            assert!(!may || tenant.fence.is_none(), "refused: {:#?}", self.log);
            return;
        }
        assert!(may, "a late or outdated change was written: {:#?}", self.log);
        tenant.feed.extend(events.iter().map(|event| event.id));
        tenant.old[index] = before;
        after.version += 1;
        tenant.emails[index] = after;
    }

    fn owns(&mut self, email: &mut Email, fence: i64) -> Vec<Event> {
        let now = self.now;
        match self.random.below(8) {
            0..=2 => {
                email.begin(self.random.below(3), fence, WAITS, now);
                Vec::new()
            }
            3..=5 => {
                let attempts = [0, 1].map(|position| (position, attempt(*self.random.pick(&RESULTS), now)));
                email.finish(&attempts, fence, WAITS, now)
            }
            6 => {
                let mut events = email.recover(fence, now);
                events.extend(email.apply_unknown_policy(now));
                events.extend(email.expire(now));
                events
            }
            _ if self.random.coin() => email.hold(None, now),
            _ => email.release(now),
        }
    }

    fn person(&mut self, email: &mut Email) -> Vec<Event> {
        match self.random.below(3) {
            0 => email.cancel(self.now),
            1 => email.settle(None, self.now),
            _ => email.retry(None, Duration::from_hours(72), self.now),
        }
    }

    /// The end of an email's retention.
    async fn remove(&mut self, of: usize) {
        let tenant = &mut self.tenants[of];
        let Some(index) = tenant.emails.iter().position(|email| email.due_at().is_none()) else { return };
        let gone = [(tenant.id.clone(), tenant.emails[index].id)];
        let remove = emails::remove_rows(&gone, self.now, self.now);
        let _ = self.db.write(remove).await.expect("a database");
        self.log.push(format!("remove {:?}", gone[0].1));
        tenant.emails.remove(index);
        tenant.old.remove(index);
        tenant.keys.clear();
        let keys = format!("select idempotency_key from emails where tenant_id = '{}'", tenant.id);
        tenant.keys.extend(self.database.query(&keys).await.into_iter().filter_map(|row| row[0].clone()));
    }

    async fn check(&self) {
        let mut queued = BTreeSet::new();
        self.database.all_events_are_shown().await;
        for tenant in &self.tenants {
            for email in &tenant.emails {
                let found = emails::find(&self.db, &tenant.id, email.id).await.expect("a database");
                assert_eq!(found.map(|stored| stored.email).as_ref(), Some(email), "{:#?}", self.log);
                let body = emails::body(&self.db, &tenant.id, email.id).await.expect("a database");
                assert_eq!(body.is_empty(), !email.has_content, "{:#?}", self.log);
                let lane = if email.is_held() { "held" } else { email.lane.as_str() };
                let row = email.due_at().map(|at| format!("{} {lane} {} {}", tenant.id, at.0, email.id));
                queued.extend(row);
            }
            let feed = email_events::after(&self.db, &Feed::OfTenant(tenant.id.clone()), 0, 10_000)
                .await
                .expect("a database");
            let feed: Vec<_> = feed.into_iter().map(|stored| stored.event.id).collect();
            assert_eq!(feed, tenant.feed, "each change once, in its order: {:#?}", self.log);
        }
        let rows = self.database.query("select tenant_id, lane, due_at, email_id from email_queue").await;
        let text = |row: Vec<Option<String>>| row.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let rows: BTreeSet<_> = rows.into_iter().map(text).collect();
        assert_eq!(rows, queued, "what waits stands in the queue, and nothing else: {:#?}", self.log);
    }

    /// The status that is stored follows from the recipients, also after many changes.
    async fn check_status(&self) {
        let rows = self.database.query("select id, status from emails").await;
        let all = self.tenants.iter().flat_map(|tenant| &tenant.emails);
        let derived: BTreeSet<_> =
            all.map(|email| (email.id.to_string(), email.status(self.now).as_str().to_owned())).collect();
        let stored = rows.into_iter().map(|row| {
            let mut row = row.into_iter().flatten();
            (row.next().expect("an id"), row.next().expect("a status"))
        });
        assert_eq!(stored.collect::<BTreeSet<_>>(), derived, "{:#?}", self.log);
    }
}

#[tokio::test]
async fn what_is_stored_is_what_the_model_holds_after_any_operations() {
    let mut random = Random::announced();
    for engine in Engine::all() {
        for _ in 0..rounds("TEST_DELIVERY_MODELS", 1) {
            let mut world = World::new(engine, random.split()).await;
            for _ in 0..60 {
                world.step().await;
                world.check().await;
            }
            world.check_status().await;
        }
    }
}
