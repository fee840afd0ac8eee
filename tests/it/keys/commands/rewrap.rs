//! Rewrapping rows while others change them.

use super::*;

#[tokio::test]
async fn a_damaged_row_is_named_and_the_others_are_rewrapped() {
    let place = Place::with(&line("k1", 1), 250).await;
    let damage = "update email_configs set secret_wrapped_key = secret_payload where tenant_id = 't00120'";
    place.database.execute(damage).await;
    let ran = place.run(&["keys", "rotate", "--id", "k2", "--wait", "0"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (REFUSED, ""), "{ran:?}");
    assert!(ran.err.contains("1 row cannot be rewrapped") && ran.err.contains("(t00120)"), "{ran:?}");
    assert_eq!(place.rows().await, [("k1".to_owned(), 1), ("k2".to_owned(), 249)]);
    let ran = place.run(&["keys", "remove", "k1"]).await;
    assert!(ran.code == REFUSED && ran.err.contains("1 row needs k1"), "{ran:?}");
}

/// Security case L7.
#[tokio::test]
async fn a_key_removed_during_rewrapping_gets_no_rows() {
    let place = Place::with(&line("k1", 1), 3).await;
    let db = place.database.open().await;
    place.file.replace(&(line("k2", 2) + &line("k1", 1)));
    let rewrap = Rewrap::begin(Arc::new(place.keys()), &db, &Clock::System).await.expect("good keys");
    place.database.execute("delete from key_canaries where key_id = 'k2'").await;
    let error = rewrap.pass(|_| ()).await.expect_err("there is no such key");
    assert_eq!(error.to_string(), "key k2 was removed in the meantime: see `transports keys status`");
    assert_eq!(place.rows().await, [("k1".to_owned(), 3)]);
}

/// Security case L6.
#[tokio::test]
async fn rewrapping_and_a_concurrent_write_both_take_effect() {
    let place = Place::with(&line("k1", 1), 1).await;
    let db = place.database.open().await;
    let tenant = TenantId::from_operator("t00000");
    let find = async || email_configs::find(&db, &tenant).await.expect("reads").expect("a row");
    let write = async |statement| db.write(Write::default().then(statement)).await.expect("writes");
    let next_rows = async || sealed_rows::next(&db, "k1", None, 10).await.expect("reads");

    // A change that keeps the secret was read before the rewrapping and is written behind it.
    let read = find().await;
    let rows = next_rows().await;
    place.file.replace(&(line("k2", 2) + &line("k1", 1)));
    let keys = place.keys();
    check_keys(&keys, &db, &Clock::System).await.expect("good keys");
    let anew = keys.seal(&secret(&tenant), &binding(&tenant)).await.expect("sealed");
    assert_eq!(write(sealed_rows::rewrap(&rows[0], "k2", &anew.wrapped_key)).await, WriteOutcome::Committed);
    let changed = EmailConfig { version: Version { config: "v2".to_owned(), health: 0 }, ..read };
    assert_eq!(write(email_configs::update(&tenant, "v1", &changed)).await, WriteOutcome::Committed);
    let found = find().await;
    let sealed = found.secret.as_ref().expect("a secret");
    assert_eq!(
        (sealed.key_id.as_str(), &sealed.wrapped_key),
        ("k2", &anew.wrapped_key),
        "no old wrapping comes back"
    );
    assert_eq!(found.version.config, "v2", "nor is the change lost");

    // A new secret was written behind the rewrapping's back.
    let stale = sealed_rows::SealedRow {
        table: sealed_rows::SealedTable::EmailConfigs,
        tenant: tenant.clone(),
        day: 0,
        key_id: "k2".to_owned(),
        wrapped_key: anew.wrapped_key.clone(),
    };
    let new = keys.seal(&Secret::new("another".to_owned()), &binding(&tenant)).await.expect("sealed");
    let changed = EmailConfig { secret: Some(new.clone()), ..found };
    assert_eq!(write(email_configs::update(&tenant, "v2", &changed)).await, WriteOutcome::Committed);
    let _ = write(sealed_rows::rewrap(&stale, "k1", b"an old wrapping")).await;
    assert_eq!(find().await.secret, Some(new));
}

/// Security case L7.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn removing_a_key_during_sealing_strands_no_row() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        let tenant = TenantId::from_operator("a");
        let sealed = Sealed { key_id: "k1".to_owned(), wrapped_key: vec![1], payload: vec![2] };
        let (mut removed, mut inserted) = (0, 0);
        for _ in 0..60 {
            let _ = db.write(Write::default().then(key_canaries::insert(&sealed, Timestamp(0)))).await;
            let insert = Write::default().then(email_configs::insert(&tenant, &row(Some(sealed.clone()))));
            let remove = Write::default().then(key_canaries::remove_unused("k1"));
            let (one, other) = (db.clone(), db.clone());
            let both = [
                tokio::spawn(async move { one.write(insert).await }),
                tokio::spawn(async move { other.write(remove).await }),
            ];
            let [insert, remove] = both.map(|task| async { task.await.expect("a task").expect("an answer") });
            let (insert, remove) = (insert.await, remove.await);
            assert!(
                (insert == WriteOutcome::Committed) != (remove == WriteOutcome::Committed),
                "{engine:?}: one of both, never both: {insert:?} {remove:?}"
            );
            inserted += usize::from(insert == WriteOutcome::Committed);
            removed += usize::from(remove == WriteOutcome::Committed);
            let stranded = "select tenant_id from email_configs where secret_key_id not in
                (select key_id from key_canaries)";
            assert!(database.query(stranded).await.is_empty(), "{engine:?}");
            let _ = db.write(Write::default().then(email_configs::delete(&tenant, "v1"))).await;
        }
        assert_eq!(inserted + removed, 60, "{engine:?}");
    }
}
