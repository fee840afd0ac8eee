//! `queue hold` and `release`, `tenants pause` and `resume`.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_that_the_operator_has_paused_the_account_and_cannot_resume_it() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls(), true).await;
        let found = done(&post, &["tenants", "pause", "acme", "--dry-run"]);
        assert_eq!(found, "the account of \"acme\" sends; 0 emails wait to be sent\n", "{engine:?}");
        let paused = done(&post, &["tenants", "pause", "acme", "--yes"]);
        assert_eq!(paused, "the account is paused by the operator\n", "{engine:?}");
        let shown = post.admin().get(ACCOUNT).await.expect(200).json();
        assert_eq!((&shown["state"], &shown["paused_by"]), (&json!("paused"), &json!("operator")), "{shown}");
        let refused = post.admin().post(&format!("{ACCOUNT}/resume")).await.expect(409).json();
        assert!(refused.to_string().contains("The operator of this service has paused"), "{refused}");

        let id = enqueue(&post, "acme", &to(&["bob@example.net"])).await;
        post.until(&id, |email| status(email) == "held").await;
        let held = document(&post, &["queue", "ls", "--state", "held", "--json"]);
        assert_eq!(held["emails"][0]["id"], json!(id), "{engine:?}");
        let summary = document(&post, &["queue", "summary", "--json"]);
        assert_eq!(summary["accounts"], json!({"paused: operator": 1}), "{engine:?}");
        let named = done(&post, &["queue", "summary"]);
        assert!(named.contains("        1  acme\n"), "{engine:?}: {named}");
        let summary = document(&post, &["queue", "summary", "--tenant", "acme", "--json"]);
        assert_eq!(summary["accounts"], json!({"paused: operator": 1}), "{engine:?}: {summary}");
        assert_eq!(summary["lanes"][0]["oldest_due_at"], json!(null), "{engine:?}: nothing is due");

        // What both have paused goes on when both have resumed it.
        let shown = post.admin().post(&format!("{ACCOUNT}/pause")).await.expect(200).json();
        assert_eq!(shown["paused_by"], "operator", "{engine:?}");
        let (_, out, note) = queue(&post, &["queue", "release", "--tenant", "acme", "--yes"]);
        assert_eq!(out, "released: 1 account\n", "{engine:?}: {note}");
        assert!(note.contains("1 account stays paused by an administrator"), "{note}");
        let shown = post.admin().get(ACCOUNT).await.expect(200).json();
        assert_eq!(shown["paused_by"], "administrator", "{engine:?}");
        assert_eq!(post.server.mails().len(), 0, "{engine:?}");
        post.admin().post(&format!("{ACCOUNT}/resume")).await.expect(200);
        post.until(&id, |email| status(email) == "accepted").await;
        assert_eq!(audited(&post, "acme").await, ["pause-account", "resume-account"], "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_pauses_whose_mail_waits_and_drain_says_what_is_due() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls(), false).await;
        enqueue(&post, "acme", &to(&["bob@example.net"])).await;
        let (code, out, err) = queue(&post, &["queue", "drain", "--timeout", "0s"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains("timed out: 0 in progress, 1 due"), "{err}");
        assert_eq!(done(&post, &["queue", "hold", "--all", "--dry-run"]), "found: 1 account\n");
        assert_eq!(done(&post, &["queue", "hold", "--all", "--yes"]), "paused: 1 account\n", "{engine:?}");
        assert_eq!(
            done(&post, &["queue", "drain"]),
            "drained: nothing is in progress or due\n",
            "{engine:?}"
        );
        let (code, _, err) = queue(&post, &["queue", "hold", "--all", "--yes"]);
        assert!(code == Some(1) && err.contains("no account matches"), "{err}");
        let (code, ..) = queue(&post, &["queue", "hold", "--yes"]);
        assert_eq!(code, Some(2), "whose mail is named, or that of all");
        assert_eq!(done(&post, &["queue", "release", "--all", "--yes"]), "released: 1 account\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_of_which_nothing_is_stored_is_neither_paused_nor_resumed() {
    for engine in Engine::all() {
        let post = open(engine, Script::starttls(), false).await;
        for arguments in [
            &["tenants", "pause", "acmee", "--yes"][..],
            &["tenants", "pause", "acmee", "--dry-run"],
            &["tenants", "resume", "acmee", "--yes"],
            &["queue", "hold", "--tenant", "acmee", "--yes"],
        ] {
            let (code, out, err) = queue(&post, arguments);
            assert_eq!((code, out.as_str()), (Some(1), ""), "{engine:?} {arguments:?}: {err}");
            assert!(err.starts_with("error: no tenant \"acmee\" is stored\n  hint: "), "{err}");
            assert!(err.contains("`transports tenants ls`"), "{err}");
        }
        let paused = document(&post, &["queue", "summary", "--json"])["accounts"].clone();
        assert_eq!(paused, json!({}), "{engine:?}: no account is left behind");

        // What is left of a tenant without a configuration may be sent, or sends.
        done(&post, &["api-keys", "create", "--tenant", "keyed", "--name", "first"]);
        enqueue(&post, "other", &to(&["bob@example.net"])).await;
        for table in ["email_configs", "delivery_accounts"] {
            post.app.database.execute(&format!("delete from {table} where tenant_id = 'other'")).await;
        }
        for tenant in ["keyed", "other", "acme"] {
            let paused = done(&post, &["tenants", "pause", tenant, "--yes"]);
            assert_eq!(paused, "the account is paused by the operator\n", "{engine:?} {tenant}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_names_what_was_paused_before_and_is_released_with_the_rest() {
    let post = open(Engine::chosen(), Script::starttls(), false).await;
    enqueue(&post, "acme", &to(&["bob@example.net"])).await;
    done(&post, &["tenants", "pause", "other", "--yes"]);
    let (code, out, err) = queue(&post, &["queue", "hold", "--all", "--yes"]);
    assert_eq!((code, out.as_str()), (Some(0), "paused: 1 account\n"), "{err}");
    let note =
        "The operator had paused 1 account before, which `queue release --all` resumes as well: \"other\".";
    assert!(err.contains(note), "{err}");
    assert_eq!(done(&post, &["queue", "release", "--all", "--yes"]), "released: 2 accounts\n");
    let (_, _, err) = queue(&post, &["queue", "hold", "--all", "--yes"]);
    assert!(!err.contains("before"), "{err}");
}
