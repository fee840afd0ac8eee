//! Fills a database with configurations, by the service's own code.

use transports::account::secrets;
use transports::app::App;
use transports::clock::{Clock, Timestamp};
use transports::config::Config;
use transports::egress::Resolver;
use transports::email_config::EmailConfig;
use transports::email_config::put::Replacement;
use transports::id::TenantId;
use transports::secret::Secret;
use transports::store::{Write, WriteOutcome, email_configs};
use uuid::Uuid;

/// Seals the passwords in the databases of the benchmark; it protects nothing.
pub const ENCRYPTION_KEY: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What a peer seals the content of mail with: 32 bytes in base64. It protects nothing either.
pub const CONTENT_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// When all of them were set, so that both databases hold the same.
const MODIFIED_AT: Timestamp = Timestamp(1_767_225_600_000);

/// Rows in one transaction.
const BATCH: usize = 1000;

/// The name of a tenant. All have the same length, and so have their configurations and tokens.
pub fn tenant(number: usize) -> String {
    format!("tenant-{number:09}")
}

/// Gives each of `tenants` a complete configuration with a sealed password.
pub async fn fill(url: &str, tenants: usize) {
    let mut config = Config::default();
    config.database.url = transports::config::DatabaseUrl::new(url);
    config.encryption.keys = vec![Secret::new(ENCRYPTION_KEY.to_owned())];
    config.auth.hs256_secret = Some(Secret::new("nobody signs with this, and it is long enough".to_owned()));
    let app = App::start(config, Clock::System, Resolver::system()).await.expect("the database opens");
    for first in (0..tenants).step_by(BATCH) {
        let mut write = Write::default();
        for number in first..tenants.min(first + BATCH) {
            let id = TenantId::from_operator(&tenant(number));
            write = write.then(email_configs::insert(&id, &configuration(&app, &id, number).await));
        }
        let outcome = app.db.write(write).await.expect("the database writes");
        assert_eq!(outcome, WriteOutcome::Committed, "the database was empty");
    }
    app.db.close().await;
}

/// What PUT would have stored.
async fn configuration(app: &App, tenant: &TenantId, number: usize) -> EmailConfig {
    let address = format!("mail{number:09}@example.com");
    let document = serde_json::json!({
        "serviceProvider": "BasicAuth",
        "providerConfig": {
            "serverAddress": "smtp.example.com", "serverPort": 587, "securityType": "StartTLS",
            "username": address, "emailPassword": format!("a password of {number:09}"),
            "emailAddress": address,
        },
    });
    let replacement = Replacement::parse(document, app.egress_policy()).expect("a valid document");
    let change = replacement.apply(None).expect("a password is in it");
    let version = Uuid::now_v7().simple().to_string();
    secrets::seal(change, None, &app.vault, tenant, version, MODIFIED_AT).await.expect("sealed")
}
