//! `transports keys`: what the commands do to the file and to the database, and what they refuse.

mod content;
mod rewrap;

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use serde_json::{Value, json};
use transports::clock::{Clock, Timestamp};
use transports::config::{Config, Encryption};
use transports::email_config::{BasicAuth, EmailConfig, Health, Settings, Version};
use transports::id::TenantId;
use transports::secret::{Sealed, Secret};
use transports::store::{Db, Write, WriteOutcome, content_keys, email_configs, key_canaries, sealed_rows};
use transports::vault::{Binding, Keys, Rewrap, check_keys};

use crate::support::database::{Database, Engine};
use crate::support::key_file::{KeyFile, line};
use crate::support::process::{run, variables, with_all};

/// A database with rows, and a file of keys.
pub struct Place {
    pub file: KeyFile,
    pub database: Database,
    pub settings: Vec<(String, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

fn encryption(file: &KeyFile) -> Encryption {
    Encryption { keys_file: Some(file.path()), ..Config::default().encryption }
}

fn row(secret: Option<Sealed>) -> EmailConfig {
    EmailConfig {
        settings: Settings::BasicAuth(BasicAuth::default()),
        secret,
        health: Health::unknown(),
        version: Version { config: "v1".to_owned(), health: 7 },
        last_check: None,
        modified_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}

impl Place {
    /// With this many rows that are sealed with the first key of the file, and one row without a secret.
    pub async fn with(text: &str, rows: usize) -> Self {
        Self::on(Engine::chosen(), text, rows).await
    }

    /// The same on an engine.
    pub async fn on(engine: Engine, text: &str, rows: usize) -> Self {
        let (file, database) = (KeyFile::with(text), Database::create(engine).await);
        let path = file.path().display().to_string();
        let settings = with_all(
            &variables(&database),
            &[("TRANSPORTS_ENCRYPTION__KEYS", ""), ("TRANSPORTS_ENCRYPTION__KEYS_FILE", &path)],
        );
        let place = Self { file, database, settings };
        let db = place.database.open().await;
        check_keys(&place.keys(), &db, &Clock::System).await.expect("good keys");
        let none = Write::default().then(email_configs::insert(&TenantId::from_operator("none"), &row(None)));
        assert_eq!(db.write(none).await.expect("writes"), WriteOutcome::Committed);
        place.add(&db, "t", rows).await;
        db.close().await;
        place
    }

    pub fn keys(&self) -> Keys {
        Keys::load(&encryption(&self.file), None).expect("good keys")
    }

    /// Rows that are sealed with the first key of the file now.
    pub async fn add(&self, db: &Db, prefix: &str, rows: usize) {
        let keys = self.keys();
        let numbers: Vec<usize> = (0..rows).collect();
        for chunk in numbers.chunks(500) {
            let mut write = Write::default();
            for number in chunk {
                let tenant = TenantId::from_operator(&format!("{prefix}{number:05}"));
                let sealed = keys.seal(&secret(&tenant), &binding(&tenant)).await.expect("sealed");
                write = write.then(email_configs::insert(&tenant, &row(Some(sealed))));
            }
            assert_eq!(db.write(write).await.expect("writes"), WriteOutcome::Committed);
        }
    }

    /// Runs a command of the built binary.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let settings = self.settings.clone();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let run = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&arguments, &settings)
        };
        let (code, out, err) = tokio::task::spawn_blocking(run).await.expect("a process");
        Ran { code, out, err }
    }

    pub async fn status(&self) -> Value {
        let ran = self.run(&["keys", "status", "--json"]).await;
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// The names of the keys that rows need, each with how many.
    pub async fn rows(&self) -> Vec<(String, usize)> {
        rows(&self.database).await
    }

    /// Opens every secret with the keys of the file.
    pub async fn assert_all_open(&self) {
        let (db, keys) = (self.database.open().await, self.keys());
        let tenants = "select tenant_id from email_configs where secret_key_id is not null";
        for row in self.database.query(tenants).await {
            let tenant = TenantId::from_operator(row[0].as_deref().expect("a name"));
            let found = email_configs::find(&db, &tenant).await.expect("reads").expect("a row");
            let opened = keys.open(&found.secret.expect("a secret"), &binding(&tenant)).await.expect("opens");
            assert_eq!(opened.expose(), secret(&tenant).expose());
        }
        db.close().await;
    }
}

pub async fn rows(database: &Database) -> Vec<(String, usize)> {
    let sql = "select secret_key_id, count(*) from email_configs where secret_key_id is not null
        group by secret_key_id order by secret_key_id";
    let rows = database.query(sql).await;
    rows.into_iter()
        .map(|row| (row[0].clone().expect("a name"), row[1].as_deref().unwrap().parse().expect("a number")))
        .collect()
}

fn secret(tenant: &TenantId) -> Secret {
    Secret::new(format!("the password of {tenant}"))
}

fn binding(tenant: &TenantId) -> Binding<'_> {
    let destination = Settings::BasicAuth(BasicAuth::default()).destination();
    // The same for all, and alive for as long as the tests.
    Binding { tenant, field: "emailPassword", destination: Box::leak(destination.into_boxed_str()) }
}

/// All columns but those that a rewrapping may change.
const UNTOUCHED: &str =
    "select tenant_id, config_version, health_version, secret_payload, modified_at, updated_at
    from email_configs order by tenant_id";

const REFUSED: Option<i32> = Some(1);

/// Security case L6.
#[tokio::test(flavor = "multi_thread")]
async fn rotate_prepends_a_new_key_and_changes_nothing_else() {
    let place = Place::with(&format!("# our keys\n\n{}", line("k1", 1)), 7).await;
    let (before, mode) =
        (place.database.query(UNTOUCHED).await, std::fs::metadata(place.file.path()).unwrap());
    let ran = place.run(&["keys", "rotate", "--id", "k2", "--wait", "0"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "k2\n"), "{ran:?}");
    assert!(ran.err.contains("7 of 7") && ran.err.ends_with("all rows are sealed with k2\n"), "{ran:?}");
    assert_eq!(place.file.ids(), ["k2", "k1"]);
    let text = place.file.text();
    assert!(text.starts_with("# our keys\n\nk2:") && text.ends_with(&line("k1", 1)), "{text}");
    let after = std::fs::metadata(place.file.path()).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (mode.mode(), mode.uid(), mode.gid()));
    assert_eq!(place.rows().await, [("k2".to_owned(), 7)]);
    assert_eq!(place.database.query(UNTOUCHED).await, before, "neither version nor times nor secrets");
    place.assert_all_open().await;
    for secret in text.lines().filter_map(|line| line.split_once(':')).map(|(_, key)| key) {
        assert!(!ran.err.contains(secret), "a key is shown");
    }
    // Named by its date where nobody names it; twice on one day too.
    for _ in 0..2 {
        let ran = place.run(&["keys", "rotate", "--wait", "0"]).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let ids = place.file.ids();
    assert!(ids[1].len() == 10 && ids[0] == format!("{}.2", ids[1]), "{ids:?}");
    assert_eq!(place.rows().await, [(ids[0].clone(), 7)]);
    place.assert_all_open().await;
}

/// Security case L6.
#[tokio::test(flavor = "multi_thread")]
async fn rotate_completes_an_interrupted_rotation_without_a_second_key() {
    let place = Place::with(&line("k1", 1), 3).await;
    // The file was changed, and then the power failed.
    place.file.replace(&(line("k2", 2) + &line("k1", 1)));
    let ran = place.run(&["keys", "rotate", "--wait", "0"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "k2\n"), "{ran:?}");
    assert!(
        ran.err.contains("finishing an earlier rotation, since 3 rows are not sealed with k2"),
        "{ran:?}"
    );
    assert_eq!(
        (place.file.ids(), place.rows().await),
        (vec!["k2".to_owned(), "k1".to_owned()], vec![("k2".to_owned(), 3)])
    );
    // The same command again changes nothing.
    let text = place.file.text();
    let ran = place.run(&["keys", "rotate", "--id", "k2", "--wait", "0"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "k2\n"), "{ran:?}");
    assert_eq!(place.file.text(), text);
    // A key that was put behind before is made first.
    let ran = place.run(&["keys", "rotate", "--id", "k1", "--wait", "0"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "k1\n"), "{ran:?}");
    assert_eq!(
        (place.file.ids(), place.rows().await),
        (vec!["k1".to_owned(), "k2".to_owned()], vec![("k1".to_owned(), 3)])
    );
    place.assert_all_open().await;
}

/// Security cases L3, L4, L5.
#[tokio::test(flavor = "multi_thread")]
async fn rotate_requires_valid_keys() {
    let place = Place::with(&line("k1", 1), 3).await;
    for (text, code, expected) in [
        (line("k2", 2), REFUSED, "key k1 needed by 3 rows is not there"),
        (line("k1", 9), REFUSED, "key k1 is not the key k1 that this database was used with"),
        ("nonsense\n".to_owned(), Some(2), "line 1 is not ID:BASE64"),
    ] {
        place.file.replace(&text);
        let ran = place.run(&["keys", "rotate"]).await;
        assert!(ran.code == code && ran.err.contains(expected), "{ran:?}");
        assert_eq!(place.file.text(), text);
        let has_hint = ran.err.contains("hint: correct line 1, or remove it where it is no key of yours");
        assert_eq!(has_hint, code == Some(2), "{ran:?}");
    }
    place.file.replace(&line("k1", 1));
    for (id, expected) in [("a b", "is not a good id"), ("", "is not a good id"), ("k:1", "is not a good id")]
    {
        let ran = place.run(&["keys", "rotate", "--id", id]).await;
        assert!(ran.code == REFUSED && ran.err.contains(expected), "{ran:?}");
    }
    // A name that other bytes once had.
    assert_eq!(place.run(&["keys", "rotate", "--id", "k2", "--wait", "0"]).await.code, Some(0));
    place.file.replace(&(line("k2", 9) + &line("k1", 1)));
    let ran = place.run(&["keys", "rotate", "--id", "k3"]).await;
    assert!(ran.code == REFUSED && ran.err.contains("key k2 is not the key k2"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_irreplaceable_file_is_left_unchanged() {
    let place = Place::with(&line("k1", 1), 1).await;
    let new = place.file.path().with_file_name("keys.new");
    // Where the new file is written there is something that cannot be removed so.
    std::fs::create_dir(&new).expect("our own folder");
    let ran = place.run(&["keys", "rotate"]).await;
    assert!(ran.code == REFUSED && ran.err.contains("cannot be replaced: run this as its owner"), "{ran:?}");
    assert_eq!((place.file.text(), place.rows().await), (line("k1", 1), vec![("k1".to_owned(), 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_the_environment_are_explained_and_rewrapped() {
    let place = Place::with(&line("k1", 1), 3).await;
    let environment = |lines: &[String]| {
        let keys = lines.iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(",");
        with_all(
            &place.settings,
            &[("TRANSPORTS_ENCRYPTION__KEYS", keys.as_str()), ("TRANSPORTS_ENCRYPTION__KEYS_FILE", "")],
        )
    };
    let (k1, k2) = (line("k1", 1), line("k2", 2));
    let command = async |arguments: &'static [&'static str], settings: Vec<(String, String)>| {
        let ran = tokio::task::spawn_blocking(move || run(arguments, &settings)).await.expect("a process");
        Ran { code: ran.0, out: ran.1, err: ran.2 }
    };
    for keys in [vec![k1.clone()], vec![k1.clone(), k2.clone()]] {
        let ran = command(&["keys", "rotate"], environment(&keys)).await;
        assert_eq!((ran.code, ran.out.as_str()), (REFUSED, ""), "{ran:?}");
        for step in ["keys generate --id NEW", "restart all", "keys rewrap", "keys remove OLD"] {
            assert!(ran.err.contains(step), "{ran:?}");
        }
    }
    let move_first = environment(&[k2.clone(), k1.clone()]);
    let ran = command(&["keys", "rewrap", "--wait", "0"], move_first.clone()).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    for told in
        ["wrapping the data keys of 3 rows with k2: 3 rows of k1", "3 of 3", "all rows are sealed with k2"]
    {
        assert!(ran.err.contains(told) && !ran.err.contains("-3 of"), "{told}: {ran:?}");
    }
    assert_eq!(place.rows().await, [("k2".to_owned(), 3)]);
    let ran = command(&["keys", "remove", "k1"], move_first).await;
    assert!(ran.code == REFUSED && ran.err.contains("remove it everywhere"), "{ran:?}");
    let ran = command(&["keys", "remove", "k1"], environment(&[k2])).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(place.database.query("select key_id from key_canaries").await, [[Some("k2".to_owned())]]);
}

/// Security case L7.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_use_and_the_current_key_are_not_removed() {
    let place = Place::with(&line("k1", 1), 41).await;
    place.file.replace(&(line("k2", 2) + &line("k1", 1) + &line("k0", 3)));
    let text = place.file.text();
    let ran = place.run(&["keys", "remove", "k1"]).await;
    assert!(
        ran.code == REFUSED && ran.err.contains("41 rows need k1: run `transports keys rewrap` first"),
        "{ran:?}"
    );
    let ran = place.run(&["keys", "remove", "k2"]).await;
    assert!(ran.code == REFUSED && ran.err.contains("k2 is the current key"), "{ran:?}");
    let ran = place.run(&["keys", "remove", "k9"]).await;
    assert!(ran.code == REFUSED && ran.err.contains("there is no key k9"), "{ran:?}");
    assert_eq!(place.file.text(), text);
    // One that no row needs goes, from the file and from the database.
    assert_eq!(place.run(&["keys", "rewrap", "--wait", "0"]).await.code, Some(0));
    for id in ["k1", "k0"] {
        let ran = place.run(&["keys", "remove", id]).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    }
    assert_eq!(place.file.text(), line("k2", 2));
    assert_eq!(place.database.query("select key_id from key_canaries").await, [[Some("k2".to_owned())]]);
    place.assert_all_open().await;
    // Its name is free again.
    assert_eq!(place.run(&["keys", "rotate", "--id", "k1", "--wait", "0"]).await.code, Some(0));
    place.assert_all_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_database_is_not_created() {
    let file = KeyFile::with(&line("k1", 1));
    let (path, missing) = (file.path().display().to_string(), file.path().with_file_name("missing.db"));
    let url = format!("sqlite://{}", missing.display());
    let settings = [("DATABASE__URL", url), ("ENCRYPTION__KEYS_FILE", path)]
        .map(|(name, value)| (format!("TRANSPORTS_{name}"), value));
    for arguments in
        [&["keys", "status"][..], &["keys", "rotate"], &["keys", "rewrap"], &["keys", "remove", "k1"]]
    {
        let (code, out, err) = run(arguments, &settings);
        assert_eq!((code, out.as_str()), (REFUSED, ""), "{err}");
        assert!(err.starts_with("error: database.url: there is no file "), "{err}");
        assert!(!missing.exists() && file.text() == line("k1", 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_lists_the_keys_and_exits_with_1_if_one_is_missing() {
    let place = Place::with(&line("k1", 1), 2).await;
    let db = place.database.open().await;
    place.file.replace(&(line("k2", 2) + &line("k1", 1)));
    check_keys(&place.keys(), &db, &Clock::System).await.expect("good keys");
    place.add(&db, "u", 5).await;
    db.close().await;
    let ran = place.run(&["keys", "status"]).await;
    let table = "KEY      ROWS  STATE\nk2          5  seals\nk1          2  opens\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), table, ""));
    let expected = json!({
        "keys": [
            {"id": "k2", "first": true, "rows": 5, "inRing": true},
            {"id": "k1", "first": false, "rows": 2, "inRing": true},
        ],
        "rows": 7, "rowsOnOtherKeys": 2,
    });
    assert_eq!(place.status().await, expected);
    place.file.replace(&line("k2", 2));
    let ran = place.run(&["keys", "status"]).await;
    assert_eq!(ran.code, REFUSED);
    assert!(ran.out.ends_with("k1          2  MISSING\n"), "{ran:?}");
    assert!(ran.err.contains("2 rows need k1, which is missing"), "{ran:?}");
}

/// Before the service refuses to start with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_opens_nothing_is_found_by_status_and_by_config_check() {
    let place = Place::on(Engine::Sqlite, &line("k1", 1), 2).await;
    let check = ["config", "check"];
    let ran = place.run(&check).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // One that is new to the database is no fault, and gets no row here.
    place.file.replace(&(line("k2", 2) + &line("k1", 1)));
    assert_eq!(place.run(&check).await.code, Some(0));
    assert_eq!(place.database.query("select key_id from key_canaries").await.len(), 1);

    place.file.replace(&line("k1", 9));
    let ran = place.run(&check).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    let said = "key k1 is not the key k1 that this database was used with, needed by 2 rows";
    assert!(ran.err.starts_with("error: encryption.keys_file") && ran.err.contains(said), "{ran:?}");
    let ran = place.run(&["keys", "status"]).await;
    assert_eq!(ran.code, REFUSED, "{ran:?}");
    assert!(ran.out.ends_with("k1          2  WRONG KEY\n"), "{ran:?}");
    assert!(ran.err.contains("2 rows need k1, and the key of this name opens none of them"), "{ran:?}");
    place.file.replace(&line("k2", 2));
    let ran = place.run(&check).await;
    assert!(ran.code == Some(2) && ran.err.contains("key k1 needed by 2 rows"), "{ran:?}");
}
