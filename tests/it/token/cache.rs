//! Tokens that have been verified are remembered: no longer than their key and their times allow.

use serde_json::json;
use transports::auth::token::{TokenError, Verifier};
use transports::config::Auth;

use crate::support::tokens::{
    Issuer, IssuerKey, NOW, claims, claims_with, clock, encode, hs256, hs256_settings, key_set, settings,
};

/// How long a set is not asked for again, in milliseconds.
const MINUTE: i64 = 60_000;

/// Security case F17.
#[tokio::test]
async fn a_cached_token_is_refused_after_its_key_was_withdrawn() {
    let (old, new) = (IssuerKey::p256("old"), IssuerKey::p256("new"));
    let issuer = Issuer::new(&key_set(&[old.jwk()]));
    let clock = clock();
    let verifier = Verifier::with_source(&settings(), clock.clone(), Some(issuer.source())).unwrap();
    let token = old.token(&claims());
    assert!(verifier.verify(&token).await.is_ok());

    issuer.serve(&key_set(&[new.jwk()]));
    clock.advance(MINUTE);
    assert!(verifier.verify(&token).await.is_ok(), "nothing has asked for another set yet");
    assert!(verifier.verify(&new.token(&claims())).await.is_ok());
    assert_eq!(issuer.requests(), 2);
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Invalid("no key fits")));
}

/// Security case F17.
#[tokio::test]
async fn a_cached_token_ends_with_its_key_set() {
    let key = IssuerKey::p256("key");
    let issuer = Issuer::new(&key_set(&[key.jwk()]));
    let clock = clock();
    let short = Auth { jwks_max_age_hours: 1, ..settings() };
    let verifier = Verifier::with_source(&short, clock.clone(), Some(issuer.source())).unwrap();
    let token = key.token(&claims_with("exp", Some(json!(NOW + 1_000_000))));
    assert!(verifier.verify(&token).await.is_ok());
    issuer.go_down();
    clock.advance(60 * MINUTE);
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(1);
    assert_eq!(verifier.verify(&token).await, Err(TokenError::NoKeys));
}

/// Security case F17.
#[tokio::test]
async fn a_cached_tokens_times_are_checked_at_every_use() {
    let clock = clock();
    let verifier = Verifier::with_source(&hs256_settings(), clock.clone(), None).unwrap();
    let token = hs256(&claims_with("nbf", Some(json!(NOW))));
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(3_629_999);
    assert!(verifier.verify(&token).await.is_ok(), "the last moment of the leeway");
    clock.advance(1);
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Invalid("expired")));
    clock.advance(-3_630_000 - 31_000);
    assert_eq!(verifier.verify(&token).await, Err(TokenError::Invalid("not valid yet")));
    clock.advance(1_000);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_cached_token_vouches_for_no_other_token() {
    let verifier = Verifier::with_source(&hs256_settings(), clock(), None).unwrap();
    let token = hs256(&claims());
    let caller = verifier.verify(&token).await.unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let other_claims = encode(claims_with("tenantId", Some(json!("tenant-2"))).to_string());
    let other_signature = hs256(&claims_with("tenantId", Some(json!("tenant-2"))));
    let other_signature = other_signature.rsplit_once('.').unwrap().1;
    for forged in [
        format!("{header}.{other_claims}.{signature}"),
        format!("{message}.{other_signature}"),
        format!("{message}."),
        message.to_owned(),
        format!("{token}="),
        token[..token.len() - 1].to_owned(),
    ] {
        assert!(matches!(verifier.verify(&forged).await, Err(TokenError::Invalid(_))), "{forged}");
    }
    assert_eq!(verifier.verify(&token).await, Ok(caller), "and the right one still counts");
}
