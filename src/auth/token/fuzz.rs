//! Fuzz targets: bearer tokens before and after their signature.

use std::future::Future as _;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::claims::LEEWAY_SECONDS;
use super::compact::{Compact, MAX_BYTES};
use super::{Caller, Principal, TokenError, Verifier};
use crate::clock::{Clock, Timestamp};
use crate::config::{Auth, Config};
use crate::json;
use crate::secret::Secret;

/// 2026-01-01T00:00:00Z, in seconds.
const NOW: i64 = 1_767_225_600;
const SECRET: &str = "a-secret-of-the-tests-with-40-characters";
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "transports";

fn verify(token: &str) -> Result<Principal, TokenError> {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    let verifier = VERIFIER.get_or_init(|| {
        let settings = Auth {
            hs256_secret: Some(Secret::new(SECRET.to_owned())),
            issuer: Some(ISSUER.to_owned()),
            audience: Some(AUDIENCE.to_owned()),
            ..Config::default().auth
        };
        let clock = Clock::manual(Timestamp(NOW * 1_000));
        Verifier::with_source(&settings, clock, None).expect("a key")
    });
    // Without a key set there is nothing to wait for.
    match pin!(verifier.verify(token)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(verdict) => verdict,
        Poll::Pending => panic!("the verifier waits without a key set"),
    }
}

fn sign(message: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// A token as it comes. Whatever is taken is signed with our key, by HS256, in its one spelling; what is refused for its
/// signature alone is taken once it is signed.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_form(text);
    if let Ok(principal) = verify(text) {
        let (message, _) = text.rsplit_once('.').expect("three parts");
        assert_eq!(sign(message), text, "a signature that is not ours was taken");
        assert!(!matches!(principal, Principal::User(caller) if caller.tenant.as_str().is_empty()));
    }
    // Header and claims with a good signature reach what stands behind it. Two lines are the two in JSON: no chance
    // makes good Base64.
    let message = match text.split_once('\n') {
        Some((header, claims)) => {
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
        }
        None => text.rsplit_once('.').map_or(text, |(message, _)| message).to_owned(),
    };
    let signed = sign(&message);
    check_form(&signed);
    if verify(&signed).is_ok() {
        let compact = Compact::parse(&signed).unwrap_or_else(|_| panic!("it was taken"));
        assert!(compact.algorithm.is_symmetric());
        let mut other = signed.into_bytes();
        let last = other.len() - 2;
        other[last] = if other[last] == b'A' { b'B' } else { b'A' };
        assert!(verify(std::str::from_utf8(&other).expect("ASCII")).is_err());
    }
}

fn check_form(text: &str) {
    let Ok(compact) = Compact::parse(text) else { return };
    let parts: Vec<&str> = text.split('.').collect();
    assert!(parts.len() == 3 && text.len() <= MAX_BYTES);
    assert_eq!(compact.message, format!("{}.{}", parts[0], parts[1]).as_bytes());
    let header = URL_SAFE_NO_PAD.decode(parts[0]).expect("base64url");
    assert_eq!(URL_SAFE_NO_PAD.encode(&header), parts[0], "a part has one spelling");
    assert_eq!(URL_SAFE_NO_PAD.encode(&compact.signature), parts[2], "a part has one spelling");
    let header = json::object(&header).expect("an object");
    let algorithm = header["alg"].as_str().expect("a string");
    assert!(!algorithm.eq_ignore_ascii_case("none") && !algorithm.is_empty());
    for member in ["jwk", "jku", "x5u", "x5c", "crit", "b64"] {
        assert!(!header.contains_key(member), "{member}");
    }
    if let Ok(claims) = compact.claims() {
        let decoded = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url");
        assert_eq!(json::object(&decoded), Some(claims));
    }
}

/// Claims under a good signature: who is taken has a date in the future, our issuer and audience, one plain tenant and
/// user, and is an administrator by role or scope only; or has no tenant, and is the platform by its scope.
pub fn claims(data: &[u8]) {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let Ok(principal) = verify(&sign(&format!("{header}.{}", URL_SAFE_NO_PAD.encode(data)))) else { return };
    let claims = json::object(data).expect("only an object is taken");
    let seconds = |name: &str| claims[name].as_f64().expect("a number");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (latest, earliest) = ((NOW + LEEWAY_SECONDS + 1) as f64, (NOW - LEEWAY_SECONDS) as f64);
    assert!(seconds("exp") > earliest && seconds("exp") <= 253_402_300_799.0);
    assert!(!claims.contains_key("nbf") || seconds("nbf") < latest);
    assert!(!claims.contains_key("iat") || seconds("iat") >= 0.0);
    assert_eq!(claims["iss"], ISSUER);
    let holds = |claim: &Value, wanted: &str| match claim {
        Value::Array(items) => items.iter().any(|item| item == wanted),
        claim => claim == wanted,
    };
    assert!(holds(&claims["aud"], AUDIENCE));
    let is_name = |name: &str, taken: &str| {
        assert_eq!(claims[name], taken);
        assert!((1..=255).contains(&taken.len()) && taken != "*" && !taken.chars().any(char::is_control));
    };
    let has_scope = |wanted: &str| {
        claims.get("scope").is_some_and(|scope| match scope {
            Value::String(words) => words.split(' ').any(|word| word == wanted),
            scope => holds(scope, wanted),
        })
    };
    match principal {
        Principal::User(Caller { tenant, user, is_admin, .. }) => {
            is_name("tenantId", tenant.as_str());
            is_name("sub", user.as_str());
            let role = claims.get("roles").is_some_and(|roles| match roles {
                Value::String(words) => words.split_whitespace().any(|word| word == "TenantAdmin"),
                Value::Object(members) => members.contains_key("TenantAdmin"),
                roles => holds(roles, "TenantAdmin"),
            });
            assert_eq!(is_admin, role || has_scope("admin_classic"));
        }
        Principal::Platform(user) => {
            is_name("sub", user.as_str());
            assert!(has_scope("transports:platform") && !claims.contains_key("tenantId"));
        }
    }
    assert!(!claims.contains_key("nonce") && !claims.contains_key("at_hash"), "an ID token");
    for other in ["typ", "token_use"] {
        assert!(!claims.get(other).is_some_and(|kind| kind == "id" || kind == "refresh"));
    }
}
