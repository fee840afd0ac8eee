//! Kills while the database holds a write back: the moment before a commit, exactly.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{EMAILS, NOTHING_FOLLOWS, POLICIES, Site, Tenant, headers, id_of, mail, script, until};
use crate::support::lock::Lock;
use crate::support::smtp_server::{Act, At};

/// The key of the day is made with a tenant's first mail, in a write of its own: before the mail's.
async fn kill_in_the_enqueue(table: &str, has_key: bool) {
    let site = Site::new().await;
    let process = site.start().await;
    let tenant = Tenant::create(&process, "acme").await;
    if has_key {
        let first = tenant.enqueue(&process, &mail("hold")).await;
        tenant.outcome(&process, &first).await;
    }
    let before = site.database.count("emails").await;
    let lock = Lock::new(&site.database, table).await;
    let body = mail("hold").to_string().into_bytes();
    let request = {
        let (client, body) = (tenant.admin(&process), body.clone());
        tokio::spawn(async move { client.try_send("POST", EMAILS, &headers("the-key"), body).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.kill();
    request.await.expect("a client").expect_err("it was not answered");
    lock.release().await;
    let process = site.start().await;
    assert_eq!(site.database.count("emails").await, before, "nothing of it exists");
    let client = tenant.admin(&process);
    let answer = client.send("POST", EMAILS, &headers("the-key"), body).await.expect(202).json();
    assert_eq!(tenant.outcome(&process, &id_of(&answer)).await, (1, "accepted".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_enqueue_commits_leaves_nothing_and_the_retry_makes_one_mail() {
    tokio::join!(kill_in_the_enqueue("content_keys", false), kill_in_the_enqueue("emails", true));
}

/// Two tenants, one for each policy, whose server answers at one place when a lock is taken: it holds what they write next.
async fn kill_with_the_next_write_waiting(
    at: At,
    is_reached: fn(&Tenant) -> bool,
) -> (Site, Vec<(Tenant, String)>) {
    let site = Site::new().await;
    let process = site.start().await;
    let (go, held) = watch::channel(false);
    let begun = join_all(POLICIES.map(async |on_unknown| {
        let tenant = Tenant::create(&process, on_unknown).await;
        tenant.server.play(script().on(at.clone(), [Act::Wait(held.clone()), Act::Usual]));
        (tenant, on_unknown)
    }));
    let mut tenants = Vec::new();
    for (tenant, on_unknown) in begun.await {
        let id = tenant.enqueue(&process, &mail(on_unknown)).await;
        tenants.push((tenant, id));
    }
    until("the place is reached", || tenants.iter().all(|(tenant, _)| is_reached(tenant))).await;
    let lock = Lock::new(&site.database, "emails").await;
    go.send_replace(true);
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.kill();
    lock.release().await;
    (site, tenants)
}

/// The server's reply was read, and its result is not on disk: one of the two places where a copy may arise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_reply_and_its_commit_copies_once_or_holds() {
    let reached = |tenant: &Tenant| tenant.server.mails().len() == 1;
    let (site, tenants) = kill_with_the_next_write_waiting(At::Message, reached).await;
    for (tenant, _) in &tenants {
        tenant.server.play(script());
    }
    let process = site.start().await;
    join_all(tenants.iter().map(|(tenant, id)| tenant.outcome(&process, id))).await;
    tokio::time::sleep(NOTHING_FOLLOWS).await;
    for ((tenant, id), expected) in tenants.iter().zip([(2, "accepted"), (1, "unknown")]) {
        let (copies, status) = tenant.outcome(&process, id).await;
        assert_eq!((copies, &*status), expected, "{}", tenant.name);
    }
}

/// The account is open, and the start of its mail waits for its commit: nothing was sent, nothing is copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_the_start_commits_sends_once() {
    let reached = |tenant: &Tenant| tenant.server.sign_ins().len() == 1;
    let (site, tenants) = kill_with_the_next_write_waiting(At::Auth, reached).await;
    for (tenant, _) in &tenants {
        let has_begun = tenant.server.verbs().contains(&"MAIL".to_owned());
        assert!(!has_begun, "nothing is sent before the start is on disk");
        tenant.server.play(script());
    }
    let process = site.start().await;
    for (tenant, id) in &tenants {
        assert_eq!(tenant.outcome(&process, id).await, (1, "accepted".to_owned()), "{}", tenant.name);
    }
}
