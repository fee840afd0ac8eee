//! What tenants can do to others by this service has a bound by default, and plain users learn and fill nothing.

use serde_json::{Value, json};
use transports::config::{AuditRecipients, Config};

use crate::support::app::TestApp;
use crate::support::client::{Answer, CONFIG, Client, SEND_TEST, VERIFY};
use crate::support::eventually::eventually;
use crate::support::leaks;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password, reply};

const AUDIT: &str = "/api/v1/transports/email-config/audit";

/// A service with the quotas of a new installation.
async fn service(change: impl FnOnce(&mut Config)) -> TestApp {
    let app = TestApp::with(|config| {
        config.quotas = Config::default().quotas;
        config.rate_limit.tier2_per_minute = 0;
        change(config);
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    app.names.set("alias.example.com", &["127.0.0.1"]);
    app
}

fn account(server: &SmtpServer, user: &str, password: &str) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS",
        "username": user, "emailPassword": password, "emailAddress": "ada@example.com",
    })
}

fn relay(server: &SmtpServer) -> Value {
    json!({
        "serverAddress": "127.0.0.1", "serverPort": server.port(), "securityType": "none",
        "emailAddress": "ceo@bank.example", "senderName": "The Bank",
    })
}

/// The statuses of a PUT with each of so many passwords.
async fn guess(client: &Client, server: &SmtpServer, user: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..times {
        statuses.push(
            client.put(&account(server, user, leaks::canary(&format!("guess {number} ")))).await.status,
        );
    }
    statuses
}

/// Security case M6.
#[tokio::test]
async fn passwords_cannot_be_guessed_by_put_whoever_asks() {
    let app = service(|config| {
        config.egress.allow_hosts.push("alias.example.com".to_owned());
        config.quotas.refused_sign_ins_per_destination_per_ten_minutes = 0;
    })
    .await;
    let server = SmtpServer::start(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    let statuses = guess(&app.admin("acme"), &server, "victim", 8).await;
    assert_eq!(statuses, [400, 400, 400, 400, 400, 429, 429, 429]);
    let barred =
        app.user("acme", "another", true).put(&account(&server, "victim", good_password())).await.expect(429);
    assert_eq!(barred.header("retry-after"), Some("600"));
    let error = &barred.json()["errors"][0];
    assert_eq!(error["title"], "Too many refused sign-ins with this server and user name");
    assert_eq!(error["meta"]["diagnosis"]["code"], "AUTH_REJECTED", "the stored verdict: {error}");
    assert_eq!(server.sign_ins().len(), 5, "nothing more was tried");
    // Other user names: twenty for the tenant in an hour.
    let mut refused = 0;
    for number in 0..30 {
        let statuses = guess(&app.admin("acme"), &server, &format!("user-{number}"), 1).await;
        refused += statuses.iter().filter(|status| **status == 400).count();
    }
    assert_eq!(refused, 15);
    assert_eq!(guess(&app.admin("other"), &server, "victim", 1).await, [400], "another tenant has its own");
}

/// Security case M6.
#[tokio::test]
async fn many_tenants_together_get_six_attempts_at_an_address_whatever_they_call_it() {
    let app = service(|_| {}).await;
    let server = SmtpServer::start(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    let mut refused = 0;
    for number in 0..10 {
        let statuses = guess(&app.admin(&format!("tenant-{number}")), &server, "victim", 1).await;
        refused += statuses.iter().filter(|status| **status == 400).count();
    }
    assert_eq!((refused, server.sign_ins().len()), (6, 6));
    let answer = app.admin("last").put(&account(&server, "victim", good_password())).await.expect(429);
    assert_eq!(answer.json()["errors"][0]["title"], "Too many refused sign-ins at this server");
    app.clock.advance(600_000);
    assert_eq!(guess(&app.admin("last"), &server, "victim", 1).await, [400], "ten minutes later");
}

/// Security case M6.
#[tokio::test]
async fn sign_ins_at_once_get_six_refusals_at_an_address_and_successes_wait_for_nobody_long() {
    let app = service(|_| {}).await;
    let slow =
        |act| Script::starttls().on(At::Auth, [Act::Pause(std::time::Duration::from_millis(100)), act]);
    let server = SmtpServer::start(slow(Act::Usual)).await;
    let put_at_once = async || {
        let puts = (0..20).map(|number| {
            let (admin, account) =
                (app.admin(&format!("tenant-{number}")), account(&server, USER, good_password()));
            tokio::spawn(async move { admin.put(&account).await.status })
        });
        let puts: Vec<_> = puts.collect();
        let mut statuses = Vec::new();
        for put in puts {
            statuses.push(put.await.expect("an answer"));
        }
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(put_at_once().await, [204; 20], "each gets its turn");
    let before = server.sign_ins().len();
    server.play(slow(reply("535 5.7.8 no")));
    let statuses = put_at_once().await;
    assert_eq!((&statuses[..6], &statuses[6..]), (&[400; 6][..], &[429; 14][..]));
    assert_eq!(server.sign_ins().len() - before, 6);
}

/// Security case M6.
#[tokio::test]
async fn the_other_two_ways_to_sign_in_are_under_the_same_limit() {
    let app = service(|config| config.quotas.refused_sign_ins_per_destination_per_ten_minutes = 0).await;
    let server = SmtpServer::start(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    let admin = app.admin("acme");
    admin.patch(&account(&server, USER, good_password())).await.expect(204);
    admin.post(VERIFY).await.expect(200);
    send(&admin, "bob@example.org").await.expect(200);
    guess(&admin, &server, USER, 3).await;
    admin.post(VERIFY).await.expect(429);
    send(&admin, "bob@example.org").await.expect(429);
    assert_eq!(server.sign_ins().len(), 5);
    // A sign-in that works counts for nothing.
    server.play(Script::starttls());
    app.clock.advance(600_000);
    for _ in 0..8 {
        admin.post(VERIFY).await.expect(200);
    }
}

async fn send(client: &Client, recipient: &str) -> Answer {
    client.json("POST", SEND_TEST, &json!({ "recipient": recipient })).await
}

/// Security case M7.
#[tokio::test]
async fn mail_without_an_account_is_bounded_marked_and_audited() {
    let app = service(|config| config.server.installation = "mail.example.com operations".to_owned()).await;
    let server = SmtpServer::start(Script::plain()).await;
    let admin = app.admin("acme");
    admin.patch(&relay(&server)).await.expect(204);
    let mut sent = 0;
    for number in 0..30 {
        let sender = app.user("acme", &format!("admin-{}", number % 3), true);
        sent += usize::from(send(&sender, &format!("victim+{number}@example.org")).await.status == 200);
    }
    assert_eq!(sent, 5, "to one mailbox");
    for number in 0..40 {
        sent += usize::from(send(&admin, &format!("victim-{number}@example.org")).await.status == 200);
    }
    assert_eq!(sent, 20, "for the tenant");
    server.ended().await;
    assert_eq!(server.mails().len(), 20);
    let mail = String::from_utf8(server.mails()[0].bytes()).expect("text");
    assert!(mail.contains("X-Mailer: mail.example.com operations\r\n"), "{mail}");
    assert!(mail.contains("X-Transports-Tenant: ") && !mail.contains("acme"), "{mail}");
    let entries = admin.get(&format!("{AUDIT}?limit=1")).await.expect(200).json();
    assert_eq!(entries["data"][0]["recipient"], "victim-14@example.org", "{entries}");
}

/// Security case M7.
#[tokio::test]
async fn the_audit_keeps_a_hash_of_recipients_where_the_operator_wants_it() {
    let app = service(|config| config.audit.recipients = AuditRecipients::Hash).await;
    let server = SmtpServer::start(Script::plain()).await;
    let admin = app.admin("acme");
    admin.patch(&relay(&server)).await.expect(204);
    for recipient in ["bob@example.org", "Bob@example.org", "eve@example.org"] {
        send(&admin, recipient).await.expect(200);
    }
    let entries = admin.get(&format!("{AUDIT}?limit=3")).await.expect(200).json();
    let recipient = |index: usize| entries["data"][index]["recipient"].as_str().expect("a text").to_owned();
    assert!(recipient(0).starts_with("sha256:") && !entries.to_string().contains("example.org"), "{entries}");
    assert!(recipient(1) == recipient(2) && recipient(0) != recipient(1));
}

#[tokio::test]
async fn the_audits_diagnosis_names_the_recipient_where_the_audit_does() {
    for (kept, named) in [(AuditRecipients::Plain, true), (AuditRecipients::Hash, false)] {
        let app = service(|config| config.audit.recipients = kept).await;
        let server =
            SmtpServer::start(Script::plain().on(At::RcptTo("bob@example.org"), "550 5.1.1 No such user"))
                .await;
        let admin = app.admin("acme");
        admin.patch(&relay(&server)).await.expect(204);
        send(&admin, "bob@example.org").await.expect(200);
        let entry = admin.get(&format!("{AUDIT}?limit=1")).await.expect(200).json()["data"][0].clone();
        assert_eq!(entry["diagnosis"]["code"], "RECIPIENT_UNKNOWN", "{entry}");
        assert_eq!(
            entry["diagnosis"]["title"] == "The address bob@example.org does not exist",
            named,
            "{entry}"
        );
        assert_eq!(entry.to_string().contains("bob@"), named, "{entry}");
    }
}

/// Security case M9.
#[tokio::test]
async fn a_plain_user_who_checks_in_a_loop_keeps_no_administrator_out() {
    let app = service(|config| config.egress.timeout_seconds = 3).await;
    let silent = SmtpServer::start(Script::plain().on(At::Greeting, [Act::Silence])).await;
    let good = SmtpServer::start(Script::plain()).await;
    let admin = app.admin("acme");
    admin.patch(&relay(&silent)).await.expect(204);
    let member = app.member("acme");
    let checking = tokio::spawn(async move { member.post(VERIFY).await });
    eventually("the user's check is under way", async || silent.connections() == 1).await;
    app.member("acme").post(VERIFY).await.expect(429);
    admin.put(&relay(&good)).await.expect(204);
    assert_eq!(admin.verify().await["success"], json!(true));
    assert!(!checking.is_finished(), "all of this happened meanwhile");
    checking.await.expect("an answer").expect(200);
}

/// Security case M11.
#[tokio::test]
async fn a_plain_users_diagnosis_names_no_user_sender_or_server() {
    let app = service(|config| config.quotas.refused_sign_ins_per_account_per_ten_minutes = 0).await;
    let names = ["localhost", "svc-mail-7781", "ada@example.com"];
    for script in [
        Script::starttls().on(At::Auth, "535 5.7.8 no"),
        Script::starttls().on(At::Mail, "550 5.7.60 not yours"),
        Script::plain(),
    ] {
        let server = SmtpServer::start(script).await;
        let admin = app.admin("acme");
        admin.patch(&account(&server, "svc-mail-7781", good_password())).await.expect(204);
        // The fourth is the stored verdict, where sign-ins were refused.
        for _ in 0..4 {
            let body = app.member("acme").post(VERIFY).await.expect(200).json();
            assert_eq!(body["success"], json!(false));
            let title = body["diagnosis"]["title"].as_str().expect("a title");
            assert!(title.len() > 10, "{body}");
            let told = body.to_string().to_lowercase();
            assert!(names.iter().all(|name| !told.contains(name)), "{body}");
        }
        app.clock.advance(3_600_000);
    }
}

/// Security case M12.
#[tokio::test]
async fn a_plain_users_checks_leave_one_row_a_minute_and_a_bounded_number_a_day() {
    let app = service(|config| config.quotas.audited_checks_of_users_per_tenant_per_day = 3).await;
    let server = SmtpServer::start(Script::plain()).await;
    let (admin, member) = (app.admin("acme"), app.member("acme"));
    admin.patch(&json!({ "serverAddress": "localhost" })).await.expect(204);
    for _ in 0..20 {
        member.post(VERIFY).await.expect(200);
    }
    assert_eq!(app.database.count("audit").await, 1, "nothing was dialled and no secret used");
    admin.patch(&relay(&server)).await.expect(204);
    for _ in 0..20 {
        member.post(VERIFY).await.expect(200);
    }
    let newest = admin.get(&format!("{AUDIT}?limit=1")).await.expect(200).json();
    assert_eq!(newest["data"][0]["count"], json!(20), "{newest}");
    assert_eq!(app.database.count("audit").await, 3);
    for _ in 0..2 {
        app.clock.advance(60_000);
        app.member("acme").post(VERIFY).await.expect(200);
    }
    assert_eq!(app.database.count("audit").await, 5);
    app.member("acme").post(VERIFY).await.expect(429);
    assert_eq!(app.admin("acme").verify().await["success"], json!(true), "an administrator's check goes on");
    assert_eq!(app.admin("acme").get(CONFIG).await.expect(200).json()["isValid"], json!(true));
}
