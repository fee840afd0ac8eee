//! The table of guards that are removed to see their tests fail: that it fits the sources, and the page about it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::security_cases::cases::{CASES, GROUPS};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    id: String,
    cases: Vec<String>,
    removes: String,
    file: String,
    find: String,
    replace: String,
    also: Option<Edit>,
    tests: Vec<String>,
    /// Why no test can notice.
    survives: Option<String>,
}

/// A second edit of the same mutant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    find: String,
    replace: String,
    /// Appended to the file.
    add: String,
}

#[derive(Deserialize)]
struct Table {
    mutant: Vec<Mutant>,
}

/// How the last run of `scripts/soak-parts/mutants` ended for one of them.
#[derive(Deserialize)]
struct Outcome {
    outcome: String,
    #[serde(default)]
    failed: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn mutants() -> Vec<Mutant> {
    let letters = GROUPS.iter().map(|(letter, _)| letter.to_lowercase());
    letters
        .flat_map(|letter| {
            let path = format!("tests/mutants/{letter}.toml");
            let table: Table = toml::from_str(&text(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(!table.mutant.is_empty(), "{path} has a mutant");
            for mutant in &table.mutant {
                assert!(mutant.id.starts_with(&format!("{letter}-")), "{} stands in {path}", mutant.id);
            }
            table.mutant
        })
        .collect()
}

#[test]
fn every_mutant_can_be_made() {
    let mut names = std::collections::HashSet::new();
    for mutant in mutants() {
        let id = &mutant.id;
        assert!(names.insert(id.clone()), "{id} stands twice");
        for case in &mutant.cases {
            assert!(CASES.iter().any(|(known, _, _)| known == case), "{id}: there is no case {case}");
        }
        let edits = [(&mutant.file, &mutant.find, &mutant.replace)];
        let also = mutant.also.as_ref().map(|edit| (&edit.file, &edit.find, &edit.replace));
        for (file, find, replace) in edits.into_iter().chain(also) {
            let count = text(file).matches(find.as_str()).count();
            assert_eq!(count, 1, "{id}: {file} has to hold exactly once:\n{find}");
            assert_ne!(find, replace, "{id} changes nothing");
        }
        assert!(mutant.also.is_none_or(|edit| !edit.add.is_empty()), "{id}: `add` is empty");
    }
}

/// `module::name` of every test: `lib` of those beside the sources, `it` of those in `tests/it`.
fn tests() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (target, folder) in [("lib", "src"), ("it", "tests/it")] {
        let mut files = Vec::new();
        crate::security_cases::rust_files(&root().join(folder), &mut files);
        for file in files {
            let module = file.strip_prefix(root().join(folder)).expect("below").with_extension("");
            let module = module.display().to_string().replace('/', "::");
            for line in text(&file).lines().map(str::trim) {
                let signature = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
                if let Some(name) = signature.and_then(|rest| rest.split('(').next()) {
                    found.push((target, format!("{module}::{name}")));
                }
            }
        }
    }
    found
}

#[test]
fn every_test_that_a_mutant_names_is_there() {
    let tests = tests();
    for mutant in mutants() {
        for named in &mutant.tests {
            let (target, filter) = named.split_once(' ').expect("a target and a filter");
            let there = tests.iter().any(|(of, name)| *of == target && name.contains(filter));
            assert!(there, "{}: no test is named {named}", mutant.id);
        }
    }
}

#[test]
fn the_page_about_mutants_is_up_to_date() {
    let path = root().join("docs/proofs.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("docs can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/proofs.md is stale: run `UPDATE_DOCS=1 cargo test --test it mutants`");
}

fn page() -> String {
    let outcomes: BTreeMap<String, Outcome> =
        serde_json::from_str(&text("tests/mutants/results.json")).expect("results");
    let mutants = mutants();
    let count = |which: &str| {
        let of = |mutant: &&Mutant| outcomes.get(&mutant.id).is_some_and(|outcome| outcome.outcome == which);
        mutants.iter().filter(of).count()
    };
    let mut page = format!(
        "# The proof that the tests bite\n\nThis page is written from `tests/mutants`, and a test fails where it is \
         stale. Each row is a guard that\nwas taken out of the sources, and a test that failed without it. \
         `scripts/soak mutants` takes them out one\nafter another, builds, runs the tests that the table names, \
         and expects them to fail; a mutant that does not\nbuild does not count.\n\nWhen each was last tried, {} were \
         killed of {} made; {} are known to change nothing, and say why.\n",
        count("killed"),
        mutants.len(),
        mutants.iter().filter(|mutant| mutant.survives.is_some()).count(),
    );
    for (letter, title) in GROUPS {
        let _ = write!(
            page,
            "\n## {letter}. {title}\n\n| Mutant | Cases | What is removed | The test that fails |\n|---|---|---|---|\n"
        );
        let prefix = format!("{}-", letter.to_lowercase());
        for mutant in mutants.iter().filter(|mutant| mutant.id.starts_with(&prefix)) {
            let noticed = match (&mutant.survives, outcomes.get(&mutant.id)) {
                (Some(why), _) => format!("none: {why}"),
                (None, Some(outcome)) => match outcome.failed.first() {
                    Some(test) => format!("`{test}`"),
                    None => outcome.outcome.clone(),
                },
                (None, None) => "not tried yet".to_owned(),
            };
            let (id, cases) = (&mutant.id, mutant.cases.join(", "));
            let _ = writeln!(page, "| {id} | {cases} | {} | {noticed} |", mutant.removes);
        }
    }
    page + "\n" + &text("tests/mutants/cargo-mutants.md")
}
