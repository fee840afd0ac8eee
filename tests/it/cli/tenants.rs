//! `transports tenants summary` and `ls`: which tenants are listed, in pages, and how it is printed.

mod groups;
mod paging;
mod plans;
mod printed;

use transports::clock::Timestamp;
use transports::egress::Host;
use transports::email_config::{
    BasicAuth, EmailConfig, Health, HealthState, Microsoft365, Settings, Version,
};
use transports::id::TenantId;
use transports::mail::address::EmailAddress;
use transports::secret::Sealed;
use transports::smtp::Security;
use transports::store::{Db, Write, WriteOutcome, email_configs, key_canaries};

use crate::support::database::Database;

fn basic(host: &str, username: Option<&str>) -> BasicAuth {
    BasicAuth {
        server_address: Some(Host::parse(host).expect("a host")),
        server_port: Some(587),
        security: Some(Security::StartTls),
        username: username.map(str::to_owned),
        email_address: Some(EmailAddress::parse("ada.lovelace@example.com").expect("an address")),
        sender_name: None,
    }
}

fn microsoft365() -> Settings {
    Settings::Microsoft365(Microsoft365 {
        client_id: "3fa85f64-5717-4562-b3fc-2c963f66afa6".to_owned(),
        provider_tenant: "contoso.example".to_owned(),
        email_address: EmailAddress::parse("grace.hopper@contoso.example").expect("an address"),
    })
}

fn healthy() -> Health {
    Health {
        state: HealthState::Ok,
        auth_failures: 0,
        diagnosis_code: None,
        reason: None,
        failed_stage: None,
    }
}

fn failed(state: HealthState, code: &str) -> Health {
    let auth_failures = i64::from(state == HealthState::InvalidCredentials);
    Health {
        state,
        auth_failures,
        diagnosis_code: Some(code.to_owned()),
        reason: Some("Why.".to_owned()),
        failed_stage: None,
    }
}

fn config(settings: Settings, has_secret: bool, health: Health) -> EmailConfig {
    EmailConfig {
        settings,
        secret: has_secret.then(|| Sealed {
            key_id: "test".to_owned(),
            wrapped_key: vec![1, 2, 3],
            payload: vec![4, 5, 6],
        }),
        health,
        version: Version { config: "v1".to_owned(), health: 0 },
        last_check: None,
        modified_at: Timestamp(1_767_225_600_001),
        updated_at: Timestamp(1_767_312_000_002),
    }
}

/// Signs in with a password at an SMTP server that is none of Microsoft's.
fn ordinary(health: Health) -> EmailConfig {
    config(Settings::BasicAuth(basic("smtp.example.com", Some("ada"))), true, health)
}

fn tenant(name: &str) -> TenantId {
    TenantId::from_operator(name)
}

/// An empty database with the key that rows are sealed with.
async fn opened(database: &Database) -> Db {
    let db = database.open().await;
    let canary = Sealed { key_id: "test".to_owned(), wrapped_key: vec![], payload: vec![] };
    assert_eq!(
        db.write(Write::default().then(key_canaries::insert(&canary, Timestamp(0)))).await.unwrap(),
        WriteOutcome::Committed
    );
    db
}

async fn insert(db: &Db, rows: &[(String, EmailConfig)]) {
    let write = rows.iter().fold(Write::default(), |write, (name, config)| {
        write.then(email_configs::insert(&tenant(name), config))
    });
    assert_eq!(db.write(write).await.unwrap(), WriteOutcome::Committed);
}
