//! One mark in every secret of the tests, and a look for it in all that comes out.
//!
//! A secret of a test is [`canary`]: it holds [`MARK`], and behind it what makes it the test's own. So one search
//! for the mark, in every form that a secret could take on its way out, finds each of them. It is made at the few
//! places that everything passes:
//!
//! - each answer that the tests' client reads, its headers too;
//! - each line of the log, at the most talkative level, of every service within this process;
//! - the messages of the service's own panics;
//! - the metrics of a service, when its test ends;
//! - what the fake collector of traces receives;
//! - the files of a database with their log, or its rows on PostgreSQL, when it is removed;
//! - what a process of the real binary wrote to standard output and standard error.
//!
//! Not looked at is where a secret belongs: the requests of the tests, and what a scripted server was sent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tracing_subscriber::EnvFilter;

/// In every secret of the tests and nowhere else. The quote and the slash are written differently in JSON, in a
/// URL and in Rust's `Debug`, so that each form is one of its own.
pub const MARK: &str = "Kanarien\"vogel/7f3a";

/// A secret with [`MARK`] in it, the same whenever this test asks for it and in no other test: `label`, the mark,
/// a number. Printable ASCII where `label` is.
pub fn canary(label: &str) -> &'static str {
    static MADE: Mutex<Option<HashMap<String, &'static str>>> = Mutex::new(None);
    watch();
    let thread = std::thread::current();
    let named = thread.name().unwrap_or_default();
    assert!(
        !named.starts_with("tokio"),
        "a secret is asked for in the test's own thread, which has its name"
    );
    let mut hasher = DefaultHasher::new();
    (named, label).hash(&mut hasher);
    let text = format!("{label}{MARK}{:016x}", hasher.finish());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.get_or_insert_default().entry(text.clone()).or_insert_with(|| text.leak())
}

/// Every form in which a text that holds `secret` would show it, each with its name.
pub fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let hex = bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let json = serde_json::json!(secret).to_string();
    let json = json.trim_matches('"');
    let in_json = serde_json::json!(json).to_string();
    let list = format!("{bytes:?}");
    let hex_list = format!("{bytes:02x?}");
    let mut forms = vec![
        ("plain", bytes.to_vec()),
        ("UTF-16, little-endian", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16, big-endian", secret.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("hexadecimal", hex.clone().into_bytes()),
        ("hexadecimal, upper case", hex.to_uppercase().into_bytes()),
        ("percent", percent(bytes, true).into_bytes()),
        ("percent, lower case", percent(bytes, false).into_bytes()),
        ("JSON", json.as_bytes().to_vec()),
        ("JSON, unicode escapes", json.replace("\\\"", "\\u0022").into_bytes()),
        ("JSON, solidus escaped", json.replace('/', "\\/").into_bytes()),
        ("JSON in JSON", in_json.trim_matches('"').as_bytes().to_vec()),
        ("HTML", secret.replace('"', "&quot;").into_bytes()),
        ("CSV", secret.replace('"', "\"\"").into_bytes()),
        ("a list of bytes", list.trim_matches(['[', ']']).as_bytes().to_vec()),
        ("a list of bytes, hexadecimal", hex_list.trim_matches(['[', ']']).as_bytes().to_vec()),
    ];
    for before in 0..3 {
        // A token is JSON within Base64.
        for bytes in [bytes, json.as_bytes()] {
            forms.push(("Base64", base64_within(&STANDARD_NO_PAD, bytes, before)));
            forms.push(("Base64, URL", base64_within(&URL_SAFE_NO_PAD, bytes, before)));
        }
    }
    forms.sort_by(|(_, one), (_, other)| one.cmp(other));
    forms.dedup_by(|(_, one), (_, other)| one == other);
    forms
}

fn percent(bytes: &[u8], upper_case: bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = match (byte, upper_case) {
            (byte, _) if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => {
                write!(text, "{}", char::from(*byte))
            }
            (byte, true) => write!(text, "%{byte:02X}"),
            (byte, false) => write!(text, "%{byte:02x}"),
        };
        text
    })
}

/// The characters of Base64 that are the same whatever stands before and behind: `before` bytes modulo three are
/// before it.
fn base64_within(engine: &impl base64::Engine, bytes: &[u8], before: usize) -> Vec<u8> {
    let whole = engine.encode([&vec![0; before], bytes].concat());
    let first = (before * 8).div_ceil(6);
    let last = (before + bytes.len()) * 8 / 6;
    whole.as_bytes()[first..last].to_vec()
}

/// The first place where [`MARK`] stands in any form: the form and what is round it.
pub fn find(bytes: &[u8]) -> Option<String> {
    static SEARCH: OnceLock<(AhoCorasick, Vec<&'static str>)> = OnceLock::new();
    let (search, names) = SEARCH.get_or_init(|| {
        let (names, needles): (Vec<_>, Vec<_>) = forms(MARK).into_iter().unzip();
        let search = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(needles);
        (search.expect("few needles"), names)
    });
    let found = search.find(bytes)?;
    let (start, end) = (found.start().saturating_sub(160), (found.end() + 160).min(bytes.len()));
    let name = names[found.pattern().as_usize()];
    Some(format!("a secret as {name}: …{}…", String::from_utf8_lossy(&bytes[start..end])))
}

/// Fails where a secret stands in what came out at `place`.
#[track_caller]
pub fn assert_absent(place: &str, bytes: &[u8]) {
    if let Some(found) = find(bytes) {
        panic!("{place} holds {found}");
    }
}

/// What the log and the panics have shown so far.
static SHOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: AtomicUsize = AtomicUsize::new(0);

fn note(place: &str, bytes: &[u8]) {
    if let Some(found) = find(bytes) {
        SHOWN.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{place} holds {found}"));
    }
}

/// How many lines have been logged in this process.
pub fn lines() -> usize {
    LINES.load(Ordering::Relaxed)
}

struct Log;

impl io::Write for Log {
    /// One line of the log.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.fetch_add(1, Ordering::Relaxed);
        note("the log", bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on all that is logged in this process is looked through, and every panic of the service.
pub fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        // The one exception is the service's own, see `telemetry`.
        let filter = EnvFilter::new("trace,tokio_postgres=info");
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Log);
        tracing::subscriber::set_global_default(log.finish()).expect("nobody else logs");
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let ours = info.location().is_some_and(|location| location.file().starts_with("src/"));
            if let (true, Some(text)) = (ours, info.payload_as_str()) {
                note("a panic", text.as_bytes());
            }
            usual(info);
        }));
    });
}

/// Fails where anything has been shown so far, by whichever test. Called where a test ends.
pub fn check() {
    if std::thread::panicking() {
        return;
    }
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

/// Fails where a request would store a secret without the mark: then nothing would look for it. A mask, a line
/// break and the form of a GUID are refused anyway.
#[track_caller]
pub fn assert_marked(document: &serde_json::Value) {
    const FIELDS: [&str; 2] = ["emailPassword", "clientSecret"];
    let patched = document.as_array().into_iter().flatten().filter(|operation| {
        let path = operation["path"].as_str().unwrap_or_default();
        FIELDS.iter().any(|field| path.strip_prefix('/') == Some(field))
    });
    let put = FIELDS.iter().map(|field| &document["providerConfig"][field]);
    for secret in patched.map(|operation| &operation["value"]).chain(put).filter_map(|value| value.as_str()) {
        let is_refused = secret.chars().all(|c| c == '*' || c == '•')
            || secret.contains(['\r', '\n', '\0'])
            || (secret.len() == 36 && secret.matches('-').count() == 4);
        assert!(is_refused || secret.contains(MARK), "{secret:?} is no canary: use leaks::canary");
    }
}
