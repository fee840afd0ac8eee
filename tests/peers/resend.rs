//! Resend's official clients, unmodified, with the base URL of this service, through every flow of emails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::destinations::Destinations;
use crate::service::{Service, peers};

/// Where the clients send to, and with which key.
#[derive(Clone, Copy)]
enum As {
    Tenant,
    /// The tenant stands in the base URL.
    Platform,
}

impl As {
    fn base_and_key(self) -> (&'static str, String) {
        match self {
            Self::Tenant => ("/api/v1/transports", Service::token("acme", "admin", true)),
            Self::Platform => ("/api/v1/transports/tenants/acme", Service::platform_token()),
        }
    }
}

/// Runs a script with a service of its own, and shows all that it printed where it fails.
async fn run(caller: As, program: PathBuf, arguments: &[&str], script: &str, summary: &str) {
    let destinations = Destinations::start().await;
    let service = destinations.service(None);
    destinations.configure(&service.admin("acme")).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/resend");
    let (base, key) = caller.base_and_key();
    let url = format!("http://{}{base}", service.address);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(folder.join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("RESEND_BASE_URL", &url)
        .env("RESEND_API_URL", &url)
        .env("RESEND_API_KEY", key)
        .env("OTHER_API_KEY", Service::token("acme", "member", false))
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
    let output = output.expect("the client's interpreter is installed");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {}\n{text}", output.status);
    assert!(text.contains(summary), "{script} has run no test:\n{text}");
    let mails = destinations.inbox.newest_first();
    let everything = ["ada", "bob", "carol", "dan"].map(|user| format!("{user}@example.org"));
    let arrived = mails.iter().filter(|mail| mail.envelope.recipients == everything);
    assert_eq!(arrived.count(), 1, "the email with everything arrives once, blind copies included");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn the_npm_client_passes_every_flow() {
    run(As::Tenant, "node".into(), &["--test", "--test-reporter=tap"], "resend.test.mjs", "# tests 10\n")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn the_npm_client_passes_every_flow_for_the_platform() {
    run(As::Platform, "node".into(), &["--test", "--test-reporter=tap"], "resend.test.mjs", "# tests 10\n")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn the_pypi_client_passes_every_flow() {
    run(As::Tenant, peers().join("resend/bin/python"), &[], "test_resend.py", "Ran 9 tests").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs scripts/test"]
async fn the_pypi_client_passes_every_flow_for_the_platform() {
    run(As::Platform, peers().join("resend/bin/python"), &[], "test_resend.py", "Ran 9 tests").await;
}
