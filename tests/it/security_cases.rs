//! The list of security cases, and that each has a test which carries its id.
//!
//! `docs/security-cases.md` is written from this list and from the names of the tests.

pub mod cases;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cases::{CASES, GROUPS, State};

pub fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of the sources");
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The ids at the beginning of a test's name: `c1_c2_…`, and ranges as `b1_to_b7_…`.
fn ids(name: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut words = name.split('_').peekable();
    while let Some(word) = words.next() {
        if let Some((group, number)) = id(word) {
            ids.push(format!("{group}{number}"));
        } else if word == "to" {
            let (Some((group, first)), Some((_, last))) = (
                ids.last().and_then(|last| id(&last.to_lowercase())),
                words.peek().and_then(|word| id(word)),
            ) else {
                break;
            };
            ids.extend((first + 1..last).map(|number| format!("{group}{number}")));
        } else {
            break;
        }
    }
    ids
}

fn id(word: &str) -> Option<(char, u8)> {
    let group = word.chars().next().filter(|letter| ('a'..='l').contains(letter))?;
    let number: u8 = word[1..].parse().ok()?;
    Some((group.to_ascii_uppercase(), number))
}

/// Every test that carries an id, by id: `module::name`.
fn tests() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        rust_files(&root.join(folder), &mut files);
    }
    files.sort();
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let place = file.strip_prefix(root).expect("below the root").display().to_string();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            }
            let signature = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let Some(name) = signature.and_then(|rest| rest.split('(').next()) {
                // Tests of proptest! stand without an attribute of their own kind.
                if is_test || file.components().any(|part| part.as_os_str() == "tests") {
                    for id in ids(name) {
                        tests.entry(id).or_default().push(format!("`{place}` {name}"));
                    }
                }
                is_test = false;
            }
        }
    }
    tests
}

fn page(tests: &BTreeMap<String, Vec<String>>) -> String {
    let mut page =
        "# Security cases\n\nThis page is written from `tests/it/security_cases/cases.rs` and the names \
                    of the tests, and a test fails where it is stale or where a case has no test.\n"
            .to_owned();
    for (letter, title) in GROUPS {
        let _ = write!(page, "\n## {letter}. {title}\n\n| Id | Case | State | Tests |\n|---|---|---|---|\n");
        for (id, what, state) in CASES.iter().filter(|(id, _, _)| id.starts_with(letter)) {
            let named = tests.get(*id).map(|names| names.join("<br>")).unwrap_or_default();
            let state = match state {
                State::Tested => "holds",
                State::Later(why) => why,
            };
            let _ = writeln!(page, "| {id} | {what} | {state} | {named} |");
        }
    }
    page
}

#[test]
fn every_case_has_a_test_that_carries_its_id() {
    let tests = tests();
    let missing: Vec<&str> = CASES
        .iter()
        .filter(|(id, _, state)| matches!(state, State::Tested) && !tests.contains_key(*id))
        .map(|(id, _, _)| *id)
        .collect();
    assert!(missing.is_empty(), "no test carries {missing:?}");
    let unknown: Vec<&String> =
        tests.keys().filter(|id| CASES.iter().all(|(known, _, _)| known != id)).collect();
    assert!(unknown.is_empty(), "no case has the id {unknown:?}");
}

#[test]
fn the_list_in_docs_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security-cases.md");
    let page = page(&tests());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("docs can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/security-cases.md is stale: run `UPDATE_DOCS=1 cargo test security_cases`");
}

#[test]
fn ids_are_read_from_names() {
    for (name, expected) in [
        ("c1_c2_c3_a_recipient", vec!["C1", "C2", "C3"]),
        ("b1_to_b3_a_secret", vec!["B1", "B2", "B3"]),
        ("f14_random", vec!["F14"]),
        ("a_plain_name", vec![]),
        ("c_is_no_id", vec![]),
    ] {
        assert_eq!(ids(name), expected, "{name}");
    }
}
