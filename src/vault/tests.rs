use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::key_service::{Answer, KeyService, WrapError, Wrapped};
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::metrics::Metrics;

const PASSWORD: &str = "correct horse battery staple";

fn key(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; 32]))
}

fn settings(keys: &[String]) -> Encryption {
    let keys = keys.iter().cloned().map(Secret::new).collect();
    Encryption { keys, ..Config::default().encryption }
}

fn vault(keys: &[String]) -> Keys {
    Keys::load(&settings(keys), None).unwrap()
}

fn secret() -> Secret {
    Secret::new(PASSWORD.to_owned())
}

fn tenant(name: &str) -> TenantId {
    TenantId::from_operator(name)
}

async fn opens(vault: &Keys, sealed: &Sealed, binding: &Binding<'_>) -> bool {
    vault.open(sealed, binding).await.is_ok_and(|secret| secret.expose() == PASSWORD)
}

#[tokio::test]
async fn what_was_sealed_opens_with_any_key_of_the_ring_and_the_first_one_seals() {
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp" };
    let old = vault(&[key("k1", 1)]);
    let both = vault(&[key("k2", 2), key("k1", 1)]);
    let before = old.seal(&secret(), &binding).await.unwrap();
    let after = both.seal(&secret(), &binding).await.unwrap();
    assert_eq!((before.key_id.as_str(), after.key_id.as_str()), ("k1", "k2"));
    assert!(opens(&both, &before, &binding).await && opens(&both, &after, &binding).await);
    assert!(!opens(&old, &after, &binding).await);
    for text in ["", "ünïcödé \u{1F4E7}", &"x".repeat(16 * 1024)] {
        let sealed = both.seal(&Secret::new(text.to_owned()), &binding).await.unwrap();
        assert_eq!(both.open(&sealed, &binding).await.unwrap().expose(), text);
    }
}

/// Security case I1.
#[tokio::test]
async fn the_sealed_form_shows_neither_secret_nor_key() {
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp" };
    let sealed = vault(&[key("k1", 1)]).seal(&secret(), &binding).await.unwrap();
    for bytes in [&sealed.wrapped_key, &sealed.payload] {
        assert!(!bytes.windows(7).any(|part| part == b"correct"));
        assert!(!bytes.windows(8).any(|part| part == [1; 8]));
    }
}

/// Security case L1.
#[tokio::test]
async fn a_secret_opens_only_for_its_tenant_field_and_destination() {
    let vault = vault(&[key("k1", 1)]);
    let (a, b) = (tenant("a"), tenant("b"));
    let binding = Binding { tenant: &a, field: "emailPassword", destination: "smtp:587" };
    let sealed = vault.seal(&secret(), &binding).await.unwrap();
    assert!(opens(&vault, &sealed, &binding).await);
    let shifted = tenant("aemailPassword");
    let others = [
        Binding { tenant: &b, ..binding },
        Binding { field: "clientSecret", ..binding },
        Binding { destination: "smtp:465", ..binding },
        Binding { destination: "", ..binding },
        // The same text in other parts.
        Binding { tenant: &shifted, field: "", ..binding },
    ];
    for other in others {
        assert_eq!(vault.open(&sealed, &other).await.err(), Some(VaultError::Unreadable), "{other:?}");
    }
}

/// Security case L1.
#[tokio::test]
async fn parts_of_two_rows_do_not_open_together() {
    let vault = vault(&[key("k1", 1), key("k2", 2)]);
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp:587" };
    let one = vault.seal(&secret(), &binding).await.unwrap();
    let two = vault.seal(&secret(), &binding).await.unwrap();
    let mixed = [
        Sealed { wrapped_key: two.wrapped_key.clone(), ..one.clone() },
        Sealed { payload: two.payload, ..one.clone() },
        Sealed { payload: one.wrapped_key.clone(), wrapped_key: one.payload.clone(), ..one.clone() },
        Sealed { key_id: "k2".to_owned(), ..one.clone() },
        Sealed { key_id: "k3".to_owned(), ..one },
    ];
    for sealed in mixed {
        assert_eq!(vault.open(&sealed, &binding).await.err(), Some(VaultError::Unreadable), "{sealed:?}");
    }
}

/// Security case L1.
#[tokio::test]
async fn a_wrapped_key_is_bound_to_the_name_of_its_key() {
    // The same bytes under two names.
    let vault = vault(&[key("k1", 1), key("k2", 1)]);
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp:587" };
    let sealed = vault.seal(&secret(), &binding).await.unwrap();
    assert!(vault.open(&Sealed { key_id: "k2".to_owned(), ..sealed }, &binding).await.is_err());
}

/// Security case L2.
#[tokio::test]
async fn every_flipped_bit_every_cut_and_every_addition_is_found() {
    let vault = vault(&[key("k1", 1)]);
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp:587" };
    let sealed = vault.seal(&secret(), &binding).await.unwrap();
    let damaged = |bytes: &[u8]| {
        let flips = (0..bytes.len() * 8).map(|bit| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let cuts = (0..bytes.len()).flat_map(|end| [bytes[..end].to_vec(), bytes[end + 1..].to_vec()]);
        let longer = [[bytes, &[0]].concat(), [&[0], bytes].concat()];
        flips.chain(cuts).chain(longer).collect::<Vec<_>>()
    };
    for wrapped_key in damaged(&sealed.wrapped_key) {
        assert!(vault.open(&Sealed { wrapped_key, ..sealed.clone() }, &binding).await.is_err());
    }
    for payload in damaged(&sealed.payload) {
        assert!(vault.open(&Sealed { payload, ..sealed.clone() }, &binding).await.is_err());
    }
    assert!(opens(&vault, &sealed, &binding).await);
}

/// Security case L9.
#[tokio::test]
async fn no_nonce_comes_twice() {
    let vault = vault(&[key("k1", 1)]);
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp:587" };
    let mut seen = HashSet::new();
    let count = 100_000;
    for _ in 0..count {
        let sealed = vault.seal(&secret(), &binding).await.unwrap();
        for bytes in [sealed.wrapped_key, sealed.payload] {
            seen.insert(<[u8; 12]>::try_from(&bytes[1..13]).unwrap());
        }
    }
    assert_eq!(seen.len(), 2 * count);
}

/// Security case L14.
#[tokio::test]
async fn no_other_version_of_the_envelope_opens_least_of_all_one_without_encryption() {
    let vault = vault(&[key("k1", 1)]);
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp:587" };
    let sealed = vault.seal(&secret(), &binding).await.unwrap();
    for version in (0..=255).filter(|version| *version != 1) {
        let mut other = sealed.clone();
        other.payload[0] = version;
        assert!(vault.open(&other, &binding).await.is_err());
        other.payload = [&[version], PASSWORD.as_bytes()].concat();
        assert!(vault.open(&other, &binding).await.is_err());
    }
    for plain in [PASSWORD.as_bytes(), b"", &[1]] {
        assert!(vault.open(&Sealed { payload: plain.to_vec(), ..sealed.clone() }, &binding).await.is_err());
        assert!(
            vault.open(&Sealed { wrapped_key: plain.to_vec(), ..sealed.clone() }, &binding).await.is_err()
        );
    }
}

/// Security case L3.
#[tokio::test]
async fn a_bad_entry_is_told_by_its_place_and_id_and_never_by_its_value() {
    let value = STANDARD.encode([7; 32]);
    let entry = |text: String| vec![key("good", 1), text];
    let cases = [
        (entry(value.clone()), "encryption.keys: entry 2 is not ID:BASE64"),
        (entry(format!(":{value}")), "encryption.keys: entry 2 has no good id"),
        (entry(format!("{value}:k1")), "encryption.keys: entry 2 has no good id"),
        (entry(format!("a b:{value}")), "encryption.keys: entry 2 has no good id"),
        (entry(format!("k1:{}", &value[1..])), "encryption.keys: entry 2 has a key k1 that is not Base64"),
        (entry(format!("k1: {value}")), "encryption.keys: entry 2 has a key k1 that is not Base64"),
        (
            entry(format!("k1:{}", STANDARD.encode([7; 16]))),
            "encryption.keys: entry 2 has a key k1 of 16 bytes instead of 32",
        ),
        (
            entry(format!("k1:{}", STANDARD.encode([7; 33]))),
            "encryption.keys: entry 2 has a key k1 of 33 bytes instead of 32",
        ),
        (entry("k1:".to_owned()), "encryption.keys: entry 2 has a key k1 of 0 bytes instead of 32"),
        (entry(format!("good:{value}")), "encryption.keys: entry 2 names key good a second time"),
        (Vec::new(), "encryption.keys: no key to seal the tenants' secrets with"),
    ];
    for (keys, expected) in cases {
        let error = format!("{:#}", Keys::load(&settings(&keys), None).err().unwrap());
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains(&value[1..20]), "{error}");
    }
}

fn file_settings(path: PathBuf) -> Encryption {
    Encryption { keys_file: Some(path), ..Config::default().encryption }
}

fn key_file(mode: u32, text: &str) -> (tempfile::TempDir, Encryption) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (folder, file_settings(path))
}

#[test]
fn keys_come_from_a_file_with_comments_and_blank_lines() {
    let text = format!("# since May\n\n  {}\r\n#{}\n{}", key("k2", 2), key("k0", 0), key("k1", 1));
    let (_folder, settings) = key_file(0o640, &text);
    let vault = Keys::load(&settings, None).unwrap();
    let ids: Vec<_> = vault.ring.all().iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["k2", "k1"]);
}

/// Security case L3.
#[test]
fn a_file_may_have_64_kib_and_no_more() {
    let keys = key("k1", 1) + "\n";
    for (size, good) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let (_folder, settings) = key_file(0o600, &(keys.clone() + &"#".repeat(size - keys.len())));
        assert_eq!(Keys::load(&settings, None).is_ok(), good, "{size}");
    }
}

/// Security case L3.
#[test]
fn a_file_that_others_can_use_is_refused() {
    for (mode, good) in [
        (0o600, true),
        (0o400, true),
        (0o640, true),
        (0o660, true),
        (0o644, false),
        (0o604, false),
        (0o602, false),
    ] {
        let (_folder, settings) = key_file(mode, &key("k1", 1));
        let loaded = Keys::load(&settings, None).map(|_| ()).map_err(|error| format!("{error:#}"));
        assert_eq!(loaded.is_ok(), good, "{mode:o}: {loaded:?}");
        if let Err(error) = loaded {
            let file = settings.keys_file.unwrap();
            let expected =
                format!("encryption.keys_file ({}): every user of this host may use it", file.display());
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}

/// Security case L3.
#[test]
fn a_file_without_a_good_key_is_refused_by_its_line() {
    let value = STANDARD.encode([7; 32]);
    let cases = [
        (String::new(), "holds no key".to_owned()),
        ("# nothing yet\n".to_owned(), "holds no key".to_owned()),
        (format!("\n# a\n{value}\n"), "line 3 is not ID:BASE64".to_owned()),
        (format!("k1:{value}\n\nk1:{value}\n"), "line 3 names key k1 a second time".to_owned()),
        ("#".repeat(100_000), "is larger than any file of keys".to_owned()),
    ];
    for (text, expected) in cases {
        let (_folder, settings) = key_file(0o600, &text);
        let error = format!("{:#}", Keys::load(&settings, None).err().unwrap());
        let file = settings.keys_file.unwrap();
        assert_eq!(error, format!("encryption.keys_file ({}): {expected}", file.display()));
    }
}

/// Security case L3.
#[test]
fn a_file_that_is_not_there_or_no_file_is_refused_and_so_are_two_sources() {
    let (folder, mut both) = key_file(0o600, &key("k1", 1));
    let missing = file_settings(folder.path().join("missing"));
    let error = format!("{:#}", Keys::load(&missing, None).err().unwrap());
    assert!(error.contains("missing): cannot be read: No such file"), "{error}");
    let is_folder = file_settings(folder.path().to_owned());
    let error = format!("{:#}", Keys::load(&is_folder, None).err().unwrap());
    assert!(error.contains("is not a file"), "{error}");
    both.keys = vec![Secret::new(key("k1", 1))];
    let error = format!("{:#}", Keys::load(&both, None).err().unwrap());
    assert!(error.starts_with("encryption.keys and encryption.keys_file are both set"), "{error}");
}

#[test]
fn a_generated_key_is_random_and_can_be_loaded() {
    let line = generate_key("2026-01").unwrap();
    let vault = vault(&[line.expose().to_owned()]);
    assert_eq!(vault.ring.first().unwrap().id, "2026-01");
    assert_ne!(line.expose(), generate_key("2026-01").unwrap().expose());
    for id in ["", "a b", "a:b", "a\nb", "k#", "ä", &"k".repeat(33)] {
        assert!(generate_key(id).is_err(), "{id:?}");
    }
}

/// Security case L6.
#[tokio::test]
async fn a_key_that_left_the_ring_opens_until_its_time_is_over() {
    let tenant = tenant("a");
    let binding = Binding { tenant: &tenant, field: "emailPassword", destination: "smtp" };
    let sealed = vault(&[key("k1", 1)]).seal(&secret(), &binding).await.unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    let both = vault(&[key("k2", 2), key("k1", 1)]);
    assert!(both.without_expired(until).is_none(), "none has left");

    let left = both.with_ring(vault(&[key("k2", 2)]).ring, until);
    assert!(opens(&left, &sealed, &binding).await);
    assert!(left.without_expired(until - Duration::from_millis(1)).is_none());
    let over = left.without_expired(until).expect("the time of one is over");
    assert!(!opens(&over, &sealed, &binding).await);
    assert!(over.without_expired(until).is_none());
}

struct Named;

impl KeyService for Named {
    fn name(&self) -> &'static str {
        "vault:transit/mail"
    }

    fn wrap<'a>(&'a self, _data_key: &'a [u8], _associated_data: &'a [u8]) -> Answer<'a, Wrapped> {
        Box::pin(async { Err(WrapError::unavailable("it only has a name")) })
    }

    fn unwrap<'a>(
        &'a self,
        _key_id: &'a str,
        _wrapped: &'a [u8],
        _associated_data: &'a [u8],
    ) -> Answer<'a, zeroize::Zeroizing<Vec<u8>>> {
        Box::pin(async { Err(WrapError::unavailable("it only has a name")) })
    }

    fn rotate(&self) -> Answer<'_, ()> {
        Box::pin(async { Err(WrapError::unavailable("it only has a name")) })
    }
}

#[test]
fn the_versions_of_a_services_key_are_told_from_other_names() {
    let encryption = Config::default().encryption;
    let remote = Remote::new(Box::new(Named), &encryption, Clock::System, Metrics::new());
    for (id, expected) in [
        ("vault:transit/mail:v3", true),
        ("vault:transit/mail:v12", true),
        ("vault:transit/mail:v", false),
        ("vault:transit/mail:v3x", false),
        ("vault:transit/mail:vx", false),
        ("vault:transit/mail:w3", false),
        ("vault:transit/mail", false),
        ("vault:transit/mail2:v3", false),
        ("k1", false),
    ] {
        assert_eq!(remote.has(id), expected, "{id}");
    }
}
