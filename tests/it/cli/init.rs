//! `transports init`: from an empty folder to a mail, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::support::certificates::authority_file;
use crate::support::client::Client;
use crate::support::eventually::eventually;
use crate::support::openid_provider::OpenIdProvider;
use crate::support::process::Process;
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};

/// Exit code, standard output, standard error.
type Ran = (Option<i32>, String, String);

fn transports(folder: &Path, arguments: &[&str]) -> Ran {
    transports_of(folder, &arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>(), &[])
}

fn transports_of(folder: &Path, arguments: &[String], variables: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_transports"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
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

/// What lets a tenant reach the servers of a test, on whatever disk it runs.
fn reaching_loopback() -> Vec<(String, String)> {
    [
        ("EGRESS__ALLOW", "127.0.0.0/8".to_owned()),
        ("EGRESS__ALLOW_HOSTS", "localhost".to_owned()),
        ("EGRESS__PORTS", "0".to_owned()),
        ("DELIVERY__MIN_FREE_DISK_PERCENT", "0".to_owned()),
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
    let steps = told.clone();
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
    send_by_the_printed_commands(folder.path(), &steps, &process, &server).await;
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

/// Runs the printed commands as a shell reads them, with the test's mail server in place of the example's, and waits for
/// the email that they send.
async fn send_by_the_printed_commands(folder: &Path, steps: &str, process: &Process, server: &SmtpServer) {
    let steps = steps.replace("127.0.0.1:0", &process.address.to_string());
    let lines: Vec<&str> = steps.lines().filter(|line| line.starts_with("  ")).collect();
    let calls = calls_of(&lines.join("\n"));
    let words: Vec<&str> = calls.iter().map(|call| call[3].as_str()).collect();
    assert_eq!(words, ["config", "serve", "token", "email-config", "api-keys", "-X"], "{steps}");
    let [_, _, token, update, key, curl] = &calls[..] else { panic!("{calls:?}") };

    let (code, token, told) = transports_of(folder, &token[3..], &[]);
    assert_eq!(code, Some(0), "{told}");
    let (address, read_token) = (format!("http://{}", process.address), "VALUE OF token");
    assert_eq!((update[1].as_str(), update[2].as_str()), (address.as_str(), read_token));
    let mut arguments = update[3..].to_vec();
    let port = server.port().to_string();
    let password = folder.join("password");
    fs::write(&password, good_password()).expect("a file");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("its owner");
    for (option, value) in
        [("--serverAddress", "localhost"), ("--serverPort", port.as_str()), ("--username", USER)]
    {
        let at = arguments.iter().position(|argument| argument == option).expect("an option");
        value.clone_into(&mut arguments[at + 1]);
    }
    arguments.extend(["--email-password-file".to_owned(), password.display().to_string()]);
    let variables = [("TRANSPORTS_SERVER", address.as_str()), ("TRANSPORTS_TOKEN", token.trim())];
    let (folder_of_update, variables) =
        (folder.to_owned(), variables.map(|(name, value)| (name, value.to_owned())));
    let updated = tokio::task::spawn_blocking(move || {
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        transports_of(&folder_of_update, &arguments, &variables)
    });
    let (code, _, told) = updated.await.expect("it runs");
    assert_eq!(code, Some(0), "{told}");

    let (code, key, told) = transports_of(folder, &key[3..], &[]);
    assert_eq!(code, Some(0), "{told}");
    let value_of = |option: &str| {
        let at = curl.iter().position(|argument| argument == option).expect("an option");
        curl[at + 1].clone()
    };
    assert!(curl.contains(&"Authorization: Bearer VALUE OF api-keys".to_owned()), "{curl:?}");
    let url = curl.iter().find_map(|argument| argument.strip_prefix(&address)).expect("a URL");
    let program = Client { address: process.address, token: Some(key.trim().to_owned()) };
    let body: serde_json::Value = serde_json::from_str(&value_of("-d")).expect("JSON");
    program.json(&value_of("-X"), url, &body).await.expect(202);
    let has_come = async || server.mails().iter().any(|mail| mail.to == ["you@example.com"]);
    eventually("the first email is sent", has_come).await;
}

/// The commands, each with its name, `TRANSPORTS_SERVER`, `TRANSPORTS_TOKEN` and its arguments.
fn calls_of(commands: &str) -> Vec<Vec<String>> {
    let recorded = |name: &str| {
        format!(
            "{name}() {{ printf '%s\\0' {name} \"$TRANSPORTS_SERVER\" \"$TRANSPORTS_TOKEN\" \"$@\" >&3; printf '\\1\\0' >&3; \
             for word; do case $word in token|api-keys) echo VALUE OF $word;; esac; done; }}\n"
        )
    };
    let sudo = "sudo() { \"$@\"; }\n";
    let script =
        format!("exec 3>&1 1>/dev/null\n{sudo}{}{}{commands}\n", recorded("transports"), recorded("curl"));
    let output = Command::new("sh").args(["-e", "-c", &script]).output().expect("there is a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let calls = text.split_terminator("\u{1}\0");
    calls.map(|call| call.split_terminator('\0').map(str::to_owned).collect()).collect()
}

#[test]
fn an_administrator_needs_a_tenant_and_a_database_a_first_start() {
    let folder = TempDir::new().expect("a folder");
    let (code, out, told) = transports(folder.path(), &["init", "--yes", "--admin", "anna"]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
    assert!(
        told.contains("--admin: there is no first tenant") && told.contains("hint: add --tenant ID"),
        "{told}"
    );
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is written");

    let (code, _, told) = transports(folder.path(), &["init", "--yes", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{told}");
    let settings = fs::read_to_string(folder.path().join("transports.toml")).expect("text");
    for line in ["# trusted_proxies = [", "# metrics_listen = "] {
        assert!(settings.contains(&format!("\n{line}")), "{line}: {settings}");
    }
    let copy = folder.path().join("copy.db").display().to_string();
    for arguments in [
        &["api-keys", "create", "--tenant", "acme", "--name", "first"][..],
        &["queue", "summary"],
        &["tenants", "ls"],
        &["keys", "status"],
        &["erase", "--address", "a@b.c", "--dry-run"],
        &["backup", &copy],
    ] {
        let (code, out, told) = transports(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{told}");
        assert!(told.starts_with("error: database.url: there is no file "), "{arguments:?}: {told}");
        assert!(told.contains("\n  hint: start the service once with `transports serve`, which"), "{told}");
    }
}

#[test]
fn the_commands_of_the_docs_are_valid() {
    let folder = TempDir::new().expect("a folder");
    let variables = [("TRANSPORTS_SERVER", "http://127.0.0.1:9"), ("TRANSPORTS_TOKEN", "a.b.c")];
    for page in ["README.md", "docs/deploy.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("a page");
        let mut blocks = text.split("```").filter(|block| block.starts_with("sh\n"));
        let block = blocks.find(|block| block.contains("transports email-config update")).expect("a block");
        let calls = calls_of(block.strip_prefix("sh\n").expect("checked above"));
        let [update, key, curl] = &calls[..] else { panic!("{page}: {calls:?}") };
        assert_eq!(update[1], "http://127.0.0.1:8080", "{page}");
        let (code, _, told) = transports_of(folder.path(), &update[3..], &variables);
        assert!(code == Some(4) && told.contains("no connection"), "{page}: {told}");
        let at = key.iter().position(|argument| argument == "api-keys").expect("the command");
        let (code, _, told) = transports_of(folder.path(), &key[at..], &[]);
        assert!(code == Some(2) && told.contains("no settings"), "{page}: {told}");
        let body = curl.last().expect("a body");
        assert!(serde_json::from_str::<serde_json::Value>(body).expect("JSON")["to"].is_string(), "{page}");
        assert!(
            curl.contains(&"http://127.0.0.1:8080/api/v1/transports/emails".to_owned()),
            "{page}: {curl:?}"
        );
        assert!(curl.contains(&"Authorization: Bearer VALUE OF api-keys".to_owned()), "{page}: {curl:?}");
    }
}

#[test]
fn the_steps_name_what_is_known_and_say_what_to_put_in() {
    let folder = TempDir::new().expect("a folder");
    let run = |arguments: &[&str]| {
        let (code, _, told) = transports(folder.path(), &[&["init", "--yes", "--force"], arguments].concat());
        assert_eq!(code, Some(0), "{told}");
        assert!(told.lines().count() <= 20, "a page is not read: {told}");
        told
    };
    let own = run(&["--public-url", "https://m.example"]);
    for expected in [
        "set up the mail account of a tenant (put its id for TENANT)",
        "TOKEN=$(transports token --tenant TENANT --user admin --admin)",
        "TRANSPORTS_SERVER=https://m.example TRANSPORTS_TOKEN=$TOKEN transports email-config update",
        "KEY=$(transports api-keys create --tenant TENANT --name first)",
        "curl -X POST https://m.example/api/v1/transports/emails",
    ] {
        assert!(own.contains(expected), "{expected}: {own}");
    }
    let issuer = [
        "--issuer",
        "https://login.example",
        "--jwks-url",
        "https://login.example/keys",
        "--listen",
        "0.0.0.0:80",
    ];
    let by_issuer = run(&issuer);
    for expected in
        ["TOKEN is a token of the issuer", "TRANSPORTS_SERVER=http://127.0.0.1:80 TRANSPORTS_TOKEN=$TOKEN"]
    {
        assert!(by_issuer.contains(expected), "{expected}: {by_issuer}");
    }
    assert!(!by_issuer.contains("transports token"), "the issuer signs: {by_issuer}");
    let console = ["--public-url", "https://m.example", "--console-client-id", "c"];
    let by_console = run(&[&issuer[..], &console].concat());
    for expected in [
        "sign in at https://m.example/console/, and set up the mail account",
        "curl -X POST https://m.example/",
    ] {
        assert!(by_console.contains(expected), "{expected}: {by_console}");
    }
    assert!(!by_console.contains("TRANSPORTS_TOKEN"), "the console needs none: {by_console}");
    let named = folder.path().join("a b.toml");
    let named = transports(folder.path(), &["--config", named.to_str().expect("text"), "init", "--yes"]).2;
    assert!(named.contains("KEY=$(transports --config '"), "{named}");
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
    assert!(!told.contains("The new file"), "nothing is lost: {told}");
    // A second old one does not replace the first. What is not in the new file is named, and its value is not.
    let more = read("transports.toml").replace("# trusted_proxies", "trusted_proxies");
    fs::write(folder.path().join("transports.toml"), more).expect("a file");
    let (code, _, told) = transports(folder.path(), &["init", "--yes", "--force"]);
    assert_eq!(code, Some(0), "{told}");
    let line = "\nThe new file leaves out server.trusted_proxies. Copy what you still need from transports.toml.old2\n";
    assert!(told.contains(line) && !told.contains("::1/128"), "{told}");
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
        (
            &["init", "--yes", "--tenant", "a", "--issuer", "https://x"],
            "error: --tenant: no first token can be printed, since the issuer signs the tokens itself\n  hint: leave out",
        ),
        (
            &["init", "--yes", "--admin", "a", "--issuer", "https://x"],
            "error: --admin: no first token can be printed, since the issuer signs the tokens itself",
        ),
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
