//! A key service that is away: at the start and later.

use super::*;

/// Security case L8.
#[tokio::test]
async fn the_start_waits_for_an_unavailable_key_service() {
    for way in [Way::Down, Way::Sealed, Way::Strange] {
        let service = Service::start_while(way).await;
        assert_eq!(service.ready().await, (503, json!("unavailable")), "{way:?}");
        service.assert_cannot_seal("at the start").await;
        // What needs no secret works.
        let plain = json!({"serverAddress": "localhost", "emailAddress": "ada@example.com"});
        service.admin.patch(&plain).await.expect(204);
        assert_eq!(service.admin.config().await["serverAddress"], json!("localhost"));
        service.app.app.vault.maintain().await;
        assert_eq!(service.ready().await.0, 503, "{way:?}: still away");

        service.transit.set(Way::Up);
        service.app.app.vault.maintain().await;
        assert_eq!(service.ready().await, (200, json!("ok")), "{way:?}");
        service.admin.patch(&service.account()).await.expect(204);
        assert_eq!(service.admin.verify().await["success"], json!(true), "{way:?}");
        assert_eq!(key_ids(&service.app.database).await, [KEY_V1]);
    }
}

/// Security case L8.
#[tokio::test]
async fn during_an_outage_cached_keys_open_until_they_expire() {
    for way in [Way::Down, Way::Sealed, Way::Strange] {
        let service = Service::start().await;
        service.admin.patch(&service.account()).await.expect(204);
        assert_eq!(service.admin.verify().await["success"], json!(true));
        let decrypted = service.transit.calls("decrypt");
        for _ in 0..3 {
            assert_eq!(service.admin.verify().await["success"], json!(true));
        }
        assert_eq!(service.transit.calls("decrypt"), decrypted, "it was kept");

        service.transit.set(way);
        service.app.clock.advance(CACHE_SECONDS * 1000 - 1);
        assert_eq!(service.admin.verify().await["success"], json!(true), "{way:?}: within its time");
        service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(503);
        assert_eq!(service.ready().await, (200, json!("degraded")), "{way:?}");

        service.app.clock.advance(1);
        let (before, health) = (service.server.connections(), service.admin.config().await);
        service.assert_unavailable("beyond its time").await;
        assert_eq!(
            service.server.connections(),
            before + 1,
            "{way:?}: PUT's own check, with its own password"
        );
        let after = service.admin.config().await;
        assert_eq!(
            (&after["errorCode"], &after["authFailures"]),
            (&health["errorCode"], &health["authFailures"])
        );
        // What needs no secret works, also a change that leaves the secret as it is.
        service.admin.patch(&json!({"senderName": "Ada"})).await.expect(204);
        service.admin.post(VALIDATE).await.expect(200);

        service.transit.set(Way::Up);
        service.app.app.vault.maintain().await;
        assert_eq!(service.ready().await, (200, json!("ok")), "{way:?}: it is seen to be back");
        let calls = service.transit.calls("");
        service.app.app.vault.maintain().await;
        assert_eq!(service.transit.calls(""), calls, "{way:?}: who answers is not asked");
        assert_eq!(service.admin.verify().await["success"], json!(true), "{way:?}");
    }
}

/// Security case L8.
#[tokio::test]
async fn timeouts_and_refused_tokens_count_as_an_outage() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    service.transit.set(Way::Slow);
    service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(503);
    service.transit.set(Way::Up);
    service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(204);

    service.transit.take_token("hvs.the-next-one");
    service.assert_unavailable("an old token").await;
    assert_eq!(service.ready().await, (200, json!("degraded")));
    // Whoever renews the token writes the file; nothing else has to be done.
    service.transit.write_token("hvs.the-next-one");
    assert_eq!(service.admin.verify().await["success"], json!(true));
    service.transit.write_token("");
    service.admin.patch(&json!({"emailPassword": good_password()})).await.expect(503);
}

/// Security case L8.
#[tokio::test]
async fn rewrapping_survives_a_short_outage_with_minimal_calls() {
    let service = Service::start().await;
    service.admin.patch(&service.account()).await.expect(204);
    let Service { app, transit, .. } = service;
    let database = app.stop().await;
    let mut config = settings(&database);
    use_vault(&mut config, &transit);
    let begin = async || {
        let (keys, db) = open_keys(&config, &Clock::System).await.expect("the settings are good");
        Rewrap::begin(Arc::new(keys), &db, &Clock::System).await
    };
    let mut calls = 0;
    loop {
        transit.rotate();
        transit.fail_call(calls + 1);
        let pass = begin().await.expect("patience").pass(|_| ()).await.expect("patience");
        assert_eq!((pass.done, pass.unreadable.len()), (1, 0), "call {}", calls + 1);
        let newest = format!("vault:{MOUNT}/{KEY}:v{}", transit.versions());
        assert_eq!(key_ids(&database).await, [newest]);
        if transit.has_not_failed() {
            break;
        }
        calls += 1;
    }
    assert!(
        calls >= 5,
        "a canary made and tried, the newest version, a data key opened and wrapped: {calls}"
    );
    transit.fail_call(0);

    // It is not waited for without end.
    transit.rotate();
    let rewrap = begin().await.expect("it is there");
    transit.set(Way::Sealed);
    let error = rewrap.pass(|_| ()).await.expect_err("it went away");
    assert!(format!("{error:#}").contains("Vault is sealed"), "{error:#}");
    transit.set(Way::Up);

    // What will not be otherwise in a moment is not asked for again.
    transit.rotate();
    let row = key_ids(&database).await;
    let version = format!(":{}:", row[0].rsplit(':').next().expect("a version"));
    let (text, bytes) = match Engine::chosen() {
        Engine::Sqlite => ("cast(secret_wrapped_key as text)", ["cast(", " as blob)"]),
        Engine::Postgres => ("convert_from(secret_wrapped_key, 'UTF8')", ["convert_to(", ", 'UTF8')"]),
    };
    let damaged = format!("{}replace({text}, '{version}', '{version}AAAA'){}", bytes[0], bytes[1]);
    database.execute(&format!("update email_configs set secret_wrapped_key = {damaged}")).await;
    let before = transit.calls("decrypt");
    let rewrap = begin().await.expect("the key is good");
    let tried = transit.calls("decrypt") - before;
    let pass = rewrap.pass(|_| ()).await.expect("goes on with the next row");
    assert_eq!((pass.done, pass.unreadable.len()), (0, 1));
    assert_eq!(transit.calls("decrypt") - before - tried, 1);
    let before = transit.calls("decrypt");
    transit.replace_key();
    assert!(begin().await.is_err());
    assert_eq!(transit.calls("decrypt") - before, 1);
}

/// Security cases L8, I1.
#[tokio::test]
async fn a_process_without_its_key_service_starts_retries_and_leaks_nothing() {
    let database = Database::create(Engine::chosen()).await;
    let transit = Transit::start().await;
    transit.set(Way::Down);
    let server = SmtpServer::start(Script::plain()).await;
    let mut settings = with_all(
        &variables(&database),
        &[("TRANSPORTS_ENCRYPTION__KEYS", ""), ("TRANSPORTS_LOG__FILTER", "trace")],
    );
    settings.extend(transit.variables());
    let process = Process::serve_beside(&settings).await;
    let admin = process.admin("acme", &settings);
    assert_eq!(admin.get("/health/ready").await.expect(503).json()["keys"], json!("unavailable"));
    let account = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "none",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
    });
    admin.patch(&account).await.expect(503);
    transit.set(Way::Up);
    eventually("it is ready", async || admin.get("/health/ready").await.status == 200).await;
    admin.patch(&account).await.expect(204);
    assert_eq!(admin.verify().await["success"], json!(true));
    let metrics = admin.get("/metrics").await.expect(200);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        metrics.contains("transports_key_service_calls_total{operation=\"wrap\",outcome=\"unavailable\"}")
    );
    let (_, log) = process.stop();
    assert!(log.contains("the key service answers, and its key fits"), "{log}");
    let plaintexts = transit.plaintexts();
    assert!(plaintexts.len() >= 3, "a canary and a data key went over the wire, and came back");
    for secret in plaintexts.iter().map(String::as_str).chain([TOKEN, good_password()]) {
        assert!(!log.contains(secret) && !metrics.contains(secret), "the log holds {secret}");
    }
}
