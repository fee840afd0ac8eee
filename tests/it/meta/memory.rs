//! What can be read of a running process from outside: its memory, its command line, its environment.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt};

use aho_corasick::AhoCorasick;
use serde_json::json;

use crate::support::app::encryption_key;
use crate::support::client::{CONFIG, Client};
use crate::support::database::{Database, Engine};
use crate::support::leaks::{self, canary, forms};
use crate::support::process::{Process, variables};
use crate::support::smtp_server::{At, Script, SmtpServer, USER};

/// Where a secret stands in memory that a process can write to: the heap, what its threads allocate, stacks.
/// `None` where this system does not let the test read it.
fn places(process: u32, secret: &str) -> Option<Vec<String>> {
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let pages = File::open(format!("/proc/{process}/pagemap")).ok()?;
    let (names, needles): (Vec<_>, Vec<_>) = forms(secret).into_iter().unzip();
    let search = AhoCorasick::new(needles).expect("few needles");
    let mut found = Vec::new();
    let mut looked_at = 0;
    for map in maps.lines().filter(|map| map.contains(" rw-p ")) {
        let range = map.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
        let bound = |text| u64::from_str_radix(text, 16).expect("an address");
        for range in touched(&pages, bound(range.0)..bound(range.1)) {
            let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("fits")];
            // It may be gone by now.
            if memory.read_exact_at(&mut bytes, range.start).is_err() {
                continue;
            }
            looked_at += bytes.len();
            found.extend(search.find_iter(&bytes).map(|hit| {
                let (from, to) = (hit.start().saturating_sub(48), (hit.end() + 48).min(bytes.len()));
                let round = String::from_utf8_lossy(&bytes[from..to]).into_owned();
                format!(
                    "{} in {}: {round:?}",
                    names[hit.pattern().as_usize()],
                    map.split(' ').next_back().unwrap_or("?")
                )
            }));
        }
    }
    (looked_at > 1_000_000).then_some(found)
}

/// The system's, in bytes.
fn page_size() -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").expect("this system tells it");
    let size = maps.lines().find_map(|line| line.strip_prefix("KernelPageSize:")?.trim().strip_suffix(" kB"));
    size.and_then(|size| size.parse::<usize>().ok()).expect("a number of kilobytes") * 1024
}

/// The parts of a range that are in memory or swapped out: an allocator reserves a gigabyte and uses little of it.
fn touched(pages: &File, range: Range<u64>) -> Vec<Range<u64>> {
    // Eight bytes for each page; the highest two bits say that it is there (`proc_pid_pagemap(5)`).
    let page = page_size();
    let (first, count) = (range.start, usize::try_from(range.end - range.start).expect("fits") / page);
    let page = u64::try_from(page).expect("fits");
    let mut entries = vec![0; count * 8];
    let mut found: Vec<Range<u64>> = Vec::new();
    // It may be gone by now.
    if pages.read_exact_at(&mut entries, first / page * 8).is_err() {
        return found;
    }
    for (entry, index) in entries.as_chunks::<8>().0.iter().zip(0..) {
        let start = first + index * page;
        if u64::from_ne_bytes(*entry) >> 62 == 0 {
            continue;
        }
        match found.last_mut() {
            Some(last) if last.end == start => last.end += page,
            _ => found.push(start..start + page),
        }
    }
    found
}

/// How often the memory is looked through before what stands there counts as left.
const ATTEMPTS: usize = 5;

/// All that a secret is used for, and the refusals on the way.
async fn use_everything(admin: &Client, server: &SmtpServer, secret: &str) {
    let account = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS", "username": USER,
        "emailPassword": secret, "emailAddress": "ada@example.com",
    });
    admin.put(&account).await.expect(204);
    admin.patch(&account).await.expect(204);
    assert_eq!(admin.verify().await["success"], json!(true));
    assert_eq!(admin.send_test("bob@example.org").await["success"], json!(true));
    let broken = format!("[{{\"op\":\"replace\",\"path\":\"/emailPassword\",\"value\":\"{secret}");
    admin
        .send("PATCH", CONFIG, &[("content-type", "application/json")], broken.into_bytes())
        .await
        .expect(400);
    server
        .play(Script::starttls().account(USER, secret).on(At::Auth, format!("535 5.7.8 {secret}?").as_str()));
    assert_eq!(admin.verify().await["success"], json!(false));
}

/// Security case L11.
#[tokio::test]
async fn the_memory_of_the_process_holds_no_password_after_its_requests() {
    let database = Database::create(Engine::chosen()).await;
    let settings = variables(&database);
    let process = Process::serve(&settings);
    let admin = process.admin("acme", &settings);
    // What is in memory is found: the secret of the tokens stays there by design.
    let issuer = settings.iter().find(|(name, _)| name.ends_with("ISSUER")).expect("is set").1.clone();
    match places(process.id(), &issuer) {
        Some(found) => assert!(!found.is_empty(), "the memory that is looked at is the right one"),
        None => {
            #[expect(clippy::print_stderr, reason = "who reads the tests' output has to know")]
            return eprintln!("skipped: this system does not let a test read the memory of a process");
        }
    }
    let secret = canary("pass word ");
    let server = SmtpServer::start(Script::starttls().account(USER, secret)).await;
    use_everything(&admin, &server, secret).await;
    server.ended().await;
    // The connections of the clients end behind their answers.
    let mut found = Vec::new();
    for _ in 0..ATTEMPTS {
        found = places(process.id(), secret).expect("was readable");
        if found.is_empty() {
            return;
        }
    }
    panic!("{} places, such as:\n{}", found.len(), found[..found.len().min(8)].join("\n"));
}

/// Security case I6.
#[tokio::test]
async fn metrics_and_process_list_hold_no_secret() {
    let database = Database::create(Engine::chosen()).await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let keys = folder.path().join("keys");
    fs::write(&keys, encryption_key()).expect("written");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).expect("changed");
    // The keys in a file, as docs/operations.md advises: what stands in the environment can be read there.
    let mut settings = variables(&database);
    settings.retain(|(name, _)| name != "TRANSPORTS_ENCRYPTION__KEYS");
    settings.push(("TRANSPORTS_ENCRYPTION__KEYS_FILE".to_owned(), keys.display().to_string()));
    let process = Process::serve(&settings);
    let admin = process.admin("acme", &settings);
    let secret = canary("");
    let server = SmtpServer::start(Script::starttls().account(USER, secret)).await;
    use_everything(&admin, &server, secret).await;
    let metrics = admin.get("/metrics").await.expect(200);
    let page = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(page.contains("transports_checks_total{"), "the metrics count what was done: {page}");
    for private in ["acme", "ada@", "bob@", "localhost", "example"] {
        assert!(!page.contains(private), "the metrics hold {private}");
    }
    admin.get("/debug").await.expect(404);
    for name in ["cmdline", "comm"] {
        let bytes = fs::read(format!("/proc/{}/{name}", process.id())).expect("readable");
        leaks::assert_absent(name, &bytes);
    }
    if let Ok(environment) = fs::read(format!("/proc/{}/environ", process.id())) {
        let key = encryption_key();
        let key = key.split_once(':').expect("ID:BASE64").1.as_bytes();
        assert!(!environment.windows(key.len()).any(|window| window == key), "the key is in the environment");
    }
}
