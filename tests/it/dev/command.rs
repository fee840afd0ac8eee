//! `transports dev` as somebody meets it who has just built it: an empty folder, one command, and the lines
//! that it prints pasted into a shell.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::client::{Answer, Client};

/// The running command; stopped when dropped.
struct Dev {
    child: Child,
    /// What it has printed.
    printed: String,
    /// The file of variables that the printed lines load.
    variables: String,
}

impl Dev {
    /// Starts it and reads to the end of what it prints, which comes before it serves.
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_transports"))
            .args([
                "dev",
                "--port",
                "0",
                "--smtp-port",
                "0",
                "--smtps-port",
                "0",
                "--gateway-port",
                "0",
                "--gateway-tls-port",
                "0",
            ])
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary is built");
        let out = BufReader::new(child.stdout.take().expect("is piped"));
        let mut printed = String::new();
        for line in out.lines() {
            let line = line.expect("text");
            printed.push_str(&line);
            printed.push('\n');
            if line.starts_with("More requests") {
                break;
            }
        }
        let variables =
            std::fs::read_to_string(folder.join("transports-dev/env")).expect("the printed lines load it");
        Self { child, printed, variables }
    }

    /// The value of a variable for the commands that are pasted.
    fn variable(&self, name: &str) -> &str {
        self.variables
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_else(|| panic!("no {name} in:\n{}", self.variables))
    }

    /// The printed lines that lead to a first email.
    fn first_email(&self) -> &str {
        let start = self.printed.find("\n. /").expect("a file is loaded");
        let end = self.printed.find("\nMore requests").expect("an end is printed");
        &self.printed[start..end]
    }

    /// The page with more requests.
    async fn requests(&self) -> String {
        let page = Client { address: self.address(), token: None };
        let page = page.get("/dev/requests").await.expect(200);
        assert_eq!(page.header("content-type"), Some("text/plain; charset=utf-8"));
        String::from_utf8(page.body.to_vec()).expect("text")
    }

    fn address(&self) -> SocketAddr {
        let rest = self.variable("API").strip_prefix("http://").expect("a URL");
        rest.split('/').next().expect("a host").parse().expect("an address")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What curl was asked for.
#[derive(Default, Debug)]
struct Curl {
    method: Option<String>,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Lets a shell read the lines, with a `curl` that only tells its arguments, and others that do nothing: so the quotes,
/// the variables and the line ends are the shell's to understand, and neither is needed.
fn pasted(lines: &str) -> Vec<Curl> {
    let script = format!(
        "curl() {{ printf '%s\\0' \"$@\"; printf '\\1\\0'; }}\nnode() {{ :; }}\nswaks() {{ :; }}\npython3() {{ :; }}\n{lines}\n"
    );
    let output = Command::new("sh").args(["-eu", "-c", &script]).output().expect("there is a shell");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).expect("text");
    told.split("\u{1}\0").map(str::trim).filter(|request| !request.is_empty()).map(curl).collect()
}

fn curl(arguments: &str) -> Curl {
    let mut request = Curl::default();
    let mut arguments = arguments.split_terminator('\0').map(str::to_owned);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value");
        match argument.as_str() {
            "-i" => {}
            "-X" => request.method = Some(value()),
            "-H" => {
                let header = value();
                let (name, value) = header.split_once(": ").expect("a header");
                request.headers.push((name.to_owned(), value.to_owned()));
            }
            "-d" => request.body = value(),
            url if url.starts_with("http://") => url.clone_into(&mut request.url),
            other => panic!("curl {other} is not known here"),
        }
    }
    request
}

async fn send(request: &Curl) -> Answer {
    let (address, path) =
        request.url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a whole URL");
    let client = Client { address: address.parse().expect("an address"), token: None };
    let headers: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let method = request.method.as_deref().unwrap_or("GET");
    client.send(method, &format!("/{path}"), &headers, request.body.clone().into_bytes()).await
}

/// An empty folder; removed when dropped.
struct Empty(PathBuf);

impl Empty {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("transports-dev-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).expect("can be made");
        Self(path)
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_printed_lines_send_a_first_email() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    let requests = pasted(dev.first_email());
    let [configure, email] = &requests[..] else { panic!("{requests:#?}") };
    // Out of order, the refusal says what comes first.
    let refused = send(email).await.expect(409).json();
    let message = refused["message"].as_str().expect("text");
    for place in ["/dev/requests", "/console/"] {
        assert!(message.contains(&format!("http://{}{place}", dev.address())), "{place}: {message}");
    }
    send(configure).await.expect(204);
    send(email).await.expect(202);
    let inbox = Client { address: dev.address(), token: None };
    let mut caught = Value::Null;
    crate::support::eventually::eventually("the mail arrives", async || {
        caught = inbox.get("/dev/inbox.json").await.expect(200).json();
        !caught["mails"].as_array().expect("a list").is_empty()
    })
    .await;
    assert_eq!(caught["mails"][0]["envelope"]["to"], serde_json::json!(["ada@example.org"]), "{caught}");
    let page = dev.requests().await;
    for (name, is_printed) in
        [("TOKEN", true), ("USER_TOKEN", true), ("KEY", true), ("PASSWORD", true), ("CLIENT_SECRET", false)]
    {
        let secret = dev.variable(name);
        assert_eq!(dev.printed.contains(&format!("\n{name}={secret}\n")), is_printed, "{name}");
        assert!(!page.contains(secret), "{name}");
    }
}

/// In the same folder, and in another one.
#[tokio::test]
async fn commands_of_operators_find_the_data_of_dev_or_say_how_to_name_it() {
    let (folder, other) = (Empty::new(), Empty::new());
    let dev = Dev::start(&folder.0);
    let run = |folder: &Path, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_transports"))
            .args(arguments)
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .expect("the binary is built");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let list = ["api-keys", "ls", "--tenant", "dev"];
    let (code, out, err) = run(&folder.0, &list);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(err, "note: no settings here: this is about the data of `transports dev`\n");
    assert!(out.contains("transports dev"), "{out}");
    for arguments in [&["queue", "summary"][..], &["tenants", "ls"], &["keys", "status"]] {
        let (code, _, err) = run(&folder.0, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
    }
    let (code, token, err) = run(&folder.0, &["token", "--tenant", "dev", "--user", "ada", "--admin"]);
    assert_eq!(code, Some(0), "{err}");
    let client = Client { address: dev.address(), token: Some(token.trim_end().to_owned()) };
    client.get("/api/v1/transports/email-config").await.expect(200);

    let (code, out, err) = run(&other.0, &list);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.starts_with("error: no settings: "), "{err}");
    let line = "set TRANSPORTS_DATABASE__URL=sqlite://FOLDER/transports.db with the folder of its --data-dir";
    assert!(err.contains(line), "{err}");
    assert_eq!(std::fs::read_dir(&other.0).expect("a folder").count(), 0, "nothing is created");
}

#[tokio::test]
async fn the_requests_of_the_page_deliver_a_mail_to_the_inbox() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    let requests = pasted(&dev.requests().await);
    let [configure, read, verify, send_test, email, inbox, outcomes, events, microsoft365] = &requests[..]
    else {
        panic!("{requests:#?}");
    };
    send(configure).await.expect(204);
    let config = send(read).await.expect(200).json();
    assert_eq!((&config["isValid"], &config["passwordExists"]), (&true.into(), &true.into()), "{config}");
    let verified = send(verify).await.expect(200).json();
    assert_eq!(verified["success"], true, "{verified}");
    let sent = send(send_test).await.expect(200).json();
    assert_eq!(sent["success"], true, "{sent}");
    let taken = send(email).await.expect(200).json();
    assert_eq!(taken["status"], "accepted", "{taken}");
    let caught = send(inbox).await.expect(200).json();
    assert_eq!(caught["mails"].as_array().map(Vec::len), Some(2), "{caught}");
    for (mail, recipient) in
        [(&caught["mails"][0], "ada@example.org"), (&caught["mails"][1], "you@example.com")]
    {
        assert_eq!(mail["envelope"]["to"], serde_json::json!([recipient]));
        assert_eq!(mail["envelope"]["from"], "platform@example.com");
        let envelope = &mail["envelope"];
        assert_eq!((&envelope["encrypted"], &envelope["signedIn"]), (&true.into(), &true.into()));
    }
    let failed = send(outcomes).await.expect(202).json();
    let last = |recipient: usize| &failed["recipients"][recipient]["last"];
    assert_eq!((&last(0)["smtp_code"], &last(1)["smtp_code"]), (&550.into(), &450.into()), "{failed}");
    assert!(last(0)["diagnosis"]["code"].is_string(), "{failed}");
    let told = send(events).await.expect(200).json();
    let types: Vec<_> = told["data"].as_array().expect("events").iter().map(|event| &event["type"]).collect();
    let expected = ["email.queued", "email.sent", "email.queued", "email.bounced", "email.delivery_delayed"];
    assert_eq!(types, expected, "{told}");
    send(microsoft365).await.expect(204);
    let config = send(read).await.expect(200).json();
    assert_eq!(config["serviceProvider"], "Microsoft365", "{config}");
    assert_eq!(send(verify).await.expect(200).json()["success"], true);
    assert_eq!(send(send_test).await.expect(200).json()["success"], true);
    let caught = send(inbox).await.expect(200).json();
    assert_eq!(caught["mails"].as_array().map(Vec::len), Some(3), "{caught}");
}

/// Where there is Python.
#[tokio::test]
async fn the_lines_of_python_send_by_smtp() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    let page = dev.requests().await;
    send(&pasted(&page)[0]).await.expect(204);
    let (variables, rest) = page.split_once("\n\n").expect("variables come first");
    let start = rest.find("KEY=$KEY CA=$CA PORT=").expect("lines of Python");
    let end = start + rest[start..].find("\n\n").expect("their end");
    let script = format!("{variables}\n{}\n", &rest[start..end]);
    let shell =
        Command::new("sh").args(["-eu", "-c", &script]).current_dir(&folder.0).output().expect("a shell");
    if String::from_utf8_lossy(&shell.stderr).contains("not found") {
        return;
    }
    assert!(shell.status.success(), "{shell:?}");
    let inbox = Client { address: dev.address(), token: None };
    let mut caught = Value::Null;
    crate::support::eventually::eventually("the mail arrives", async || {
        caught = inbox.get("/dev/inbox.json").await.expect(200).json();
        !caught["mails"].as_array().expect("a list").is_empty()
    })
    .await;
    assert_eq!(caught["mails"][0]["envelope"]["to"], serde_json::json!(["ada@example.org"]), "{caught}");
}

#[tokio::test]
async fn the_two_tokens_differ_in_their_rights() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    for (name, status) in [("TOKEN", 200), ("USER_TOKEN", 403)] {
        let client = Client { address: dev.address(), token: Some(dev.variable(name).to_owned()) };
        client.get("/api/v1/transports/email-config").await.expect(status);
    }
}

#[tokio::test]
async fn the_console_signs_in_by_itself_with_a_token_of_an_administrator() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    assert!(
        dev.printed.contains(&format!("\n  Console  http://{}/console/\n", dev.address())),
        "{}",
        dev.printed
    );
    let page = Client { address: dev.address(), token: None };
    page.get("/console/").await.expect(200);
    assert_eq!(page.get("/").await.expect(302).header("location"), Some("/console/"));
    let session = page.get("/console/session").await.expect(200);
    assert_eq!(session.header("cache-control"), Some("no-store"));
    let session = session.json();
    assert_eq!(session["mode"], "dev");
    assert_eq!((&session["user"], &session["tenant"]), (&"admin".into(), &"dev".into()));
    let token = session["token"].as_str().expect("a token").to_owned();
    let client = Client { address: dev.address(), token: Some(token) };
    client.get("/api/v1/transports/email-config").await.expect(200);
}

#[tokio::test]
async fn the_next_run_reuses_secrets_and_tokens() {
    let folder = Empty::new();
    let (token, password, api_key) = {
        let dev = Dev::start(&folder.0);
        assert!(!dev.printed.contains("The stored account"), "{}", dev.printed);
        send(&pasted(&dev.requests().await)[0]).await.expect(204);
        let variable = |name| dev.variable(name).to_owned();
        (variable("TOKEN"), variable("PASSWORD"), variable("KEY"))
    };
    let dev = Dev::start(&folder.0);
    // It listens on another port than the first one, for which the account was stored.
    assert!(dev.printed.contains("\nThe stored account names port "), "{}", dev.printed);
    assert_eq!(dev.variable("KEY"), api_key);
    assert_eq!(dev.variable("PASSWORD"), password);
    let client = Client { address: dev.address(), token: Some(token) };
    let config: Value = client.config().await;
    assert_eq!(config["passwordExists"], true, "{config}");
    let data = folder.0.join("transports-dev");
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in ["encryption-key", "token-secret", "inbox-password", "inbox.pem", "api-key", "env"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_one_with_the_same_data_names_the_first_and_how_to_stop_it() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    let mut second = Command::new(env!("CARGO_BIN_EXE_transports"))
        .args(["dev", "--port", "0"])
        .env_clear()
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    // One that starts greets here and never ends.
    let mut greeting = String::new();
    BufReader::new(second.stdout.take().expect("is piped")).read_line(&mut greeting).expect("text");
    if !greeting.is_empty() {
        second.kill().expect("a child");
    }
    let second = second.wait_with_output().expect("it ends");
    assert_eq!(greeting, "", "it starts");
    let said = String::from_utf8(second.stderr).expect("text");
    assert_eq!(second.status.code(), Some(2), "{said}");
    let expected = format!(
        "error: another `transports dev` runs with the data in ./transports-dev, and is at http://{}\n  \
           hint: stop it with Ctrl-C in its terminal, or with: kill {}; --data-dir names another folder\n",
        dev.address(),
        dev.child.id()
    );
    assert_eq!(said, expected);
}

#[tokio::test]
async fn the_inbox_has_pages_beside_the_api() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    let client = Client { address: dev.address(), token: None };
    let page = client.get("/dev/inbox").await.expect(200);
    assert!(page.header("content-security-policy").is_some());
    client.get("/dev/inbox/1").await.expect(404);
}

/// A foreign page whose name leads to loopback.
/// Security case M19.
#[test]
fn every_page_of_dev_answers_to_names_of_this_machine_only() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    let token_path = "/dev/microsoft365/d1d1d1d1-0000-4000-8000-000000000001/oauth2/v2.0/token";
    let status = |method: &str, path: &str, host: &str| {
        #[expect(clippy::disallowed_methods, reason = "a test connects to the program under test")]
        let mut client = std::net::TcpStream::connect(dev.address()).expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        client.write_all(head.as_bytes()).expect("can be sent");
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).expect("text");
        line.split(' ').nth(1).expect("a status").to_owned()
    };
    let pages = [
        ("GET", "/dev/inbox"),
        ("GET", "/dev/inbox/1"),
        ("GET", "/dev/requests"),
        ("POST", token_path),
        ("GET", "/console/session"),
    ];
    for (method, path) in pages {
        assert_eq!(status(method, path, "evil.example"), "421", "{path}");
        assert_ne!(status(method, path, &dev.address().to_string()), "421", "{path}");
    }
    let help = Command::new(env!("CARGO_BIN_EXE_transports")).args(["dev", "--help"]).output().expect("runs");
    let help = String::from_utf8(help.stdout).expect("text").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("every user of this machine gets in as an administrator"), "{help}");
}

#[test]
fn an_open_inbox_page_does_not_delay_shutdown() {
    let folder = Empty::new();
    let dev = Dev::start(&folder.0);
    #[expect(clippy::disallowed_methods, reason = "a test connects to the program under test")]
    let mut page = std::net::TcpStream::connect(dev.address()).expect("it listens");
    let host = dev.address();
    write!(page, "GET /dev/inbox/events HTTP/1.1\r\nHost: {host}\r\n\r\n").expect("can be sent");
    let mut page = BufReader::new(page);
    let mut line = String::new();
    while line != "data: 0\n" {
        line.clear();
        assert_ne!(page.read_line(&mut line).expect("text"), 0, "the stream begins");
    }
    let sent = Command::new("kill").args(["-TERM", &dev.child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let mut rest = String::new();
    page.read_to_string(&mut rest).expect("text");
    assert!(rest.ends_with("0\r\n\r\n"), "a stream that has ended, not one that was cut off: {rest:?}");
}

#[test]
fn the_first_requests_of_the_docs_are_valid_shell() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/first-requests.md"));
    let start = page.find("# Configure: ").expect("the first requests");
    let block = page[start..].split("```").next().expect("a block");
    let variables = "API=http://127.0.0.1:8080/api/v1/transports\nINBOX=http://127.0.0.1:8080/dev/inbox\nTOKEN=a.b-c_d\n\
                     KEY=tsk_a_b\nPASSWORD=e-f_g\nCA=ca.pem\nSMTP_PORT=2525\nGATEWAY_PORT=2587\n";
    let requests = pasted(&format!("{variables}{block}"));
    let [configure, read, verify, send_test, email, inbox, outcomes, events] = &requests[..] else {
        panic!("{requests:#?}");
    };
    let body: Value = serde_json::from_str(&configure.body).expect("JSON");
    assert_eq!(configure.method.as_deref(), Some("PUT"));
    assert_eq!(body["providerConfig"]["emailPassword"], "e-f_g");
    let api = "http://127.0.0.1:8080/api/v1/transports";
    for (request, url) in [
        (configure, format!("{api}/email-config")),
        (read, format!("{api}/email-config")),
        (verify, format!("{api}/email-config/actions/verify-connection")),
        (send_test, format!("{api}/email-config/actions/send-test-email")),
        (email, format!("{api}/emails")),
        (outcomes, format!("{api}/emails")),
        (events, format!("{api}/events?wait=5")),
    ] {
        assert_eq!(request.url, url);
        let bearer = if url.contains("/email-config") { "Bearer a.b-c_d" } else { "Bearer tsk_a_b" };
        let credential = ("Authorization".to_owned(), bearer.to_owned());
        assert!(request.headers.contains(&credential), "{request:?}");
    }
    assert_eq!(inbox.url, "http://127.0.0.1:8080/dev/inbox.json");
}
