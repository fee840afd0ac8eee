//! Tenants share the slots: by what their mail costs, and slow servers hold nobody up.

use serde_json::json;

use super::{EMAILS, Post, account, status, to};
use crate::support::app::TestApp;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

/// Ten tenants with one slot between them; the one that came first has twenty times the mail of each other one.
#[tokio::test]
async fn each_tenant_gets_its_share_of_the_slots() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let tenants: Vec<_> = (0..10).map(|number| format!("tenant{number}")).collect();
    for (number, tenant) in tenants.iter().enumerate() {
        let admin = post.app.admin(tenant);
        let mut account = account(&post.server);
        account["emailAddress"] = json!(format!("{tenant}@example.com"));
        admin.put(&account).await.expect(204);
        let mails: Vec<_> = (0..if number == 0 { 80 } else { 4 }).map(|_| to(&["bob@example.net"])).collect();
        admin.json("POST", &format!("{EMAILS}/batch"), &json!(mails)).await.expect(202);
    }
    let Post { app, server, .. } = post;
    let before = server.commands_of("MAIL").len();
    let database = app.stop().await;
    let app = TestApp::with_database(database, |config| {
        config.delivery.enabled = true;
        config.delivery.slots = 1;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let post = Post::over(app, server);
    eventually("all mail is sent", async || {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        post.server.commands_of("MAIL").len() - before >= 116
    })
    .await;
    // In the order in which the server got it.
    let order = post.server.commands_of("MAIL").split_off(before);
    for tenant in &tenants[1..] {
        let sender = format!("<{tenant}@example.com>");
        let turns: Vec<_> = (0..order.len()).filter(|turn| order[*turn].contains(&sender)).collect();
        for (count, turn) in (1..).zip(&turns) {
            // At least 80 % of a tenth, and one round for the beginning.
            assert!(*turn <= count * 10 * 10 / 8 + 10, "{tenant}: mail {count} came as number {turn}");
        }
        assert_eq!(turns.len(), 4, "{tenant}");
    }
}

/// More tarpits than slots, which nobody knows as such: once they have shown themselves, a quiet tenant is served.
#[tokio::test]
async fn tarpits_of_many_tenants_do_not_hold_a_quiet_one() {
    let post = Post::with(Script::starttls(), |config| {
        config.delivery.slots = 4;
        // The clock passes the time of an attempt, and not that of a lease.
        config.delivery.lease_seconds = 60;
    })
    .await;
    let tarpit = SmtpServer::start(Script::starttls()).await;
    let tenants: Vec<_> = (0..6).map(|number| format!("tarpit{number}")).collect();
    for tenant in &tenants {
        post.app.admin(tenant).put(&account(&tarpit)).await.expect(204);
    }
    tarpit.play(Script::starttls().on(At::Mail, Act::Silence));
    let stuck = || tarpit.commands_of("MAIL").len();
    let before = stuck();
    for tenant in &tenants {
        let admin = post.app.admin(tenant);
        admin.json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202);
    }
    eventually("all slots are taken", async || {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        stuck() - before >= 4
    })
    .await;
    let id =
        post.admin().json("POST", EMAILS, &to(&["bob@example.net"])).await.expect(202).json()["id"].clone();
    post.pass_seconds(11);
    post.until(id.as_str().expect("an id"), |email| status(email) == "accepted").await;
    for tenant in &tenants {
        let list = post.app.admin(tenant).get(EMAILS).await.expect(200).json();
        assert!(["sending", "queued"].contains(&status(&list["data"][0])), "{tenant}: {list}");
    }
}

/// New mail and retries take turns, and one mail in eight is bulk.
#[tokio::test]
async fn the_mail_of_an_account_goes_in_turns() {
    let post = Post::with(Script::starttls(), |config| config.delivery.enabled = false).await;
    let admin = post.admin();
    let mail = |name: &str, lane: &str| {
        let mut email = to(&[&format!("{name}@example.net")]);
        email["lane"] = json!(lane);
        email
    };
    let mut batch: Vec<_> = (0..4).map(|number| mail(&format!("retry{number}"), "transactional")).collect();
    batch.extend((0..2).map(|number| mail(&format!("bulk{number}"), "bulk")));
    batch.extend((0..6).map(|number| mail(&format!("new{number}"), "transactional")));
    admin.json("POST", &format!("{EMAILS}/batch"), &json!(batch)).await.expect(202);
    let Post { app, server, .. } = post;
    let database = app.stop().await;
    let retried = "(select email_id from email_recipients where address like 'retry%')";
    database.execute(&format!("update email_recipients set attempts = 1 where email_id in {retried}")).await;
    database.execute(&format!("update email_queue set is_retry = true where email_id in {retried}")).await;
    let app = TestApp::with_database(database, |config| {
        config.delivery.enabled = true;
        config.egress.max_connections_per_tenant = 2;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let post = Post::over(app, server);
    eventually("all is sent", async || post.server.mails().len() == 12).await;
    let order: Vec<_> =
        post.server.mails().iter().map(|mail| mail.to[0].replace("@example.net", "")).collect();
    let kinds: Vec<_> =
        order.iter().map(|name| name.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(
        kinds,
        ["new", "retry", "new", "retry", "new", "retry", "new", "bulk", "retry", "new", "new", "bulk"]
    );
}
