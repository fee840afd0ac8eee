//! The schema: every text fits it, it is brought up to date once, and a foreign one is refused.

use std::process::Output;

use transports::store::{self, Db};

use crate::support::child::{child, told};
use crate::support::database::{Database, Engine, settings, tls};

#[tokio::test]
async fn every_text_can_be_prepared_on_every_engine() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        drop(database.open().await);
        for (file, texts) in store::texts() {
            for text in texts {
                let prepared = database.prepare(text).await;
                assert!(prepared.is_ok(), "{engine:?}, {file}: {prepared:?} in {text}");
            }
        }
        if engine == Engine::Postgres {
            for text in store::postgres_texts() {
                let prepared = database.prepare(text).await;
                assert!(prepared.is_ok(), "{prepared:?} in {text}");
            }
        }
        assert!(database.prepare("select nonsense from email_configs").await.is_err());
    }
}

#[tokio::test]
async fn a_second_start_changes_nothing() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let applied = "select version, name, checksum, applied_at from schema_migrations";
        drop(database.open().await);
        let first = database.query(applied).await;
        drop(database.open().await);
        assert_eq!(database.query(applied).await, first, "{engine:?}");
        assert_eq!(first[0][..2], [Some("1".to_owned()), Some("first_schema".to_owned())]);
    }
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let children: Vec<_> = (0..6)
            .map(|_| {
                let mut command = child("store::schema::child_opens", &database.url());
                tokio::task::spawn_blocking(move || command.output().expect("the child runs"))
            })
            .collect();
        for child in children {
            assert_succeeded(&child.await.unwrap());
        }
        let applied = "select version, name from schema_migrations order by version";
        let alone = Database::create(engine).await;
        drop(alone.open().await);
        assert_eq!(
            database.query(applied).await,
            alone.query(applied).await,
            "{engine:?}: each version once"
        );
    }
}

#[tokio::test]
#[ignore = "a part of processes_that_start_together_migrate_once"]
async fn child_opens() {
    Db::open(&settings(&told()), &tls()).await.unwrap().ping().await.unwrap();
}

fn assert_succeeded(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Security case K16.
#[tokio::test]
async fn a_schema_of_a_newer_version_or_of_another_build_is_refused() {
    let changes = [
        (
            "insert into schema_migrations (version, name, checksum, applied_at, works_with)
             values (99, 'later', '', 0, 99)",
            "a newer version of transports has migrated this database (its schema has version 99",
        ),
        ("update schema_migrations set checksum = 'other'", "another build of transports"),
    ];
    for engine in Engine::all() {
        for (change, expected) in changes {
            let database = Database::create(engine).await;
            drop(database.open().await);
            database.execute(change).await;
            let error = refusal(&database.url()).await;
            assert!(error.starts_with("database.url: ") && error.contains(expected), "{engine:?}: {error}");
        }
    }
}

/// Security case K16.
#[tokio::test]
async fn a_schema_from_before_the_first_release_is_refused_with_the_way_on() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        // As the development versions made it, which had no `works_with` at first.
        database
            .execute(
                "create table schema_migrations (version bigint not null primary key, name text not null,
                     checksum text not null, applied_at bigint not null);
                 insert into schema_migrations values (1, 'first_tables', 'e3b0', 0), (6, 'tenant_listing', '', 0);
                 create table email_configs (tenant_id text not null primary key);",
            )
            .await;
        let error = refusal(&database.url()).await;
        assert!(
            error.contains("from before the first release") && error.contains("name a new, empty database"),
            "{engine:?}: {error}"
        );
        let tenants = database.query("select count(*) from email_configs").await;
        assert_eq!(tenants, [[Some("0".to_owned())]], "{engine:?}: it is left as it is");
    }
}

/// Security case K16.
#[tokio::test]
async fn a_schema_of_a_newer_version_that_leaves_this_one_working_is_opened() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        drop(database.open().await);
        database
            .execute(
                "alter table email_configs add column later text;
                insert into schema_migrations (version, name, checksum, applied_at, works_with)
                select 99, 'later', '', 0, max(version) from schema_migrations;",
            )
            .await;
        database.open().await.ping().await.expect("it works");
        database.execute("update schema_migrations set works_with = 98 where version = 99").await;
        assert!(refusal(&database.url()).await.contains("a newer version of transports"), "{engine:?}");
    }
}

/// Security case L7.
#[tokio::test]
async fn rows_are_sealed_with_known_keys_only_and_a_key_that_rows_need_stays() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        drop(database.open().await);
        let row = |tenant: &str, key: &str| {
            format!(
                "insert into email_configs (tenant_id, config_version, health_version, provider, secret_key_id,
                     health_state, auth_failures, modified_at, updated_at, listing_group)
                 values ('{tenant}', 'v', 0, 'BasicAuth', {key}, 'OK', 0, 0, 0, 'OK,BasicAuth,,');"
            )
        };
        let canary = "insert into key_canaries (key_id, wrapped_key, payload, created_at)
            select 'k1', '', '', 0;";
        let rows = [canary, &row("a", "'k1'"), &row("b", "'k1'"), &row("none", "null")].concat();
        database.execute(&rows).await;
        let foreign_keys = if engine == Engine::Sqlite { "pragma foreign_keys = on;" } else { "" };
        let remove = format!("{foreign_keys} delete from key_canaries where key_id = 'k1'");
        assert!(database.try_execute(&remove).await.is_err(), "{engine:?}: a key that rows need stays");
        let content = |key: &str| {
            format!(
                "insert into content_keys (tenant_id, day, key_id, wrapped_key, payload)
                 values ('a', 1, '{key}', '', '');"
            )
        };
        for stranger in [row("c", "'k9'"), content("k9")] {
            assert!(
                database.try_execute(&format!("{foreign_keys} {stranger}")).await.is_err(),
                "{engine:?}: no row with a key that is not known"
            );
        }
        database.execute(&format!("delete from email_configs; {}", content("k1"))).await;
        assert!(database.try_execute(&remove).await.is_err(), "{engine:?}: nor goes one that content needs");
    }
}

/// Why the database is not opened.
async fn refusal(url: &str) -> String {
    match Db::open(&settings(url), &tls()).await {
        Ok(_) => panic!("it opens"),
        Err(error) => format!("{error:#}"),
    }
}
