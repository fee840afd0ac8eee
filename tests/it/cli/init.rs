//! `transports init`: from an empty folder to a mail, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::support::certificates::authority_file;
use crate::support::client::Client;
use crate::support::openid_provider::OpenIdProvider;
use crate::support::process::Process;
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};

/// Exit code, standard output, standard error.
type Ran = (Option<i32>, String, String);

fn transports(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_transports"))
        .args(arguments)
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary is built");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn transports_beside(folder: &Path, arguments: &[&'static str], issuer: &str) -> Ran {
    let (folder, issuer) = (folder.to_owned(), issuer.to_owned());
    let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    arguments.push(issuer);
    let run = move || transports(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.expect("it runs")
}

/// What lets a tenant reach the servers of a test.
fn reaching_loopback() -> Vec<(String, String)> {
    [
        ("EGRESS__ALLOW", "127.0.0.0/8".to_owned()),
        ("EGRESS__ALLOW_HOSTS", "localhost".to_owned()),
        ("EGRESS__PORTS", "0".to_owned()),
        ("TLS__CA_FILE", authority_file().display().to_string()),
    ]
    .map(|(name, value)| (format!("TRANSPORTS_{name}"), value))
    .into()
}

#[tokio::test]
async fn from_an_empty_folder_to_a_mail() {
    let folder = TempDir::new().expect("a folder");
    let arguments = ["init", "--yes", "--listen", "127.0.0.1:0", "--tenant", "acme", "--admin", "anna"];
    let (code, token, told) = transports(folder.path(), &arguments);
    assert_eq!(code, Some(0), "{told}");
    let token = token.strip_suffix('\n').expect("one line");
    assert!(token.split('.').count() == 3 && !told.contains(token), "{told}");
    for expected in
        ["transports config check", "transports serve", "transports token --tenant acme --user anna --admin"]
    {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    for file in ["transports.toml", "keys"] {
        let mode = fs::metadata(folder.path().join(file)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let secrets = fs::read_to_string(folder.path().join("keys")).expect("text");
    assert!(!told.contains(secrets.trim()), "{told}");
    let (code, shown, told) = transports(folder.path(), &["config", "check"]);
    assert_eq!((code, told.as_str()), (Some(0), "configuration is valid\n"), "{shown}");

    // From another folder, too: relative paths begin where the settings are.
    let settings = folder.path().join("transports.toml");
    let arguments = ["--config", settings.to_str().expect("text"), "serve"];
    let process = Process::serve_with(&arguments, &reaching_loopback());
    let server = SmtpServer::start(Script::starttls()).await;
    let admin = Client { address: process.address, token: Some(token.to_owned()) };
    let account = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS", "username": USER,
        "emailPassword": good_password(), "emailAddress": "ada@example.com",
    });
    admin.put(&account).await.expect(204);
    let sent = admin.send_test("bob@example.org").await;
    assert_eq!(sent["success"], json!(true), "{sent}");
    assert!(folder.path().join("transports.db").is_file(), "the database is beside the settings");
    let (code, log) = process.stop();
    assert_eq!(code, Some(0), "{log}");
    let version = format!("transports {}, database sqlite://", env!("CARGO_PKG_VERSION"));
    for line in [
        version.as_str(),
        "accepts tokens of the issuer transports for the audience transports, with keys of auth.hs256_secret",
        "nobody can sign in at /console/, since console.oidc_issuer is not set",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn files_that_exist_are_kept() {
    let folder = TempDir::new().expect("a folder");
    let init = ["init", "--yes"];
    assert_eq!(transports(folder.path(), &init).0, Some(0));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("text");
    let (settings, keys) = (read("transports.toml"), read("keys"));
    let (code, out, told) = transports(folder.path(), &init);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
    let remedy = "error: init: transports.toml exists, and is not replaced\n  hint: check it with `transports --config \
                  transports.toml config check`, name another file with --config, or add --force";
    assert!(told.starts_with(remedy), "{told}");
    assert_eq!((read("transports.toml"), read("keys")), (settings.clone(), keys.clone()));
    // Replaced on request, the old one is there, and secrets that were sealed still open.
    let (code, _, told) = transports(folder.path(), &["init", "--yes", "--force"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("the keys in keys stay in use") && told.contains("transports.toml.old"), "{told}");
    assert_eq!((read("transports.toml.old"), read("keys")), (settings, keys));
    assert_ne!(read("transports.toml"), read("transports.toml.old"), "it has a secret of its own");
    // A second old one does not replace the first.
    assert_eq!(transports(folder.path(), &["init", "--yes", "--force"]).0, Some(0));
    assert!(folder.path().join("transports.toml.old2").is_file());
}

#[test]
fn where_something_is_wrong_nothing_is_written() {
    let folder = TempDir::new().expect("a folder");
    for (arguments, fault) in [
        (&["init"][..], "there is no terminal to ask on\n  hint: add --yes"),
        (&["init", "--yes", "--listen", "here"], "--listen: here cannot be used: it has to be an IP address"),
        (
            &["init", "--yes", "--database", "mysql://u:hunter2@h"],
            "it has to begin with sqlite:// or postgres://",
        ),
        (&["init", "--yes", "--tenant", "*"], "--tenant: * cannot be used"),
        (&["init", "--yes", "--issuer", "http://login.example.com"], "it must begin with https://"),
        (&["init", "--yes", "--issuer", "http://127.0.0.1:9"], "--jwks-url names the keys"),
        (&["--config", "nowhere/transports.toml", "init", "--yes"], "hint: make it first: install -d"),
        (&["init", "--yes", "--tenant", "a", "--issuer", "https://x"], "cannot be used with"),
    ] {
        let (code, out, told) = transports(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {told}");
        assert!(told.contains(fault), "{fault}: {told}");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "{arguments:?}");
    }
    // A key file of an earlier installation that everybody can read.
    let keys = folder.path().join("keys");
    fs::write(&keys, "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").expect("a file");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).expect("its owner");
    let (code, _, told) = transports(folder.path(), &["init", "--yes"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("every user of this host may use it") && told.contains("chmod o= "), "{told}");
    assert!(keys.is_file() && !folder.path().join("transports.toml").exists());
}

#[tokio::test]
async fn an_issuer_is_asked_for_its_keys() {
    let provider = OpenIdProvider::start().await;
    let folder = TempDir::new().expect("a folder");
    // With a slash too much: the issuer's own spelling is what its tokens have.
    let arguments =
        ["init", "--yes", "--public-url", "https://m.example", "--console-client-id", "c", "--issuer"];
    let (code, out, told) = transports_beside(folder.path(), &arguments, &format!("{}/", provider.url)).await;
    assert_eq!((code, out.as_str()), (Some(0), ""), "{told}");
    assert!(told.contains("https://m.example/console/callback"), "{told}");
    let (code, shown, told) = transports(folder.path(), &["config", "check"]);
    assert_eq!(code, Some(0), "{told}");
    for (key, value) in [
        ("jwks_url", format!("{}/keys", provider.url)),
        ("issuer", provider.url.clone()),
        ("oidc_issuer", provider.url.clone()),
        ("public_url", "https://m.example".to_owned()),
    ] {
        assert!(shown.lines().any(|line| line == format!("{key} = \"{value}\"")), "{key}: {shown}");
    }
}

/// The group that root has made the folder for may read the files, and nobody else.
#[test]
fn the_group_of_the_folder_can_read_what_root_writes() {
    let folder = TempDir::new().expect("a folder");
    if std::os::unix::fs::chown(folder.path(), None, Some(65_534)).is_err() {
        return; // only root gives files away
    }
    assert_eq!(transports(folder.path(), &["init", "--yes"]).0, Some(0));
    for file in ["transports.toml", "keys"] {
        let file = fs::metadata(folder.path().join(file)).expect("is there");
        assert_eq!((file.permissions().mode() & 0o777, file.gid()), (0o640, 65_534));
    }
}
