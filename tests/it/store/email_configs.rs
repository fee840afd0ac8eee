//! The table of configurations, the audit beside it, and a row that was edited by hand.

mod secrets;

use transports::clock::Timestamp;
use transports::config::{Config, Encryption};
use transports::egress::Host;
use transports::email_config::{
    BasicAuth, CheckOutcome, EmailConfig, Health, HealthState, Settings, Version,
};
use transports::id::{TenantId, TraceId, UserId};
use transports::mail::address::EmailAddress;
use transports::mail::message::HeaderText;
use transports::mail::transcript::Stage;
use transports::secret::{Sealed, Secret};
use transports::smtp::Security;
use transports::store::tenant_list::{Filter, Group, Listing};
use transports::store::{
    Db, DbError, Statement, Write, WriteOutcome, audit, email_configs, key_canaries, sealed_rows,
};
use transports::vault::{Binding, Keys, VaultError};
use uuid::Uuid;

use crate::support::app::encryption_key;
use crate::support::database::{Database, Engine};
use crate::support::leaks;

fn tenant(name: &str) -> TenantId {
    TenantId::from_operator(name)
}

fn sealed() -> Sealed {
    Sealed { key_id: "k1".to_owned(), wrapped_key: vec![0, 1, 255], payload: vec![] }
}

fn filled() -> EmailConfig {
    EmailConfig {
        settings: Settings::BasicAuth(BasicAuth {
            server_address: Some(Host::parse("smtp.example.com").unwrap()),
            server_port: Some(65535),
            security: Some(Security::StartTls),
            username: Some("anna'; drop table email_configs; --".to_owned()),
            email_address: Some(EmailAddress::parse("anna@example.com").unwrap()),
            sender_name: Some(HeaderText::parse("Ánna \"$1\"").unwrap()),
        }),
        secret: Some(sealed()),
        health: Health {
            state: HealthState::InvalidCredentials,
            auth_failures: 2,
            diagnosis_code: Some("SIGN_IN_REFUSED".to_owned()),
            reason: Some("The server refuses user name and password.".to_owned()),
            failed_stage: None,
        },
        version: Version { config: "v1".to_owned(), health: 7 },
        last_check: None,
        modified_at: Timestamp(1_767_225_600_001),
        updated_at: Timestamp(1_767_225_600_002),
    }
}

fn empty() -> EmailConfig {
    EmailConfig {
        settings: Settings::BasicAuth(BasicAuth::default()),
        secret: None,
        health: Health::unknown(),
        version: Version { config: "v2".to_owned(), health: 0 },
        last_check: None,
        modified_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}

/// The database, with keys that rows may be sealed with.
async fn opened(database: &Database) -> Db {
    let db = database.open().await;
    for key in ["test", "k1", "k2", "a", "b", "B", "k-1", "k_1"] {
        let canary = Sealed { key_id: key.to_owned(), ..sealed() };
        let _ = write(&db, key_canaries::insert(&canary, Timestamp(0))).await;
    }
    db
}

async fn write(db: &Db, statement: Statement) -> WriteOutcome {
    db.write(Write::default().then(statement)).await.unwrap()
}

/// The group that a tenant is listed in.
async fn group(db: &Db, tenant: &TenantId) -> Group {
    let mut listing = Listing::new(db, &Filter::default(), "").await.unwrap();
    loop {
        let listed = listing.next(db).await.unwrap().expect("the tenant has a configuration");
        if listed.tenant == tenant.as_str() {
            return listed.group;
        }
    }
}

#[tokio::test]
async fn a_row_comes_back_as_it_was_written() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let (a, b) = (tenant("a"), tenant("b"));
        assert_eq!(email_configs::find(&db, &a).await.unwrap(), None);
        assert_eq!(write(&db, email_configs::insert(&a, &filled())).await, WriteOutcome::Committed);
        assert_eq!(write(&db, email_configs::insert(&b, &empty())).await, WriteOutcome::Committed);
        assert_eq!(email_configs::find(&db, &a).await.unwrap(), Some(filled()), "{engine:?}");
        assert_eq!(email_configs::find(&db, &b).await.unwrap(), Some(empty()), "{engine:?}");
        assert_eq!(group(&db, &a).await, Group::from(&filled()), "{engine:?}");
        // And each over the other.
        assert_eq!(write(&db, email_configs::update(&a, "v1", &empty())).await, WriteOutcome::Committed);
        assert_eq!(write(&db, email_configs::update(&b, "v2", &filled())).await, WriteOutcome::Committed);
        assert_eq!(email_configs::find(&db, &a).await.unwrap(), Some(empty()), "{engine:?}");
        assert_eq!(email_configs::find(&db, &b).await.unwrap(), Some(filled()), "{engine:?}");
        assert_eq!(group(&db, &a).await, Group::from(&empty()), "{engine:?}");
        assert_eq!(group(&db, &b).await, Group::from(&filled()), "{engine:?}");
    }
}

#[tokio::test]
async fn every_kind_of_protection_and_health_comes_back() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let states = [HealthState::Ok, HealthState::InvalidCredentials, HealthState::ProviderError];
        for (index, (security, state)) in Security::ALL.into_iter().zip(states).enumerate() {
            let tenant = tenant(&index.to_string());
            let basic = BasicAuth { security: Some(security), ..BasicAuth::default() };
            let health = Health { state, ..Health::unknown() };
            let config = EmailConfig { settings: Settings::BasicAuth(basic), health, ..empty() };
            let _ = write(&db, email_configs::insert(&tenant, &config)).await;
            assert_eq!(email_configs::find(&db, &tenant).await.unwrap(), Some(config), "{engine:?}");
        }
    }
}

#[tokio::test]
async fn a_row_is_changed_only_in_the_version_that_was_read() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let a = tenant("a");
        let _ = write(&db, email_configs::insert(&a, &empty())).await;
        let missing = WriteOutcome::NoRowsAffected;
        assert_eq!(write(&db, email_configs::insert(&a, &filled())).await, missing, "{engine:?}");
        assert_eq!(write(&db, email_configs::update(&a, "v1", &filled())).await, missing, "{engine:?}");
        assert_eq!(write(&db, email_configs::delete(&a, "v1")).await, missing, "{engine:?}");
        assert_eq!(email_configs::find(&db, &a).await.unwrap(), Some(empty()), "{engine:?}");
        assert_eq!(write(&db, email_configs::delete(&a, "v2")).await, WriteOutcome::Committed);
        assert_eq!(write(&db, email_configs::delete(&a, "v2")).await, missing, "{engine:?}");
        assert_eq!(email_configs::find(&db, &a).await.unwrap(), None, "{engine:?}");
    }
}

/// Security case F16.
#[tokio::test]
async fn tenants_are_told_apart_by_their_exact_bytes() {
    let names = ["a", "A", "a ", " a", "a/b", "%61", "é", "e\u{301}", "a%", "_", "'"];
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        for name in names {
            let version = Version { config: name.to_owned(), health: 0 };
            let config = EmailConfig { version, ..empty() };
            let outcome = write(&db, email_configs::insert(&tenant(name), &config)).await;
            assert_eq!(outcome, WriteOutcome::Committed, "{engine:?} {name:?}");
        }
        for name in names {
            let found = email_configs::find(&db, &tenant(name)).await.unwrap().unwrap();
            assert_eq!(found.version.config, name, "{engine:?}");
        }
        // Whatever is done to one of them leaves the others.
        let _ = write(&db, email_configs::delete(&tenant("a"), "a")).await;
        let left = database.query("select count(*) from email_configs").await;
        assert_eq!(left, [[Some((names.len() - 1).to_string())]], "{engine:?}");
    }
}

fn outcomes() -> Vec<CheckOutcome> {
    let text = |text: &str| text.to_owned();
    let mut outcomes = vec![CheckOutcome::Success, CheckOutcome::Nothing];
    for (diagnosis_code, reason) in [("A", "One."), ("A", "Two."), ("B", "One.")] {
        let (diagnosis_code, reason) = (text(diagnosis_code), text(reason));
        outcomes.push(CheckOutcome::ProviderError {
            diagnosis_code: diagnosis_code.clone(),
            reason: reason.clone(),
            stage: Stage::Data,
        });
        outcomes.push(CheckOutcome::CredentialsRefused { diagnosis_code, reason });
    }
    outcomes
}

#[tokio::test]
async fn a_check_is_recorded_as_the_pure_function_says() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let (a, now) = (tenant("a"), Timestamp(99));
        let complete = EmailConfig { version: empty().version, ..filled() };
        for first in outcomes() {
            for second in outcomes() {
                let health = Health { auth_failures: 3, ..Health::unknown() };
                let health = health.after_check(&first).unwrap_or(health);
                let before = EmailConfig { health, ..complete.clone() };
                let _ = write(&db, email_configs::insert(&a, &before)).await;
                if let Some(statement) = email_configs::record_check(&a, &before, &second, now) {
                    assert_eq!(write(&db, statement).await, WriteOutcome::Committed);
                }
                let expected = match before.health.after_check(&second) {
                    None => before.clone(),
                    Some(health) => EmailConfig {
                        health,
                        version: Version { health: before.version.health + 1, ..before.version.clone() },
                        updated_at: now,
                        ..before.clone()
                    },
                };
                let found = email_configs::find(&db, &a).await.unwrap().unwrap();
                assert_eq!(found, expected, "{engine:?}: {first:?}, then {second:?}");
                assert_eq!(group(&db, &a).await, Group::from(&expected), "{engine:?}: {first:?}, {second:?}");
                let _ = write(&db, email_configs::delete(&a, "v2")).await;
            }
        }
    }
}

#[tokio::test]
async fn a_check_outcome_after_a_change_is_discarded() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let (a, b) = (tenant("a"), tenant("b"));
        let _ = write(&db, email_configs::insert(&a, &empty())).await;
        for outcome in outcomes() {
            for (tenant, version) in [(&a, "v1"), (&a, ""), (&b, "v2")] {
                let version = Version { config: version.to_owned(), health: 0 };
                let checked = EmailConfig { version, ..empty() };
                if let Some(statement) = email_configs::record_check(tenant, &checked, &outcome, Timestamp(9))
                {
                    // The audit row of the check is written all the same.
                    assert_eq!(write(&db, statement).await, WriteOutcome::Committed);
                }
            }
        }
        assert_eq!(email_configs::find(&db, &a).await.unwrap(), Some(empty()), "{engine:?}");
        assert_eq!(email_configs::find(&db, &b).await.unwrap(), None, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refusals_at_the_same_time_are_all_counted() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let a = tenant("a");
        let _ = write(&db, email_configs::insert(&a, &empty())).await;
        let refused =
            CheckOutcome::CredentialsRefused { diagnosis_code: "A".to_owned(), reason: "One.".to_owned() };
        let checks: Vec<_> = (0..50)
            .map(|_| {
                let (db, statement) =
                    (db.clone(), email_configs::record_check(&a, &empty(), &refused, Timestamp(9)));
                tokio::spawn(async move { write(&db, statement.unwrap()).await })
            })
            .collect();
        for check in checks {
            assert_eq!(check.await.unwrap(), WriteOutcome::Committed);
        }
        let found = email_configs::find(&db, &a).await.unwrap().unwrap();
        assert_eq!((found.health.auth_failures, found.version.health), (50, 50), "{engine:?}");
    }
}

#[tokio::test]
async fn a_row_that_was_edited_into_nonsense_is_a_fault_and_shows_no_value() {
    let edits = [
        "server_port = 70000",
        "server_port = -1",
        "security_type = 'hunter2'",
        "health_state = 'hunter2'",
        "provider = 'hunter2'",
        "secret_payload = null",
        "server_address = 'hunter2 hunter2'",
        "email_address = 'hunter2'",
    ];
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let a = tenant("a");
        let _ = write(&db, email_configs::insert(&a, &filled())).await;
        for edit in edits {
            database.execute(&format!("update email_configs set {edit}")).await;
            let error = email_configs::find(&db, &a).await.unwrap_err();
            assert!(
                matches!(&error, DbError::Statement(text) if !text.contains("hunter2")),
                "{engine:?} {edit}: {error:?}"
            );
            let _ = write(&db, email_configs::update(&a, "v1", &filled())).await;
        }
    }
}

fn entry(at: i64) -> audit::Entry {
    audit::Entry {
        user_name: None,
        at: Timestamp(at),
        user: UserId("user-1".into()),
        action: "patch",
        outcome: "OK",
        changed: vec!["serverAddress", "emailPassword"],
        trace_id: TraceId::random(),
        remote: Some("192.0.2.7".parse().expect("an address")),
        recipient: None,
        api_key: None,
    }
}

/// Security case I9.
#[tokio::test]
async fn an_audit_row_stands_with_its_change_or_neither_does() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let (a, entry) = (tenant("a"), entry(5));
        let change = |version: &str| {
            let change = email_configs::update(&a, version, &filled());
            Write::default().then(change).then(audit::insert(&a, Uuid::now_v7(), &entry))
        };
        let _ = write(&db, email_configs::insert(&a, &empty())).await;
        assert_eq!(db.write(change("v9")).await.unwrap(), WriteOutcome::NoRowsAffected);
        assert!(database.query("select * from audit").await.is_empty(), "{engine:?}");
        assert_eq!(db.write(change("v2")).await.unwrap(), WriteOutcome::Committed);
        let columns = "tenant_id, at, user_id, action, outcome, changed, trace_id, remote_address";
        let rows = database.query(&format!("select {columns} from audit")).await;
        let trace_id = entry.trace_id.to_string();
        let changed = "serverAddress,emailPassword";
        let expected = ["a", "5", "user-1", "patch", "OK", changed, trace_id.as_str(), "192.0.2.7"];
        assert_eq!(rows, [expected.map(|text| Some(text.to_owned()))], "{engine:?}");

        database.execute("drop table audit").await;
        let _ = write(&db, email_configs::update(&a, "v1", &empty())).await;
        assert!(db.write(change("v2")).await.is_err(), "{engine:?}");
        assert_eq!(email_configs::find(&db, &a).await.unwrap(), Some(empty()), "{engine:?}");
    }
}

#[tokio::test]
async fn the_audit_outlives_its_configuration_until_the_retention_ends() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let a = tenant("a");
        let _ = write(&db, email_configs::insert(&a, &empty())).await;
        for at in [1, 2, 3, 4] {
            let _ = write(&db, audit::insert(&tenant(&at.to_string()), Uuid::now_v7(), &entry(at))).await;
        }
        let _ = write(&db, email_configs::delete(&a, "v2")).await;
        let remove = || audit::remove_older_than(Timestamp(3), 1, Timestamp(9));
        for expected in [WriteOutcome::Committed, WriteOutcome::Committed, WriteOutcome::NoRowsAffected] {
            assert_eq!(db.write(remove()).await.unwrap(), expected, "{engine:?}: one at a time");
        }
        let left = database.query("select at from audit order by at").await;
        assert_eq!(left, [[Some("3".to_owned())], [Some("4".to_owned())]], "{engine:?}");
    }
}
