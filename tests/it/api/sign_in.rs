//! Signing in to the console by OpenID Connect, and what a browser may do with its session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::net::TcpListener;
use transports::auth::token::sign_hs256;
use transports::secret::Secret;
use transports::store::retention::Retention;

use crate::support::app::{TestApp, token_secret};
use crate::support::client::{Answer, CONFIG, Client};
use crate::support::eventually::eventually;
use crate::support::log;
use crate::support::openid_provider::{CLIENT_ID, OpenIdProvider};

const SIGN_IN: &str = "/console/sign-in";
const CALLBACK: &str = "/console/callback";
const CSRF: &str = "/api/v1/csrf-token";
const PUBLIC: &str = "http://localhost:8080";

async fn service(provider: &OpenIdProvider) -> TestApp {
    TestApp::with(|config| provider.configure(config, PUBLIC)).await
}

/// `name=value` of a cookie that an answer sets to something.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let pairs = set.filter_map(|line| line.split(';').next()).map(str::to_owned);
    pairs.into_iter().find(|pair| pair.strip_prefix(name).is_some_and(|rest| rest.len() > 1))
}

/// A browser that left for the provider: its cookie, and the query that it comes back with.
async fn departed(browser: &Client, provider: &OpenIdProvider) -> (String, String) {
    let answer = browser.get(&format!("{SIGN_IN}?return=/console/%3Ftab%3D1")).await.expect(303);
    let flow = cookie(&answer, "transports-sign-in").expect("a cookie for the flow");
    let query = provider.sign_in(answer.header("location").expect("a way to the provider"));
    (flow, query)
}

async fn come_back(browser: &Client, flow: &str, query: &str) -> Answer {
    browser.send("GET", &format!("{CALLBACK}?{query}"), &[("cookie", flow)], Vec::new()).await.expect(303)
}

/// The cookie of a session.
async fn signed_in(browser: &Client, provider: &OpenIdProvider) -> String {
    let (flow, query) = departed(browser, provider).await;
    let answer = come_back(browser, &flow, &query).await;
    cookie(&answer, "transports-session").expect("a session")
}

async fn csrf_token(browser: &Client, session: &str) -> String {
    let answer = browser.send("GET", CSRF, &[("cookie", session)], Vec::new()).await.expect(204);
    answer.header("qlik-csrf-token").expect("the token").to_owned()
}

#[tokio::test]
async fn a_browser_signs_in_and_uses_its_session() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let (flow, query) = departed(&browser, &provider).await;
    let answer = come_back(&browser, &flow, &query).await;
    assert_eq!(answer.header("location"), Some("/console/?tab=1"));
    let session = cookie(&answer, "transports-session").expect("a session");
    let whole =
        answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().expect("ASCII").to_owned());
    for line in whole {
        assert!(
            line.contains("HttpOnly") && line.contains("SameSite=Lax") && line.contains("Path=/"),
            "{line}"
        );
    }
    let (form, _) = provider.asked().remove(0);
    assert_eq!(form["redirect_uri"], format!("{PUBLIC}{CALLBACK}"));
    assert_eq!(form["grant_type"], "authorization_code");

    let cookies = [("cookie", session.as_str())];
    let nothing = json!({"isValid": false, "passwordExists": false});
    assert_eq!(browser.send("GET", CONFIG, &cookies, Vec::new()).await.expect(200).json(), nothing);
    let token = csrf_token(&browser, &session).await;
    let with_token = [cookies[0], ("qlik-csrf-token", token.as_str())];
    let patch = json!([{"op": "replace", "path": "/username", "value": "ann"}]);
    browser.json_with("PATCH", CONFIG, &with_token, &patch).await.expect(204);
    // The tenant is the session's, and nobody else's.
    assert_eq!(app.admin("acme").config().await["username"], "ann");
    assert_eq!(app.admin("other").config().await, nothing);
}

#[tokio::test]
async fn unsafe_methods_require_the_csrf_token() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let session = signed_in(&browser, &provider).await;
    let other = signed_in(&browser, &provider).await;
    let foreign = csrf_token(&browser, &other).await;
    let own = csrf_token(&browser, &session).await;
    let patch = json!([{"op": "replace", "path": "/username", "value": "ann"}]);
    let cookies = ("cookie", session.as_str());
    let tries: [&[(&str, &str)]; 4] = [
        &[cookies],
        &[cookies, ("qlik-csrf-token", "")],
        &[cookies, ("qlik-csrf-token", &foreign)],
        &[cookies, ("qlik-csrf-token", &own), ("qlik-csrf-token", &own)],
    ];
    for headers in tries {
        let body = browser.json_with("PATCH", CONFIG, headers, &patch).await.expect(403).json();
        assert_eq!(
            (&body["code"], &body["errors"][0]["code"]),
            (&json!("CSRF-TOKEN-2"), &json!("CSRF-TOKEN-2"))
        );
        browser.send("DELETE", CONFIG, headers, Vec::new()).await.expect(403);
    }
    assert_eq!(app.admin("acme").config().await["isValid"], json!(false), "nothing was stored");
    // A refusal of another kind has no code at the top.
    assert!(app.member("acme").get(CONFIG).await.expect(403).json().get("code").is_none());
}

#[tokio::test]
async fn a_session_expires_and_other_cookies_are_refused() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let session = signed_in(&browser, &provider).await;
    let get = |cookie: String| {
        let browser = browser.clone();
        async move { browser.send("GET", CONFIG, &[("cookie", &cookie)], Vec::new()).await.status }
    };
    assert_eq!(get(session.clone()).await, 200);
    let (flow, _) = departed(&browser, &provider).await;
    let flow_value = flow.split_once('=').expect("a pair").1;
    assert_eq!(get(format!("transports-session={flow_value}")).await, 401, "a flow is no session");
    assert_eq!(get(format!("{session}x")).await, 401, "changed");
    assert_eq!(get(format!("{session}; {session}")).await, 401, "twice");
    assert_eq!(get("transports-session=".to_owned()).await, 401, "empty");
    // A token of its own wins: a bad one is not mended by a cookie.
    let bad = app.bearer("not.a.token").send("GET", CONFIG, &[("cookie", &session)], Vec::new()).await;
    assert_eq!(bad.status, 401);
    app.clock.advance(8 * 3_600_000);
    assert_eq!(get(session).await, 401, "over");
}

#[tokio::test]
async fn signing_out_clears_the_cookie_and_leads_to_the_provider() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let session = signed_in(&browser, &provider).await;
    let token = csrf_token(&browser, &session).await;
    let cookies = ("cookie", session.as_str());
    browser.send("POST", "/console/sign-out", &[cookies], Vec::new()).await.expect(403);
    let headers = [cookies, ("qlik-csrf-token", token.as_str())];
    let answer = browser.send("POST", "/console/sign-out", &headers, Vec::new()).await.expect(200);
    let next = answer.json()["next"].as_str().expect("a URL").to_owned();
    assert!(next.starts_with(&format!("{}/end?client_id={CLIENT_ID}", provider.url)), "{next}");
    let line = answer.header("set-cookie").expect("a cleared cookie");
    assert!(line.starts_with("transports-session=;") && line.contains("Max-Age=0"), "{line}");
}

#[tokio::test]
async fn a_callback_without_a_pending_sign_in_is_refused() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let (flow, query) = departed(&browser, &provider).await;
    let (other_flow, _) = departed(&browser, &provider).await;
    // A sign-in ends with its callback, so what gets that far has one of its own.
    let (denied_flow, denied_query) = departed(&browser, &provider).await;
    let denied_state = denied_query.split_once("state=").expect("a state").1;
    let (unknown_flow, unknown_query) = departed(&browser, &provider).await;
    let unknown_state = unknown_query.split_once("state=").expect("a state").1;
    let refusals = [
        (String::new(), query.clone(), "expired"),
        (other_flow, query.clone(), "expired"),
        (flow.clone(), "code=code-0".to_owned(), "expired"),
        (flow.clone(), "code=code-0&state=other".to_owned(), "expired"),
        (denied_flow, format!("error=access_denied&state={denied_state}"), "denied"),
        (unknown_flow, format!("code=unknown&state={unknown_state}"), "expired"),
    ];
    for (cookie_line, query, word) in refusals {
        let answer = come_back(&browser, &cookie_line, &query).await;
        assert_eq!(answer.header("location"), Some(format!("/console/?sign-in={word}").as_str()), "{query}");
        assert_eq!(cookie(&answer, "transports-session"), None, "{query}");
    }
    let answer = come_back(&browser, &flow, &query).await;
    assert!(cookie(&answer, "transports-session").is_some(), "the one that set out");
    let again = come_back(&browser, &flow, &query).await;
    assert_eq!(cookie(&again, "transports-session"), None, "a code works once");
    // Too late.
    let (flow, query) = departed(&browser, &provider).await;
    app.clock.advance(15 * 60_000);
    assert_eq!(cookie(&come_back(&browser, &flow, &query).await, "transports-session"), None);
}

#[tokio::test]
async fn an_id_token_of_another_sign_in_is_refused() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let changes: [(&str, serde_json::Value); 12] = [
        ("iss", json!("https://other.example")),
        ("aud", json!("another-client")),
        ("aud", json!([CLIENT_ID, "another-client"])),
        ("azp", json!("another-client")),
        ("nonce", json!("another")),
        ("nonce", json!(null)),
        ("exp", json!(1)),
        ("iat", json!(null)),
        ("tenantId", json!(null)),
        ("tenantId", json!("*")),
        ("sub", json!("")),
        ("typ", json!("Refresh")),
    ];
    for (claim, value) in changes {
        let shown = format!("{claim}: {value}");
        provider.change_claims(move |claims| {
            if value.is_null() {
                claims.as_object_mut().expect("claims").remove(claim);
            } else {
                claims[claim] = value.clone();
            }
        });
        let (flow, query) = departed(&browser, &provider).await;
        let answer = come_back(&browser, &flow, &query).await;
        assert_eq!(answer.header("location"), Some("/console/?sign-in=not_known"), "{shown}");
        assert_eq!(cookie(&answer, "transports-session"), None, "{shown}");
    }
    provider.change_claims(|claims| claims["typ"] = json!("ID"));
    signed_in(&browser, &provider).await;
}

#[tokio::test]
async fn the_session_names_person_and_organisation() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let session = async |cookies: &str| {
        browser.send("GET", "/console/session", &[("cookie", cookies)], Vec::new()).await.expect(200).json()
    };
    let nameless = session(&signed_in(&browser, &provider).await).await;
    assert_eq!((&nameless["userName"], &nameless["tenantName"]), (&json!("ada@acme.example"), &json!(null)));
    provider.change_claims(|claims| {
        claims["name"] = json!("Ada Lovelace");
        claims["organization"] = json!({"acme": {"id": "42c3e46f"}});
    });
    let cookies = signed_in(&browser, &provider).await;
    let named = session(&cookies).await;
    assert_eq!((&named["userName"], &named["tenantName"]), (&json!("Ada Lovelace"), &json!("acme")));
    assert_eq!((&named["user"], &named["tenant"]), (&json!("ada"), &json!("acme")));

    // What the person does in the console has the name in the audit, beside the user's id.
    let token = csrf_token(&browser, &cookies).await;
    let headers = [("cookie", cookies.as_str()), ("qlik-csrf-token", token.as_str())];
    let patch = json!([{"op": "replace", "path": "/username", "value": "ann"}]);
    browser.json_with("PATCH", CONFIG, &headers, &patch).await.expect(204);
    app.admin("acme").patch(&json!({"username": "other"})).await.expect(204);
    let audit = app.admin("acme").get(&format!("{CONFIG}/audit")).await.expect(200).json();
    let who = |index: usize| (&audit["data"][index]["userId"], audit["data"][index].get("userName"));
    assert_eq!(who(0), (&json!("admin"), None), "the token has no name");
    assert_eq!(who(1), (&json!("ada"), Some(&json!("Ada Lovelace"))));
}

#[tokio::test]
async fn the_log_names_the_claim_that_a_token_lacks_and_no_value() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    provider.change_claims(|claims| {
        let members = claims.as_object_mut().expect("claims");
        members.remove("tenantId");
        members.remove("roles");
        members.insert("realm_access".to_owned(), json!({"roles": ["a-role-in-the-token"]}));
    });
    let (log, _guard) = log::capture();
    let (flow, query) = departed(&browser, &provider).await;
    come_back(&browser, &flow, &query).await;
    let refused = log.take();
    let expected = "the claim \"tenantId\" (auth.tenant_claim) is not in the token; the token has aud, email, exp, \
                    iat, iss, nonce, realm_access, sub";
    assert!(refused.contains(expected), "{refused}");

    provider.change_claims(|claims| {
        claims.as_object_mut().expect("claims").remove("roles");
    });
    signed_in(&browser, &provider).await;
    let no_admin = log.take();
    assert!(no_admin.contains("the claim \"roles\" (auth.roles_claim) is not in the token"), "{no_admin}");

    // The same for tokens of the API: no tenant is 401, no role is 403.
    let secret = Secret::new(token_secret().to_owned());
    let auth = &app.app.config.auth;
    let claims = json!({"sub": "sub-in-the-token", "iss": auth.issuer, "aud": auth.audience,
        "exp": app.clock.now().seconds() + 3600, "org": "org-in-the-token"});
    let token = sign_hs256(&secret, &claims).expect("a token");
    app.bearer(token.expose()).get(CONFIG).await.expect(401);
    let unauthorized = log.take();
    let expected = "the claim \"tenantId\" (auth.tenant_claim) is not in the token; the token has aud, exp, iss, org, sub";
    assert!(unauthorized.contains(expected), "{unauthorized}");
    app.member("acme").get(CONFIG).await.expect(403);
    let forbidden = log.take();
    assert!(forbidden.contains("the claim \"roles\" (auth.roles_claim) is not in the token"), "{forbidden}");
    for text in [refused, no_admin, unauthorized, forbidden] {
        assert!(!text.contains("in-the-token") && !text.contains("ada@acme.example"), "{text}");
    }
}

#[tokio::test]
async fn a_plain_user_gains_no_rights_by_signing_in() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    provider.change_claims(|claims| claims["roles"] = json!(["Member"]));
    let browser = app.anybody();
    let session = signed_in(&browser, &provider).await;
    let answer = browser.send("GET", CONFIG, &[("cookie", &session)], Vec::new()).await.expect(403);
    assert_eq!(answer.error().0, "ROLECHECK-1");
}

#[tokio::test]
async fn without_a_provider_sign_in_is_404() {
    let app = TestApp::start().await;
    for path in [SIGN_IN, CALLBACK] {
        app.anybody().get(path).await.expect(404);
    }
    app.anybody().get(CSRF).await.expect(401);
    app.anybody().post("/console/sign-out").await.expect(404);
    // A cookie says nothing where no session can have been made.
    let cookies = [("cookie", "transports-session=x")];
    app.anybody().send("GET", CONFIG, &cookies, Vec::new()).await.expect(401);
    app.admin("acme").send("GET", CONFIG, &cookies, Vec::new()).await.expect(200);
}

#[tokio::test]
async fn an_unreachable_provider_is_reported_and_retried() {
    let provider = OpenIdProvider::start().await;
    let app = TestApp::with(|config| {
        provider.configure(config, PUBLIC);
        config.console.oidc_issuer = Some("http://127.0.0.1:9".to_owned());
    })
    .await;
    let answer = app.anybody().get(SIGN_IN).await.expect(303);
    assert_eq!(answer.header("location"), Some("/console/?sign-in=provider"));
    assert_eq!(cookie(&answer, "transports-sign-in"), None);
}

/// Security case M13.
#[tokio::test]
async fn a_session_ends_with_signing_out_on_every_replica() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let session = signed_in(&browser, &provider).await;
    let other = signed_in(&browser, &provider).await;
    let replica =
        TestApp::with_database(app.database.clone(), |config| provider.configure(config, PUBLIC)).await;
    let token = csrf_token(&browser, &session).await;
    let cookies = [("cookie", session.as_str()), ("qlik-csrf-token", token.as_str())];
    replica.anybody().send("GET", CONFIG, &cookies, Vec::new()).await.expect(200);
    browser.send("POST", "/console/sign-out", &cookies, Vec::new()).await.expect(200);
    let patch = json!([{"op": "replace", "path": "/username", "value": "ann"}]);
    for client in [browser.clone(), replica.anybody()] {
        for path in [CONFIG, CSRF, "/console/session"] {
            client.send("GET", path, &cookies, Vec::new()).await.expect(401);
        }
        client.json_with("PATCH", CONFIG, &cookies, &patch).await.expect(401);
        client.send("POST", "/console/sign-out", &cookies, Vec::new()).await.expect(401);
        client.send("GET", CONFIG, &[("cookie", other.as_str())], Vec::new()).await.expect(200);
    }
}

/// Security case M13.
#[tokio::test]
async fn what_is_kept_of_ended_sessions_goes_when_they_would_have_expired() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let session = signed_in(&browser, &provider).await;
    let token = csrf_token(&browser, &session).await;
    let cookies = [("cookie", session.as_str()), ("qlik-csrf-token", token.as_str())];
    browser.send("POST", "/console/sign-out", &cookies, Vec::new()).await.expect(200);
    let retention = Retention::new(&app.app.config, app.clock.clone(), app.app.db.clone());
    let kept = async || app.database.query("select count(*) from ended_sessions").await;
    retention.delete_expired_sessions().await.expect("a database");
    assert_eq!(kept().await, [[Some("1".to_owned())]]);
    app.clock.advance(i64::from(app.app.config.console.session_minutes) * 60_000);
    retention.delete_expired_sessions().await.expect("a database");
    assert_eq!(kept().await, [[Some("0".to_owned())]]);
}

/// Security case M14.
#[tokio::test]
async fn a_sign_in_that_came_back_asks_the_provider_no_second_time() {
    let provider = OpenIdProvider::start().await;
    let app = service(&provider).await;
    let browser = app.anybody();
    let (flow, query) = departed(&browser, &provider).await;
    let state = query.split_once("&state=").expect("a state").1.to_owned();
    for number in 0..20 {
        let answer = come_back(&browser, &flow, &format!("code=invented-{number}&state={state}")).await;
        assert_eq!(answer.header("location"), Some("/console/?sign-in=expired"));
        let set = answer.header("set-cookie").expect("the cookie is cleared");
        assert!(set.starts_with("transports-sign-in=;") && set.contains("Max-Age=0"), "{set}");
    }
    assert_eq!(provider.asked().len(), 1);
    let answer = come_back(&browser, &flow, &query).await;
    assert_eq!(cookie(&answer, "transports-session"), None, "the real code comes too late");
}

/// Security case M14.
#[tokio::test]
async fn sign_ins_are_counted_by_address_and_take_nothing_from_requests_with_a_token() {
    let provider = OpenIdProvider::start().await;
    let app = TestApp::with(|config| {
        provider.configure(config, PUBLIC);
        config.rate_limit.sign_ins_per_minute = 3;
    })
    .await;
    let browser = app.anybody();
    let _ = departed(&browser, &provider).await;
    browser.get(SIGN_IN).await.expect(303);
    browser.get(CALLBACK).await.expect(303);
    for path in [SIGN_IN, CALLBACK] {
        let answer = browser.get(path).await.expect(429);
        assert_eq!(answer.header("retry-after"), Some("60"));
    }
    app.admin("acme").get(CONFIG).await.expect(200);
    browser.get(CONFIG).await.expect(401);
    app.clock.advance(60_000);
    browser.get(SIGN_IN).await.expect(303);
}

/// Security case M14.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_takes_few_connections_and_is_asked_once_in_some_seconds() {
    let hanging = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let issuer = format!("http://{}", hanging.local_addr().expect("bound"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = hanging.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    let provider = OpenIdProvider::start().await;
    let app = TestApp::with(|config| {
        provider.configure(config, PUBLIC);
        config.console.oidc_issuer = Some(issuer);
        config.server.max_connections = 50;
    })
    .await;
    let browser = app.anybody();
    let waiting: Vec<_> = (0..45)
        .map(|_| {
            let browser = browser.clone();
            tokio::spawn(async move { browser.get(SIGN_IN).await })
        })
        .collect();
    for _ in 0..20 {
        app.admin("acme").get(CONFIG).await.expect(200);
    }
    for waiting in waiting {
        let answer = waiting.await.expect("an answer").expect(303);
        assert_eq!(answer.header("location"), Some("/console/?sign-in=provider"));
    }
    let answer = browser.get(SIGN_IN).await.expect(303);
    assert_eq!(answer.header("location"), Some("/console/?sign-in=provider"), "remembered");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    app.clock.advance(5_000);
    let asking = tokio::spawn(async move { browser.get(SIGN_IN).await });
    eventually("the provider is asked again", async || asked.load(Ordering::SeqCst) == 2).await;
    asking.abort();
}
