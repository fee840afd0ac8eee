//! The official clients, unmodified, each with a script that goes through every operation that it has.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::service::{Service, peers};

/// Runs a script with a service of its own, and shows all that it printed where it fails.
fn run(program: impl AsRef<OsStr>, arguments: &[&str], script: &str, summary: &str) {
    let service = Service::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let output = Command::new(program)
        .args(arguments)
        .arg(folder.join(script))
        .env("TRANSPORTS_HOST", format!("http://{}", service.address))
        .env("TRANSPORTS_ADMIN", Service::token("acme", "admin", true))
        .env("TRANSPORTS_MEMBER", Service::token("acme", "member", false))
        // Counted by itself, so that it can reach its limit.
        .env("TRANSPORTS_HASTY", Service::token("acme", "hasty", false))
        .stdin(Stdio::null())
        .output()
        .expect("the client's interpreter is installed");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {}\n{text}", output.status);
    assert!(text.contains(summary), "{script} has run no test:\n{text}");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_npm_client_passes_every_flow() {
    run("node", &["--test", "--test-reporter=tap"], "qlik-api.test.mjs", "# tests 16\n");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_pypi_client_passes_every_flow() {
    let python = peers().join("pypi/bin/python");
    run(python, &[], "test_qlik_sdk.py", "Ran 9 tests");
}
