//! The group that is stored with a configuration is what the API says of it.

use transports::email_config::{BasicAuth, EmailConfig, HealthState, Settings, advice};
use transports::store::tenant_list::{Filter, Listing};

use super::{basic, config, failed, healthy, insert, microsoft365, opened};
use crate::support::database::{Database, Engine};

const HOSTS: [&str; 27] = [
    "smtp.example.com",
    "smtp.office365.com",
    "outlook.office365.com",
    "smtp-mail.outlook.com",
    "outlook.com",
    "smtp.live.com",
    "live.com",
    "mail.hotmail.co.uk",
    "hotmail.co.uk",
    "msn.com",
    "smtp.msn.example",
    "contoso.mail.protection.outlook.com",
    "mail.protection.outlook.com",
    "x.mail.protection.outlook.com.example.org",
    "live.smtp.example.com",
    "live.a.example.com",
    "live.example.com",
    "alive.com",
    "smtp.live",
    "live",
    "outlook.live.example.com",
    "smtp.office365.com.example.org",
    "office365.com",
    "smtp.office365.us",
    "192.0.2.1",
    "2001:db8::1",
    "hotmail.outlook.msn.live.com",
];

/// Every way in which a configuration may be complete or not, at every host, and every health.
fn all() -> Vec<EmailConfig> {
    let mut all = Vec::new();
    for host in HOSTS {
        for username in [None, Some("ada")] {
            for has_secret in [false, true] {
                all.push(config(Settings::BasicAuth(basic(host, username)), has_secret, healthy()));
            }
        }
    }
    let whole = || basic("smtp.office365.com", Some("ada"));
    for settings in [
        BasicAuth::default(),
        BasicAuth { server_address: None, ..whole() },
        BasicAuth { server_port: None, ..whole() },
        BasicAuth { security: None, ..whole() },
        BasicAuth { email_address: None, ..whole() },
        BasicAuth { username: None, ..whole() },
    ] {
        all.push(config(Settings::BasicAuth(settings.clone()), true, healthy()));
        all.push(config(Settings::BasicAuth(settings), false, healthy()));
    }
    for health in [
        failed(HealthState::InvalidCredentials, "AUTH_REJECTED"),
        failed(HealthState::ProviderError, "DNS_NOT_FOUND"),
    ] {
        all.push(config(Settings::BasicAuth(whole()), true, health.clone()));
        all.push(config(Settings::BasicAuth(whole()), false, health.clone()));
        all.push(config(microsoft365(), true, health.clone()));
        all.push(config(microsoft365(), false, health));
    }
    all.push(config(microsoft365(), true, healthy()));
    all.push(config(microsoft365(), false, healthy()));
    all
}

#[tokio::test]
async fn a_rows_group_agrees_with_the_api() {
    let all = all();
    let rows: Vec<_> =
        all.iter().enumerate().map(|(number, config)| (format!("t{number:04}"), config.clone())).collect();
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        insert(&db, &rows).await;
        let mut listing = Listing::new(&db, &Filter::default(), "").await.unwrap();
        let (mut with_password, mut incomplete) = (0, 0);
        for (name, config) in &rows {
            let listed = listing.next(&db).await.unwrap().expect("as many as there are rows");
            assert_eq!(listed.tenant, *name);
            let is_advised =
                advice(&config.settings).iter().any(|advice| advice.code == "M365_PASSWORD_SIGN_IN");
            let group = &listed.group;
            let told = (group.state(), group.provider(), group.code(), group.has_password_at_microsoft365());
            let expected = (
                config.error_code().as_str(),
                config.settings.kind().as_str(),
                config.health.diagnosis_code.as_deref(),
                is_advised,
            );
            assert_eq!(told, expected, "{engine:?}: {config:?}");
            with_password += usize::from(is_advised);
            incomplete += usize::from(group.state() == "INCOMPLETE_CONFIG");
        }
        assert_eq!(listing.next(&db).await.unwrap(), None);
        assert!(with_password > 20 && incomplete > 20 && incomplete < rows.len(), "both are among them");
    }
}
