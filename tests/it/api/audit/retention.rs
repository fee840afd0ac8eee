//! How long the audit is kept, and how a tenant is removed.

use super::*;

/// Puts so many rows into the audit by hand.
async fn fill(database: &Database, tenant: &str, count: usize, at: i64) {
    let rows: Vec<String> = (0..count)
        .map(|number| format!("('{tenant}-{at}-{number}', '{tenant}', {at}, 'u', 'patch', 'OK', '', '')"))
        .collect();
    for some in rows.chunks(500) {
        let columns = "id, tenant_id, at, user_id, action, outcome, changed, trace_id";
        database.execute(&format!("insert into audit ({columns}) values {}", some.join(","))).await;
    }
}

const DAY: i64 = 24 * 3600 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_replicas_delete_expired_rows() {
    let database = Database::create(Engine::chosen()).await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas
            .push(TestApp::with_database(database.clone(), |config| config.audit.retention_days = 30).await);
    }
    fill(&database, "acme", 4_500, START.0 - 30 * DAY - 1).await;
    fill(&database, "other", 700, START.0 - 30 * DAY).await;
    let cleaning: Vec<_> = replicas
        .iter()
        .map(|replica| {
            let app = std::sync::Arc::clone(&replica.app);
            tokio::spawn(async move { app.retention().delete_old_audit_rows().await })
        })
        .collect();
    for replica in cleaning {
        replica.await.expect("a replica").expect("no replica fails because of another one");
    }
    let left = "select tenant_id, count(*) from audit group by tenant_id";
    let own = |count: &str| [[Some("other".to_owned()), Some(count.to_owned())]];
    assert_eq!(database.query(left).await, own("700"), "exactly the old ones");
    replicas[0].app.retention().delete_old_audit_rows().await.expect("cleans");
    assert_eq!(database.query(left).await, own("700"), "their time is not over");
    replicas[0].clock.advance(1);
    replicas[0].app.retention().delete_old_audit_rows().await.expect("cleans");
    assert_eq!(database.count("audit").await, 0);
}

#[tokio::test]
async fn a_running_service_deletes_expired_rows() {
    let database = Database::create(Engine::chosen()).await;
    drop(database.open().await);
    fill(&database, "acme", 2_100, START.0 - 400 * DAY).await;
    let process = Process::serve(&variables(&database));
    eventually("old rows are gone", async || database.count("audit").await == 0).await;
    let (code, log) = process.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn removing_a_tenant_deletes_all_its_rows_and_no_others() {
    let app = TestApp::start().await;
    for tenant in ["acme", "other"] {
        change(&app, &app.admin(tenant), 0..2).await;
    }
    fill(&app.database, "acme", 2_500, START.0).await;
    let settings = variables(&app.database);

    let (code, out, err) = run(&["tenants", "rm", "acme"], &settings);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("use --yes"), "{err}");
    assert_eq!(app.database.audit("acme").await.len(), 2_502, "nothing without --yes");

    let (code, out, err) = run(&["tenants", "rm", "acme", "--yes"], &settings);
    let expected = "deleted of the tenant \"acme\": its configuration, 2502 entries of the audit\n";
    assert_eq!((code, out.as_str()), (Some(0), expected), "{err}");
    assert!(app.database.audit("acme").await.is_empty());
    assert_eq!(app.admin("acme").config().await, json!({"isValid": false, "passwordExists": false}));
    assert_eq!(app.database.audit("other").await.len(), 2);
    assert_eq!(app.admin("other").config().await["senderName"], Value::Null);
    assert_eq!(app.admin("other").config().await["providerConfig"]["senderName"], json!("number 1"));

    for name in ["acme", "Other", "oth%", "other "] {
        let (code, out, err) = run(&["tenants", "rm", name, "--yes"], &settings);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains("nothing is stored of the tenant"), "{err}");
    }
    assert_eq!(app.database.audit("other").await.len(), 2);
}
