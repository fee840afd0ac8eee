//! Tenants as a platform may have them, their secrets sealed like any other.

use transports::address::EmailAddress;
use transports::clock::Timestamp;
use transports::egress::Host;
use transports::email_config::{
    BasicAuth, EmailConfig, Health, HealthState, Microsoft365, Settings, Version, canonical,
};
use transports::id::TenantId;
use transports::secret::Secret;
use transports::smtp::Security;
use transports::store::{Write, WriteOutcome, email_configs};
use transports::vault::{Binding, Keys};

use crate::figures::Random;
use crate::place::{Engine, Place};

/// Rows that are written in one transaction.
const TOGETHER: usize = 1_000;

const CODES: [&str; 6] =
    ["DNS_NOT_FOUND", "CONNECT_REFUSED", "CONNECT_TIMEOUT", "TLS_EXPIRED", "SENDER_REFUSED", "RELAY_DENIED"];

/// A UUID that looks random, so that neighbours in number are none in the table.
pub fn tenant(number: usize) -> String {
    let mut random = Random(number as u64);
    let bits = u128::from(random.next()) << 64 | u128::from(random.next());
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
}

pub async fn fill(place: &Place) {
    let (db, keys) = place.open().await;
    let mut number = 0;
    while number < place.size {
        let mut write = Write::default();
        for _ in 0..TOGETHER.min(place.size - number) {
            let id = TenantId::from_operator(&tenant(number));
            write = write.then(email_configs::insert(&id, &configuration(number, &id, &keys).await));
            number += 1;
        }
        assert_eq!(db.write(write).await.expect("writes"), WriteOutcome::Committed);
        if number % 50_000 == 0 {
            eprintln!("filling {}: {number} of {} tenants", place.engine.name(), place.size);
        }
    }
    db.close().await;
    let tidy = if place.engine == Engine::Sqlite {
        "analyze; pragma wal_checkpoint(truncate)"
    } else {
        "vacuum analyze"
    };
    place.execute(tidy).await;
}

async fn configuration(number: usize, id: &TenantId, keys: &Keys) -> EmailConfig {
    let settings = settings(number);
    let secret = Secret::new(format!("the password of number {number}"));
    let destination = canonical(&settings);
    let binding = Binding { tenant: id, field: settings.secret_field(), destination: &destination };
    EmailConfig {
        secret: Some(keys.seal(&secret, &binding).await.expect("seals")),
        settings,
        health: health(number),
        version: Version { config: format!("{number:032x}"), health: 0 },
        modified_at: Timestamp(1_767_225_600_000),
        updated_at: Timestamp(1_767_225_600_000),
    }
}

/// One in twelve uses Microsoft 365 with an app, one in eight with a password; one in twenty is not complete.
fn settings(number: usize) -> Settings {
    let address = EmailAddress::parse(&format!("notifications@customer-{number}.example")).ok();
    if number % 12 == 1 {
        return Settings::Microsoft365(Microsoft365 {
            client_id: tenant(number + 1),
            provider_tenant: tenant(number + 2),
            email_address: address.expect("an address"),
        });
    }
    let host = if number % 8 == 3 {
        "smtp.office365.com".to_owned()
    } else {
        format!("smtp-{}.example", number % 5_000)
    };
    Settings::BasicAuth(BasicAuth {
        server_address: Host::parse(&host).ok(),
        server_port: (number % 20 != 5).then_some(587),
        security: Some(Security::StartTls),
        username: Some(format!("notifications@customer-{number}.example")),
        email_address: address,
        sender_name: None,
    })
}

/// One in thirty has refused credentials, one in fifty another error.
fn health(number: usize) -> Health {
    let (state, code, auth_failures) = match number {
        _ if number % 30 == 7 => (HealthState::InvalidCredentials, "AUTH_REFUSED", 2),
        _ if number % 50 == 9 => (HealthState::ProviderError, CODES[number / 50 % CODES.len()], 0),
        _ => return Health::unknown(),
    };
    let reason = Some("The server says that this cannot be done.".to_owned());
    Health { state, auth_failures, diagnosis_code: Some(code.to_owned()), reason }
}
