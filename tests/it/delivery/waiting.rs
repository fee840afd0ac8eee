//! Much mail that waits, the oldest for five days: the service starts as quickly, holds none of it in memory, and tells what
//! has expired. Small numbers here, a million in `scripts/soak delivery`.

use std::fs;
use std::time::{Duration, Instant};

use transports::clock::{Clock, Timestamp};

use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::figures::{rounds, tell};
use crate::support::process::{Process, unlimited, with};

const DAY: i64 = 24 * 3_600_000;

/// One in so many has been waiting for five days, longer than its lifetime.
const EXPIRED_EACH: usize = 1_000;

const MAILS_OF_A_TENANT: usize = 10;

/// Rows as the service writes them: mail that is due in an hour, and some whose lifetime is over.
async fn fill(database: &Database, engine: Engine, count: usize, now: Timestamp) {
    let (id, number) = match engine {
        Engine::Sqlite => ("printf('%08x-0000-7000-8000-000000000000', n)", "n"),
        Engine::Postgres => ("lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000'", "n::bigint"),
    };
    let tenant = format!("'t' || (n / {MAILS_OF_A_TENANT})");
    let is_old = format!("n % {EXPIRED_EACH} = 0");
    let (old, due) = (now.0 - 5 * DAY, now.0 + 3_600_000);
    let created = format!("case when {is_old} then {old} else {} end", now.0 - 1_000);
    let expires = format!("case when {is_old} then {} else {} end", now.0 - 2 * DAY, now.0 + 3 * DAY);
    let due_at = format!("case when {is_old} then {} else {due} end", now.0 - 2 * DAY);
    let rows = format!("with recursive c(n) as (select 1 union all select n + 1 from c where n < {count})");
    let insert = [
        format!(
            "insert into emails (tenant_id, id, fingerprint, lane, status, created_at, expires_at, on_unknown, message_id,
                size, has_content, key_day, version)
            {rows} select {tenant}, {id}, {empty}, 'transactional', 'queued', {created}, {expires}, 'retry_once',
                '<' || {number} || '@example.com>', 1000, {truth}, 0, 0 from c",
            empty = if engine == Engine::Sqlite { "x''" } else { "''" },
            truth = if engine == Engine::Sqlite { "1" } else { "true" },
        ),
        format!(
            "insert into email_recipients (tenant_id, email_id, position, address, kind, state, attempts, copies,
                next_attempt_at)
            {rows} select {tenant}, {id}, 0, 'bob@example.net', 'to', 'deferred', 1, 0, {due} from c"
        ),
        format!(
            "insert into email_queue (tenant_id, lane, due_at, email_id, size)
            {rows} select {tenant}, 'transactional', {due_at}, {id}, 1000 from c"
        ),
        "insert into delivery_accounts (tenant_id, next_due_at)
            select tenant_id, min(due_at) from email_queue group by tenant_id"
            .to_owned(),
    ];
    database.execute(&insert.join(";\n")).await;
}

/// Of a process: kilobytes in memory, and hundredths of a second of the processor.
fn usage(process: &Process) -> (u64, u64) {
    let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", process.id())).expect("a process");
    let status = read("status");
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let stat = read("stat");
    let fields: Vec<_> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let time = |index: usize| fields[index].parse::<u64>().expect("a number");
    (memory.and_then(|text| text.parse().ok()).expect("a number"), time(11) + time(12))
}

/// Starts, and waits until it has looked for accounts; how long the start took, and the memory afterwards.
async fn start(settings: &[(String, String)]) -> (Process, Duration) {
    let begun = Instant::now();
    let process = Process::serve(settings);
    process.anybody().get("/health/ready").await.expect(200);
    (process, begun.elapsed())
}

async fn look(engine: Engine, count: usize) {
    let database = Database::create(engine).await;
    let settings = with(&unlimited(&database), "LOG__FILTER", "warn,transports::cli=info");
    let (process, _) = start(&settings).await;
    process.kill();
    let (process, started) = start(&settings).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (empty, _) = usage(&process);
    process.kill();
    tell(&format!("{engine:?}: nothing waits: started in {} ms, {empty} kB", started.as_millis()));

    fill(&database, engine, count, Clock::System.now()).await;
    let (process, started) = start(&settings).await;
    let expired = count / EXPIRED_EACH;
    let told = "select count(*) from email_events where kind = 'email.expired'";
    eventually("what has expired is told", async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        database.query(told).await[0][0].as_deref() == Some(&*expired.to_string())
    })
    .await;
    assert_eq!(database.count("email_queue").await, count - expired, "the others wait");
    let (full, before) = usage(&process);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (_, after) = usage(&process);
    tell(&format!(
        "{engine:?}: {count} wait: started in {} ms, {full} kB, idle {} % of a processor",
        started.as_millis(),
        (after - before) / 2
    ));
    assert!(full < empty + 64 * 1_024, "{engine:?}: {full} kB, and {empty} kB with nothing waiting");
    process.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_mail_that_waits_is_not_held_in_memory_and_tells_when_it_expires() {
    look(Engine::chosen(), rounds("TEST_DELIVERY_WAITING", 20_000)).await;
}
