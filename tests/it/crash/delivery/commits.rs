//! Kills and losses of power at a commit of the delivery, before it is durable and before the service hears of it.

use std::time::Duration;

use futures_util::future::join_all;

use super::{
    EMAILS, NOTHING_FOLLOWS, POLICIES, Site, TO, Tenant, headers, id_of, mail, settings, start, until,
};
use crate::support::database::{Database, Engine};
use crate::support::disk::Disk;
use crate::support::gate::{Gate, Side};
use crate::support::process::{Process, with};
use crate::support::random::Random;
use crate::support::smtp_server::{Act, At};

/// A commit at which the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Commit {
    Enqueue,
    Take,
    Start,
    Result,
}

impl Commit {
    /// What stands in its statements, or on its pages, and in none before.
    fn text(self) -> &'static str {
        match (self, Engine::chosen()) {
            (Self::Enqueue, _) => TO[0],
            (Self::Take, Engine::Postgres) => "lease_until",
            // The state of an account, in the row that gets an owner.
            (Self::Take, Engine::Sqlite) => "open",
            (Self::Start, _) => "sending",
            (Self::Result, _) => "accepted",
        }
    }
}

/// One mail of one tenant, and a process that is held at a commit of it.
struct Held {
    site: Site,
    gate: Gate,
    process: Process,
    tenant: Tenant,
    /// The id of the mail, where its request was answered.
    id: Option<String>,
    on_unknown: &'static str,
}

const KEY: &str = "the-key";

async fn hold(commit: Commit, at: Side, on_unknown: &'static str) -> Option<Held> {
    let site = Site::new().await;
    let (gate, settings) = Gate::new(&site.database, &site.settings).await?;
    // A service that only takes mail sends none, however long the answer to its commit is held.
    let taking = with(&settings, "DELIVERY__ENABLED", "false");
    let takes_only = matches!(commit, Commit::Enqueue | Commit::Take);
    let mut process = start(if takes_only { &taking } else { &settings }).await;
    let tenant = Tenant::create(&process, "acme").await;
    let body = mail(on_unknown).to_string().into_bytes();
    let mut id = None;
    match commit {
        Commit::Enqueue => {
            gate.hold(at, commit.text());
            let client = tenant.admin(&process);
            // Never answered.
            tokio::spawn(async move { client.try_send("POST", EMAILS, &headers(KEY), body).await });
        }
        Commit::Take => {
            let client = tenant.admin(&process);
            id = Some(id_of(&client.send("POST", EMAILS, &headers(KEY), body).await.expect(202).json()));
            process.kill();
            gate.hold(at, commit.text());
            let starting = tokio::task::spawn_blocking(move || Process::begin_to_serve(&settings));
            process = starting.await.expect("it starts");
        }
        Commit::Start | Commit::Result => {
            gate.hold(at, commit.text());
            let client = tenant.admin(&process);
            id = Some(id_of(&client.send("POST", EMAILS, &headers(KEY), body).await.expect(202).json()));
        }
    }
    gate.until_held(&format!("{commit:?} is held")).await;
    Some(Held { site, gate, process, tenant, id, on_unknown })
}

/// Starts again on what is left, and repeats the request: the copies that came, and the status.
async fn go_on(
    tenant: &Tenant,
    id: Option<String>,
    on_unknown: &str,
    settings: &[(String, String)],
) -> (usize, String) {
    let process = start(settings).await;
    let body = mail(on_unknown).to_string().into_bytes();
    let answer = tenant.admin(&process).send("POST", EMAILS, &headers(KEY), body).await;
    assert!([200, 202].contains(&answer.status), "{answer:?}");
    let found = id_of(&answer.json());
    assert!(id.is_none_or(|id| id == found), "the key finds its mail");
    tenant.outcome(&process, &found).await;
    tokio::time::sleep(NOTHING_FOLLOWS).await;
    tenant.outcome(&process, &found).await
}

/// What there may be after a kill when the commit is durable.
fn expected(commit: Commit, on_unknown: &str) -> (usize, &'static str) {
    match (commit, on_unknown) {
        // Nobody knows that nothing was sent.
        (Commit::Start, "hold") => (0, "unknown"),
        _ => (1, "accepted"),
    }
}

/// The commit is durable, and the service has not heard of it: the answer to a request, what an account that was taken has
/// waiting, the start, the result with the removal of the content.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_a_commit_that_was_not_heard_of_sends_once() {
    let commits = [Commit::Enqueue, Commit::Take, Commit::Start, Commit::Result];
    let cases = commits.into_iter().flat_map(|commit| POLICIES.map(|on_unknown| (commit, on_unknown)));
    join_all(cases.map(async |(commit, on_unknown)| {
        let Some(held) = hold(commit, Side::After, on_unknown).await else { return };
        let sent = usize::from(commit == Commit::Result);
        assert_eq!(held.tenant.server.mails().len(), sent, "{commit:?}: no mail before its start is on disk");
        held.process.kill();
        let Held { site, tenant, id, .. } = held;
        // Read by a connection of the test, which finds what is in the log.
        assert_eq!(site.database.count("emails").await, 1, "{commit:?}");
        let bodies = site.database.count("email_bodies").await;
        assert_eq!(bodies, 1 - sent, "{commit:?}: the content goes with the last acceptance, and not before");
        let (copies, status) = go_on(&tenant, id, on_unknown, &site.settings).await;
        assert_eq!((copies, &*status), expected(commit, on_unknown), "{commit:?} {on_unknown}");
        assert_eq!(site.database.count("emails").await, 1, "{commit:?}: one mail for the key");
    }))
    .await;
}

/// What there may be after a loss of power at a commit. Before its sync the commit is there or not, as it pleases the disk.
fn may_be_left(commit: Commit, side: Side, on_unknown: &str) -> Vec<(usize, &'static str)> {
    match (commit, side, on_unknown) {
        (Commit::Start, _, "hold") => vec![(1, "accepted"), (0, "unknown")],
        (Commit::Result, Side::Before, "hold") => vec![(1, "accepted"), (1, "unknown")],
        (Commit::Result, Side::Before, _) => vec![(1, "accepted"), (2, "accepted")],
        _ => vec![(1, "accepted")],
    }
}

/// Loses the power while the process is held: the disk as it is found afterwards.
async fn lose_power(
    held: Held,
    before: &Disk,
    random: &mut Random,
) -> (Database, Tenant, Option<String>, &'static str) {
    let Held { site, gate, process, tenant, id, on_unknown } = held;
    process.kill();
    let Gate::Sqlite(journal) = &gate else { panic!("a disk of SQLite") };
    let mut disk = before.clone();
    journal.records().iter().for_each(|record| disk.apply(record));
    let image = Database::create(Engine::Sqlite).await;
    disk.lose_power(random, image.file().parent().expect("a folder"));
    drop(site);
    (image, tenant, id, on_unknown)
}

/// Security case K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_of_power_at_a_commit_loses_no_mail_and_copies_only_after_the_dot() {
    if Engine::chosen() != Engine::Sqlite {
        return;
    }
    let mut random = Random::announced();
    let places = [
        (Commit::Enqueue, Side::Before),
        (Commit::Enqueue, Side::After),
        (Commit::Start, Side::Before),
        (Commit::Result, Side::Before),
        (Commit::Result, Side::After),
    ];
    let rounds = crate::support::figures::rounds("TEST_DELIVERY_POWER_CUTS", 1);
    for _ in 0..rounds {
        let cases = places.iter().flat_map(|place| POLICIES.map(|on_unknown| (place, on_unknown)));
        let cases: Vec<_> = cases.map(|(place, on_unknown)| (place, on_unknown, random.split())).collect();
        join_all(cases.into_iter().map(async |((commit, side), on_unknown, mut random)| {
            let Some(held) = hold(*commit, *side, on_unknown).await else { return };
            let (image, tenant, id, on_unknown) = lose_power(held, &Disk::default(), &mut random).await;
            let place = format!("{commit:?} {side:?} {on_unknown}");
            if *side == Side::After {
                assert_eq!(image.count("emails").await, 1, "{place}: what is synced is there");
            }
            let (copies, status) = go_on(&tenant, id, on_unknown, &settings(&image)).await;
            let may_be = may_be_left(*commit, *side, on_unknown);
            assert!(may_be.contains(&(copies, &*status)), "{place}: {copies} {status}");
            assert_eq!(image.query("pragma integrity_check").await, [[Some("ok".to_owned())]], "{place}");
        }))
        .await;
    }
}

/// A renewal that is committed for some accounts would leave the others to two owners: it is one write for all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_renewal_of_leases_sends_each_mail_once() {
    let site = Site::new().await;
    let process = site.start().await;
    let tenants = join_all((0..4).map(async |number| {
        let tenant = Tenant::create(&process, &format!("t{number}")).await;
        tenant.server.play(super::script().on(At::Greeting, Act::Silence));
        let id = tenant.enqueue(&process, &mail("hold")).await;
        until("it connects", || tenant.server.connections() > 0).await;
        (tenant, id)
    }))
    .await;
    let leases = async || {
        let leases =
            site.database.query("select lease_until from delivery_accounts order by lease_until").await;
        leases.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>()
    };
    let hold = Halfway::new(&site.database).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = leases().await;
    // A third of a lease: one renewal waits by now.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    process.kill();
    hold.release().await;
    assert_eq!(leases().await, before, "all or none are renewed");
    for (tenant, _) in &tenants {
        tenant.server.play(super::script());
    }
    let process = site.start().await;
    for (tenant, id) in &tenants {
        assert_eq!(tenant.outcome(&process, id).await, (1, "accepted".to_owned()), "{}", tenant.name);
    }
}

/// Keeps one of several accounts from being renewed, so that the renewal stops among them.
enum Halfway {
    Sqlite(crate::support::lock::Lock),
    Postgres(tokio_postgres::Client),
}

impl Halfway {
    async fn new(database: &Database) -> Self {
        if Engine::chosen() == Engine::Sqlite {
            return Self::Sqlite(crate::support::lock::Lock::new(database, "delivery_accounts").await);
        }
        let connected = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("PostgreSQL answers");
        tokio::spawn(connection);
        let row = "begin; select * from delivery_accounts where tenant_id = 't2' for update";
        client.batch_execute(row).await.expect("a superuser");
        Self::Postgres(client)
    }

    async fn release(self) {
        match self {
            Self::Sqlite(lock) => lock.release().await,
            Self::Postgres(client) => client.batch_execute("rollback").await.expect("a transaction"),
        }
    }
}
