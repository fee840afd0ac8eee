//! HTTP that is broken, ambiguous or another protocol's: refused or closed, and never understood in two ways.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, VALIDATE};
use crate::support::database::{Database, Engine};
use crate::support::process::{Process, variables};
use crate::support::raw::{connect, exchange, rest, size, statuses};

/// A request that hides in another one: understood, it would delete the configuration.
fn hidden(token: &str) -> String {
    format!("DELETE {CONFIG} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// What is sent, and the statuses of which its one answer has one.
struct Case {
    name: String,
    bytes: Vec<u8>,
    statuses: &'static [u16],
}

const REFUSED: &[u16] = &[400];

fn cases(token: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, bytes: String, statuses| {
        cases.push(Case { name: name.to_owned(), bytes: bytes.into_bytes(), statuses });
    };
    lengths(token, &mut add);
    heads(token, &mut add);
    chunks(token, &mut add);
    targets(token, &mut add);
    other_protocols(&hidden(token), &mut add);
    cases
}

type Add<'a> = dyn FnMut(&str, String, &'static [u16]) + 'a;

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// `validate` reads no body, so whatever stands there is left to the server.
fn validate(token: &str) -> String {
    format!("POST {VALIDATE} HTTP/1.1\r\nHost: x\r\n{}", bearer(token))
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

/// How long a body is, told twice or in words that are none. RFC 9112 section 6.3 lets a server go by the chunks
/// where it closes afterwards.
fn lengths(token: &str, add: &mut Add<'_>) {
    let (hidden, head, chunked) = (hidden(token), validate(token), CHUNKED);
    let length = hidden.len();
    add("CL and TE", format!("{head}Content-Length: 5\r\n{chunked}\r\n0\r\n\r\n{hidden}"), &[200, 400]);
    add("TE and CL", format!("{head}{chunked}Content-Length: 5\r\n\r\n0\r\n\r\n{hidden}"), &[200, 400]);
    add(
        "CL of all and TE",
        format!("{head}Content-Length: {length}\r\n{chunked}\r\n0\r\n\r\n{hidden}"),
        &[200, 400],
    );
    add("two CL", format!("{head}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"), REFUSED);
    add(
        "two CL, the other way",
        format!("{head}Content-Length: {length}\r\nContent-Length: 0\r\n\r\n{hidden}"),
        REFUSED,
    );
    let same = format!("Content-Length: {length}\r\nContent-Length: {length}\r\n");
    add("two CL that are the same", format!("{head}{same}\r\n{hidden}"), &[200, 400]);
    add(
        "a body that looks like a request",
        format!("{head}Content-Length: {length}\r\n\r\n{hidden}"),
        &[200],
    );
    for text in ["+5", "-5", "0x5", "5 5", "5, 6", "5;", "", "18446744073709551616", "five"] {
        add(&format!("CL {text:?}"), format!("{head}Content-Length: {text}\r\n\r\n{hidden}"), REFUSED);
    }
    for text in ["xchunked", "chunked, identity", "identity", "\x0bchunked", "chunked\x0b", "cow", "gzip"] {
        add(
            &format!("TE {text:?}"),
            format!("{head}Transfer-Encoding: {text}\r\n\r\n0\r\n\r\n{hidden}"),
            REFUSED,
        );
    }
    add("two TE", format!("{head}{chunked}Transfer-Encoding: cow\r\n\r\n0\r\n\r\n{hidden}"), REFUSED);
    let bearer = bearer(token);
    let old = format!("POST {VALIDATE} HTTP/1.0\r\n{bearer}{chunked}\r\n0\r\n\r\n{hidden}");
    add("TE in HTTP/1.0", old, REFUSED);
}

/// Lines of a head.
fn heads(token: &str, add: &mut Add<'_>) {
    let (hidden, head) = (hidden(token), validate(token));
    for (name, line) in [
        ("a folded line", "X-A: b\r\n c: d\r\n"),
        ("a folded first line", " X-A: b\r\n"),
        ("a space before the colon", "Content-Length : 5\r\n"),
        ("NUL in a value", "X-A: b\0c\r\n"),
        ("NUL in a name", "X\0A: b\r\n"),
        ("a line without a colon", "nonsense\r\n"),
        ("an empty name", ": b\r\n"),
        ("CR in a value", "X-A: b\rContent-Length: 5\r\n"),
        ("a name that is no token", "X(A): b\r\n"),
        ("a second host", "Host: y\r\n"),
    ] {
        add(name, format!("{head}{line}\r\n{hidden}"), REFUSED);
    }
    let large = "a".repeat(100 * 1024);
    add("a header of 100 KiB", format!("{head}X-A: {large}\r\n\r\n{hidden}"), &[431]);
    let many = "X-A: 1\r\n".repeat(2_000);
    add("2,000 headers", format!("{head}{many}\r\n{hidden}"), &[431]);
    add("a target of 100 KiB", format!("GET /{large} HTTP/1.1\r\nHost: x\r\n\r\n{hidden}"), &[414, 431]);
}

/// Chunks, of a request that reads its body.
fn chunks(token: &str, add: &mut Add<'_>) {
    let (hidden, bearer, chunked) = (hidden(token), bearer(token), CHUNKED);
    let patch = format!(
        "PATCH {CONFIG} HTTP/1.1\r\nHost: x\r\n{bearer}Content-Type: application/json\r\n{chunked}\r\n"
    );
    let document = "[{\"op\":\"replace\",\"path\":\"/username\",\"value\":\"eve\"}]";
    let extension = "x".repeat(64 * 1024);
    for (name, body) in [
        ("no number", format!("xyz\r\n{document}\r\n0\r\n\r\n")),
        ("a negative number", format!("-5\r\n{document}\r\n0\r\n\r\n")),
        ("a number with a prefix", format!("0x5\r\n{document}\r\n0\r\n\r\n")),
        ("more than 64 bits", format!("fffffffffffffffff\r\n{document}\r\n0\r\n\r\n")),
        ("an endless extension", format!("5;{extension}\r\n{document}\r\n0\r\n\r\n")),
        ("too short a number", format!("5\r\n{document}\r\n0\r\n\r\n")),
        ("no line end behind the chunk", format!("{:x}\r\n{document}0\r\n\r\n", document.len())),
        ("LF in place of a line end", format!("{:x}\n{document}\n0\n\n", document.len())),
    ] {
        add(&format!("a chunk with {name}"), format!("{patch}{body}{hidden}"), REFUSED);
    }
}

/// Targets and versions.
fn targets(token: &str, add: &mut Add<'_>) {
    let (hidden, bearer) = (hidden(token), bearer(token));
    let get = |target: &str, version: &str| format!("GET {target} HTTP/{version}\r\nHost: x\r\n{bearer}\r\n");
    add("an authority", format!("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n{hidden}"), REFUSED);
    add("an authority with GET", get("127.0.0.1:22", "1.1") + &hidden, REFUSED);
    add(
        "an asterisk",
        format!("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n{hidden}"),
        &[204, 400, 404],
    );
    add("no slash", get("api/v1/transports/email-config", "1.1") + &hidden, REFUSED);
    add("a space in the target", get("/a b", "1.1") + &hidden, REFUSED);
    add("a NUL in the target", get("/a\0b", "1.1") + &hidden, REFUSED);
    let no_host = format!("GET {CONFIG} HTTP/1.1\r\n{bearer}Connection: close\r\n\r\n{hidden}");
    add("no host", no_host, REFUSED);
    for version in ["0.9", "1.2", "2.0", "3.0", "9.9", "1.1.1", "01.1", ""] {
        add(&format!("version {version:?}"), get(CONFIG, version) + &hidden, REFUSED);
    }
    add("no version", format!("GET {CONFIG}\r\n\r\n{hidden}"), REFUSED);
    add("HTTP/1.0", format!("GET {CONFIG} HTTP/1.0\r\n{bearer}\r\n{hidden}"), &[200]);
    let elsewhere = format!(
        "GET http://elsewhere.example{CONFIG} HTTP/1.1\r\nHost: x\r\n{bearer}Connection: close\r\n\r\n"
    );
    add("a whole URL", elsewhere + &hidden, &[200]);
}

/// Other protocols, and what stands before a request.
fn other_protocols(hidden: &str, add: &mut Add<'_>) {
    let http2 = format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0{hidden}");
    add("HTTP/2, which a client recognises by the silence", http2, &[]);
    add("a TLS handshake", format!("\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03{hidden}"), REFUSED);
    add("SSH", format!("SSH-2.0-OpenSSH_9.6\r\n{hidden}"), REFUSED);
    add("SMTP", format!("EHLO mail.example.com\r\n{hidden}"), REFUSED);
    add("garbage before the request", format!("\x01\x02\x03{hidden}"), REFUSED);
    add("a lower-case method", format!("get<> {CONFIG} HTTP/1.1\r\nHost: x\r\n\r\n{hidden}"), REFUSED);
}

/// Settings under which a connection that is kept alive is closed soon.
async fn app() -> TestApp {
    TestApp::with(|config| {
        config.rate_limit.tier1_per_minute = 0;
        config.rate_limit.tier2_per_minute = 0;
        config.server.header_timeout_seconds = 1;
    })
    .await
}

/// Security case G10.
#[tokio::test]
async fn broken_bytes_get_at_most_one_response_and_smuggle_no_request() {
    let app = app().await;
    let admin = app.admin("acme");
    admin.patch(&json!({"username": "ann"})).await.expect(204);
    let before = admin.config().await;
    let token = admin.token.clone().expect("a token");
    let mut wrong = Vec::new();
    let running: Vec<_> = cases(&token)
        .into_iter()
        .map(|case| {
            let address = app.address;
            tokio::spawn(async move { (exchange(address, &case.bytes).await, case) })
        })
        .collect();
    for case in running {
        let (answer, case) = case.await.expect("an exchange");
        let found = statuses(&answer);
        let answers = usize::from(!case.statuses.is_empty());
        if found.len() != answers || !found.iter().all(|status| case.statuses.contains(status)) {
            wrong.push(format!("{}: {found:?} {}", case.name, String::from_utf8_lossy(&answer)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(admin.config().await, before, "nothing that was hidden was done");
    assert_eq!(app.database.count("audit").await, 1);
}

/// Security case G10.
#[tokio::test]
async fn two_requests_get_two_responses_and_a_broken_one_ends_the_connection() {
    let app = app().await;
    let token = app.admin("acme").token.expect("a token");
    let good = format!("GET {CONFIG} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    let broken = "GET / HTTP/1.1\r\nX\0: y\r\n\r\n";
    for (bytes, expected) in [
        (format!("{good}{good}"), vec![200, 200]),
        (format!("\r\n{good}"), vec![200]),
        (format!("{good}{broken}{good}"), vec![200, 400]),
        (format!("{broken}{good}{good}"), vec![400]),
    ] {
        assert_eq!(statuses(&exchange(app.address, bytes.as_bytes()).await), expected, "{bytes:?}");
    }
}

/// The memory that a process holds, in KiB.
fn resident(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Security case G10.
#[tokio::test]
async fn broken_requests_leak_no_memory() {
    let database = Database::create(Engine::chosen()).await;
    let mut settings = variables(&database);
    settings.push(("TRANSPORTS_SERVER__HEADER_TIMEOUT_SECONDS".to_owned(), "1".to_owned()));
    settings.push(("TRANSPORTS_LOG__FILTER".to_owned(), "warn,transports::cli=info".to_owned()));
    let process = Process::serve(&settings);
    let token = process.admin("acme", &settings).token.expect("a token");
    let round = async || {
        let running: Vec<_> = cases(&token)
            .into_iter()
            .map(|case| {
                let address = process.address;
                tokio::spawn(async move { exchange(address, &case.bytes).await.len() })
            })
            .collect();
        for case in running {
            case.await.expect("an exchange");
        }
    };
    let rounds = size("TEST_BROKEN_HTTP_ROUNDS", 3);
    round().await;
    let before = resident(&process);
    for _ in 0..rounds {
        round().await;
    }
    let after = resident(&process);
    assert!(after < before + 16 * 1024, "{before} KiB before {rounds} rounds, {after} KiB after");

    // A head without end is given up, however much more there would be.
    let mut stream = connect(process.address).await;
    let line = format!("X-A: {}\r\n", "a".repeat(8 * 1024));
    let mut swallowed = 0;
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: x\r\n").await.expect("writes");
    while tokio::io::AsyncWriteExt::write_all(&mut stream, line.as_bytes()).await.is_ok() {
        swallowed += line.len();
        assert!(swallowed < 64 * 1024 * 1024, "it reads on and on");
    }
    rest(&mut stream).await;
    assert!(resident(&process) < before + 16 * 1024);
}
