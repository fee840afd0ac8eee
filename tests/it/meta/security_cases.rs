//! The list of security cases: each has a test whose doc line names its id.
//!
//! `docs/security-cases.md` is written from this list and from the doc lines of the tests.

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

/// The ids in a test's doc line: `/// Security cases B1 to B3, C1.`
fn ids(line: &str) -> Vec<String> {
    let Some(list) = line.strip_prefix("/// Security case") else { return Vec::new() };
    let list = list.trim_start_matches('s').trim().trim_end_matches('.');
    list.split(", ").flat_map(range).collect()
}

/// `B1`, or `B1 to B3` with all between them.
fn range(text: &str) -> Vec<String> {
    let (first, last) = text.split_once(" to ").unwrap_or((text, text));
    let (Some((group, first)), Some((_, last))) = (id(first), id(last)) else { return Vec::new() };
    (first..=last).map(|number| format!("{group}{number}")).collect()
}

fn id(word: &str) -> Option<(char, u8)> {
    let group = word.chars().next().filter(|letter| ('A'..='N').contains(letter))?;
    Some((group, word[1..].parse().ok()?))
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
        let mut waiting = Vec::new();
        for line in text.lines().map(str::trim) {
            waiting.extend(ids(line));
            let signature = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let Some(name) = signature.and_then(|rest| rest.split('(').next()) {
                for id in waiting.drain(..) {
                    tests.entry(id).or_default().push(format!("`{place}` {name}"));
                }
            }
        }
    }
    tests
}

fn page(tests: &BTreeMap<String, Vec<String>>) -> String {
    let mut page =
        "# Security cases\n\nThis page is written from `tests/it/meta/security_cases/cases.rs` and the doc \
                    lines of the tests, and a test fails where it is stale or where a case has no test.\n"
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
fn every_case_has_a_test_that_names_its_id() {
    let tests = tests();
    let missing: Vec<&str> = CASES
        .iter()
        .filter(|(id, _, state)| matches!(state, State::Tested) && !tests.contains_key(*id))
        .map(|(id, _, _)| *id)
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
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
fn ids_are_read_from_doc_lines() {
    for (line, expected) in [
        ("/// Security cases C1, C2, C3.", vec!["C1", "C2", "C3"]),
        ("/// Security cases B1 to B3, C7.", vec!["B1", "B2", "B3", "C7"]),
        ("/// Security case F14.", vec!["F14"]),
        ("/// A plain sentence.", vec![]),
    ] {
        assert_eq!(ids(line), expected, "{line}");
    }
}
