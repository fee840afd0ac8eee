//! The tables of the delivery: mail with its queue, and the accounts that are leased.

use std::time::Duration;

use transports::clock::Timestamp;
use transports::id::TenantId;
use transports::mail::address::EmailAddress;
use transports::outgoing::breaker::{AccountState, Stop};
use transports::outgoing::pace::PaceState;
use transports::outgoing::transition::Waits;
use transports::outgoing::{Email, Lane, OnUnknown, Recipient, RecipientKind, RecipientState};
use transports::store::delivery_accounts::NextDue;
use transports::store::emails::{IdempotencyKey, NewEmail};
use transports::store::{Db, Statement, Write, WriteOutcome, delivery_accounts, email_events, emails, sql};
use uuid::Uuid;

use crate::support::database::{Database, Engine};

pub const NOW: Timestamp = Timestamp(1_767_225_600_000);
const LEASE: Duration = Duration::from_secs(15);
const LEASE_END: Timestamp = Timestamp(NOW.0 + 15_000);
pub const WAITS: Waits = Waits { unknown: Duration::from_mins(10), lease: LEASE };
const TABLES: [&str; 5] = ["emails", "email_recipients", "email_bodies", "email_queue", "email_events"];

pub fn tenant(name: &str) -> TenantId {
    TenantId::from_operator(name)
}

pub fn email(lane: Lane, due: Timestamp) -> Email {
    let recipient = |position| Recipient {
        position,
        address: Some(EmailAddress::parse(&format!("r{position}@example.net")).unwrap()),
        kind: RecipientKind::To,
        state: RecipientState::Queued,
        attempts: 0,
        copies: 0,
        started: None,
        next_attempt_at: Some(due),
        last: None,
    };
    Email {
        id: Uuid::now_v7(),
        lane,
        created_at: NOW,
        scheduled_at: None,
        expires_at: Timestamp(NOW.0 + 1_000_000_000),
        on_unknown: OnUnknown::RetryOnce,
        message_id: "<a@example.com>".to_owned(),
        size: 7,
        has_content: true,
        version: 0,
        api_key_id: None,
        required_key_id: None,
        is_test: false,
        recipients: (0..2).map(recipient).collect(),
    }
}

fn insert(tenant: &TenantId, email: &Email, key: Option<&str>) -> Write {
    insert_at(tenant, email, key, NOW).0
}

/// The write of a new email, and the ids of its events.
pub fn insert_at(tenant: &TenantId, email: &Email, key: Option<&str>, now: Timestamp) -> (Write, Vec<Uuid>) {
    let parts = [vec![1; 3], vec![2; 4]];
    let events = email.created(now);
    let new = NewEmail {
        email,
        idempotency: key.map(|key| IdempotencyKey { key, position: 0 }),
        fingerprint: b"fingerprint",
        door_hash: None,
        sealed_details: b"details",
        key_day: 20_454,
        tags: &[],
        parts: &parts,
        traceparent: None,
        events: &events,
    };
    let ids = events.iter().map(|event| event.id).collect();
    (Write::default().then_all(emails::insert(tenant, &new, now)), ids)
}

async fn write(db: &Db, statements: impl IntoIterator<Item = Statement>) -> WriteOutcome {
    db.write(Write::default().then_all(statements)).await.unwrap()
}

async fn counts(database: &Database) -> Vec<usize> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(database.count(table).await);
    }
    counts
}

#[tokio::test]
async fn a_mail_is_stored_whole_and_its_key_once() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        let (acme, beta) = (tenant("acme"), tenant("beta"));
        let first = email(Lane::Transactional, NOW);
        assert_eq!(db.write(insert(&acme, &first, Some("key"))).await.unwrap(), WriteOutcome::Committed);
        let found = emails::find(&db, &acme, first.id).await.unwrap().unwrap();
        assert_eq!((found.email, found.sealed_details), (first.clone(), Some(b"details".to_vec())));
        assert_eq!(emails::body(&db, &acme, first.id).await.unwrap(), [vec![1; 3], vec![2; 4]]);
        assert_eq!(emails::waiting(&db, &acme).await.unwrap(), (1, 7));
        assert_eq!(counts(&database).await, [1, 2, 2, 1, 1], "{engine:?}");

        let again = email(Lane::Bulk, NOW);
        let outcome = db.write(insert(&acme, &again, Some("key"))).await.unwrap();
        assert_eq!(outcome, WriteOutcome::NoRowsAffected, "{engine:?}: the key is taken");
        let mut batch = insert(&acme, &email(Lane::Bulk, NOW), Some("another key"));
        batch = batch.then_all(insert(&acme, &again, Some("key")).statements);
        assert_eq!(db.write(batch).await.unwrap(), WriteOutcome::NoRowsAffected, "{engine:?}");
        assert_eq!(counts(&database).await, [1, 2, 2, 1, 1], "{engine:?}: nothing of them is stored");
        let by_key = emails::find_by_key(&db, &acme, "key").await.unwrap();
        let by_key: Vec<_> = by_key.into_iter().map(|kept| (kept.id, kept.fingerprint)).collect();
        assert_eq!(by_key, [(first.id, b"fingerprint".to_vec())]);

        assert_eq!(db.write(insert(&beta, &again, Some("key"))).await.unwrap(), WriteOutcome::Committed);
        assert_eq!(emails::find(&db, &acme, again.id).await.unwrap(), None, "of another tenant");
    }
}

#[tokio::test]
async fn a_change_of_an_old_version_or_by_an_earlier_owner_writes_nothing() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        let acme = tenant("acme");
        let before = email(Lane::Transactional, NOW);
        let wake = delivery_accounts::wake(&acme, NOW);
        let _ = db.write(insert(&acme, &before, None).then(wake)).await.unwrap();
        let fence = delivery_accounts::take(&db, "one", LEASE, NOW, 9).await.unwrap()[0].account.fence;
        let mut begun = before.clone();
        assert_eq!(begun.begin(50, fence, WAITS, NOW), [0, 1]);
        let save = |before: &Email, fence| emails::save(&acme, before, &begun, &[], Some(fence), NOW);
        let all = async || (emails::find(&db, &acme, before.id).await.unwrap(), counts(&database).await);
        let stored = all().await;
        for fence in [fence - 1, fence + 1] {
            assert_eq!(write(&db, save(&before, fence)).await, WriteOutcome::NoRowsAffected, "{engine:?}");
        }
        let old = Email { version: 7, ..before.clone() };
        assert_eq!(write(&db, save(&old, fence)).await, WriteOutcome::NoRowsAffected, "{engine:?}");
        assert_eq!(all().await, stored, "{engine:?}: nothing was written");

        assert_eq!(write(&db, save(&before, fence)).await, WriteOutcome::Committed, "{engine:?}");
        let found = emails::find(&db, &acme, before.id).await.unwrap().unwrap().email;
        assert_eq!(found, Email { version: 1, ..begun.clone() }, "{engine:?}");
        let due = NOW.after(WAITS.lease + WAITS.unknown);
        assert_eq!(
            emails::next_due_to_send(&db, &acme).await.unwrap(),
            Some(due),
            "its place in the queue moved"
        );
        assert_eq!(write(&db, save(&before, fence)).await, WriteOutcome::NoRowsAffected, "a second time");
        assert_eq!(database.count("email_queue").await, 1, "{engine:?}");

        let mut canceled = before.clone();
        let events = canceled.cancel(NOW);
        canceled.has_content = false;
        let before = Email { version: 1, ..before };
        let save = emails::save(
            &acme,
            &Email { recipients: begun.recipients, ..before },
            &canceled,
            &events,
            None,
            NOW,
        );
        assert_eq!(write(&db, save).await, WriteOutcome::Committed);
        assert_eq!(
            counts(&database).await,
            [1, 2, 0, 0, 2],
            "{engine:?}: nothing waits, the content is gone"
        );
        let events = email_events::of_email(&db, &acme, canceled.id).await.unwrap();
        assert_eq!(events.len(), 2, "{engine:?}");
    }
}

#[tokio::test]
async fn an_account_is_taken_by_one_renewed_by_it_and_given_up() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        set_lease_clock(&database, engine, "null").await;
        let (acme, beta) = (tenant("acme"), tenant("beta"));
        let later = Timestamp(NOW.0 + 60_000);
        let wakes = [(&acme, later), (&acme, NOW), (&acme, later), (&beta, later)];
        assert_eq!(
            write(&db, wakes.map(|(tenant, at)| delivery_accounts::wake(tenant, at))).await,
            WriteOutcome::Committed
        );
        let take = async |owner: &str, now: Timestamp, limit| {
            let taken = delivery_accounts::take(&db, owner, LEASE, now, limit).await.unwrap();
            taken.into_iter().map(|taken| (taken.account.tenant, taken.account.fence)).collect::<Vec<_>>()
        };
        assert_eq!(
            take("one", NOW, 9).await,
            [(acme.clone(), 1)],
            "{engine:?}: what is due, and the earliest stands"
        );
        assert_eq!(take("two", NOW, 9).await, [], "{engine:?}: it has an owner");
        assert_eq!(take("two", LEASE_END, 9).await, [], "{engine:?}: until its lease is over");
        let renew = |owner| delivery_accounts::renew(owner, Duration::from_mins(1), NOW);
        let _ = write(&db, [renew("one"), renew("two")]).await;
        assert_eq!(take("two", later, 1).await, [(beta.clone(), 1)], "{engine:?}: the lease was renewed");
        let after = Timestamp(later.0 + 1);
        assert_eq!(
            take("two", after, 9).await,
            [(acme.clone(), 2)],
            "{engine:?}: taken over with another fence"
        );

        let mut pace = PaceState::default();
        pace.due = later.0;
        pace.count(7, NOW);
        let _ = write(&db, [delivery_accounts::set_pace(&beta, 1, &pace)]).await;
        let found = delivery_accounts::find(&db, &beta).await.unwrap().unwrap();
        assert_eq!(found.pace, pace, "{engine:?}: it is kept with the account");

        // The late owner changes nothing any more.
        let late_pace = pace;
        let mut late = delivery_accounts::find(&db, &acme).await.unwrap().unwrap();
        late.fence = 1;
        late.state = AccountState::Stopped(Stop {
            code: "AUTH_REJECTED".to_owned(),
            since: NOW,
            probe_at: Some(later),
            failures: 1,
        });
        let mut writes = delivery_accounts::set_state(&late, NOW);
        writes.push(delivery_accounts::set_pace(&acme, 1, &late_pace));
        writes.extend(delivery_accounts::release(&acme, 1, NextDue::WithNextEmail));
        let _ = write(&db, writes).await;
        let found = delivery_accounts::find(&db, &acme).await.unwrap().unwrap();
        assert_eq!(
            (found.fence, found.state, found.pace),
            (2, AccountState::Open, PaceState::default()),
            "{engine:?}"
        );
        assert_eq!(take("one", after, 9).await, [], "{engine:?}: nor gives it up");

        // Nothing waits: it is not due. Where a mail waits, it is due then; where a time is given, then.
        let _ = write(&db, delivery_accounts::release(&acme, 2, NextDue::WithNextEmail)).await;
        assert_eq!(take("one", Timestamp(i64::MAX / 2), 9).await.len(), 1, "{engine:?}: beta alone");
        let _ = db.write(insert(&acme, &email(Lane::Bulk, later), None)).await.unwrap();
        let _ = write(&db, delivery_accounts::release(&acme, 2, NextDue::WithNextEmail)).await;
        assert_eq!(take("one", NOW, 9).await, []);
        assert_eq!(take("one", later, 9).await, [(acme.clone(), 3)], "{engine:?}");
        let until = Timestamp(later.0 + 5);
        let _ = write(&db, delivery_accounts::release(&acme, 3, NextDue::At(until))).await;
        assert_eq!(take("one", later, 9).await, []);
        assert_eq!(take("one", until, 9).await, [(acme.clone(), 4)], "{engine:?}");
        let _ = write(&db, delivery_accounts::release(&acme, 4, NextDue::WithNextEmailOrAt(until))).await;
        assert_eq!(take("one", later, 9).await, [(acme.clone(), 5)], "{engine:?}: its mail is due before");
        let before = Timestamp(later.0 - 5);
        let _ = write(&db, delivery_accounts::release(&acme, 5, NextDue::WithNextEmailOrAt(before))).await;
        assert_eq!(take("one", Timestamp(before.0 - 1), 9).await, []);
        assert_eq!(take("one", before, 9).await, [(acme.clone(), 6)], "{engine:?}");
    }
}

/// What the clock of the leases says on PostgreSQL from now on; null is the time of the process that asks.
pub async fn set_lease_clock(database: &Database, engine: Engine, now: &str) {
    if engine == Engine::Postgres {
        let view = format!("create or replace view lease_clock as select cast({now} as bigint) as now");
        database.execute(&view).await;
    }
}

/// An hour between the clocks of two processes takes no account from its owner, and ends no lease later.
#[tokio::test]
async fn on_postgresql_leases_end_by_the_clock_of_the_database() {
    let Some(engine) = Engine::postgres() else { return };
    let database = Database::create(engine).await;
    let db = database.open().await;
    let acme = tenant("acme");
    let _ = write(&db, [delivery_accounts::wake(&acme, NOW)]).await;
    let ahead = NOW.after(Duration::from_hours(1));
    let take = async |owner: &str, now| {
        let is_any_due = delivery_accounts::is_any_due(&db, now).await.unwrap();
        let taken = delivery_accounts::take(&db, owner, LEASE, now, 9).await.unwrap().len();
        assert_eq!(is_any_due, taken > 0);
        taken
    };
    assert_eq!(take("ahead", ahead).await, 1);
    assert_eq!(take("behind", NOW).await, 0);
    let _ = write(&db, delivery_accounts::release(&acme, 1, NextDue::At(NOW))).await;
    assert_eq!(take("behind", NOW).await, 1);
    assert_eq!(take("ahead", ahead).await, 0, "it has an owner");
    let _ = write(&db, [delivery_accounts::renew("behind", LEASE, NOW)]).await;
    assert_eq!(take("ahead", ahead).await, 0, "its owner renews by the same clock");
    let lease_end = "(select lease_until from delivery_accounts)";
    set_lease_clock(&database, engine, lease_end).await;
    assert_eq!(take("ahead", ahead).await, 0);
    set_lease_clock(&database, engine, &format!("{lease_end} + 1")).await;
    assert_eq!(take("behind", NOW).await, 1, "when the lease is over anybody takes it");
}

/// Two processes that look at the same moment never own an account together.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_take_an_account_one_owns_it() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        let tenants: Vec<_> = (0..50).map(|number| tenant(&format!("t{number}"))).collect();
        let _ = write(&db, tenants.iter().map(|tenant| delivery_accounts::wake(tenant, NOW))).await;
        let takers: Vec<_> = (0..8)
            .map(|name| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    for _ in 0..10 {
                        let owner = format!("owner {name}");
                        taken.extend(delivery_accounts::take(&db, &owner, LEASE, NOW, 7).await.unwrap());
                    }
                    taken
                })
            })
            .collect();
        let mut owned = Vec::new();
        for taker in takers {
            owned.extend(
                taker
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|taken| (taken.account.tenant.to_string(), taken.account.fence)),
            );
        }
        owned.sort();
        let mut expected: Vec<_> = tenants.iter().map(|tenant| (tenant.to_string(), 1)).collect();
        expected.sort();
        assert_eq!(owned, expected, "{engine:?}");
    }
}

/// A mail whose write has not committed when the account is given up makes it due all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_of_the_moment_in_which_the_account_is_given_up_is_not_forgotten() {
    let Some(engine) = Engine::postgres() else { return };
    let database = Database::create(engine).await;
    let db = database.open().await;
    let acme = tenant("acme");
    let _ = write(&db, [delivery_accounts::wake(&acme, NOW)]).await;
    let fence = delivery_accounts::take(&db, "one", LEASE, NOW, 9).await.unwrap()[0].account.fence;
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let enqueue = format!(
        "begin; insert into email_queue (tenant_id, lane, due_at, email_id, size) values ('acme', 'bulk', {due}, 'x', 1);
        insert into delivery_accounts (tenant_id, next_due_at) values ('acme', {due})
            on conflict (tenant_id) do update set next_due_at = excluded.next_due_at
            where delivery_accounts.next_due_at is null or delivery_accounts.next_due_at > excluded.next_due_at",
        due = NOW.0 + 3
    );
    client.batch_execute(&enqueue).await.unwrap();
    let releasing = {
        let (db, release) = (db.clone(), delivery_accounts::release(&acme, fence, NextDue::WithNextEmail));
        tokio::spawn(async move { write(&db, release).await })
    };
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!releasing.is_finished(), "it waits for the other's commit");
    client.batch_execute("commit").await.unwrap();
    assert_eq!(releasing.await.unwrap(), WriteOutcome::Committed);
    let taken = delivery_accounts::take(&db, "one", LEASE, Timestamp(NOW.0 + 3), 9).await.unwrap();
    assert_eq!(taken.len(), 1, "the mail is due");
}

#[tokio::test]
async fn the_window_is_in_the_order_of_due_times_and_of_one_lane() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        let (acme, beta) = (tenant("acme"), tenant("beta"));
        let at = |seconds: i64| Timestamp(NOW.0 + seconds * 1_000);
        let mut ids = Vec::new();
        for (lane, seconds) in [
            (Lane::Transactional, 5),
            (Lane::Transactional, 0),
            (Lane::Bulk, 1),
            (Lane::Transactional, 2),
            (Lane::Transactional, 9),
        ] {
            let email = email(lane, at(seconds));
            let _ = db.write(insert(&acme, &email, None)).await.unwrap();
            ids.push(email.id);
        }
        let _ = db.write(insert(&beta, &email(Lane::Transactional, NOW), None)).await.unwrap();
        let window = async |lane, now, limit| {
            let due = emails::window(&db, &acme, lane, now, limit).await.unwrap();
            due.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
        };
        assert_eq!(window(Lane::Transactional, at(5), 9).await, [ids[1], ids[3], ids[0]], "{engine:?}");
        assert_eq!(window(Lane::Transactional, at(5), 2).await, [ids[1], ids[3]], "{engine:?}");
        assert_eq!(window(Lane::Bulk, at(5), 9).await, [ids[2]], "{engine:?}");
        assert!(window(Lane::Bulk, NOW, 9).await.is_empty(), "{engine:?}");
        assert_eq!(emails::next_due_to_send(&db, &acme).await.unwrap(), Some(NOW), "{engine:?}");
    }
}

#[tokio::test]
async fn a_write_gives_the_rows_that_it_returns_or_none_where_it_is_rolled_back() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        database.execute("create table things (id text not null primary key, number bigint)").await;
        let add = |id: &str, number: i64| {
            sql("insert into things (id, number) values ($1, $2) returning id, number").bind(id).bind(number)
        };
        let step = || sql("update things set number = number + 1 where number > $1 returning number").bind(1);
        let writes = Write::default()
            .then(add("a", 1).returning_rows())
            .then(sql("insert into things (id, number) values ('b', $1)").bind(2))
            .then(sql("insert into things (id, number) values ('c', $1)").bind(3))
            .then(step().returning_rows());
        let rows = db.write_returning(writes).await.unwrap().unwrap();
        let mut rows: Vec<_> = rows.into_iter().map(transports::store::Row::columns).collect();
        assert_eq!(rows.len(), 3, "{engine:?}: of the statements that were asked, in their order");
        assert_eq!((rows[0].text().unwrap(), rows[0].integer().unwrap()), ("a".to_owned(), 1));
        let mut stepped = [rows[1].integer().unwrap(), rows[2].integer().unwrap()];
        stepped.sort_unstable();
        assert_eq!(stepped, [3, 4], "{engine:?}");

        let misses = Write::default()
            .then(step().returning_rows())
            .then(sql("delete from things where id = 'z' returning id").returning_rows().require_affected());
        assert!(db.write_returning(misses).await.unwrap().is_none(), "{engine:?}");
        let none =
            Write::default().then(sql("delete from things where id = 'z' returning id").returning_rows());
        assert!(db.write_returning(none).await.unwrap().is_some_and(|rows| rows.is_empty()), "{engine:?}");
        let left = database.query("select sum(number) from things").await;
        assert_eq!(left[0][0].as_deref(), Some("8"), "{engine:?}: the first was rolled back");
    }
}
