//! Which keys check a token, and which refuse to start.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use transports::auth::token::{TokenError, Verifier};
use transports::config::Auth;
use transports::secret::Secret;

use crate::support::tokens::{
    Issuer, IssuerKey, SECRET, claims, clock, decode, encode, hs256, hs256_settings, hs256_text, key_set,
    settings,
};

/// `openssl genrsa 1024 | openssl rsa -pubout`
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCl4luBH1/Ugbrn2ZwsLBiBND4T
0NTgn2pEp5fPr48qx5H7KY0OCjFA4h1nrJAOXgFCf0tCk1++awmBjgVPnDtS20a/
3TfKsRiRC+F7rrFcKidSnSgoareOttRq+UO+jpuPOnAmePBZ5KgFM6RJSvVJZC/Y
TCvoJfjrkUDpahsw8wIDAQAB
-----END PUBLIC KEY-----
";
/// `openssl ecparam -name secp256k1 -genkey -noout | openssl ec -pubout`
const SECP256K1: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEEokPL0/ESOJ4eh8DyQ2m3VsebeW69ybq
Z2bDRd9K384b8STNfqFnjT7fZykehbKUd7leeP0lho6E7V2xS9rkiw==
-----END PUBLIC KEY-----
";

/// A file that goes away with the value.
struct KeyFile(PathBuf);

impl KeyFile {
    fn new(text: &str) -> Self {
        let name = format!("transports-token-{}.pem", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn settings(&self) -> Auth {
        Auth { public_key_file: Some(self.0.clone()), ..settings() }
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn refusal(settings: &Auth) -> String {
    match Verifier::with_source(settings, clock(), None) {
        Ok(_) => panic!("it starts"),
        Err(error) => format!("{error:#}"),
    }
}

fn all_kinds() -> Vec<IssuerKey> {
    use jsonwebtoken::Algorithm::{PS256, PS384, PS512, RS384, RS512};
    let mut kinds =
        vec![IssuerKey::rsa("a"), IssuerKey::p256("b"), IssuerKey::p384("c"), IssuerKey::ed25519("d")];
    kinds.extend([RS384, RS512, PS256, PS384, PS512].map(|algorithm| IssuerKey::rsa_for("e", algorithm)));
    kinds
}

#[tokio::test]
async fn every_kind_of_key_works_from_a_key_set() {
    for key in all_kinds() {
        let issuer = Issuer::new(&key_set(&[key.jwk()]));
        let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
        let outcome = verifier.verify(&key.token(&claims())).await;
        assert!(outcome.is_ok(), "{:?}: {outcome:?}", key.algorithm);
        // The signature covers the claims.
        let token = key.token(&claims());
        let forged = claims().to_string().replace("tenant-1", "tenant-2");
        let parts: Vec<&str> = token.split('.').collect();
        let outcome = verifier.verify(&format!("{}.{}.{}", parts[0], encode(forged), parts[2])).await;
        assert_eq!(outcome, Err(TokenError::Invalid("the signature is wrong")), "{:?}", key.algorithm);
    }
}

#[tokio::test]
async fn every_kind_of_key_works_from_a_file_with_any_key_id() {
    for key in all_kinds().into_iter().take(4) {
        let file = KeyFile::new(&key.public_pem());
        let verifier = Verifier::with_source(&file.settings(), clock(), None).unwrap();
        assert!(verifier.verify(&key.token(&claims())).await.is_ok(), "{:?}", key.algorithm);
        let nameless = json!({"alg": key.algorithm});
        assert!(verifier.verify(&key.token_with(&nameless, &claims())).await.is_ok(), "{:?}", key.algorithm);
    }
}

#[tokio::test]
async fn an_rsa_key_file_may_use_the_format_of_rfc_8017() {
    let key = IssuerKey::rsa("a");
    // The RSAPublicKey is what the BIT STRING of the SubjectPublicKeyInfo holds, 24 bytes in.
    let body = STANDARD.encode(&key.public_der()[24..]);
    let file =
        KeyFile::new(&format!("-----BEGIN RSA PUBLIC KEY-----\n{body}\n-----END RSA PUBLIC KEY-----\n"));
    let verifier = Verifier::with_source(&file.settings(), clock(), None).unwrap();
    assert!(verifier.verify(&key.token(&claims())).await.is_ok());
}

/// Security case F2.
#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let key = IssuerKey::rsa("a");
    let file = KeyFile::new(&key.public_pem());
    let from_file = Verifier::with_source(&file.settings(), clock(), None).unwrap();
    for with_algorithm in [true, false] {
        let algorithm = with_algorithm.then(|| json!("RS256"));
        let jwk = key.jwk_with("alg", algorithm);
        let issuer = Issuer::new(&key_set(std::slice::from_ref(&jwk)));
        let from_set = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
        let pem = key.public_pem();
        let secrets = [
            pem.clone().into_bytes(),
            pem.trim_end().as_bytes().to_vec(),
            pem.replace("\r\n", "\n").into_bytes(),
            key.public_der(),
            STANDARD.encode(key.public_der()).into_bytes(),
            jwk.to_string().into_bytes(),
            key_set(std::slice::from_ref(&jwk)).to_string().into_bytes(),
            decode(jwk["n"].as_str().unwrap()),
            jwk["n"].as_str().unwrap().as_bytes().to_vec(),
            b"a".to_vec(),
        ];
        for secret in &secrets {
            for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","kid":"a"}"#] {
                let token = hs256_text(secret, header, &claims().to_string());
                for verifier in [&from_file, &from_set] {
                    let outcome = verifier.verify(&token).await;
                    assert!(matches!(outcome, Err(TokenError::Invalid(_))), "{outcome:?}");
                }
            }
        }
        assert!(from_set.verify(&key.token(&claims())).await.is_ok());
    }
}

/// Security case F2.
#[tokio::test]
async fn the_keys_algorithm_is_required_even_within_a_family() {
    use jsonwebtoken::Algorithm::{PS256, RS256, RS512};
    for (key, token, good) in
        [(RS256, RS256, true), (RS256, PS256, false), (RS256, RS512, false), (PS256, RS256, false)]
    {
        let published = IssuerKey::rsa_for("a", key);
        let issuer = Issuer::new(&key_set(&[published.jwk()]));
        let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
        let outcome = verifier.verify(&IssuerKey::rsa_for("a", token).token(&claims())).await;
        assert_eq!(outcome.is_ok(), good, "{key:?} {token:?}: {outcome:?}");
    }
    // The header names another algorithm than the one that signed.
    let key = IssuerKey::rsa("a");
    let issuer = Issuer::new(&key_set(&[key.jwk_with("alg", None)]));
    let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
    for algorithm in ["RS384", "PS256", "ES256", "EdDSA"] {
        let header = json!({"alg": algorithm, "kid": "a"});
        let outcome = verifier.verify(&key.token_with(&header, &claims())).await;
        assert!(matches!(outcome, Err(TokenError::Invalid(_))), "{algorithm}: {outcome:?}");
    }
}

#[tokio::test]
async fn unusable_keys_in_a_key_set_are_skipped() {
    let rsa = IssuerKey::rsa("bad");
    let p256 = IssuerKey::p256("bad");
    let ed25519 = IssuerKey::ed25519("bad");
    let good = IssuerKey::p384("good");
    let oct = json!({"kty": "oct", "kid": "bad", "k": encode(SECRET), "alg": "HS256"});
    let short = {
        let der = STANDARD.decode(RSA_1024.lines().skip(1).take(4).collect::<String>()).unwrap();
        // 22 bytes in stands the RSAPublicKey: 30 81 89, 02 81 81 00, then the 128 bytes of the modulus.
        json!({"kty": "RSA", "kid": "bad", "alg": "RS256", "n": encode(&der[29..157]), "e": "AQAB"})
    };
    let padded = {
        let mut n = vec![0; 128];
        n.extend(decode(short["n"].as_str().unwrap()));
        json!({"kty": "RSA", "kid": "bad", "alg": "RS256", "n": encode(n), "e": "AQAB"})
    };
    // The same bytes one after the other, cut in another place.
    let shifted = {
        let mut jwk = p256.jwk();
        let [x, y] = ["x", "y"].map(|name| decode(jwk[name].as_str().unwrap()));
        jwk["x"] = json!(encode(&x[..31]));
        jwk["y"] = json!(encode([&x[31..], &y].concat()));
        jwk
    };
    let text = |value: &str| Some(json!(value));
    let bad = [
        (&p256, shifted),
        (&rsa, oct),
        (&rsa, short),
        (&rsa, padded),
        (&rsa, rsa.jwk_with("use", text("enc"))),
        (&rsa, rsa.jwk_with("use", Some(json!(1)))),
        (&rsa, rsa.jwk_with("key_ops", Some(json!(["encrypt", "wrapKey"])))),
        (&rsa, rsa.jwk_with("key_ops", text("verify"))),
        (&rsa, rsa.jwk_with("alg", text("RSA-OAEP"))),
        (&rsa, rsa.jwk_with("alg", text("HS256"))),
        (&rsa, rsa.jwk_with("alg", text("ES256"))),
        (&rsa, rsa.jwk_with("alg", Some(Value::Null))),
        (&rsa, rsa.jwk_with("e", text("AQ"))),
        (&rsa, rsa.jwk_with("e", text("Ag"))),
        (&rsa, rsa.jwk_with("n", None)),
        (&rsa, rsa.jwk_with("d", text("AQAB"))),
        (&rsa, rsa.jwk_with("kty", text("DSA"))),
        (&rsa, rsa.jwk_with("kid", Some(json!(7)))),
        (&p256, p256.jwk_with("crv", text("secp256k1"))),
        (&p256, p256.jwk_with("crv", text("P-521"))),
        (&p256, p256.jwk_with("x", text(&encode([1; 32])))),
        (&p256, p256.jwk_with("x", text(&encode([1; 31])))),
        (&p256, p256.jwk_with("alg", text("ES384"))),
        (&ed25519, ed25519.jwk_with("crv", text("Ed448"))),
        (&ed25519, ed25519.jwk_with("crv", text("X25519"))),
        (&ed25519, ed25519.jwk_with("x", text(&encode([1; 31])))),
        (&rsa, json!("bad")),
    ];
    for (key, jwk) in bad {
        let issuer = Issuer::new(&key_set(&[jwk.clone(), good.jwk()]));
        let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
        let outcome = verifier.verify(&key.token(&claims())).await;
        assert_eq!(outcome, Err(TokenError::Invalid("no key fits")), "{jwk}");
        let hs256 = hs256_text(SECRET.as_bytes(), r#"{"alg":"HS256","kid":"bad"}"#, &claims().to_string());
        assert!(matches!(verifier.verify(&hs256).await, Err(TokenError::Invalid(_))), "{jwk}");
        let outcome = verifier.verify(&good.token(&claims())).await;
        assert!(outcome.is_ok(), "{jwk}: {outcome:?}");
    }
    // What is only unusual is taken.
    for (key, jwk) in [
        (&rsa, rsa.jwk_with("use", None)),
        (&rsa, rsa.jwk_with("key_ops", Some(json!(["verify"])))),
        (&rsa, rsa.jwk_with("x5c", Some(json!(["not looked at"])))),
        (&ed25519, ed25519.jwk_with("alg", text("Ed25519"))),
        (&p256, p256.jwk_with("alg", None)),
    ] {
        let issuer = Issuer::new(&key_set(std::slice::from_ref(&jwk)));
        let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
        assert!(verifier.verify(&key.token(&claims())).await.is_ok(), "{jwk}");
    }
}

/// The order of P-256's group (SEC 2 section 2.4.2).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn order_minus(number: &[u8]) -> Vec<u8> {
    let mut borrow = false;
    let mut difference: Vec<u8> = P256_ORDER
        .iter()
        .zip(number)
        .rev()
        .map(|(left, right)| {
            let (once, first) = left.overflowing_sub(*right);
            let (twice, second) = once.overflowing_sub(u8::from(borrow));
            borrow = first || second;
            twice
        })
        .collect();
    difference.reverse();
    difference
}

fn der_integer(number: &[u8]) -> Vec<u8> {
    let number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign = if number[0] >= 0x80 { &[0][..] } else { &[] };
    let length = u8::try_from(sign.len() + number.len()).unwrap();
    [&[2, length], sign, &number].concat()
}

/// Security case F9.
#[tokio::test]
async fn an_ecdsa_signature_is_two_numbers_within_the_order() {
    let key = IssuerKey::p256("a");
    let issuer = Issuer::new(&key_set(&[key.jwk()]));
    let verifier = Verifier::with_source(&settings(), clock(), Some(issuer.source())).unwrap();
    let token = key.token(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = decode(signature);
    let (r, s) = signature.split_at(32);
    let numbers = [der_integer(r), der_integer(s)].concat();
    let der = [&[0x30, u8::try_from(numbers.len()).unwrap()][..], &numbers].concat();
    for (name, signature, good) in [
        ("as it came", signature.clone(), true),
        ("the other s", [r, &order_minus(s)].concat(), true),
        ("r = s = 0", vec![0; 64], false),
        ("r = 0", [&[0; 32], s].concat(), false),
        ("s = 0", [r, &[0; 32]].concat(), false),
        ("r = s = the order", [P256_ORDER, P256_ORDER].concat(), false),
        ("DER", der, false),
        ("too short", signature[..63].to_vec(), false),
        ("too long", [&signature[..], &[0]].concat(), false),
        ("swapped", [s, r].concat(), false),
    ] {
        let outcome = verifier.verify(&format!("{message}.{}", encode(signature))).await;
        assert_eq!(outcome.is_ok(), good, "{name}: {outcome:?}");
    }
}

/// Security case F10.
#[test]
fn a_shared_secret_has_at_least_32_bytes() {
    for (length, good) in [(0, false), (31, false), (32, true)] {
        let secret = "s".repeat(length);
        let settings = Auth { hs256_secret: Some(Secret::new(secret.clone())), ..settings() };
        if good {
            assert!(Verifier::with_source(&settings, clock(), None).is_ok());
        } else {
            let text = refusal(&settings);
            assert!(text.contains("auth.hs256_secret") && text.contains("32"), "{text}");
            assert!(secret.is_empty() || !text.contains(&secret), "{text}");
        }
    }
}

/// Security case F10.
#[test]
fn a_key_file_holds_exactly_one_public_key() {
    let key = IssuerKey::p256("a");
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    for (text, reason) in [
        (key.private_pem(), "private key"),
        (IssuerKey::rsa("a").private_pem(), "private key"),
        (format!("{}{}", key.public_pem(), key.private_pem()), "private key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----".to_owned(), "private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA".to_owned(), "private key"),
        (RSA_1024.to_owned(), "1024 bits"),
        (SECP256K1.to_owned(), "no RSA, P-256, P-384 or Ed25519"),
        (certificate, "certificate"),
        (format!("{}{}", key.public_pem(), key.public_pem()), "more than one"),
        (String::new(), "PUBLIC KEY"),
        ("ssh-ed25519 AAAA".to_owned(), "PUBLIC KEY"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n".to_owned(), "no end"),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n".to_owned(), "base64"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), "no RSA"),
    ] {
        let file = KeyFile::new(&text);
        let refusal = refusal(&file.settings());
        assert!(refusal.contains("auth.public_key_file"), "{refusal}");
        assert!(refusal.contains(&file.0.display().to_string()), "{refusal}");
        assert!(refusal.contains(reason), "{reason}: {refusal}");
    }
    let missing = Auth { public_key_file: Some("/nowhere/key.pem".into()), ..settings() };
    let refusal = refusal(&missing);
    assert!(refusal.contains("auth.public_key_file /nowhere/key.pem"), "{refusal}");
}

#[test]
fn without_any_key_the_error_names_the_three_settings() {
    let text = refusal(&settings());
    for name in ["auth.jwks_url", "auth.public_key_file", "auth.hs256_secret"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn contradictory_settings_prevent_the_start() {
    let empty_claim = Auth { tenant_claim: String::new(), ..hs256_settings() };
    assert!(refusal(&empty_claim).contains("auth.tenant_claim"));
    let no_age = Auth { jwks_max_age_hours: 0, ..hs256_settings() };
    assert!(refusal(&no_age).contains("auth.jwks_max_age_hours"));
}

#[tokio::test]
async fn several_sources_work_side_by_side() {
    let in_file = IssuerKey::p256("file");
    let in_set = IssuerKey::p384("set");
    let issuer = Issuer::new(&key_set(&[in_set.jwk()]));
    let file = KeyFile::new(&in_file.public_pem());
    let settings = Auth { hs256_secret: Some(Secret::new(SECRET.to_owned())), ..file.settings() };
    let verifier = Verifier::with_source(&settings, clock(), Some(issuer.source())).unwrap();
    for token in [hs256(&claims()), in_file.token(&claims()), in_set.token(&claims())] {
        assert!(verifier.verify(&token).await.is_ok(), "{token}");
    }
}
