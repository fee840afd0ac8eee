//! `transports queue` and `tenants pause`, `resume`: the operator's hand on the mail of all tenants.

mod hold;

use serde_json::{Value, json};
use tokio::sync::watch;
use transports::clock::Clock;

use crate::delivery::{EMAILS, Post, account, states, status, to};
use crate::support::app::TestApp;
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::{run, variables};
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

const ACCOUNT: &str = "/api/v1/transports/account";

/// A service for the tenants `acme` and `other`. Its clock is that of the commands.
async fn open(engine: Engine, script: Script, sends: bool) -> Post {
    let app = TestApp::with_database(Database::create(engine).await, |config| {
        config.rate_limit.tier2_per_minute = 0;
        config.rate_limit.send_per_minute = 0;
        config.delivery.enabled = sends;
    })
    .await;
    follow_clock(&app);
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(script).await;
    for tenant in ["acme", "other"] {
        app.admin(tenant).put(&account(&server)).await.expect(204);
    }
    Post::over(app, server)
}

/// A service that waits for the reply to the message of an email of `acme`: its id, and the way to let the reply come.
async fn in_hand(engine: Engine) -> (Post, String, watch::Sender<bool>) {
    let (go, answers) = watch::channel(false);
    let script = Script::starttls().on(At::Message, [Act::Wait(answers), Act::Usual]);
    let post = open(engine, script, true).await;
    let id = enqueue(&post, "acme", &to(&["bob@example.net"])).await;
    post.until(&id, |email| status(email) == "sending").await;
    (post, id, go)
}

async fn enqueue(post: &Post, tenant: &str, email: &Value) -> String {
    let answer = post.app.admin(tenant).json("POST", EMAILS, email).await.expect(202).json();
    answer["id"].as_str().expect("an id").to_owned()
}

/// How a command ended, and what it printed. The service's clock, which stands, follows that of the command.
fn queue(post: &Post, arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended = run(arguments, &variables(&post.app.database));
    follow_clock(&post.app);
    ended
}

fn follow_clock(app: &TestApp) {
    app.clock.advance(Clock::System.now().0 - app.clock.now().0);
}

#[track_caller]
fn done(post: &Post, arguments: &[&str]) -> String {
    let (code, out, err) = queue(post, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {err}");
    out
}

#[track_caller]
fn document(post: &Post, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(post, arguments)).expect("JSON")
}

/// Actions, users and addresses of a tenant's audit that are the operator's.
async fn audited(post: &Post, tenant: &str) -> Vec<String> {
    let rows = format!(
        "select action from audit where tenant_id = '{tenant}' and user_id = 'operator' and remote_address is null
            order by at, id"
    );
    post.app.database.query(&rows).await.into_iter().map(|row| row[0].clone().expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_counted_listed_and_shown_without_what_it_says() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls(), false).await;
        let mut bulk = to(&["bob@example.net"]);
        bulk["lane"] = json!("bulk");
        let first = enqueue(&post, "acme", &to(&["bob@example.net", "carol@example.org"])).await;
        enqueue(&post, "acme", &bulk).await;
        enqueue(&post, "acme", &to(&["bob@example.net"])).await;
        enqueue(&post, "other", &to(&["bob@example.net"])).await;

        let summary = document(&post, &["queue", "summary", "--json"]);
        assert_eq!((&summary["due"], &summary["in_flight"]), (&json!(4), &json!(0)), "{engine:?}: {summary}");
        let lanes = summary["lanes"].as_array().expect("lanes");
        let lanes: Vec<_> = lanes.iter().map(|lane| (lane["lane"].clone(), lane["emails"].clone())).collect();
        assert_eq!(lanes, [(json!("transactional"), json!(3)), (json!("bulk"), json!(1))], "{engine:?}");
        assert_eq!(summary["tenants"][0]["tenantId"], "acme", "{engine:?}");
        let text = done(&post, &["queue", "summary"]);
        assert!(text.contains("LONGEST QUEUES") && text.contains("acme"), "{text}");

        let of_tenant = |tenant: &str| document(&post, &["queue", "summary", "--tenant", tenant, "--json"]);
        let other = of_tenant("other");
        assert_eq!((&other["due"], &other["accounts"]), (&json!(1), &json!({})), "{engine:?}: {other}");
        assert_eq!(other["tenants"].as_array().map(Vec::len), Some(1), "{engine:?}: {other}");
        assert_eq!(other["tenants"][0]["emails"], json!(1), "{engine:?}: {other}");
        let lane = &other["lanes"][0];
        assert_eq!((&lane["lane"], &lane["emails"]), (&json!("transactional"), &json!(1)), "{other}");
        assert!(lane["oldest_due_at"].is_string(), "{other}");
        let nobody = of_tenant("nobody");
        assert_eq!((&nobody["lanes"], &nobody["tenants"]), (&json!([]), &json!([])), "{engine:?}");

        let page = document(&post, &["queue", "ls", "--limit", "3", "--json"]);
        assert_eq!((page["emails"].as_array().map(Vec::len), &page["more"]), (Some(3), &json!(1)));
        assert_eq!(page["emails"][0]["id"], json!(first));
        let after = page["after"].as_str().expect("a position");
        let rest = document(&post, &["queue", "ls", "--after", after, "--json"]);
        assert_eq!((rest["emails"][0]["tenantId"].as_str(), &rest["more"]), (Some("other"), &json!(0)));
        let (_, table, note) = queue(&post, &["queue", "ls", "--limit", "1"]);
        assert_eq!(table.lines().count(), 2, "{table}");
        assert!(note.contains("3 more emails: continue with --after=\"acme/"), "{note}");
        for (more, expected) in [
            (&["--tenant", "other"][..], 1),
            (&["--lane", "bulk"], 1),
            (&["--older-than", "1h"], 0),
            (&["--state", "held"], 0),
            (&["--state", "queued"], 4),
            (&["--code", "AUTH_REJECTED"], 0),
        ] {
            let found = document(&post, &[&["queue", "ls", "--json"], more].concat());
            assert_eq!(found["emails"].as_array().map(Vec::len), Some(expected), "{engine:?} {more:?}");
        }

        let shown = [
            done(&post, &["queue", "show", &first]),
            done(&post, &["queue", "show", &first, "--json"]),
            done(&post, &["queue", "ls"]),
        ];
        assert!(shown[0].contains("…@example.org") && shown[0].contains("email.queued"), "{}", shown[0]);
        for text in &shown {
            for private in ["bob", "carol", "Invoice", "Thank you"] {
                assert!(!text.contains(private), "{private} in {text}");
            }
        }
        let (code, _, err) = queue(&post, &["queue", "show", "019b77d2-51b3-7c1a-9c4e-5d7a1e0b2f63"]);
        assert!(code == Some(1) && err.contains("no email is stored with the id"), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diagnosis_of_a_list_is_that_of_the_recipients_it_is_for() {
    let script = Script::starttls()
        .on(At::RcptTo("bob@example.net"), "550 5.1.1 No such user")
        .on(At::RcptTo("carol@example.net"), "450 4.7.1 Greylisted, try again later");
    let post = open(Engine::chosen(), script, true).await;
    let id = enqueue(&post, "acme", &to(&["bob@example.net", "carol@example.net"])).await;
    post.until(&id, |email| states(email) == ["refused", "deferred"]).await;
    for (list, expected) in [
        (&["--state", "refused"][..], "RECIPIENT_UNKNOWN  "),
        (&["--state", "deferred"], "GREYLISTED  "),
        (&[], "GREYLISTED  "),
        (&["--state", "deferred,refused"], "GREYLISTED +1  "),
    ] {
        let table = done(&post, &[&["queue", "ls"], list].concat());
        assert!(table.contains(expected) && table.lines().count() == 2, "{list:?}: {table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_mail_is_canceled_and_purged_with_a_row_in_the_audit() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls(), false).await;
        let mut ids = Vec::new();
        for (tenant, number) in [("acme", 1), ("acme", 2), ("acme", 3), ("other", 4)] {
            ids.push(enqueue(&post, tenant, &to(&[&format!("r{number}@example.net")])).await);
        }
        let (code, out, err) = queue(&post, &["queue", "cancel", "--tenant", "acme"]);
        assert!(code == Some(2) && out.is_empty() && err.contains("use --yes"), "{err}");
        let (code, _, err) = queue(&post, &["queue", "cancel", "--yes"]);
        assert!(code == Some(2) && err.contains("no emails are selected"), "{err}");
        let found = done(&post, &["queue", "cancel", "--all", "--dry-run"]);
        assert_eq!(found, "found: 4 emails of 2 tenants\n", "{engine:?}");
        assert_eq!(status(&post.get(&ids[0]).await), "queued", "{engine:?}");

        assert_eq!(done(&post, &["queue", "cancel", &ids[0], "--yes"]), "canceled: 1 email\n");
        assert_eq!(done(&post, &["queue", "cancel", "--tenant", "acme", "--yes"]), "canceled: 2 emails\n");
        for id in &ids[..3] {
            assert_eq!(status(&post.get(id).await), "canceled", "{engine:?}");
            assert_eq!(post.events(id).await, ["email.queued", "email.canceled"], "{engine:?}");
        }
        assert_eq!(
            audited(&post, "acme").await,
            ["cancel-emails", "cancel-emails"],
            "{engine:?}: one for each command"
        );
        let (code, _, err) = queue(&post, &["queue", "cancel", "--tenant", "acme", "--yes"]);
        assert!(code == Some(1) && err.contains("no email matches"), "{err}");

        assert_eq!(done(&post, &["queue", "purge", "--all", "--yes"]), "purged: 1 email\n", "{engine:?}");
        let purged = post.app.admin("other").get(&format!("{EMAILS}/{}", ids[3])).await.expect(200).json();
        assert_eq!((states(&purged), &purged["content"]), (vec!["canceled"], &json!("erased")), "{engine:?}");
        assert_eq!(audited(&post, "other").await, ["purge-emails"], "{engine:?}");
        assert!(post.get(&ids[0]).await["subject"].is_string(), "what no longer waits is left alone");
        let erase = ["queue", "purge", "--tenant", "acme", "--state", "canceled", "--yes"];
        assert_eq!(done(&post, &erase), "purged: 3 emails\n", "{engine:?}");
        assert_eq!(post.app.database.count("email_queue").await, 0, "{engine:?}");
        assert_eq!(post.app.database.count("email_bodies").await, 0, "{engine:?}");

        let audit = post.admin().get("/api/v1/transports/email-config/audit").await.expect(200).json();
        let newest = &audit["data"][0];
        assert_eq!(
            (&newest["action"], &newest["userId"]),
            (&json!("purge-emails"), &json!("operator")),
            "{audit}"
        );
        assert!(newest["remoteAddress"].is_null(), "{audit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_runs_notices_what_the_operator_changes() {
    for engine in Engine::all() {
        let refusing = Script::starttls().on(At::RcptTo("bob@example.net"), "550 5.1.1 No such user");
        let post = open(engine, refusing, true).await;
        let refused = enqueue(&post, "acme", &to(&["bob@example.net"])).await;
        post.until(&refused, |email| status(email) == "failed").await;
        let (code, _, err) = queue(&post, &["queue", "retry", "--tenant", "acme", "--yes"]);
        assert!(code == Some(2) && err.contains("queue retry: no emails are selected"), "{err}");
        done(&post, &["tenants", "pause", "acme", "--yes"]);
        post.server.play(Script::starttls());
        let retried = done(&post, &["queue", "retry", "--state", "refused,failed", "--yes"]);
        assert_eq!(retried, "queued again: 1 email\n", "{engine:?}");
        post.until(&refused, |email| status(email) == "held").await;
        done(&post, &["tenants", "resume", "acme", "--yes"]);
        post.until(&refused, |email| status(email) == "accepted").await;
        assert_eq!(done(&post, &["queue", "drain"]), "drained: nothing is in progress or due\n");
        assert_eq!(
            audited(&post, "acme").await,
            ["pause-account", "retry-emails", "resume-account"],
            "{engine:?}"
        );
        let (code, _, err) = queue(&post, &["queue", "retry", &refused, "--yes"]);
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("1 email was skipped"), "{err}");

        post.server.play(Script::starttls().account("ada", "another password"));
        let held = enqueue(&post, "other", &to(&["bob@example.net"])).await;
        let path = format!("{EMAILS}/{held}");
        let is = async |expected: &str| {
            let other = post.app.admin("other");
            crate::support::eventually::eventually(expected, async || {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                status(&other.get(&path).await.expect(200).json()) == expected
            })
            .await;
        };
        is("held").await;
        crate::support::eventually::eventually("the account has stopped", async || {
            let account = post.app.admin("other").get(ACCOUNT).await.expect(200).json();
            account["state"] == "stopped"
        })
        .await;
        // The email has no time of its own: it goes when the account tries again.
        let stopped = post.app.admin("other").get(ACCOUNT).await.expect(200).json();
        let probe = stopped["next_attempt_at"].as_str().expect("a time");
        let probe = format!("{} {} UTC\n", &probe[..10], &probe[11..19]);
        for shown in [&["queue", "ls", "--tenant", "other"][..], &["queue", "show", &held]] {
            let shown = done(&post, shown);
            assert!(shown.contains(&probe), "{engine:?} {probe}: {shown}");
        }
        // One that was never tried waits for the same reason.
        let untried = enqueue(&post, "other", &to(&["carol@example.net"])).await;
        let untried_path = format!("{EMAILS}/{untried}");
        crate::support::eventually::eventually("it is held", async || {
            let email = post.app.admin("other").get(&untried_path).await.expect(200).json();
            status(&email) == "held" && email["recipients"][0]["next_attempt_at"].is_string()
        })
        .await;
        let shown = done(&post, &["queue", "show", &untried]);
        assert!(shown.contains("AUTH_REJECTED") && shown.contains(&probe), "{engine:?}: {shown}");
        post.app.admin("other").post(&format!("{untried_path}/cancel")).await.expect(200);
        let found = done(&post, &["queue", "cancel", "--code", "AUTH_REJECTED", "--dry-run"]);
        assert_eq!(found, "found: 1 email of 1 tenant\n", "{engine:?}");
        post.server.play(Script::starttls());
        let released = done(&post, &["queue", "release", "--all", "--code", "AUTH_REJECTED", "--yes"]);
        assert_eq!(released, "released: 1 account\n", "{engine:?}");
        is("accepted").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_is_held_until_a_time_is_counted_as_such() {
    for engine in Engine::all() {
        let app = TestApp::with_database(Database::create(engine).await, |config| {
            config.delivery.mails_per_recipient_per_hour = 1;
        })
        .await;
        follow_clock(&app);
        app.names.set("localhost", &["127.0.0.1"]);
        let server = SmtpServer::start(Script::starttls()).await;
        app.admin("acme").put(&account(&server)).await.expect(204);
        let post = Post::over(app, server);
        for expected in ["accepted", "held"] {
            let id = enqueue(&post, "acme", &to(&["bob@example.net"])).await;
            post.until(&id, |email| status(email) == expected).await;
        }
        for arguments in
            [&["queue", "summary", "--json"][..], &["queue", "summary", "--tenant", "acme", "--json"]]
        {
            let summary = document(&post, arguments);
            assert_eq!(
                (&summary["held_until"], &summary["due"], &summary["lanes"][0]["lane"]),
                (&json!(1), &json!(0), &json!("transactional")),
                "{engine:?}: {summary}"
            );
        }
        let text = done(&post, &["queue", "summary"]);
        assert!(text.contains("\nHeld until a time                 1\n"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_interrupted_is_in_progress_until_a_time_that_is_named() {
    for engine in Engine::all() {
        let (post, id, go) = in_hand(engine).await;
        let summary = document(&post, &["queue", "summary", "--json"]);
        assert_eq!(summary["in_flight"], json!(1), "{engine:?}: {summary}");
        let by = summary["settled_by"].as_str().expect("a time");
        let text = done(&post, &["queue", "summary"]);
        let expected =
            format!("1  settled by {} {} UTC, also if a process was killed\n", &by[..10], &by[11..19]);
        assert!(text.contains(&expected), "{engine:?} {expected}: {text}");
        go.send_replace(true);
        post.until(&id, |email| status(email) == "accepted").await;
        assert_eq!(document(&post, &["queue", "summary", "--json"])["settled_by"], json!(null), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_in_hand_is_in_progress_before_another_one_takes_the_account() {
    for engine in Engine::all() {
        let (post, _id, _go) = in_hand(engine).await;
        // As a new process leaves it at its start.
        post.app.database.execute("update delivery_accounts set owner = null, lease_until = 0").await;
        let (code, _, err) = queue(&post, &["queue", "drain", "--timeout", "0s"]);
        assert_eq!(code, Some(1), "{engine:?}: {err}");
        assert!(err.contains("timed out: 1 in progress, settled by 20"), "{engine:?}: {err}");
    }
}

/// After a restore: what was `sending` in the backup is tried again, unless it is purged before anything sends.
#[tokio::test(flavor = "multi_thread")]
async fn mail_whose_attempt_a_backup_holds_is_withdrawn_by_a_purge_and_not_by_cancel() {
    for engine in Engine::all() {
        let restored = open(engine, Script::starttls(), false).await;
        let purged = enqueue(&restored, "acme", &to(&["bob@example.net"])).await;
        let kept = enqueue(&restored, "other", &to(&["carol@example.net"])).await;
        let begun = "update email_recipients set state = 'sending', attempts = 1; update emails set status = 'sending'";
        restored.app.database.execute(begun).await;
        let (code, _, err) = queue(&restored, &["queue", "cancel", "--all", "--yes"]);
        assert!(code == Some(1) && err.contains("no email matches"), "{err}");
        let purge = ["queue", "purge", "--state", "sending", "--tenant", "acme", "--yes"];
        assert!(done(&restored, &purge).starts_with("purged: 1 "), "{engine:?}");

        let app = TestApp::with_database(restored.app.database.clone(), |_| ()).await;
        follow_clock(&app);
        app.names.set("localhost", &["127.0.0.1"]);
        let post = Post::over(app, restored.server);
        post.until(&purged, |email| status(email) == "unknown").await;
        let other = post.app.admin("other");
        let path = format!("{EMAILS}/{kept}");
        let arrived = async || other.get(&path).await.expect(200).json()["status"] == "accepted";
        eventually("the other one is sent again", arrived).await;
        let sent: Vec<_> = post.server.mails().into_iter().flat_map(|mail| mail.to).collect();
        assert_eq!(sent, ["carol@example.net"], "{engine:?}");
    }
}
