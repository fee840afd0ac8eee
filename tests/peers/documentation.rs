//! The documentation as a static site: it is built, and every link in it leads to a page, a file or a heading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::service::peers;

/// Builds the site of a repository. An error is what the tool said.
fn build(repository: &Path, site: &Path) -> Result<(), String> {
    let output = Command::new(repository.join("scripts/docs-site"))
        .arg(site)
        .env("TRANSPORTS_PEERS", peers())
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// The values of an attribute in a page.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    page.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn pages(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let text = std::fs::read_to_string(&path).expect("text");
            found.insert(path, text);
        }
    }
}

/// The links of the site that lead nowhere, and how many were followed.
fn broken_links(site: &Path) -> (Vec<String>, usize) {
    let mut all = BTreeMap::new();
    pages(&site.canonicalize().expect("a folder"), &mut all);
    let anchors: BTreeMap<_, BTreeSet<_>> =
        all.iter().map(|(path, text)| (path, values(text, "id").into_iter().collect())).collect();
    let (mut broken, mut followed) = (Vec::new(), 0);
    for (path, text) in &all {
        for link in values(text, "href").into_iter().chain(values(text, "src")) {
            if link.contains(':') || link == "#" {
                continue; // the web, mail, and the top of the page
            }
            followed += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = file.split('?').next().unwrap_or_default();
            let folder = path.parent().expect("a folder");
            let target = if file.is_empty() { path.clone() } else { folder.join(file) };
            let target = target.canonicalize().unwrap_or(target);
            let has_anchor =
                anchor.is_empty() || anchors.get(&target).is_some_and(|ids| ids.contains(anchor));
            if !target.is_file() || !has_anchor {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    (broken, followed)
}

#[test]
#[ignore = "needs scripts/test"]
fn the_site_is_built_and_every_link_leads_somewhere() {
    let site = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    build(Path::new(env!("CARGO_MANIFEST_DIR")), site.path()).unwrap_or_else(|said| panic!("{said}"));
    let (broken, followed) = broken_links(site.path());
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 1_000, "{followed} links were followed");
    let index = std::fs::read_to_string(site.path().join("docs/index.html")).expect("the first page");
    for question in ["Send from your services", "Tokens and sign-in", "keys.html", "deploy.html"] {
        assert!(index.contains(question), "{question}");
    }
    // The same check finds what is broken.
    let broken_page = site.path().join("docs/broken.html");
    std::fs::write(&broken_page, "<a href=\"index.html#nowhere\"></a><img src=\"none.png\">")
        .expect("a page");
    assert_eq!(broken_links(site.path()).0.len(), 2);
}
