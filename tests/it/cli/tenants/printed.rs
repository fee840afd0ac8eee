//! The commands as an operator runs them: output, exit codes, and what must not be shown.

use serde_json::{Value, json};
use transports::egress::Host;
use transports::email_config::{EmailConfig, HealthState, Settings};

use super::{basic, config, failed, healthy, insert, microsoft365, opened, ordinary};
use crate::support::app::TestApp;
use crate::support::database::{Database, Engine};
use crate::support::process::{run, variables};

/// Without keys, tokens' keys and whatever else it takes to serve.
fn settings(database: &Database) -> Vec<(String, String)> {
    variables(database).into_iter().filter(|(name, _)| name.contains("DATABASE")).collect()
}

fn tenants(database: &Database, arguments: &[&str]) -> (Option<i32>, String, String) {
    run(&[&["tenants"], arguments].concat(), &settings(database))
}

/// One of each kind, and names that are meant to do harm.
fn rows() -> Vec<(String, EmailConfig)> {
    let mut ipv6 = basic("smtp.example.com", None);
    ipv6.server_address = Some(Host::parse("2001:db8::25").expect("an address"));
    let mut named = basic("smtp.example.com", None);
    named.username = Some("=mallory".to_owned());
    let row = |name: &str, config: EmailConfig| (name.to_owned(), config);
    vec![
        row("acme", ordinary(healthy())),
        row("app", config(microsoft365(), true, healthy())),
        row("busy", ordinary(failed(HealthState::InvalidCredentials, "AUTH_REJECTED"))),
        row("dark", ordinary(failed(HealthState::ProviderError, "DNS_NOT_FOUND"))),
        row(
            "empty",
            config(Settings::BasicAuth(transports::email_config::BasicAuth::default()), false, healthy()),
        ),
        row("old", config(Settings::BasicAuth(basic("smtp.office365.com", Some("ada"))), true, healthy())),
        row("six", config(Settings::BasicAuth(ipv6), false, healthy())),
        row("=HYPERLINK(\"http://evil.example\")", ordinary(healthy())),
        row("-2+3+cmd|' /C calc'!A0", ordinary(healthy())),
        row("@SUM(1)", config(Settings::BasicAuth(named), true, healthy())),
        row("a, \"quoted\" name", ordinary(healthy())),
        row("a\nline\u{1b}[2J\u{202e}", ordinary(healthy())),
        row("Grüße, it's us", ordinary(healthy())),
    ]
}

async fn filled(engine: Engine) -> Database {
    let database = Database::create(engine).await;
    let db = opened(&database).await;
    insert(&db, &rows()).await;
    db.close().await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_match_their_snapshots_on_every_engine() {
    for engine in Engine::all() {
        let database = filled(engine).await;
        for (name, arguments) in [
            ("ls_table", &["ls"][..]),
            ("ls_json", &["ls", "--format", "json"]),
            ("ls_csv", &["ls", "--format", "csv"]),
            ("summary_table", &["summary"]),
            ("summary_json", &["summary", "--format", "json"]),
            ("summary_csv", &["summary", "--format", "csv"]),
        ] {
            let (code, out, err) = tenants(&database, arguments);
            assert_eq!((code, err.as_str()), (Some(0), ""), "{engine:?}: {name}");
            insta::assert_snapshot!(format!("tenants_{name}"), out);
            for private in ["ada", "lovelace", "grace", "mallory"] {
                assert!(!out.contains(private), "{name} shows {private}: {out}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_csv_hold_the_same_rows_and_parse() {
    let database = filled(Engine::chosen()).await;
    let (_, out, _) = tenants(&database, &["ls", "--all", "--format", "json"]);
    let document: Value = serde_json::from_str(&out).expect("JSON");
    let (_, out, _) = tenants(&database, &["ls", "--all", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let names = reader.headers().expect("names").clone();
    let records: Vec<_> = reader.records().collect::<Result<_, _>>().expect("CSV");
    let from_json = document["tenants"].as_array().expect("an array");
    assert_eq!((records.len(), from_json.len()), (rows().len(), rows().len()));
    for (record, tenant) in records.iter().zip(from_json) {
        for (name, cell) in names.iter().zip(record) {
            let cell = cell.strip_prefix('\'').unwrap_or(cell);
            let value = match &tenant[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cell, value, "{name}");
        }
    }
    let known = from_json.iter().map(|tenant| tenant["tenantId"].as_str().expect("text").to_owned());
    let mut expected: Vec<String> = rows().into_iter().map(|(name, _)| name).collect();
    expected.sort();
    assert_eq!(known.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_in_every_format() {
    let database = filled(Engine::chosen()).await;
    let mut names: Vec<String> = rows().into_iter().map(|(name, _)| name).collect();
    names.sort();
    let (mut found, mut after) = (Vec::new(), String::new());
    for page in 0.. {
        let next = format!("--after={after}");
        let (code, out, err) = tenants(&database, &["ls", "--limit", "4", &next, "--format", "json"]);
        assert_eq!(code, Some(0), "{err}");
        let document: Value = serde_json::from_str(&out).expect("JSON");
        for tenant in document["tenants"].as_array().expect("an array") {
            found.push(tenant["tenantId"].as_str().expect("text").to_owned());
        }
        let Some(more) = document["after"].as_str() else {
            assert_eq!((page, err.as_str()), (3, ""), "the last page says nothing of another");
            break;
        };
        assert!(err.starts_with("There are more: continue with --after="), "{err}");
        more.clone_into(&mut after);
    }
    assert_eq!(found, names);
    // As many as there are: no further page, and no empty one.
    let limit = names.len().to_string();
    for format in ["table", "csv", "json"] {
        let (code, out, err) = tenants(&database, &["ls", "--limit", &limit, "--format", format]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    }
    let (_, out, err) = tenants(&database, &["ls", "--limit", "2", "--format", "csv"]);
    assert_eq!((out.matches("\r\n").count(), err.lines().count()), (3, 1), "{out}");
    let (_, out, err) = tenants(&database, &["ls", "--after", "zzz"]);
    assert_eq!((out.as_str(), err.as_str()), ("", "No tenant matches.\n"));
    let empty = Database::create(Engine::chosen()).await;
    opened(&empty).await.close().await;
    let (_, out, err) = tenants(&empty, &["ls"]);
    assert_eq!((out.as_str(), err.as_str()), ("", "No tenant has a configuration.\n"));
    let (_, _, err) = tenants(&empty, &["ls", "--state", "ok"]);
    assert_eq!(err, "No tenant matches.\n");
    let (_, out, _) = tenants(&database, &["ls", "--after", "zzz", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), json!({"tenants": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_accept_lists_and_any_letter_case() {
    let database = filled(Engine::chosen()).await;
    let listed = |arguments: &[&str]| {
        let (code, out, err) = tenants(&database, &[&["ls", "--format", "json"], arguments].concat());
        assert_eq!(code, Some(0), "{err}");
        let document: Value = serde_json::from_str(&out).expect("JSON");
        let tenants = document["tenants"].as_array().expect("an array").clone();
        tenants.iter().map(|tenant| tenant["tenantId"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["--state", "INVALID_CREDENTIALS"]), ["busy"]);
    assert_eq!(listed(&["--state", "invalid_credentials,provider_error"]), ["busy", "dark"]);
    assert_eq!(listed(&["--state", "INVALID_CREDENTIALS", "--state", "PROVIDER_ERROR"]), ["busy", "dark"]);
    assert_eq!(listed(&["--state", "incomplete_config"]), ["empty"]);
    assert_eq!(listed(&["--provider", "microsoft365"]), ["app"]);
    assert_eq!(listed(&["--code", "dns_not_found"]), ["dark"]);
    assert_eq!(listed(&["--password-at-microsoft365"]), ["old"]);
    assert!(listed(&["--provider", "Microsoft365", "--password-at-microsoft365"]).is_empty());
    let (_, out, _) = tenants(&database, &["summary", "--format", "json", "--provider", "Microsoft365"]);
    let expected = json!({"tenants": 1, "errorCodes": {"OK": 1}, "serviceProviders": {"Microsoft365": 1},
        "diagnosisCodes": {}, "passwordAtMicrosoft365": 0});
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_exits_with_2_and_lists_the_values() {
    let database = filled(Engine::chosen()).await;
    for (arguments, expected) in [
        (&["ls", "--state", "BROKEN"][..], "[possible values: OK, INCOMPLETE_CONFIG"),
        (&["ls", "--provider", "Gmail"], "[possible values: BasicAuth, Microsoft365]"),
        (&["ls", "--code", "DNS_NOT_FUOND"], "the nearest is DNS_NOT_FOUND, and docs/diagnosis.md lists all"),
        (&["ls", "--limit", "0"], "write a whole number from 1 to 10000"),
        (&["ls", "--limit", "10001"], "write a whole number from 1 to 10000"),
        (&["ls", "--limit", "5", "--all"], "cannot be used with"),
        (&["ls", "--format", "xml"], "[possible values: table, json, csv]"),
        (&["summary", "--format", "xml"], "[possible values: table, json, csv]"),
    ] {
        let (code, out, err) = tenants(&database, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_database_is_an_error_and_not_created() {
    let database = Database::create(Engine::Sqlite).await;
    for command in ["ls", "summary"] {
        let (code, out, err) = tenants(&database, &[command]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains("database.url: there is no file"), "{err}");
        assert!(!database.file().exists());
    }
    let unreachable =
        vec![("TRANSPORTS_DATABASE__URL".to_owned(), "postgres://anna:hunter2@127.0.0.1:1/mail".to_owned())];
    let (code, out, err) = run(&["tenants", "ls"], &unreachable);
    assert!(code == Some(1) && out.is_empty() && !err.contains("hunter2"), "{err}");
    assert!(err.starts_with("error: opening the database: database.url: "), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_works_while_the_service_runs() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let list = || {
        let (code, out, err) = tenants(&app.database, &["ls", "--format", "json"]);
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str::<Value>(&out).expect("JSON")["tenants"].clone()
    };
    assert_eq!(list(), json!([]));
    admin.patch(&json!({"serverAddress": "smtp.live.com", "username": "ada"})).await.expect(204);
    let listed = list();
    assert_eq!(listed[0]["tenantId"], "acme");
    assert_eq!(listed[0]["errorCode"], admin.config().await["errorCode"]);
    assert_eq!(listed[0]["passwordAtMicrosoft365"], true);
    admin.delete().await.expect(204);
    assert_eq!(list(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_of_postgresql_is_an_error_and_stays_empty() {
    let Some(engine) = Engine::postgres() else { return };
    let database = Database::create(engine).await;
    for arguments in [
        &["tenants", "ls"][..],
        &["queue", "summary"],
        &["queue", "ls"],
        &["api-keys", "ls", "--platform"],
        &["keys", "status"],
    ] {
        let (code, out, err) = run(arguments, &variables(&database));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}: {err}");
        assert!(
            err.contains("this database has no tables of the service\n  hint: start the service once"),
            "{err}"
        );
    }
    let tables = database.query("select tablename::text from pg_tables where schemaname = 'public'").await;
    assert!(tables.is_empty(), "{tables:?}");
    drop(database.open().await);
    assert_eq!(run(&["tenants", "ls"], &variables(&database)).0, Some(0), "the service has made them");
}
