//! Tokens: permissions, cache, renewal, and Entra's refusals.

use super::*;

#[tokio::test]
async fn verify_reports_the_permissions_of_the_token() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let answer = admin.verify().await;
    assert_eq!(
        (&answer["success"], &answer["unproved"]),
        (&json!(true), &json!(["sender_address", "delivery"]))
    );
    microsoft.fake.update(|registration| registration.roles.clear());
    let answer = admin.verify().await;
    assert_eq!(answer["success"], json!(true), "an app limited to one mailbox has no such role: {answer}");
    assert_eq!(answer["unproved"], json!(["sender_address", "send_permission", "delivery"]));
    assert_eq!(admin.config().await["errorCode"], json!("OK"));
    assert!(microsoft.mails().is_empty());
}

/// Security cases J5, J6.
#[tokio::test]
async fn tokens_are_cached_per_configuration() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let (acme, other) = (app.admin("acme"), app.admin("other"));
    for admin in [&acme, &other] {
        put(admin, &microsoft.provider_config()).await.expect(204);
    }
    let start = microsoft.fake.token_requests();
    for _ in 0..3 {
        acme.send_test("bob@example.org").await;
    }
    assert_eq!(microsoft.fake.token_requests(), start + 1, "one token serves all");
    other.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 2, "another tenant has its own");
    put(&acme, &microsoft.provider_config()).await.expect(204);
    acme.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 4, "a changed configuration drops it at once");
    app.clock.advance(3_540_000);
    acme.send_test("bob@example.org").await;
    assert_eq!(microsoft.fake.token_requests(), start + 5, "60 s before its end it is no longer used");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_waiters_share_one_token() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service_with(|config| config.egress.max_connections_per_tenant = 16).await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let start = microsoft.fake.token_requests();
    let sendings: Vec<_> = (0..8)
        .map(|_| {
            let admin = admin.clone();
            tokio::spawn(async move { admin.send_test("bob@example.org").await })
        })
        .collect();
    for sending in sendings {
        assert_eq!(sending.await.expect("a sending")["success"], json!(true));
    }
    assert_eq!((microsoft.fake.token_requests(), microsoft.mails().len()), (start + 1, 8));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    admin.send_test("bob@example.org").await;
    let start = microsoft.fake.token_requests();
    microsoft.fake.revoke_tokens();
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true));
    assert_eq!(microsoft.fake.token_requests(), start + 1);
    for _ in 0..2 {
        microsoft.fake.refuse_mail(401, "InvalidAuthenticationToken", "Access token validation failure.");
    }
    let answer = admin.send_test("bob@example.org").await;
    assert_eq!(answer["diagnosis"]["code"], json!("GRAPH_TOKEN_AUDIENCE"), "{answer}");
    assert_eq!(microsoft.fake.token_requests(), start + 2, "once, and not again and again");
}

/// What the fake answers to the token request, and what is made of it.
#[tokio::test]
async fn rows_70_to_82_are_told_by_their_numbers() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let refusals = [
        (7_000_215, "invalid_client", "ENTRA_SECRET_INVALID", true),
        (7_000_222, "invalid_client", "ENTRA_SECRET_EXPIRED", true),
        (700_016, "unauthorized_client", "ENTRA_APP_NOT_FOUND", true),
        (90_002, "invalid_request", "ENTRA_TENANT_NOT_FOUND", true),
        (900_023, "invalid_request", "ENTRA_TENANT_NOT_FOUND", true),
        (1_002_012, "invalid_scope", "ENTRA_SCOPE", false),
        (70_011, "invalid_scope", "ENTRA_SCOPE", false),
        (65_001, "invalid_grant", "ENTRA_CONSENT_MISSING", false),
        (7_000_229, "unauthorized_client", "ENTRA_NO_SERVICE_PRINCIPAL", false),
        (53_003, "access_denied", "ENTRA_CONDITIONAL_ACCESS", false),
        (700_027, "invalid_client", "ENTRA_CERT_ASSERTION", true),
        (700_082, "invalid_grant", "OAUTH_REAUTH_REQUIRED", true),
        (50_053, "invalid_grant", "ENTRA_USER", true),
        (4_711, "invalid_client", "UNKNOWN_REPLY", false),
    ];
    for (number, error, code, counts) in refusals {
        put(&admin, &microsoft.provider_config()).await.expect(204);
        microsoft.fake.refuse_token(number, error);
        let answer = admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!(code), "{number}: {answer}");
        assert_eq!(answer["diagnosis"]["stage"], json!("token"));
        assert_eq!((&answer["success"], &answer["connectionFailed"]), (&json!(false), &json!(false)));
        assert_eq!(answer.get("smtpResponseCode"), None);
        let shown = admin.config().await;
        let error_code = if counts { "INVALID_CREDENTIALS" } else { "PROVIDER_ERROR" };
        assert_eq!(
            (&shown["errorCode"], &shown["authFailures"]),
            (&json!(error_code), &json!(i64::from(counts))),
            "{number}"
        );
    }
}

/// A gateway in front of Microsoft may repeat what it was sent.
/// Security case M17.
#[tokio::test]
#[allow(clippy::format_collect, reason = "short texts, built once")]
async fn what_repeats_the_client_secret_or_the_token_is_not_shown() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let secret = &microsoft.registration.client_secret;
    let percent: String = secret.bytes().map(|octet| format!("%{octet:02x}")).collect();
    for echo in [secret.clone(), secret[..secret.len() - 4].to_owned(), secret.to_lowercase(), percent] {
        let body = json!({
            "error": "invalid_client", "error_codes": [7_000_215], "correlation_id": echo,
            "error_description": format!("AADSTS7000215: invalid {echo} Trace ID: x"),
        });
        microsoft.fake.script_token(answer(401, &[], &body.to_string()));
        let refused = put(&admin, &microsoft.provider_config()).await.expect(400).json();
        let diagnosis = &refused["errors"][0]["meta"]["diagnosis"];
        assert_eq!(diagnosis["code"], json!("ENTRA_SECRET_INVALID"), "{refused}");
        assert!(!refused.to_string().contains(&echo) && refused.to_string().contains(NOT_SHOWN), "{refused}");
    }
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let token = "TOPSECRETTOKEN.abc.def";
    let issued = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token});
    microsoft.fake.script_token(answer(200, &[], &issued.to_string()));
    let error = json!({"code": "ErrorAccessDenied", "message": format!("denied for Bearer {token}")});
    microsoft.fake.script_mail(answer(403, &[], &json!({"error": error}).to_string()));
    let sent =
        admin.json("POST", SEND_TEST, &json!({"recipient": "bob@example.com"})).await.expect(200).json();
    assert_eq!(sent["diagnosis"]["code"], json!("GRAPH_PERMISSION_MISSING"), "{sent}");
    assert!(!sent.to_string().contains("TOPSECRET") && sent.to_string().contains(NOT_SHOWN), "{sent}");
}

/// Security cases J3, J4.
#[tokio::test]
async fn a_malformed_token_response_does_not_blame_the_secret() {
    let microsoft = Microsoft::start().await;
    let elsewhere = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let redirect = format!("{}/x/oauth2/v2.0/token", elsewhere.url);
    let huge = format!("{{\"token_type\":\"Bearer\",\"access_token\":\"{}\"}}", "a".repeat(200_000));
    let cases = [
        (answer(302, &[("location", &redirect)], ""), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(307, &[("location", &redirect)], ""), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[], "<html>Welcome to the airport</html>"), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[], "{\"token_type\":\"Bearer\"}"), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[], &huge), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(200, &[("content-encoding", "gzip")], "bomb"), "TOKEN_ENDPOINT_UNREACHABLE", true),
        (answer(503, &[], "busy"), "TOKEN_ENDPOINT_TEMPORARY", false),
        (ScriptedResponse::Hang, "TOKEN_ENDPOINT_TEMPORARY", true),
        // The last one: no token is asked for until the time is over.
        (answer(429, &[("retry-after", "5")], "{}"), "TOKEN_ENDPOINT_TEMPORARY", false),
    ];
    for (scripted, code, failed) in cases {
        let case = format!("{scripted:.60?}");
        microsoft.fake.script_token(scripted);
        let answer = admin.verify().await;
        assert_eq!(answer["diagnosis"]["code"], json!(code), "{case}: {answer}");
        assert_eq!(answer["connectionFailed"], json!(failed), "{case}");
        assert_eq!(answer["diagnosis"]["retryable"], json!(true), "{case}");
        let shown = admin.config().await;
        assert_eq!(
            (&shown["errorCode"], &shown["authFailures"]),
            (&json!("PROVIDER_ERROR"), &json!(0)),
            "{case}"
        );
    }
    assert_eq!(elsewhere.fake.token_requests(), 0, "no redirect is followed");
}

#[tokio::test]
async fn while_entra_throttles_it_is_not_asked_again_and_nothing_counts_as_a_refused_sign_in() {
    let loop_found =
        json!({"error": "invalid_grant", "error_codes": [50196], "error_description": "AADSTS50196: loop"});
    for (scripted, seconds) in [
        (answer(429, &[("retry-after", "120")], "{}"), 120),
        (answer(429, &[], "{}"), 60),
        (answer(400, &[], &loop_found.to_string()), 60),
    ] {
        let case = format!("{scripted:.80?}");
        let microsoft = Microsoft::start().await;
        let app = microsoft
            .service_with(|config| {
                config.quotas.refused_sign_ins_per_tenant_per_hour = 1;
                config.quotas.refused_sign_ins_per_account_per_ten_minutes = 1;
            })
            .await;
        let admin = app.admin("acme");
        put(&admin, &microsoft.provider_config()).await.expect(204);
        let before = microsoft.fake.token_requests();
        microsoft.fake.script_token(scripted);
        for attempt in 0..3 {
            let answer =
                if attempt == 1 { admin.send_test("bob@example.org").await } else { admin.verify().await };
            let code = answer["diagnosis"]["code"].as_str().unwrap_or_default();
            assert!(["TOKEN_ENDPOINT_TEMPORARY", "ENTRA_THROTTLED"].contains(&code), "{case}: {answer}");
            assert_eq!(answer["diagnosis"]["retryable"], json!(true), "{case}");
            let shown = admin.config().await;
            let health = (&shown["errorCode"], &shown["authFailures"]);
            assert_eq!(health, (&json!("PROVIDER_ERROR"), &json!(0)), "{case}");
        }
        assert_eq!(microsoft.fake.token_requests(), before + 1, "{case}");
        app.clock.advance(seconds * 1_000);
        let answer = admin.verify().await;
        assert_eq!(answer["success"], json!(true), "the limit of refused sign-ins was not touched: {answer}");
        assert_eq!(microsoft.fake.token_requests(), before + 2, "{case}");
    }
}
