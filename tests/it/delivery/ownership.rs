//! One process at a time sends an account's mail; mail outlives processes.

use tokio::sync::watch;

use super::{EMAILS, Post, account, status, to};
use crate::support::app::TestApp;
use crate::support::database::Engine;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script};

#[tokio::test]
async fn mail_that_was_taken_is_sent_after_a_restart() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    for number in 0..3 {
        post.admin().json("POST", EMAILS, &to(&[&format!("r{number}@example.net")])).await.expect(202);
    }
    let Post { app, server, .. } = post;
    let database = app.stop().await;
    assert_eq!(server.mails().len(), 0);
    let app = TestApp::with_database(database, |config| config.delivery.enabled = true).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let post = Post::over(app, server);
    let list = post.admin().get(EMAILS).await.expect(200).json();
    for email in list["data"].as_array().expect("emails") {
        post.until(email["id"].as_str().expect("an id"), |email| status(email) == "accepted").await;
    }
    assert_eq!(post.server.mails().len(), 3);
}

#[tokio::test]
async fn two_processes_on_one_database_send_each_mail_once() {
    send_from_two_processes(0).await;
}

/// Leases end by the clock of the database: the process that is ahead takes no account that the other one owns.
#[tokio::test]
async fn on_postgresql_two_processes_with_clocks_an_hour_apart_send_each_mail_once() {
    if Engine::chosen() == Engine::Postgres {
        send_from_two_processes(3_600).await;
    }
}

async fn send_from_two_processes(seconds_ahead: i64) {
    let post = Post::open(Script::starttls()).await;
    let second = TestApp::with_database(post.app.database.clone(), |config| {
        config.delivery.enabled = true;
        config.rate_limit.send_per_minute = 0;
    })
    .await;
    second.names.set("localhost", &["127.0.0.1"]);
    second.clock.advance(seconds_ahead * 1_000);
    let mut ids = Vec::new();
    for tenant in ["acme", "beta", "gamma"] {
        let admin = post.app.admin(tenant);
        admin.put(&account(&post.server)).await.expect(204);
        for number in 0..20 {
            let client = if number % 2 == 0 { post.app.admin(tenant) } else { second.admin(tenant) };
            let email =
                client.json("POST", EMAILS, &to(&[&format!("r{number}@example.net")])).await.expect(202);
            ids.push((tenant, email.json()["id"].as_str().expect("an id").to_owned()));
        }
    }
    for (tenant, id) in &ids {
        // By the clock that is ahead, all of it is due.
        let admin = second.admin(tenant);
        let mut looks = 0;
        crate::support::eventually::eventually("it is accepted", async || {
            looks += 1;
            // What the one that is behind does not see as due waits until its idle session ends, and with it its lease.
            if seconds_ahead > 0 && looks % 200 == 0 {
                post.app.clock.advance(16_000);
            }
            let email = admin.get(&format!("{EMAILS}/{id}")).await.expect(200).json();
            status(&email) == "accepted"
        })
        .await;
    }
    assert_eq!(post.server.mails().len(), ids.len());
}

/// A process that stood still for longer than its leases, and whose accounts nobody else has taken.
#[tokio::test]
async fn a_process_that_stood_still_takes_no_account_from_itself() {
    let (go, held) = watch::channel(false);
    let post = Post::open(Script::starttls().on(At::Message, [Act::Wait(held), Act::Usual])).await;
    let enqueue = async |recipient: &str| {
        let taken = post.admin().json("POST", EMAILS, &to(&[recipient])).await.expect(202).json();
        taken["id"].as_str().expect("an id").to_owned()
    };
    let first = enqueue("a@example.net").await;
    eventually("it is in hand", async || post.server.mails().len() == 1).await;
    let account = async |column: &str| {
        let rows = post.app.database.query(&format!("select {column} from delivery_accounts")).await;
        rows[0][0].as_deref().expect("a number").parse::<i64>().expect("a number")
    };
    let fence = account("fence").await;
    post.pass_seconds(20);
    let second = enqueue("b@example.net").await;
    eventually("the account has a lease again", async || {
        account("lease_until").await > post.app.clock.now().0
    })
    .await;
    assert_eq!(
        account("fence").await,
        fence,
        "another run of the account would take the first email for lost"
    );
    go.send_replace(true);
    for id in [first, second] {
        post.until(&id, |email| status(email) == "accepted").await;
    }
    assert_eq!(post.server.mails().len(), 2);
}
