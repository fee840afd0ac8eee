//! The keys of emails' content are rows like the secrets of accounts: counted, rewrapped, and no key that they need goes.

use super::*;

const DAYS: i64 = 130;

fn content_binding<'a>(tenant: &'a TenantId, day: &'a str) -> Binding<'a> {
    Binding { tenant, field: "contentKey", destination: day }
}

/// Content keys of many days of two tenants, sealed with the first key of the file.
async fn add_content(place: &Place, db: &Db) {
    let keys = place.keys();
    let mut write = Write::default();
    for name in ["t00000", "without an account"] {
        let tenant = TenantId::from_operator(name);
        for day in 0..DAYS {
            let text = day.to_string();
            let sealed = keys.seal(&secret(&tenant), &content_binding(&tenant, &text)).await.expect("sealed");
            write = write.then(content_keys::insert(&tenant, day, &sealed));
        }
    }
    assert_eq!(db.write(write).await.expect("writes"), WriteOutcome::Committed);
}

async fn assert_content_opens(place: &Place, db: &Db) {
    let keys = place.keys();
    for name in ["t00000", "without an account"] {
        let tenant = TenantId::from_operator(name);
        for day in 0..DAYS {
            let sealed = content_keys::find(db, &tenant, day).await.expect("reads").expect("a row");
            let text = day.to_string();
            let opened = keys.open(&sealed, &content_binding(&tenant, &text)).await.expect("opens");
            assert_eq!(opened.expose(), secret(&tenant).expose());
        }
    }
}

/// Security cases L4, L6, L7.
#[tokio::test]
async fn content_keys_are_counted_rewrapped_and_keep_their_key() {
    for engine in Engine::all() {
        let place = Place::on(engine, &line("k1", 1), 3).await;
        let db = place.database.open().await;
        add_content(&place, &db).await;
        let untouched = "select tenant_id, day, payload from content_keys order by tenant_id, day";
        let before = place.database.query(untouched).await;
        let needs = |count: &str, id: &str| format!("key {id} needed by {count} rows is not there");

        // The start, and every command that looks at the keys.
        place.file.replace(&line("k2", 2));
        let error = check_keys(&place.keys(), &db, &Clock::System).await.expect_err("a key is missing");
        assert!(format!("{error:#}").contains(&needs("263", "k1")), "{engine:?}: {error:#}");
        place.file.replace(&(line("k2", 2) + &line("k1", 1)));
        assert_eq!(place.status().await["rowsOnOtherKeys"], json!(263), "{engine:?}");
        let ran = place.run(&["keys", "remove", "k1"]).await;
        assert!(ran.code == REFUSED && ran.err.contains("263 rows need k1"), "{engine:?}: {ran:?}");

        // What is left when only content needs the key.
        place.database.execute("delete from email_configs").await;
        let ran = place.run(&["keys", "remove", "k1"]).await;
        assert!(ran.code == REFUSED && ran.err.contains("260 rows need k1"), "{engine:?}: {ran:?}");
        let ran = place.run(&["keys", "rotate", "--wait", "0"]).await;
        assert_eq!(ran.code, Some(0), "{engine:?}: {ran:?}");
        assert!(ran.err.contains("finishing an earlier rotation, since 260 rows"), "{engine:?}: {ran:?}");
        assert!(ran.err.contains("260 of 260"), "{engine:?}: {ran:?}");
        let keys = place.database.query("select distinct key_id from content_keys").await;
        assert_eq!(keys, [[Some("k2".to_owned())]], "{engine:?}");
        assert_eq!(place.database.query(untouched).await, before, "{engine:?}: the sealed keys are the same");
        assert_eq!(place.run(&["keys", "remove", "k1"]).await.code, Some(0), "{engine:?}");
        assert_content_opens(&place, &db).await;
        check_keys(&place.keys(), &db, &Clock::System).await.expect("good keys");
    }
}

#[tokio::test]
async fn a_content_key_that_does_not_open_is_named_and_the_others_are_rewrapped() {
    for engine in Engine::all() {
        let place = Place::on(engine, &line("k1", 1), 2).await;
        let db = place.database.open().await;
        add_content(&place, &db).await;
        let damage = "update content_keys set wrapped_key = payload where tenant_id = 't00000' and day = 7";
        place.database.execute(damage).await;
        let ran = place.run(&["keys", "rotate", "--id", "k2", "--wait", "0"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (REFUSED, ""), "{engine:?}: {ran:?}");
        let named = ran.err.contains("1 row cannot be rewrapped") && ran.err.contains("(t00000)");
        assert!(named, "{engine:?}: {ran:?}");
        let left = place.database.query("select tenant_id, day from content_keys where key_id = 'k1'").await;
        assert_eq!(left, [[Some("t00000".to_owned()), Some("7".to_owned())]], "{engine:?}");
    }
}

/// Security case L7.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn removing_a_key_while_a_content_key_is_sealed_strands_no_row() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        let tenant = TenantId::from_operator("a");
        let sealed = Sealed { key_id: "k1".to_owned(), wrapped_key: vec![1], payload: vec![2] };
        for day in 0..60 {
            let _ = db.write(Write::default().then(key_canaries::insert(&sealed, Timestamp(0)))).await;
            let insert = Write::default().then(content_keys::insert(&tenant, day, &sealed));
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
            database.execute("delete from content_keys").await;
        }
    }
}
