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
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("Cargo sets OUT_DIR"))?;
    let folder = PathBuf::from(folder);
    let mut list = String::from("&[\n");
    for file in files {
        let path = file.strip_prefix(&web).map_err(io::Error::other)?.to_string_lossy().into_owned();
        if LEFT_OUT.contains(&&*path) || path.ends_with(".d.ts") {
            continue;
        }
        let is_ours =
            file.extension().is_some_and(|extension| extension == "js") && !path.starts_with("vendor");
        let served = if is_ours { write_without_comments(&file, &folder.join(&path))? } else { file };
        writeln!(list, "({path:?}, include_bytes!({:?})),", served.display().to_string())
            .map_err(io::Error::other)?;
    }
    list.push(']');
    fs::write(folder.join("console_files.rs"), list)
}

/// Comments are a fifth of what a browser would load. Each line that holds nothing else becomes an empty one, so that
/// the numbers of the lines stay.
fn write_without_comments(file: &Path, copy: &Path) -> io::Result<PathBuf> {
    let source = fs::read_to_string(file)?;
    let mut text = String::with_capacity(source.len());
    let mut in_comment = false;
    for line in source.lines() {
        let trimmed = line.trim();
        let begins = trimmed.starts_with("/**") && (trimmed.ends_with("*/") || !trimmed.contains("*/"));
        if !(in_comment || begins || trimmed.starts_with("//")) {
            text.push_str(line);
        }
        text.push('\n');
        in_comment = (in_comment || begins) && !trimmed.ends_with("*/");
    }
    if let Some(folder) = copy.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(copy, text)?;
    Ok(copy.to_path_buf())
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { add_files(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
