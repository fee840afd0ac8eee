//! Links between the documents lead somewhere, and every page is reached from an index.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
            .map(|name| root.join(name))
            .into();
    markdown(&root.join("docs"), &mut found);
    found
}

/// The text without its blocks of code, in which brackets are no links.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The targets of `[text](target)` and of pictures, without those on the web.
fn links(text: &str) -> Vec<String> {
    let targets = prose(text);
    let targets =
        targets.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let prose = prose(text);
    let pictures =
        prose.split("<img src=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(target, _)| target);
    targets
        .chain(pictures)
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}

/// The anchors of a document's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    check_links(Path::new(env!("CARGO_MANIFEST_DIR")));
}

fn check_links(root: &Path) {
    let mut count = 0;
    for document in documents(root) {
        let text = std::fs::read_to_string(&document).expect("text");
        for link in links(&text) {
            count += 1;
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let folder = document.parent().expect("a folder");
            let target = if file.is_empty() { document.clone() } else { folder.join(file) };
            assert!(!file.starts_with('/'), "{}: {link} is not relative", document.display());
            assert!(target.is_file(), "{}: {link} leads to no file", document.display());
            if let Some(anchor) = anchor {
                let text = std::fs::read_to_string(&target).expect("text");
                assert!(anchors(&text).contains(anchor), "{}: {link} names no heading", document.display());
            }
        }
    }
    assert!(count > 30, "{count} links were found");
}

#[test]
fn every_page_is_linked_from_its_index() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (folder, index) in [(docs.clone(), "index.md"), (docs.join("adr"), "index.md")] {
        let text = std::fs::read_to_string(folder.join(index)).expect("text");
        let linked: BTreeSet<String> =
            links(&text).iter().map(|link| link.split('#').next().unwrap_or_default().to_owned()).collect();
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            let is_page = std::path::Path::new(&name).extension().is_some_and(|extension| extension == "md")
                && name != index;
            assert!(!is_page || linked.contains(&name), "{name} is not linked from {index} beside it");
        }
    }
}

#[test]
fn links_and_anchors_are_found() {
    let text = "# A: b `c`\n[x](a.md#b) and [y](https://example.com)\n```sh\n[z](no)\n```\n[w](#a-b-c)\n";
    assert_eq!(links(text), ["a.md#b", "#a-b-c"]);
    assert_eq!(anchors(text), ["a-b-c".to_owned()].into());
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The pages that a text names, as `docs/keys.md`.
fn named_pages(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-/_.".contains(c);
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("docs/"));
    words.filter_map(|word| word.find(".md").map(|end| word[..end + 3].to_owned())).collect()
}

#[test]
fn a_release_has_the_pages_that_messages_and_links_name_and_the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::TempDir::new().expect("a folder");
    let script = root.join("scripts/release-documents");
    let output = std::process::Command::new(script).arg(folder.path()).output().expect("there is bash");
    assert!(output.status.success(), "{output:?}");

    check_links(folder.path());
    let mut sources = Vec::new();
    for place in ["src", "web/texts", "deploy"] {
        files(&root.join(place), &mut sources);
    }
    let texts = sources.iter().map(|file| std::fs::read_to_string(file).expect("text"));
    let named: BTreeSet<String> = texts.flat_map(|text| named_pages(&text)).collect();
    assert!(named.contains("docs/tokens.md") && named.len() > 10, "{named:?}");
    for page in named {
        assert!(folder.path().join(&page).is_file(), "{page} is named, and not in a release");
    }
    // Everything else in deploy/ is an example.
    let is_part = |file: &str| ["Dockerfile", "install.sh"].contains(&file) || file.starts_with("debian/");
    for file in sources {
        let Ok(name) = file.strip_prefix(root.join("deploy")) else { continue };
        if !is_part(name.to_str().expect("text")) {
            assert!(
                folder.path().join("deploy").join(name).is_file(),
                "{} is not in a release",
                name.display()
            );
        }
    }
}

#[test]
fn named_pages_are_found() {
    let text = "see docs/keys.md, `docs/configuration.md#database` or docs/images; not mydocs/a.md";
    assert_eq!(named_pages(text), ["docs/configuration.md", "docs/keys.md"].map(str::to_owned).into());
}
