//! Holds `docs/egress.md` to the tables in the code.

use std::fmt::Write as _;

use super::special::{NEVER_OPENED, REFUSED, Range};

const BEFORE: &str = include_str!("documented_before.md");

fn page() -> String {
    let mut page = BEFORE.to_owned();
    for (title, ranges) in [("Never opened", NEVER_OPENED), ("Refused unless opened", REFUSED)] {
        let _ = write!(page, "\n## {title}\n\n| Network | Class in the log | Source |\n|---|---|---|\n");
        for Range { network, class, source } in ranges {
            let _ = writeln!(page, "| `{network}` | {class} | {source} |");
        }
    }
    page
}

#[test]
fn the_page_about_destinations_lists_every_range() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/egress.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).expect("docs can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page(), "docs/egress.md is old: run `UPDATE_DOCS=1 cargo test --lib`");
}
