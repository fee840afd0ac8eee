//! What a token looks like, before anybody asks what it says.

use serde_json::{Value, json};
use transports::auth::token::{Principal, TokenError, Verifier};

use crate::support::tokens::{
    Issuer, IssuerKey, SECRET, claims, clock, encode, hs256, hs256_settings, hs256_text, key_set, settings,
};

fn is_invalid<T>(outcome: &Result<T, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::Invalid(_)))
}

fn hs256_verifier() -> Verifier {
    Verifier::with_source(&hs256_settings(), clock(), None).unwrap()
}

#[tokio::test]
async fn a_good_token_names_tenant_and_user() {
    let Principal::User(caller) = hs256_verifier().verify(&hs256(&claims())).await.unwrap() else {
        panic!("a tenant's token")
    };
    assert_eq!(caller.tenant.as_str(), "tenant-1");
    assert_eq!(caller.user.as_str(), "user-1");
    assert!(!caller.is_admin);
}

/// Security case F1.
#[tokio::test]
async fn alg_none_is_refused_in_every_spelling() {
    let verifier = hs256_verifier();
    let names = ["none", "None", "NONE", "nONE", "noNe", "NoNe", "nonE", "none ", "", "HS256\u{0}"];
    let values = names.iter().map(|name| json!(name)).chain([Value::Null, json!(["HS256"]), json!(256)]);
    for algorithm in values {
        let message =
            format!("{}.{}", encode(json!({"alg": algorithm}).to_string()), encode(claims().to_string()));
        for signature in ["", "AA"] {
            let outcome = verifier.verify(&format!("{message}.{signature}")).await;
            assert!(is_invalid(&outcome), "{algorithm} {signature:?}: {outcome:?}");
        }
        // Also where the signature would be good.
        let header = json!({"alg": algorithm}).to_string();
        let outcome = verifier.verify(&hs256_text(SECRET.as_bytes(), &header, &claims().to_string())).await;
        assert!(is_invalid(&outcome), "{algorithm}: {outcome:?}");
    }
    let outcome = verifier.verify(&hs256_text(SECRET.as_bytes(), "{}", &claims().to_string())).await;
    assert!(is_invalid(&outcome), "{outcome:?}");
}

/// Security case F1.
#[tokio::test]
async fn only_the_compact_form_is_read() {
    let verifier = hs256_verifier();
    let good = hs256(&claims());
    assert!(verifier.verify(&good).await.is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let flattened = json!({"protected": header, "payload": payload, "signature": signature}).to_string();
    let general = json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
        .to_string();
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!(".{good}"),
        format!("{good}.a.b"),
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{}", &signature[1..]),
        format!("{header}.{payload}.{flipped}{}", &signature[1..]),
        format!("{header}.{payload}.{signature}AAAA"),
        flattened.clone(),
        general.clone(),
        encode(flattened),
        encode(general),
        format!("{header}.{}.{signature}", encode("null")),
    ] {
        let outcome = verifier.verify(&bad).await;
        assert!(is_invalid(&outcome), "{bad}: {outcome:?}");
    }
}

/// Security case F1.
#[tokio::test]
async fn a_signature_has_one_spelling() {
    // The last character of 32 bytes carries two bits that say nothing; they must be zero.
    let good = hs256(&claims());
    let last = good.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let other = format!("{}{next}", &good[..good.len() - 1]);
    assert!(is_invalid(&hs256_verifier().verify(&other).await));
}

/// Security case F3.
#[tokio::test]
async fn tokens_that_bring_or_name_a_key_are_refused() {
    let attacker = IssuerKey::p256("attacker");
    let honest = IssuerKey::p256("honest");
    let issuer = Issuer::new(&key_set(&[honest.jwk()]));
    let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
    for (name, value) in [
        ("jwk", attacker.jwk()),
        ("jku", json!("http://127.0.0.1:9/jwks.json")),
        ("x5u", json!("http://127.0.0.1:9/certificate.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("cty", json!("JWT")),
    ] {
        for key in [&attacker, &honest] {
            let mut header = key.header();
            header[name] = value.clone();
            let outcome = verifier.verify(&key.token_with(&header, &claims())).await;
            assert!(is_invalid(&outcome), "{name}: {outcome:?}");
        }
    }
    assert_eq!(issuer.requests(), 0);
    // Members that only describe the key are nothing to refuse (RFC 7515 section 4.1: ignore what is unknown).
    let mut header = honest.header();
    header["x5t"] = json!("AAAA");
    header["something"] = json!({"else": 1});
    assert!(verifier.verify(&honest.token_with(&header, &claims())).await.is_ok());
    assert_eq!(issuer.requests(), 1);
}

/// Security case F8.
#[tokio::test]
async fn only_access_tokens_are_taken() {
    let verifier = hs256_verifier();
    for (kind, good) in [
        (json!("JWT"), true),
        (json!("jwt"), true),
        (json!("at+jwt"), true),
        (json!("AT+JWT"), true),
        (json!("application/at+jwt"), true),
        (json!("id+jwt"), false),
        (json!("rt+jwt"), false),
        (json!("logout+jwt"), false),
        (json!("dpop+jwt"), false),
        (json!("JWT "), false),
        (json!(""), false),
        (Value::Null, false),
        (json!(["JWT"]), false),
    ] {
        let header = json!({"alg": "HS256", "typ": kind}).to_string();
        let outcome = verifier.verify(&hs256_text(SECRET.as_bytes(), &header, &claims().to_string())).await;
        assert_eq!(outcome.is_ok(), good, "{kind}: {outcome:?}");
    }
    let header = r#"{"alg":"HS256"}"#;
    assert!(verifier.verify(&hs256_text(SECRET.as_bytes(), header, &claims().to_string())).await.is_ok());
}

#[tokio::test]
async fn a_repeated_name_in_header_or_claims_is_refused() {
    let verifier = hs256_verifier();
    let plain = claims().to_string();
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"HS256"}"#,
    ] {
        let outcome = verifier.verify(&hs256_text(SECRET.as_bytes(), header, &plain)).await;
        assert!(is_invalid(&outcome), "{header}: {outcome:?}");
    }
    let twice = plain.replacen('{', r#"{"tenantId":"tenant-2","#, 1);
    let outcome = verifier.verify(&hs256_text(SECRET.as_bytes(), r#"{"alg":"HS256"}"#, &twice)).await;
    assert!(is_invalid(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_token_has_at_most_8_kib() {
    let verifier = hs256_verifier();
    let of_length = |padding: usize| {
        let mut claims = claims();
        claims["padding"] = json!("x".repeat(padding));
        hs256(&claims)
    };
    let shortest = of_length(0).len();
    let fits = of_length((8 * 1024 - shortest) / 4 * 3);
    assert!(fits.len() <= 8 * 1024 && fits.len() > 8 * 1024 - 8);
    assert!(verifier.verify(&fits).await.is_ok());
    assert!(is_invalid(&verifier.verify(&of_length((8 * 1024 - shortest) / 4 * 3 + 8)).await));
}
