//! The console in Chromium, driven by the scripts of `tests/browser` against the built binary.
//!
//! Its pictures of every state are under `target/screenshots` afterwards.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::service::peers;

/// Runs one file of tests, and shows all that it printed where it fails.
fn run(file: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(file);
    // What a test leaves open, such as a browser, would keep node waiting for good.
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap", "--test-force-exit", "--test-timeout=600000"])
        .arg(script)
        .env("TRANSPORTS_BINARY", env!("CARGO_BIN_EXE_transports"))
        .env("TRANSPORTS_PEERS", peers())
        .stdin(Stdio::null())
        .output()
        .expect("node is installed");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{file}: {}\n{text}", output.status);
    let passed = text.lines().find_map(|line| line.strip_prefix("# pass ")?.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed > 0), "{file} has run no test:\n{text}");
}

#[test]
#[ignore = "needs scripts/test"]
fn every_flow_of_the_console() {
    run("flows.test.mjs");
}

#[test]
#[ignore = "needs scripts/test"]
fn api_keys_are_made_and_revoked_in_the_console() {
    run("api-keys.test.mjs");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_commonest_failures_lead_to_their_remedies() {
    run("failures.test.mjs");
}

#[test]
#[ignore = "needs scripts/test"]
fn every_state_of_the_console_has_a_way_on() {
    run("states.test.mjs");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_card_states_one_truth() {
    run("truth.test.mjs");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_element_works_in_pages_of_others() {
    run("embedding.test.mjs");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_console_is_for_everybody() {
    run("access.test.mjs");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_sources_of_the_console_hold_together() {
    run("sources.test.mjs");
    run("model.test.mjs");
}
