//! What prevents the start: other, lost and retired keys.

use super::*;

async fn start_again(database: &Database, transit: &Transit) -> Result<(), String> {
    let mut config = settings(database);
    use_vault(&mut config, transit);
    let resolver = Resolver::Table(std::sync::Arc::new(|_| Ok(Vec::new())));
    let started = App::start(config, Clock::manual(START), resolver).await;
    started.map(drop).map_err(|error| format!("{error:#}"))
}

/// Security cases L4, L5.
#[tokio::test]
async fn another_key_under_the_name_and_another_name_prevent_the_start() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    let Service { app, transit, .. } = service;
    let database = app.stop().await;
    start_again(&database, &transit).await.expect("the same key");

    transit.replace_key();
    let error = start_again(&database, &transit).await.expect_err("another key");
    let expected = format!(
        "encryption.vault_url: the service no longer opens what {KEY_V1} has wrapped, needed by 1 row"
    );
    assert!(error.starts_with(&expected), "{error}");

    let mut config = settings(&database);
    use_vault(&mut config, &transit);
    config.encryption.vault_key = Some("other".to_owned());
    let resolver = Resolver::Table(std::sync::Arc::new(|_| Ok(Vec::new())));
    let error = App::start(config, Clock::manual(START), resolver).await.err().expect("another name");
    let error = format!("{error:#}");
    assert!(error.contains(&format!("key {KEY_V1} needed by 1 row is not there")), "{error}");
}

/// Security case L4.
#[tokio::test]
async fn a_lost_key_prevents_the_start_even_without_rows() {
    let service = Service::start().await;
    let Service { app, transit, .. } = service;
    let database = app.stop().await;
    start_again(&database, &transit).await.expect("the same key");
    transit.replace_key();
    let error = start_again(&database, &transit).await.expect_err("another key");
    assert!(
        error.contains(&format!("no longer opens what {KEY_V1} has wrapped, needed by 0 rows")),
        "{error}"
    );
}

/// Security case L4.
#[tokio::test]
async fn a_retired_version_with_rows_prevents_the_start() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    let Service { app, transit, .. } = service;
    let database = app.stop().await;
    transit.rotate();
    start_again(&database, &transit).await.expect("both versions open");
    transit.set_min_decryption_version(2);
    let error = start_again(&database, &transit).await.expect_err("a row needs the first");
    assert!(
        error.contains(&format!("no longer opens what {KEY_V1} has wrapped, needed by 1 row")),
        "{error}"
    );
}

/// Security case L2.
#[tokio::test]
async fn a_damaged_canary_of_the_key_service_prevents_the_start() {
    let service = Service::start().await;
    let Service { app, transit, .. } = service;
    let database = app.stop().await;
    database.execute("update key_canaries set payload = wrapped_key").await;
    let error = start_again(&database, &transit).await.expect_err("it says nothing about the key");
    assert!(error.contains(KEY_V1), "{error}");
}
