//! The look at the keys before the service starts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use transports::clock::{Clock, Timestamp};
use transports::config::{Config, Encryption};
use transports::secret::Secret;
use transports::store::Db;
use transports::vault::{Keys, check_keys};

use crate::support::database::{Database, Engine};

/// A ring of keys whose bytes are all the same.
fn ring(keys: &[(&str, u8)]) -> Keys {
    let line = |(id, byte): &(&str, u8)| format!("{id}:{}", STANDARD.encode([*byte; 32]));
    let keys = keys.iter().map(|key| Secret::new(line(key))).collect();
    Keys::load(&Encryption { keys, ..Config::default().encryption }, None).unwrap()
}

fn clock() -> Clock {
    Clock::manual(Timestamp(1_767_225_600_000))
}

async fn check(db: &Db, keys: &[(&str, u8)]) -> Result<(), String> {
    check_keys(&ring(keys), db, &clock()).await.map_err(|error| format!("{error:#}"))
}

/// Rows that are sealed with a key; without a canary of it there can be none.
async fn add_rows(database: &Database, key: &str, count: usize) {
    database
        .execute(&format!(
            "insert into key_canaries (key_id, wrapped_key, payload, created_at)
             select '{key}', wrapped_key, payload, 0 from key_canaries where key_id = 'k1'
             on conflict (key_id) do nothing"
        ))
        .await;
    for n in 0..count {
        database
            .execute(&format!(
                "insert into email_configs (tenant_id, config_version, health_version, provider, secret_key_id,
                     health_state, auth_failures, modified_at, updated_at, listing_group)
                 values ('{key}-{n}', 'v', 0, 'BasicAuth', '{key}', 'OK', 0, 0, 0, 'OK,BasicAuth,,')"
            ))
            .await;
    }
}

async fn canaries(database: &Database) -> Vec<Vec<Option<String>>> {
    database.query("select key_id, wrapped_key, payload, created_at from key_canaries order by key_id").await
}

#[tokio::test]
async fn each_key_has_one_lasting_canary() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        check(&db, &[("k1", 1)]).await.unwrap();
        let first = canaries(&database).await;
        assert_eq!(first.len(), 1);
        assert_eq!(first[0][0].as_deref(), Some("k1"));
        assert_eq!(first[0][3].as_deref(), Some("1767225600000"));
        check(&db, &[("k2", 2), ("k1", 1)]).await.unwrap();
        let second = canaries(&database).await;
        assert_eq!((&second[0], second[1][0].as_deref()), (&first[0], Some("k2")), "{engine:?}");
        // A key that no row needs may go, and come back.
        check(&db, &[("k2", 2)]).await.unwrap();
        check(&db, &[("k1", 1)]).await.unwrap();
        assert_eq!(canaries(&database).await, second, "{engine:?}");
    }
}

/// Security cases L5, L13.
#[tokio::test]
async fn a_key_with_a_known_name_and_other_bytes_is_refused() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        check(&db, &[("k1", 1)]).await.unwrap();
        add_rows(&database, "k1", 41).await;
        let before = canaries(&database).await;
        for keys in [&[("k1", 9)][..], &[("k2", 2), ("k1", 9)]] {
            let error = check(&db, keys).await.unwrap_err();
            let expected = "encryption.keys: key k1 is not the key k1 that this database was used with, needed by \
                            41 rows";
            assert!(error.starts_with(expected), "{engine:?}: {error}");
            assert!(!error.contains(&STANDARD.encode([9; 32])), "{error}");
        }
        assert_eq!(canaries(&database).await[0], before[0], "{engine:?}");
        check(&db, &[("k1", 1)]).await.unwrap();
    }
}

/// Security case L4.
#[tokio::test]
async fn a_missing_key_is_refused_with_the_number_of_its_rows() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        check(&db, &[("k1", 1), ("k2", 2), ("k3", 3)]).await.unwrap();
        let before = canaries(&database).await;
        add_rows(&database, "k2", 41).await;
        add_rows(&database, "k3", 1).await;
        add_rows(&database, "k1", 5).await;
        let error = check(&db, &[("k1", 1), ("k4", 4)]).await.unwrap_err();
        let expected = "encryption.keys: key k2 needed by 41 rows, key k3 needed by 1 row is not there";
        assert!(error.starts_with(expected), "{engine:?}: {error}");
        // A start that was refused has left nothing.
        assert_eq!(canaries(&database).await, before, "{engine:?}");
        check(&db, &[("k1", 1), ("k2", 2), ("k3", 3)]).await.unwrap();
    }
}

/// Security case L3.
#[tokio::test]
async fn a_damaged_canary_is_refused_like_other_bytes() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        check(&db, &[("k1", 1), ("k2", 2)]).await.unwrap();
        database
            .execute(
                "update key_canaries set payload = (select payload from key_canaries where key_id = 'k2')
                 where key_id = 'k1'",
            )
            .await;
        let error = check(&db, &[("k1", 1)]).await.unwrap_err();
        assert!(error.contains("key k1 is not the key k1"), "{engine:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_processes_with_different_keys_of_one_name_starts() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = database.open().await;
        let starts: Vec<_> = (0..16)
            .map(|n| {
                let db = db.clone();
                tokio::spawn(async move { (n % 4, check(&db, &[("k1", n % 4)]).await.is_ok()) })
            })
            .collect();
        let mut started = Vec::new();
        for start in starts {
            let (key, is_started) = start.await.unwrap();
            started.extend(is_started.then_some(key));
        }
        assert_eq!(started.len(), 4, "{engine:?}: {started:?}");
        assert!(started.iter().all(|key| *key == started[0]), "{engine:?}: {started:?}");
    }
}
