//! Lists the console's files in `web/`, so that the binary embeds them.
//!
//! A crate that embeds a folder would still need a build script: without one, no build notices a new file.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What is not served: the page's template, and what only the type checker reads.
const LEFT_OUT: [&str; 3] = ["console/index.html", "element/model/types.js", "package.json"];

fn main() -> io::Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    writeln!(io::stdout(), "cargo::rerun-if-changed={}", web.display())?;
    let mut files = Vec::new();
    add_files(&web, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let path = file.strip_prefix(&web).map_err(io::Error::other)?.to_string_lossy().into_owned();
        if !LEFT_OUT.contains(&&*path) && !path.ends_with(".d.ts") {
            writeln!(list, "({path:?}, include_bytes!({:?})),", file.display().to_string())
                .map_err(io::Error::other)?;
        }
    }
    list.push(']');
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("Cargo sets OUT_DIR"))?;
    fs::write(PathBuf::from(folder).join("console_files.rs"), list)
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { add_files(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
