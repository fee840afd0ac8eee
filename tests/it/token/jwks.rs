//! The issuer's key set over time: rotation, an issuer that is down, many waiters.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transports::auth::token::{
    JwksSource, REFRESH_AFTER, REFRESH_INTERVAL, RETRY_INTERVAL, TokenError, Verifier,
};
use transports::config::Auth;

use crate::support::jwks_server::JwksServer;
use crate::support::tokens::{
    Issuer, IssuerKey, NOW, SECRET, claims, claims_with, clock, hs256, key_set, settings,
};

const HOUR: i64 = 3_600_000;

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

/// Claims that outlive every test here.
fn long_claims() -> serde_json::Value {
    claims_with("exp", Some(json!(NOW + 1_000_000)))
}

/// Fetches from the server as plainly as can be; the client of the service has tests of its own.
fn over_the_network(server: &JwksServer) -> JwksSource {
    let address = server.address;
    JwksSource::Table(Arc::new(move || {
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "a test talks to its own server")]
            let stream = tokio::net::TcpStream::connect(address).await;
            let mut stream = stream.map_err(|error| error.to_string())?;
            let request = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: test\r\n\r\n";
            stream.write_all(request).await.map_err(|error| error.to_string())?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
            let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or("no answer")?;
            Ok(answer[head + 4..].to_vec())
        })
    }))
}

/// Security case F4.
#[tokio::test]
async fn unknown_key_ids_are_refused_and_cause_one_fetch_a_minute() {
    let key = IssuerKey::p256("known");
    let issuer = Issuer::new(&key_set(&[key.jwk()]));
    let clock = clock();
    let verifier = Verifier::with_source(&settings(), clock.clone(), Some(issuer.source())).unwrap();
    assert!(verifier.verify(&key.token(&long_claims())).await.is_ok());
    assert_eq!(issuer.requests(), 1);

    let attack = async || {
        let mut ids =
            vec![json!("../../dev/null"), json!("' OR 1=1"), json!("unknown"), json!(""), json!("KNOWN")];
        ids.extend([
            json!("x".repeat(1024 * 1024)),
            json!("a\u{0}"),
            json!("known\u{0}"),
            json!("x".repeat(600)),
        ]);
        ids.extend([json!(null), json!(7), json!(["known"])]);
        ids.extend((0..50).map(|number| json!(format!("random-{number}"))));
        for id in ids {
            let header = json!({"alg": "ES256", "kid": id});
            let outcome = verifier.verify(&key.token_with(&header, &long_claims())).await;
            assert!(matches!(outcome, Err(TokenError::Invalid(_))), "{outcome:?}");
        }
    };
    attack().await;
    assert_eq!(issuer.requests(), 1, "the fetch was a moment ago");
    clock.advance(milliseconds(REFRESH_INTERVAL) - 1);
    attack().await;
    assert_eq!(issuer.requests(), 1, "still within the minute");
    clock.advance(1);
    attack().await;
    assert_eq!(issuer.requests(), 2, "one in the next minute");
    assert!(verifier.verify(&key.token(&long_claims())).await.is_ok());
}

/// Security case F4.
#[tokio::test]
async fn a_token_without_a_key_id_needs_exactly_one_matching_key() {
    let (first, second, other) = (IssuerKey::p256("1"), IssuerKey::p256("2"), IssuerKey::p384("3"));
    let nameless = |key: &IssuerKey| key.token_with(&json!({"alg": key.algorithm}), &claims());

    let issuer = Issuer::new(&key_set(&[first.jwk(), other.jwk()]));
    let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
    assert!(verifier.verify(&nameless(&first)).await.is_ok());
    assert!(verifier.verify(&nameless(&other)).await.is_ok());

    let issuer = Issuer::new(&key_set(&[first.jwk(), second.jwk(), other.jwk()]));
    let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
    for key in [&first, &second] {
        assert!(matches!(verifier.verify(&nameless(key)).await, Err(TokenError::Invalid(_))));
        assert!(verifier.verify(&key.token(&claims())).await.is_ok());
    }
    assert!(verifier.verify(&nameless(&other)).await.is_ok());
}

/// Security case F4.
#[tokio::test]
async fn keys_with_the_same_id_are_not_used() {
    let (first, second, other) = (IssuerKey::p256("same"), IssuerKey::p256("same"), IssuerKey::p256("other"));
    let issuer = Issuer::new(&key_set(&[first.jwk(), second.jwk(), other.jwk()]));
    let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
    for key in [&first, &second] {
        let outcome = verifier.verify(&key.token(&claims())).await;
        assert_eq!(outcome, Err(TokenError::Invalid("no key fits")));
    }
    assert!(verifier.verify(&other.token(&claims())).await.is_ok());
    // A key for encryption with the same id is no signature key, and so does not count.
    let sibling = second.jwk_with("use", Some(json!("enc")));
    let issuer = Issuer::new(&key_set(&[first.jwk(), sibling]));
    let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
    assert!(verifier.verify(&first.token(&claims())).await.is_ok());
}

/// Security case F17.
#[tokio::test]
async fn a_new_key_is_fetched_for_its_first_token() {
    let (old, new) = (IssuerKey::p256("old"), IssuerKey::p256("new"));
    let server = JwksServer::start(&key_set(&[old.jwk()])).await;
    let clock = clock();
    let verifier =
        Verifier::with_source(&settings(), clock.clone(), Some(over_the_network(&server))).unwrap();
    assert_eq!(server.requests(), 0, "nothing is fetched before it is needed");
    assert!(verifier.verify(&old.token(&long_claims())).await.is_ok());

    server.serve(&key_set(&[new.jwk()]));
    clock.advance(milliseconds(REFRESH_INTERVAL));
    assert!(verifier.verify(&new.token(&long_claims())).await.is_ok());
    assert_eq!(server.requests(), 2);
    let outcome = verifier.verify(&old.token(&long_claims())).await;
    assert_eq!(outcome, Err(TokenError::Invalid("no key fits")), "the old key is gone with the old set");
    assert_eq!(server.requests(), 2);
}

/// Security cases F17, K12.
#[tokio::test]
async fn a_clock_jump_neither_delays_a_fetch_nor_expires_a_key_set() {
    let (old, new) = (IssuerKey::p256("old"), IssuerKey::p256("new"));
    let issuer = Issuer::new(&key_set(&[old.jwk()]));
    let clock = clock();
    let verifier = Verifier::with_source(&settings(), clock.clone(), Some(issuer.source())).unwrap();
    assert!(verifier.verify(&old.token(&long_claims())).await.is_ok());
    for jump in [-24 * HOUR, 72 * HOUR] {
        clock.set_by(jump);
        assert!(verifier.verify(&old.token(&long_claims())).await.is_ok());
    }
    assert_eq!(issuer.requests(), 1, "no time has passed");
    clock.set_by(-48 * HOUR);
    clock.advance(milliseconds(REFRESH_INTERVAL));
    issuer.serve(&key_set(&[new.jwk()]));
    assert!(verifier.verify(&new.token(&long_claims())).await.is_ok());
    assert_eq!(issuer.requests(), 2);
}

/// Security case F17.
#[tokio::test]
async fn a_stale_key_set_is_refreshed_in_the_background() {
    let (old, new) = (IssuerKey::p256("old"), IssuerKey::p256("new"));
    let server = JwksServer::start(&key_set(&[old.jwk()])).await;
    let clock = clock();
    let verifier =
        Verifier::with_source(&settings(), clock.clone(), Some(over_the_network(&server))).unwrap();
    assert!(verifier.verify(&old.token(&long_claims())).await.is_ok());

    clock.advance(milliseconds(REFRESH_AFTER));
    assert!(verifier.verify(&old.token(&long_claims())).await.is_ok());
    tokio::task::yield_now().await;
    assert_eq!(server.requests(), 1, "not old yet");

    server.serve(&key_set(&[new.jwk()]));
    clock.advance(1);
    assert!(verifier.verify(&old.token(&long_claims())).await.is_ok(), "answered with the keys at hand");
    // The old key's tokens are refused as soon as the set has come; nothing but the age asked for it.
    let refused = async {
        while verifier.verify(&old.token(&long_claims())).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, refused).await.expect("the set is fetched in the background");
    assert_eq!(server.requests(), 2);
    assert!(verifier.verify(&new.token(&long_claims())).await.is_ok());
}

/// Security case F17.
#[tokio::test]
async fn keys_are_kept_for_the_configured_time_while_the_issuer_is_down() {
    let key = IssuerKey::p256("a");
    let issuer = Issuer::new(&key_set(&[key.jwk()]));
    let clock = clock();
    let settings = Auth { jwks_max_age_hours: 2, ..settings() };
    let verifier = Verifier::with_source(&settings, clock.clone(), Some(issuer.source())).unwrap();
    let token = key.token(&long_claims());
    assert!(verifier.verify(&token).await.is_ok());

    issuer.go_down();
    clock.advance(2 * HOUR);
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(1);
    assert_eq!(verifier.verify(&token).await, Err(TokenError::NoKeys));
    assert_eq!(verifier.load_keys().await, Err(TokenError::NoKeys));

    // What could be no good token with any key is still that.
    assert!(matches!(verifier.verify("x").await, Err(TokenError::Invalid(_))));
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(verifier.verify(&unsigned).await, Err(TokenError::Invalid("no signature")));
    assert!(matches!(verifier.verify(&hs256(&claims())).await, Err(TokenError::Invalid(_))));

    issuer.serve(&key_set(&[key.jwk()]));
    clock.advance(milliseconds(REFRESH_INTERVAL));
    assert!(verifier.verify(&token).await.is_ok());
}

/// Security case F17.
#[tokio::test]
async fn without_keys_the_issuer_is_asked_at_intervals() {
    let key = IssuerKey::p256("a");
    let issuer = Issuer::new(&key_set(&[key.jwk()]));
    issuer.go_down();
    let clock = clock();
    let verifier = Verifier::with_source(&settings(), clock.clone(), Some(issuer.source())).unwrap();
    for _ in 0..20 {
        assert_eq!(verifier.verify(&key.token(&claims())).await, Err(TokenError::NoKeys));
    }
    assert_eq!(issuer.requests(), 1);
    clock.advance(milliseconds(RETRY_INTERVAL) - 1);
    assert_eq!(verifier.verify(&key.token(&claims())).await, Err(TokenError::NoKeys));
    assert_eq!(issuer.requests(), 1);
    issuer.serve(&key_set(&[key.jwk()]));
    clock.advance(1);
    assert!(verifier.verify(&key.token(&claims())).await.is_ok());
    assert_eq!(issuer.requests(), 2);
}

/// Security case F17.
#[tokio::test]
async fn a_configured_key_works_while_the_issuer_is_down() {
    let key = IssuerKey::p256("a");
    let issuer = Issuer::new(&key_set(&[]));
    issuer.go_down();
    let secret = transports::secret::Secret::new(SECRET.to_owned());
    let settings = Auth { hs256_secret: Some(secret), ..settings() };
    let verifier = Verifier::with_source(&settings, clock(), Some(issuer.source())).unwrap();
    assert!(verifier.verify(&hs256(&claims())).await.is_ok());
    assert_eq!(issuer.requests(), 0);
    assert_eq!(verifier.verify(&key.token(&claims())).await, Err(TokenError::NoKeys));
}

#[tokio::test]
async fn an_answer_without_a_usable_key_changes_nothing() {
    let key = IssuerKey::p256("a");
    let issuer = Issuer::new(&key_set(&[key.jwk()]));
    let clock = clock();
    let verifier = Verifier::with_source(&settings(), clock.clone(), Some(issuer.source())).unwrap();
    let unknown = IssuerKey::p256("unknown").token(&long_claims());
    assert!(verifier.verify(&key.token(&long_claims())).await.is_ok());
    let twice = key_set(&[IssuerKey::p256("b").jwk(), IssuerKey::p256("b").jwk()]);
    let unusable = [json!("<html>"), json!({}), json!({"keys": {}}), json!([key.jwk()]), key_set(&[]), twice];
    for answer in &unusable {
        issuer.serve(answer);
        clock.advance(milliseconds(REFRESH_INTERVAL));
        assert!(matches!(verifier.verify(&unknown).await, Err(TokenError::Invalid(_))), "{answer}");
        assert!(verifier.verify(&key.token(&long_claims())).await.is_ok(), "{answer}");
    }
    assert_eq!(issuer.requests(), 1 + unusable.len());
    // A new key takes the place of the old one, which must not live on.
    let new = IssuerKey::p256("c");
    issuer.serve(&key_set(&[new.jwk()]));
    clock.advance(milliseconds(REFRESH_INTERVAL));
    assert!(verifier.verify(&new.token(&long_claims())).await.is_ok());
    assert!(matches!(verifier.verify(&key.token(&long_claims())).await, Err(TokenError::Invalid(_))));
}

#[tokio::test]
async fn concurrent_requests_share_one_fetch_that_survives_a_cancelled_one() {
    let key = IssuerKey::p256("a");
    let server = JwksServer::start(&key_set(&[key.jwk()])).await;
    server.set_slow(true);
    let verifier = Verifier::with_source(&settings(), clock(), Some(over_the_network(&server))).unwrap();
    let verifier = Arc::new(verifier);
    let token = key.token(&claims());
    let ask = || {
        let (verifier, token) = (Arc::clone(&verifier), token.clone());
        tokio::spawn(async move { verifier.verify(&token).await })
    };
    let leaver = ask();
    while server.requests() == 0 {
        tokio::task::yield_now().await;
    }
    let waiters: Vec<_> = (0..50).map(|_| ask()).collect();
    tokio::task::yield_now().await;
    leaver.abort();
    assert!(leaver.await.is_err());
    server.let_go();
    for waiter in waiters {
        assert!(waiter.await.unwrap().is_ok());
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_connection_closed_without_a_response_is_an_outage() {
    let key = IssuerKey::p256("a");
    let server = JwksServer::start(&key_set(&[key.jwk()])).await;
    server.set_down(true);
    let clock = clock();
    let verifier =
        Verifier::with_source(&settings(), clock.clone(), Some(over_the_network(&server))).unwrap();
    assert_eq!(verifier.load_keys().await, Err(TokenError::NoKeys));
    server.set_down(false);
    clock.advance(milliseconds(RETRY_INTERVAL));
    assert_eq!(verifier.load_keys().await, Ok(()));
    assert!(verifier.verify(&key.token(&claims())).await.is_ok());
    assert_eq!(server.requests(), 2);
    assert!(server.url().starts_with("http://127.0.0.1:"));
}
