//! Reads documents, secrets from files, and secrets typed without echo.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;

use serde_json::Value;

use super::failure::Failure;
use crate::cli::output;
use crate::json;
use crate::secret::Secret;

/// Larger than the service accepts, so that the service reports the limit.
const MAX_BYTES: u64 = 1024 * 1024;

pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// A document for `-f`: JSON without duplicate members.
pub(super) fn document(path: &Path) -> Result<Value, Failure> {
    let bytes = bytes("-f", path)?;
    json::parse(&bytes).map_err(|problem| {
        Failure::usage(format!("-f {}: {problem}", path.display()))
            .hint("the file must hold one JSON document, as the API expects it")
    })
}

/// Reads a secret from a file, without one trailing line end.
pub(super) fn secret_file(option: &str, path: &Path) -> Result<Secret, Failure> {
    let fault = |reason: &str| Failure::usage(format!("{option} {}: {reason}", path.display()));
    if !is_stdin(path) && others_can_read(path) {
        output::note(&format!(
            "warning: {option} {}: every user of this machine can read it; run chmod 600 on it",
            path.display()
        ));
    }
    let text = String::from_utf8(bytes(option, path)?).map_err(|_| fault("is not UTF-8"))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(fault("is empty"));
    }
    Ok(Secret::new(secret.to_owned()))
}

/// Whether a person can be asked.
pub(super) fn may_ask(no_input: bool) -> bool {
    !no_input && io::stdin().is_terminal()
}

/// Asks for a secret without echo. None without a terminal, or if nothing is typed.
pub(super) fn ask(prompt: &str, may_ask: bool) -> Result<Option<Secret>, Failure> {
    if !may_ask || !io::stdin().is_terminal() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password(prompt).map_err(|error| {
        Failure::usage(format!("the secret could not be read from the terminal: {error}"))
    })?;
    Ok((!typed.is_empty()).then(|| Secret::new(typed)))
}

/// Asks for a line on the terminal. None without a terminal, or if nothing is typed.
pub(super) fn ask_line(prompt: &str) -> Result<Option<String>, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    output::prompt(prompt);
    let mut typed = String::new();
    let read = io::stdin().lock().read_line(&mut typed);
    read.map_err(|error| Failure::usage(format!("the terminal cannot be read: {error}")))?;
    let typed = typed.trim();
    Ok((!typed.is_empty()).then(|| typed.to_owned()))
}

fn bytes(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let fault =
        |error: &dyn std::fmt::Display| Failure::usage(format!("{option} {}: {error}", path.display()));
    let mut bytes = Vec::new();
    if is_stdin(path) {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    }
    .map_err(|error| fault(&format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fault(&format!("is larger than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Regular files only: a pipe of the shell (`<(…)`) does not persist.
fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0)
}
