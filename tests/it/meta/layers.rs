//! Which room of `src` may import which: an import points down or stays in its room.

use std::fs;
use std::path::Path;

/// From top to bottom. The rooms on one line do not import each other.
const ORDER: [&[&str]; 19] = [
    &["main", "lib"],
    &["cli"],
    &["dev"],
    &["http", "submission"],
    &["app"],
    &["delivery"],
    &["account"],
    &["providers", "vault", "limits"],
    &["store"],
    &["email_config", "outgoing"],
    &["diagnosis"],
    &["mail_services"],
    &["auth", "smtp"],
    &["egress"],
    &["mail"],
    &["telemetry"],
    &["config", "language"],
    &["json"],
    &["clock", "error", "file_stamp", "id", "percent", "process", "secret", "unwind"],
];

fn level(room: &str) -> usize {
    let level = ORDER.iter().position(|rooms| rooms.contains(&room));
    level.unwrap_or_else(|| panic!("the order of rooms does not have {room}"))
}

#[test]
fn imports_point_down_or_stay_in_their_room() {
    let mut upward = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().expect("a name").to_str().expect("UTF-8");
            if ["tests", "fuzz", "fuzz_targets", "oracle"].contains(&stem) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below the project").display();
            let file = file.to_string();
            let room = file["src/".len()..].split(['/', '.']).next().expect("a room");
            let text = fs::read_to_string(&path).expect("a source");
            for (line, imported) in imports(&text) {
                if imported != room && level(imported) <= level(room) {
                    upward.push(format!("{room} imports {imported}: {file}:{line}"));
                }
            }
        }
    }
    assert!(upward.is_empty(), "imports that do not point down:\n{}", upward.join("\n"));
}

/// The rooms that a source names with `crate::`, and where. Comments and the tests at the end are left out.
fn imports(text: &str) -> Vec<(usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut imports = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let (before, path) = (&code[..at], &code[at + "crate::".len()..]);
        if before.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("//")) {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let paths = path.strip_prefix('{').map_or_else(|| vec![path], in_braces);
        let rooms = paths.into_iter().map(|path| {
            let path = path.trim_start();
            &path[..path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(path.len())]
        });
        imports.extend(rooms.filter(|room| !room.is_empty()).map(|room| (line, room)));
    }
    imports
}

/// The members of a list up to its closing brace, without those of the lists within it.
fn in_braces(list: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let end = list.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0
    });
    depth = 0;
    let list = &list[..end.unwrap_or(list.len())];
    list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    })
    .collect()
}

#[test]
fn every_form_of_an_import_is_read() {
    let text = "use crate::app::App;\nuse crate::{store::{Db, Write}, smtp,\n    vault};\n/// See [`crate::cli`].\nfn f() {\n    crate::http::service();\n}\n#[cfg(test)]\nmod tests {\n    use crate::dev::x;\n}\n";
    assert_eq!(imports(text), [(1, "app"), (2, "store"), (2, "smtp"), (2, "vault"), (6, "http")]);
}
