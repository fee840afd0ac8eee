//! An owner that is stopped for longer than its lease, and goes on when another has taken over.

use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{LEASE, NOTHING_FOLLOWS, POLICIES, Site, Tenant, get, mail, script, settled, start, until};
use crate::support::database::Engine;
use crate::support::gate::{Gate, Side};
use crate::support::smtp_server::{Act, At};

/// Where the first owner is stopped, and how many copies there may be at most with `retry_once`.
const PLACES: [(At, usize); 4] = [(At::Greeting, 1), (At::Mail, 2), (At::Dot, 2), (At::Message, 2)];

fn is_reached(at: &At, tenant: &Tenant) -> bool {
    match at {
        At::Greeting => tenant.server.connections() == 1,
        At::Mail => tenant.server.verbs().contains(&"MAIL".to_owned()),
        At::Dot => tenant.server.lost_dots() == 1,
        _ => tenant.server.mails().len() == 1,
    }
}

struct Case {
    tenant: Tenant,
    on_unknown: &'static str,
    most: usize,
    at: String,
    id: String,
}

/// The late owner has gone on: what was decided stands, and its next mail goes out once.
async fn look_at_late(
    first: &crate::support::process::Process,
    cases: &[Case],
    decided: &[serde_json::Value],
) {
    // Longer than a lease and the wait for unknown outcomes.
    tokio::time::sleep(LEASE + NOTHING_FOLLOWS).await;
    for (case, decided) in cases.iter().zip(decided) {
        let client = case.tenant.admin(first);
        let after = get(&client, &case.id).await;
        let (at, policy) = (&case.at, case.on_unknown);
        assert_eq!(
            after["recipients"], decided["recipients"],
            "{at} {policy}: a late result changes nothing"
        );
        let copies = case.tenant.copies(&after);
        let least = usize::from(policy == "retry_once");
        assert!((least..=case.most).contains(&copies), "{at} {policy}: {copies} copies");
    }
    let next = join_all(cases.iter().map(async |case| {
        let id = case.tenant.enqueue(first, &mail(case.on_unknown)).await;
        (case, case.tenant.outcome(first, &id).await)
    }));
    for (case, outcome) in next.await {
        assert_eq!(outcome, (1, "accepted".to_owned()), "{} {}: the next mail", case.at, case.on_unknown);
    }
}

/// Waits until another process has decided, and three leases are over.
async fn decide(
    second: &crate::support::process::Process,
    cases: &[Case],
    stopped: Instant,
) -> Vec<serde_json::Value> {
    let settled = cases.iter().map(async |case| settled(&case.tenant.admin(second), &case.id).await);
    let decided = join_all(settled).await;
    tokio::time::sleep((3 * LEASE).saturating_sub(stopped.elapsed())).await;
    decided
}

/// On PostgreSQL alone: SQLite has one process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_stopped_is_fenced_and_copies_no_more_than_the_bound() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let site = Site::new().await;
    let first = site.start().await;
    let (go, held) = watch::channel(false);
    let places = PLACES.iter().flat_map(|place| POLICIES.map(|on_unknown| (place, on_unknown)));
    let cases = places.enumerate().map(async |(number, ((at, most), on_unknown))| {
        let tenant = Tenant::create(&first, &format!("t{number}")).await;
        // The answer comes while the owner is stopped: it reads it when it goes on.
        tenant.server.play(script().on(at.clone(), [Act::Wait(held.clone()), Act::Usual]));
        let id = tenant.enqueue(&first, &mail(on_unknown)).await;
        until("the place is reached", || is_reached(at, &tenant)).await;
        let most = if on_unknown == "hold" { 1 } else { *most };
        Case { tenant, on_unknown, most, at: format!("{at:?}"), id }
    });
    let cases = join_all(cases).await;
    first.suspend();
    let stopped = Instant::now();
    for case in &cases {
        case.tenant.server.play(script());
    }
    go.send_replace(true);
    let second = site.start().await;
    let decided = decide(&second, &cases, stopped).await;
    first.resume();
    look_at_late(&first, &cases, &decided).await;
}

/// The start is committed and the owner stopped before it hears of that: its lease is over when it goes on, so that it
/// sends nothing. The next owner cannot know that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_stopped_before_it_sends_sends_nothing_when_it_goes_on() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    join_all(POLICIES.map(async |on_unknown| {
        let site = Site::new().await;
        let Some((gate, settings)) = Gate::new(&site.database, &site.settings).await else { return };
        let first = start(&settings).await;
        let tenant = Tenant::create(&first, "acme").await;
        gate.hold(Side::After, "sending");
        let id = tenant.enqueue(&first, &mail(on_unknown)).await;
        gate.until_held("the start is committed").await;
        assert!(!tenant.server.verbs().contains(&"MAIL".to_owned()), "nothing is sent before");
        first.suspend();
        let stopped = Instant::now();
        gate.release();
        let second = site.start().await;
        let most = usize::from(on_unknown == "retry_once");
        let cases = [Case { tenant, on_unknown, most, at: "before MAIL".to_owned(), id }];
        let decided = decide(&second, &cases, stopped).await;
        first.resume();
        look_at_late(&first, &cases, &decided).await;
    }))
    .await;
}
