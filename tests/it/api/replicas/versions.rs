//! Replicas that start together, and beside a newer version.

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_on_an_empty_database_migrate_it_once() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let alone = Database::create(Engine::Postgres).await;
    drop(alone.open().await);
    let applied = "select version, name, checksum, works_with from schema_migrations order by version";
    let expected = alone.query(applied).await;
    for _ in 0..rounds("TEST_FIRST_STARTS", 1) {
        let database = Database::create(Engine::Postgres).await;
        let settings = unlimited(&database);
        let replicas = join_all((0..REPLICAS).map(|_| Process::serve_beside(&settings))).await;
        for replica in &replicas {
            replica.anybody().get("/health/ready").await.expect(200);
        }
        assert_eq!(database.query(applied).await, expected, "each once");
        let migrated = |replica: &Process| replica.log().matches("migrated the database").count();
        assert_eq!(replicas.iter().map(migrated).sum::<usize>(), expected.len(), "each by one of them");
    }
}

/// Security case K16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_of_the_previous_version_work_while_a_newer_one_expands_the_schema() {
    if Engine::chosen() != Engine::Postgres {
        return;
    }
    let mut random = Random::announced();
    let database = Database::create(Engine::Postgres).await;
    let mail = trusting_server().await;
    let mut cluster = Cluster::start(&database).await;
    let load = Load::start(&cluster.balancer, &mail, ledgers(), &mut random);
    load.seen.more(40).await;
    // What a newer version would do at its start.
    database
        .execute(
            "begin;
            alter table email_configs add column later text;
            create index email_configs_later on email_configs (later);
            alter table audit add column later bigint;
            alter table email_configs alter column sender_name type text collate \"C\";
            create table later (tenant_id text not null primary key);
            insert into schema_migrations (version, name, checksum, applied_at, works_with)
            select 1000, 'later', '', 0, max(version) from schema_migrations;
            commit",
        )
        .await;
    load.seen.more(40).await;
    // One that crashes meanwhile, or is moved to another machine, starts again.
    cluster.take(0).kill();
    cluster.restart(0).await;
    load.seen.more(40).await;
    let broken = load.seen.broken.load(Ordering::SeqCst);
    assert!(broken <= READERS + WRITERS, "{broken}");
    // The newer version writes what this one does not know, and this one leaves it there.
    let (mut ledgers, failures) = load.end().await;
    assert_eq!(failures, [""; 0]);
    check(cluster.replica(0), &database, &mail, &mut ledgers).await.expect("nothing is lost");
    let client = cluster.replica(0).known_admin("kept");
    client.patch(&serde_json::json!({"senderName": "before"})).await.expect(204);
    database.execute("update email_configs set later = 'newer' where tenant_id = 'kept'").await;
    client.patch(&serde_json::json!({"senderName": "after"})).await.expect(204);
    let kept = database.query("select sender_name, later from email_configs where tenant_id = 'kept'").await;
    assert_eq!(kept, [[Some("after".to_owned()), Some("newer".to_owned())]]);
    // The step that takes something away refuses whoever needs it.
    database.execute("update schema_migrations set works_with = version where version = 1000").await;
    let settings = cluster.settings.clone();
    let refused = tokio::task::spawn_blocking(move || Process::begin_to_serve(&settings).wait());
    let (code, log) = refused.await.expect("it ends");
    assert_ne!(code, Some(0));
    assert!(log.contains("a newer version of transports has migrated this database"), "{log}");
}
