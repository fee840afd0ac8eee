//! The writes of a hand-over alone: its start, and its result, each a transaction of its own, without a mail server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use transports::clock::{Clock, Timestamp};
use transports::config::Config;
use transports::egress::Resolver;
use transports::id::TenantId;
use transports::mail::address::EmailAddress;
use transports::outgoing::transition::{Attempt, AttemptResult, Waits};
use transports::outgoing::{Email, Lane, LastAttempt, OnUnknown, Recipient, RecipientKind, RecipientState};
use transports::secret::Secret;
use transports::store::emails::NewEmail;
use transports::store::{Db, Write, WriteOutcome, delivery_accounts, emails};
use uuid::Uuid;

use super::super::figures::Spread;
use super::super::process::{SERVER_CORE, pin_this_thread};
use super::super::sides::{Place, sqlite_url};
use super::super::{Extents, create_database, fill, progress};

/// Hand-overs at once, each of another account.
const ACCOUNTS: usize = 64;

const WAITS: Waits = Waits { unknown: Duration::from_mins(10), lease: Duration::from_mins(10) };

/// Transactions a second, by rounds.
pub struct Writing {
    pub name: &'static str,
    pub rate: Spread,
}

/// Measures each database in turn. A separate thread writes, on the measured core.
pub(super) async fn measure(place: &Place, extents: &Extents, server: &str) -> Vec<Writing> {
    let mut measured = Vec::new();
    for (name, url) in [
        ("SQLite", sqlite_url(&place.folder.join("writing.db"))),
        ("PostgreSQL", create_database(server, "writing").await),
    ] {
        progress(format_args!("the writes of hand-overs: {name}"));
        let (rounds, each) = (extents.delivery_rounds, extents.mails / ACCOUNTS);
        let rates = tokio::task::spawn_blocking(move || on_the_measured_core(&url, rounds, each)).await;
        measured.push(Writing { name, rate: Spread::of(rates.expect("all is written")) });
    }
    measured
}

fn on_the_measured_core(url: &str, rounds: usize, each: usize) -> Vec<f64> {
    let url = url.to_owned();
    // Not the thread of the runtime's pool: it would stay on that core.
    let thread = std::thread::spawn(move || {
        pin_this_thread(SERVER_CORE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(write_rounds(&url, rounds, each))
    });
    thread.join().expect("all is written")
}

async fn write_rounds(url: &str, rounds: usize, each: usize) -> Vec<f64> {
    let mut config = Config::default();
    config.database.url = transports::config::DatabaseUrl::new(url);
    config.encryption.keys = vec![Secret::new(fill::ENCRYPTION_KEY.to_owned())];
    config.auth.hs256_secret = Some(Secret::new("nobody signs with this, and it is long enough".to_owned()));
    let app = transports::app::App::start(config, Clock::System, Resolver::system()).await;
    let app = app.expect("the database opens");
    let db = Arc::new(app.db.clone());
    let mut rates = Vec::new();
    for round in 0..=rounds {
        let mut prepared = Vec::new();
        for account in 0..ACCOUNTS {
            let tenant = TenantId::from_operator(&format!("account-{account}"));
            prepared.push((tenant.clone(), insert_all(&db, &tenant, each).await));
        }
        let fences = take_all(&db).await;
        let started = Instant::now();
        let writing: Vec<_> = prepared
            .into_iter()
            .map(|(tenant, waiting)| {
                let fence = fences.iter().find(|(owned, _)| *owned == tenant).expect("taken").1;
                tokio::spawn(hand_over_all(Arc::clone(&db), tenant, fence, waiting))
            })
            .collect();
        let mut writes = 0;
        for one in writing {
            writes += one.await.expect("all is written");
        }
        // The first round warms up.
        if round > 0 {
            rates.push(f64::from(writes) / started.elapsed().as_secs_f64());
        }
    }
    app.db.close().await;
    rates
}

async fn insert_all(db: &Db, tenant: &TenantId, count: usize) -> Vec<Email> {
    let now = Clock::System.now();
    let waiting: Vec<_> = (0..count).map(|_| email(now)).collect();
    let mut write = Write::default().then(delivery_accounts::wake(tenant, now));
    for email in &waiting {
        let events = email.created(now);
        let new = NewEmail {
            email,
            idempotency: None,
            fingerprint: &[0; 32],
            door_hash: None,
            sealed_details: &[0; 400],
            key_day: 0,
            parts: &[vec![0; 10_000]],
            tags: &[],
            events: &events,
            traceparent: None,
        };
        write = write.then_all(emails::insert(tenant, &new, now));
    }
    assert_eq!(db.write(write).await.expect("the database writes"), WriteOutcome::Committed);
    waiting
}

/// Takes all accounts that are due; their fences.
async fn take_all(db: &Db) -> Vec<(TenantId, i64)> {
    let limit = i64::try_from(ACCOUNTS).expect("a small number");
    // Those of the round before may still be owned: by this process, whose lease is over.
    let taken = delivery_accounts::take(db, "benchmark", Duration::ZERO, Clock::System.now(), limit).await;
    taken.expect("taken").into_iter().map(|taken| (taken.account.tenant, taken.account.fence)).collect()
}

/// Writes start and result of each; how many writes that were.
async fn hand_over_all(db: Arc<Db>, tenant: TenantId, fence: i64, waiting: Vec<Email>) -> u32 {
    let mut writes = 0;
    for before in waiting {
        let now = Clock::System.now();
        let mut begun = before.clone();
        let positions = begun.begin(50, fence, WAITS, now);
        save(&db, &tenant, &before, &begun, &[], Some(fence)).await;
        begun.version += 1;
        let attempt = Attempt { result: AttemptResult::Accepted, last: accepted(now) };
        let attempts: Vec<_> = positions.into_iter().map(|position| (position, attempt.clone())).collect();
        let mut after = begun.clone();
        let events = after.finish(&attempts, fence, WAITS, now);
        save(&db, &tenant, &begun, &after, &events, None).await;
        writes += 2;
    }
    writes
}

async fn save(
    db: &Db,
    tenant: &TenantId,
    before: &Email,
    after: &Email,
    events: &[transports::outgoing::Event],
    fence: Option<i64>,
) {
    let statements = emails::save(tenant, before, after, events, fence, Clock::System.now());
    let outcome = db.write(Write::default().then_all(statements)).await.expect("the database writes");
    assert_eq!(outcome, WriteOutcome::Committed);
}

fn email(now: Timestamp) -> Email {
    let recipient = Recipient {
        position: 0,
        address: EmailAddress::parse("ada@example.net").ok(),
        kind: RecipientKind::To,
        state: RecipientState::Queued,
        attempts: 0,
        copies: 0,
        started: None,
        next_attempt_at: Some(now),
        last: None,
    };
    Email {
        id: Uuid::now_v7(),
        lane: Lane::Transactional,
        created_at: now,
        scheduled_at: None,
        expires_at: Timestamp(now.0 + 3_600_000),
        on_unknown: OnUnknown::RetryOnce,
        message_id: "<a@example.com>".to_owned(),
        size: 10_000,
        has_content: true,
        api_key_id: None,
        required_key_id: None,
        is_test: false,
        version: 0,
        recipients: vec![recipient],
    }
}

fn accepted(now: Timestamp) -> LastAttempt {
    LastAttempt {
        at: now,
        stage: "data".to_owned(),
        smtp_code: Some(250),
        enhanced_code: Some("2.0.0".to_owned()),
        reply: Some("250 2.0.0 accepted".to_owned()),
        is_recipients_fault: false,
        diagnosis: serde_json::Map::new(),
    }
}
