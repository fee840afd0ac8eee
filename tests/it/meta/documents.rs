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

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
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
    let mut count = 0;
    for document in documents() {
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
