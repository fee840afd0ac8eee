//! Tenants as a platform may have them, their secrets sealed like any other.

use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use transports::clock::Timestamp;
use transports::egress::Host;
use transports::email_config::{
    BasicAuth, EmailConfig, Health, HealthState, Microsoft365, Settings, Version,
};
use transports::id::TenantId;
use transports::mail::address::EmailAddress;
use transports::secret::Secret;
use transports::smtp::Security;
use transports::store::{Statement, Value, Write, WriteOutcome, email_configs};
use transports::vault::{Binding, Keys};

use crate::figures::Random;
use crate::place::{Engine, Place, connect};

/// Rows that are written in one transaction.
const TOGETHER: usize = 500;

const CODES: [&str; 20] = [
    "DNS_NOT_FOUND",
    "CONNECT_REFUSED",
    "CONNECT_TIMEOUT",
    "TLS_CERT_EXPIRED",
    "TLS_CERT_NAME",
    "TLS_CERT_UNTRUSTED",
    "STARTTLS_MISSING",
    "SENDER_NOT_OWNED",
    "RELAY_DENIED",
    "CONNECTION_LOST",
    "REPLY_TIMEOUT",
    "NOT_SMTP",
    "PORT_BLOCKED",
    "ENTRA_SECRET_EXPIRED",
    "ENTRA_CONSENT_MISSING",
    "GRAPH_SEND_AS_DENIED",
    "GRAPH_PERMISSION_MISSING",
    "QUOTA_DAILY",
    "CONTENT_REJECTED",
    "GREETING_REFUSED",
];

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
        let mut rows = Vec::new();
        for _ in 0..TOGETHER.min(place.size - number) {
            let id = TenantId::from_operator(&tenant(number));
            rows.push(email_configs::insert(&id, &configuration(number, &id, &keys).await));
            number += 1;
        }
        match place.engine {
            Engine::Sqlite => {
                let write = rows.into_iter().fold(Write::default(), Write::then);
                assert_eq!(db.write(write).await.expect("writes"), WriteOutcome::Committed);
            }
            // Each row of a transaction would cost a round trip.
            Engine::Postgres => copy(&connect(&place.url).await, &rows).await,
        }
        if number % 50_000 == 0 {
            eprintln!("filling {}: {number} of {} tenants", place.engine.name(), place.size);
        }
    }
    db.close().await;
    let tidy = match place.engine {
        Engine::Sqlite => "pragma wal_checkpoint(truncate)",
        Engine::Postgres => "vacuum analyze",
    };
    place.execute(tidy).await;
}

/// Writes the rows of these statements by COPY.
async fn copy(client: &tokio_postgres::Client, rows: &[Statement]) {
    let Some(first) = rows.first() else { return };
    let columns = first.text.split(['(', ')']).nth(1).expect("insert into TABLE (COLUMNS)");
    let shape = client.prepare(&format!("select {columns} from email_configs")).await.expect("a shape");
    let types: Vec<Type> = shape.columns().iter().map(|column| column.type_().clone()).collect();
    let sink =
        client.copy_in(&format!("copy email_configs ({columns}) from stdin binary")).await.expect("COPY");
    let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &types));
    for row in rows {
        let values: Vec<Box<dyn ToSql + Sync>> = row.values.iter().zip(&types).map(value).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(AsRef::as_ref).collect();
        writer.as_mut().write(&values).await.expect("COPY takes a row");
    }
    writer.finish().await.expect("COPY ends");
}

fn value((value, of): (&Value, &Type)) -> Box<dyn ToSql + Sync> {
    match value {
        Value::Null if *of == Type::BYTEA => Box::new(None::<Vec<u8>>),
        Value::Null if *of == Type::INT8 => Box::new(None::<i64>),
        Value::Null => Box::new(None::<String>),
        Value::Text(text) => Box::new(text.clone()),
        Value::Integer(number) => Box::new(*number),
        Value::Boolean(truth) => Box::new(*truth),
        Value::Bytes(bytes) => Box::new(bytes.clone()),
    }
}

async fn configuration(number: usize, id: &TenantId, keys: &Keys) -> EmailConfig {
    let settings = settings(number);
    let secret = Secret::new(format!("the password of number {number}"));
    let destination = settings.destination();
    let binding = Binding { tenant: id, field: settings.secret_field(), destination: &destination };
    EmailConfig {
        secret: Some(keys.seal(&secret, &binding).await.expect("seals")),
        settings,
        health: health(number),
        version: Version { config: format!("{number:032x}"), health: 0 },
        last_check: None,
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
        _ if number % 30 == 7 => (HealthState::InvalidCredentials, "AUTH_REJECTED", 2),
        _ if number % 50 == 9 => (HealthState::ProviderError, CODES[number / 50 % CODES.len()], 0),
        _ => return Health::unknown(),
    };
    let reason = Some("The server says that this cannot be done.".to_owned());
    Health { state, auth_failures, diagnosis_code: Some(code.to_owned()), reason, failed_stage: None }
}
