//! What a token says: times, issuer, audience, tenant, user and rights.

use serde_json::{Value, json};
use transports::auth::token::{
    Caller, LEEWAY_SECONDS, Principal, TokenError, Verifier, issue, issue_for_platform,
};
use transports::clock::{Clock, Timestamp};
use transports::config::Auth;

use crate::support::tokens::{NOW, SECRET, claims, claims_with, clock, hs256, hs256_settings, hs256_text};
use transports::secret::Secret;

async fn verify_any(settings: &Auth, claims: &Value) -> Result<Principal, TokenError> {
    Verifier::with_source(settings, clock(), None).unwrap().verify(&hs256(claims)).await
}

fn user(principal: Principal) -> Caller {
    let Principal::User(caller) = principal else { panic!("a tenant's token") };
    caller
}

async fn verify(settings: &Auth, claims: &Value) -> Result<Caller, TokenError> {
    verify_any(settings, claims).await.map(user)
}

async fn verify_text(claims: &str) -> Result<Caller, TokenError> {
    let token = hs256_text(SECRET.as_bytes(), r#"{"alg":"HS256"}"#, claims);
    Verifier::with_source(&hs256_settings(), clock(), None).unwrap().verify(&token).await.map(user)
}

/// Security case F5.
#[tokio::test]
async fn times_are_numbers_in_a_sane_range() {
    // Texts, because serde_json cannot hold all of these.
    let wrong = [
        "\"1767229200\"",
        "\"\"",
        "null",
        "true",
        "[1767229200]",
        "{}",
        "-1",
        "-1767229200",
        "-1e99",
        "1e99",
        "1e400",
        "1e308",
        "18446744073709551616",
        "18446744073709551615",
        "9223372036854775807",
        "253402300800",
    ];
    for name in ["exp", "nbf", "iat"] {
        for value in wrong {
            let exp = if name == "exp" { String::new() } else { format!(r#","exp":{}"#, NOW + 3600) };
            let text = format!(r#"{{"sub":"u","tenantId":"t","{name}":{value}{exp}}}"#);
            let outcome = verify_text(&text).await;
            assert!(matches!(outcome, Err(TokenError::Invalid(_))), "{text}: {outcome:?}");
        }
    }
    for value in ["1767229200", "1767229200.5", "1.7672292e9", "253402300799"] {
        let text = format!(r#"{{"sub":"u","tenantId":"t","exp":{value},"nbf":0,"iat":0.5}}"#);
        assert!(verify_text(&text).await.is_ok(), "{text}");
    }
    assert!(verify(&hs256_settings(), &claims_with("exp", None)).await.is_err(), "exp is required");
}

/// Security case F5.
#[tokio::test]
async fn times_are_exact_at_the_edges_of_the_leeway() {
    for (name, value, good) in [
        ("exp", NOW - LEEWAY_SECONDS + 1, true),
        ("exp", NOW - LEEWAY_SECONDS, false),
        ("nbf", NOW + LEEWAY_SECONDS, true),
        ("nbf", NOW + LEEWAY_SECONDS + 1, false),
    ] {
        let outcome = verify(&hs256_settings(), &claims_with(name, Some(json!(value)))).await;
        assert_eq!(outcome.is_ok(), good, "{name} {}: {outcome:?}", value - NOW);
    }
}

#[tokio::test]
async fn a_token_expires_as_time_passes() {
    let clock = clock();
    let verifier = Verifier::with_source(&hs256_settings(), clock.clone(), None).unwrap();
    let token = hs256(&claims());
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance((3600 + LEEWAY_SECONDS) * 1000 - 1);
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(1);
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Invalid("expired")));
}

/// Security case F6.
#[tokio::test]
async fn the_audience_is_an_exact_member() {
    let settings = Auth { audience: Some("transports".to_owned()), ..hs256_settings() };
    for (audience, good) in [
        (Some(json!("transports")), true),
        (Some(json!(["other", "transports"])), true),
        (None, false),
        (Some(json!("other")), false),
        (Some(json!(["other"])), false),
        (Some(json!([])), false),
        (Some(json!("transports-admin")), false),
        (Some(json!("transport")), false),
        (Some(json!("Transports")), false),
        (Some(json!("transports other")), false),
        (Some(json!(["transports", 1])), false),
        (Some(json!([["transports"]])), false),
        (Some(json!({"transports": true})), false),
        (Some(Value::Null), false),
    ] {
        let outcome = verify(&settings, &claims_with("aud", audience.clone())).await;
        assert_eq!(outcome.is_ok(), good, "{audience:?}: {outcome:?}");
    }
    assert!(verify(&hs256_settings(), &claims_with("aud", Some(json!("other")))).await.is_ok());
}

/// Security case F7.
#[tokio::test]
async fn the_issuer_is_exact() {
    let settings = Auth { issuer: Some("https://login.example/a".to_owned()), ..hs256_settings() };
    for (issuer, good) in [
        (Some(json!("https://login.example/a")), true),
        (None, false),
        (Some(json!("https://login.example/a/")), false),
        (Some(json!("https://login.example/b")), false),
        (Some(json!("https://LOGIN.example/a")), false),
        (Some(json!("https://login.example")), false),
        (Some(json!(["https://login.example/a"])), false),
        (Some(Value::Null), false),
    ] {
        let outcome = verify(&settings, &claims_with("iss", issuer.clone())).await;
        assert_eq!(outcome.is_ok(), good, "{issuer:?}: {outcome:?}");
    }
}

/// Security case F8.
#[tokio::test]
async fn a_claim_that_names_another_kind_of_token_is_refused() {
    for (name, kind, good) in [
        ("typ", "Bearer", true),
        ("typ", "ID", false),
        ("typ", "Refresh", false),
        ("typ", "Offline", false),
        ("token_use", "access", true),
        ("token_use", "id", false),
    ] {
        let outcome = verify(&hs256_settings(), &claims_with(name, Some(json!(kind)))).await;
        assert_eq!(outcome.is_ok(), good, "{name} {kind}: {outcome:?}");
    }
}

/// Security case F13.
#[tokio::test]
async fn tenant_and_user_are_plain_names() {
    for name in ["tenantId", "sub"] {
        for value in [
            None,
            Some(Value::Null),
            Some(json!("")),
            Some(json!("*")),
            Some(json!(["tenant-1"])),
            Some(json!(["tenant-1", "tenant-2"])),
            Some(json!({"id": "tenant-1"})),
            Some(json!(1)),
            Some(json!(true)),
            Some(json!("a\u{0}")),
            Some(json!("a\r\nb")),
            Some(json!("a\u{7f}")),
            Some(json!("a\u{85}")),
            Some(json!("x".repeat(256))),
            Some(json!("x".repeat(10 * 1024))),
        ] {
            let outcome = verify(&hs256_settings(), &claims_with(name, value.clone())).await;
            let refused = matches!(outcome, Err(TokenError::Unusable(_) | TokenError::Invalid("too long")));
            assert!(refused, "{name} {value:?}: {outcome:?}");
        }
        let longest = verify(&hs256_settings(), &claims_with(name, Some(json!("x".repeat(255))))).await;
        assert!(longest.is_ok(), "{name}: {longest:?}");
    }
}

/// Security case F16.
#[tokio::test]
async fn a_tenant_is_its_exact_bytes() {
    for tenant in ["a", "A", "a ", " a", "a/b", "%61", "e\u{301}", "\u{e9}", "**"] {
        let caller = verify(&hs256_settings(), &claims_with("tenantId", Some(json!(tenant)))).await.unwrap();
        assert_eq!(caller.tenant.as_str(), tenant);
    }
}

#[tokio::test]
async fn names_of_claims_are_settings() {
    let settings = Auth {
        tenant_claim: "https://example.com/tenant.id".to_owned(),
        user_claim: "uid".to_owned(),
        roles_claim: "groups".to_owned(),
        admin_roles: vec!["boss".to_owned(), "chief".to_owned()],
        ..hs256_settings()
    };
    let caller = verify(
        &settings,
        &json!({
            "https://example.com/tenant.id": "t", "uid": "u", "groups": ["chief"], "exp": NOW + 60,
            "tenantId": "no", "sub": "no", "roles": ["no"],
        }),
    )
    .await
    .unwrap();
    assert_eq!((caller.tenant.as_str(), caller.user.as_str(), caller.is_admin), ("t", "u", true));
    // A claim of this very name comes before a path to another one.
    let settings = Auth { tenant_claim: "app.tenant".to_owned(), ..hs256_settings() };
    let mut nested = claims_with("app", Some(json!({"tenant": "by-path"})));
    assert_eq!(verify(&settings, &nested).await.unwrap().tenant.as_str(), "by-path");
    nested["app.tenant"] = json!("by-name");
    assert_eq!(verify(&settings, &nested).await.unwrap().tenant.as_str(), "by-name");
    nested["app.tenant"] = json!("*");
    assert!(verify(&settings, &nested).await.is_err(), "it is that claim, usable or not");
    nested["app.tenant"] = json!(null);
    assert!(verify(&settings, &nested).await.is_err(), "it is that claim, usable or not");
}

#[tokio::test]
async fn rights_come_from_roles_and_scope() {
    for (name, value, expected) in [
        ("roles", json!(["TenantAdmin"]), Some(true)),
        ("roles", json!(["Reader", "TenantAdmin"]), Some(true)),
        ("roles", json!(["Reader"]), Some(false)),
        ("roles", json!([]), Some(false)),
        ("roles", json!(["tenantadmin"]), Some(false)),
        ("roles", json!(["TenantAdmin "]), Some(false)),
        ("roles", json!("TenantAdmin"), Some(true)),
        ("roles", json!("Reader TenantAdmin"), Some(false)),
        ("roles", json!("TenantAdmin "), Some(false)),
        ("roles", json!("TenantAdminReader"), Some(false)),
        ("roles", json!(""), Some(false)),
        ("roles", json!({"TenantAdmin": true}), None),
        ("roles", json!(["TenantAdmin", 1]), None),
        ("roles", Value::Null, None),
        ("scope", json!("admin_classic"), Some(true)),
        ("scope", json!("user_default admin_classic offline_access"), Some(true)),
        ("scope", json!(["user_default", "admin_classic"]), Some(true)),
        ("scope", json!("admin_classic_read"), Some(false)),
        ("scope", json!("xadmin_classic"), Some(false)),
        ("scope", json!("admin_classic,other"), Some(false)),
        ("scope", json!(["user_default admin_classic"]), Some(false)),
        ("scope", json!("TenantAdmin"), Some(false)),
        ("scope", json!(""), Some(false)),
        ("scope", json!(7), None),
        ("scope", json!([7]), None),
        ("scope", Value::Null, None),
    ] {
        let outcome = verify(&hs256_settings(), &claims_with(name, Some(value.clone()))).await;
        assert_eq!(outcome.map(|caller| caller.is_admin).ok(), expected, "{name} {value}");
    }
}

#[tokio::test]
async fn a_text_is_one_role_which_may_hold_blanks() {
    let settings = Auth { admin_roles: vec!["Mail administrators".to_owned()], ..hs256_settings() };
    let held = claims_with("roles", Some(json!("Mail administrators")));
    assert!(verify(&settings, &held).await.unwrap().is_admin);
}

#[tokio::test]
async fn the_scopes_that_make_an_administrator_are_a_setting() {
    let is_admin = async |settings: &Auth, scope: &str| {
        verify(settings, &claims_with("scope", Some(json!(scope)))).await.map(|caller| caller.is_admin)
    };
    let none = Auth { admin_scopes: Vec::new(), ..hs256_settings() };
    assert_eq!(is_admin(&none, "admin_classic").await, Ok(false));
    let own = Auth { admin_scopes: vec!["mail.admin".to_owned()], ..hs256_settings() };
    assert_eq!(is_admin(&own, "admin_classic").await, Ok(false));
    assert_eq!(is_admin(&own, "openid mail.admin").await, Ok(true));
}

/// Security case F8.
#[tokio::test]
async fn an_id_token_is_no_access_token_whatever_its_audience() {
    for (name, value) in [("nonce", json!("n")), ("at_hash", json!("h")), ("nonce", Value::Null)] {
        let outcome = verify(&hs256_settings(), &claims_with(name, Some(value.clone()))).await;
        assert!(outcome.is_err(), "{name} {value}");
    }
}

/// Security case F20.
#[tokio::test]
async fn the_platforms_token_has_its_scope_and_no_tenant() {
    let platform = || Some(json!("transports:platform"));
    let without_tenant = |scope: Option<Value>| {
        let mut claims = claims_with("tenantId", None);
        if let Some(scope) = scope {
            claims["scope"] = scope;
        }
        claims
    };
    let off = Auth { platform_scope: String::new(), ..hs256_settings() };
    let other = Auth { platform_scope: "mail.send".to_owned(), ..hs256_settings() };
    let on = hs256_settings();
    for (settings, claims, good) in [
        (&on, without_tenant(platform()), true),
        (&on, without_tenant(Some(json!("openid transports:platform"))), true),
        (&on, without_tenant(Some(json!(["openid", "transports:platform"]))), true),
        (&on, without_tenant(None), false),
        (&on, without_tenant(Some(json!("transports:platform:read"))), false),
        (&on, without_tenant(Some(json!("Transports:platform"))), false),
        (&on, without_tenant(Some(json!("admin_classic"))), false),
        (&other, without_tenant(platform()), false),
        (&other, without_tenant(Some(json!("mail.send"))), true),
        (&off, without_tenant(platform()), false),
        (&off, without_tenant(Some(json!(""))), false),
        (&off, without_tenant(Some(json!("openid  email"))), false),
    ] {
        let outcome = verify_any(settings, &claims).await;
        assert_eq!(matches!(outcome, Ok(Principal::Platform(_))), good, "{claims}: {outcome:?}");
        assert_eq!(outcome.is_ok(), good, "{claims}: {outcome:?}");
    }
    // A tenant's token stays one, whatever its scopes; and what names no usable tenant is none of the platform's.
    let mut both = claims();
    both["scope"] = json!("transports:platform admin_classic");
    let caller = verify(&on, &both).await.unwrap();
    assert_eq!((caller.tenant.as_str(), caller.is_admin), ("tenant-1", true));
    for tenant in [json!(null), json!(""), json!("*"), json!(7), json!(["tenant-1"])] {
        both["tenantId"] = tenant;
        let refused = verify_any(&on, &both).await.map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("(auth.tenant_claim) cannot be used")), "{both}");
    }
    let mut nobody = without_tenant(platform());
    nobody.as_object_mut().unwrap().remove("sub");
    let refused = verify_any(&on, &nobody).await.map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.contains("(auth.user_claim) is not in the token")));
}

#[tokio::test]
async fn an_issued_token_of_the_platform_is_accepted_with_the_same_settings() {
    let (secret, now) = (Secret::new(SECRET.to_owned()), Timestamp(NOW * 1000));
    let settings = hs256_settings();
    let token = issue_for_platform(&secret, &settings, "user-1", 60, now).unwrap();
    let verifier = Verifier::with_source(&settings, clock(), None).unwrap();
    let principal = verifier.verify(token.expose()).await.unwrap();
    assert!(matches!(principal, Principal::Platform(user) if user.as_str() == "user-1"));
    let off = Auth { platform_scope: String::new(), ..hs256_settings() };
    assert!(issue_for_platform(&secret, &off, "user-1", 60, now).is_err());
}

#[tokio::test]
async fn an_issued_token_is_accepted_with_the_same_settings() {
    let secret = Secret::new(SECRET.to_owned());
    let plain = hs256_settings();
    let other = Auth {
        issuer: Some("https://login.example".to_owned()),
        audience: Some("transports".to_owned()),
        tenant_claim: "tid".to_owned(),
        user_claim: "uid".to_owned(),
        roles_claim: "groups".to_owned(),
        admin_roles: Vec::new(),
        ..hs256_settings()
    };
    for settings in [&plain, &other] {
        for admin in [true, false] {
            let now = Timestamp(NOW * 1000);
            let token = issue(&secret, settings, "tenant-1", "user-1", admin, 60, now).unwrap();
            let clock = clock();
            let verifier = Verifier::with_source(settings, clock.clone(), None).unwrap();
            let caller = user(verifier.verify(token.expose()).await.unwrap());
            assert_eq!((caller.tenant.as_str(), caller.user.as_str()), ("tenant-1", "user-1"));
            assert_eq!(caller.is_admin, admin);
            clock.advance((60 + LEEWAY_SECONDS) * 1000);
            assert!(verifier.verify(token.expose()).await.is_err());
        }
    }
}

#[test]
fn unverifiable_tokens_are_not_issued() {
    let settings = hs256_settings();
    let long = Secret::new(SECRET.to_owned());
    let short = Secret::new("short".to_owned());
    let now = Clock::manual(Timestamp(NOW * 1000)).now();
    let attempt = |secret, tenant, user, lifetime| {
        issue(secret, &settings, tenant, user, false, lifetime, now).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(attempt(&long, "t", "u", 1), Ok(()));
    for (outcome, named) in [
        (attempt(&short, "t", "u", 60), "auth.hs256_secret"),
        (attempt(&long, "", "u", 60), "tenant"),
        (attempt(&long, "*", "u", 60), "tenant"),
        (attempt(&long, "t", "", 60), "user"),
        (attempt(&long, "t", "u", 0), "lifetime"),
    ] {
        assert!(outcome.clone().is_err_and(|text| text.contains(named)), "{named}: {outcome:?}");
    }
}
