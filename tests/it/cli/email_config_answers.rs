//! `transports email-config` and what a server may answer: streams of events, refusals, loss, and worse.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::support::certificates;
use crate::support::email_config_cli::{Cli, file};
use crate::support::http_server::{
    HttpServer, Part, Script, event, event_stream, json as json_answer, plain,
};

const TOKEN: &str = "a.good.token";

async fn answering(answers: Vec<Script>) -> (HttpServer, Cli) {
    let server = HttpServer::start(answers).await;
    let cli = Cli::new(&server.url(), TOKEN);
    (server, cli)
}

fn stage(name: &str, state: &str, detail: &str) -> Part {
    event("stage", &json!({"stage": name, "state": state, "elapsedMs": 12, "detail": detail}))
}

#[tokio::test]
async fn stages_are_printed_during_the_check() {
    let result =
        json!({"success": true, "connectionFailed": false, "message": "It works.", "unproved": ["delivery"]});
    let script = vec![
        event_stream(),
        stage("dns", "started", ""),
        stage("dns", "done", "localhost was found"),
        Part::Wait,
        stage("auth", "done", "235"),
        event("result", &result),
        // A server that never ends the stream changes nothing.
        Part::Wait,
    ];
    let (server, cli) = answering(vec![script]).await;
    let mut child = cli
        .command(&["verify-connection"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    let stderr = child.stderr.take().expect("is piped");
    let (first, rest) = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stderr);
        let mut first = String::new();
        lines.read_line(&mut first).expect("text");
        (first, lines)
    })
    .await
    .expect("it does not panic");
    assert_eq!(first, "ok      name             12 ms  localhost was found\n", "while the server waits");
    server.let_go();
    let output = tokio::task::spawn_blocking(move || {
        let rest = rest.lines().map(|line| line.expect("text")).collect::<Vec<_>>();
        (child.wait_with_output().expect("it ends"), rest)
    });
    let (output, rest) = output.await.expect("it does not panic");
    assert_eq!(rest, ["ok      sign-in          12 ms  235"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text, "OK  It works.\nThis check does not prove delivery.\n");
    let request = &server.requests()[0];
    assert!(
        request.starts_with("POST /api/v1/transports/email-config/actions/verify-connection HTTP/1.1\r\n")
    );
    assert!(request.contains("accept: text/event-stream, application/json\r\n"), "{request}");
}

#[tokio::test]
async fn the_last_event_of_a_stream_decides_the_exit_code() {
    let failed = json!({"success": false, "connectionFailed": true, "message": "Nobody listens.", "diagnosis": {
        "code": "CONNECT_REFUSED", "title": "Nobody listens", "owner": "tenant_admin", "stage": "connect",
        "steps": ["Check the port."], "links": ["https://example.com/help"], "retryable": true,
        "transcript": [{"stage": "connect", "ms": 3, "detail": "refused"}],
    }});
    let error = json!({"status": 404, "errors": [{"code": "VERIFYCONNECTION-1", "title": "No email config for tenant"}]});
    let check = json!({"status": 400, "errors": [{"code": "CONNECTIONCHECK-1", "title": "The connection check failed",
        "detail": "Nobody listens.", "meta": {"diagnosis": failed["diagnosis"]}}]});
    let update = ["update", "--serverAddress", "localhost"];
    let verify = ["verify-connection"];
    for (arguments, events, code, out, err) in [
        (&verify[..], vec![event("result", &failed)], 1, "FAILED  Nobody listens.\n", "connection"),
        (
            &verify,
            vec![event("error", &error)],
            3,
            "",
            "error: No email config for tenant (404 VERIFYCONNECTION-1)\n",
        ),
        (&verify, vec![event("error", &json!({}))], 4, "", "error: the server answers 500\n"),
        (&verify, vec![], 4, "", "the answer ended before its result"),
        (
            &verify,
            vec![event("result", &json!(7))],
            4,
            "",
            "the server answers 200 with something that is not of this API",
        ),
        (
            &update,
            vec![event("result", &json!({"status": 204, "etag": "\"a.1\""}))],
            0,
            "",
            "stored (ETag \"a.1\").",
        ),
        (
            &update,
            vec![event("error", &check)],
            1,
            "\nNobody listens (CONNECT_REFUSED)\n",
            "and nothing was stored",
        ),
    ] {
        let mut script = vec![event_stream()];
        script.extend(events);
        let (_server, cli) = answering(vec![script]).await;
        let ran = cli.run(arguments).await.expect(code);
        assert!(ran.out.starts_with(out) && (!out.is_empty() || ran.out.is_empty()), "{ran:?}");
        assert!(ran.err.contains(err), "{ran:?}");
    }
}

#[tokio::test]
async fn every_response_has_its_exit_code() {
    let html = |status| plain(status, "content-type: text/html\r\n", "<h1>nginx</h1>");
    let moved = plain("301 Moved", "location: https://other.example.com/\r\n", "");
    let error =
        |status| json_answer(status, &json!({"errors": [{"code": "X-1", "title": "No"}], "traceId": "0f"}));
    for (answer, code, said) in [
        (error("400 Bad Request"), 3, "error: No (400 X-1)\n  trace id 0f\n"),
        (error("401 Unauthorized"), 3, "hint: the token is missing, expired"),
        (error("412 Precondition Failed"), 3, "hint: read the configuration again"),
        (error("429 Too Many Requests"), 3, "hint: --retry tries again"),
        (error("500 Internal Server Error"), 4, "error: No (500 X-1)\n"),
        (error("503 Service Unavailable"), 4, "hint: --retry tries again"),
        (
            html("404 Not Found"),
            4,
            "error: the server answers 404 with a web page that is not of this API\n  hint: --server must be the URL of",
        ),
        (html("502 Bad Gateway"), 4, "error: the server answers 502\n"),
        (html("200 OK"), 4, "error: the server answers 200 with a web page that is not of this API\n"),
        (
            json_answer("200 OK", &json!([])),
            4,
            "error: the server answers 200 with something that is not of this API\n",
        ),
        (moved, 4, "error: the server answers 301 and points to https://other.example.com/\n"),
        (vec![], 4, "the connection broke"),
        (
            vec![Part::Send(b"220 mail.example.com ESMTP\r\n".to_vec())],
            4,
            "a mail server (SMTP) answers on this port",
        ),
    ] {
        let (server, cli) = answering(vec![answer]).await;
        let ran = cli.run(&["ls"]).await.expect(code);
        assert_eq!(ran.out, "");
        assert!(ran.err.contains(said), "{said}: {ran:?}");
        assert_eq!(server.requests().len(), 1, "nothing is repeated that nobody asked to repeat");
    }
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = closed.local_addr().expect("is bound");
    drop(closed);
    let ran = Cli::new(&format!("http://{address}"), TOKEN).run(&["ls"]).await.expect(4);
    assert!(
        ran.err.starts_with(&format!("error: http://{address}: no connection: the connection was refused\n"))
    );
}

#[tokio::test]
async fn only_safe_requests_are_retried() {
    let busy = || plain("429 Too Many Requests", "retry-after: 1\r\n", "{}");
    let away = || plain("503 Service Unavailable", "", "{}");
    let lost = Vec::new;
    let good = || json_answer("200 OK", &json!({"success": true, "isValid": true, "message": "m"}));
    let stored = || plain("204 No Content", "", "");
    let gone = || json_answer("404 Not Found", &json!({"errors": [{"code": "DELETE-1", "title": "None"}]}));
    let (ls, validate, verify) = (&["ls"][..], &["validate"][..], &["verify-connection"][..]);
    let send = &["send-test-email", "--recipient", "a@b.c"][..];
    let (update, rm) = (&["update", "--serverPort", "25"][..], &["rm", "--yes"][..]);
    let patch = &["patch", "--senderName", "Ada"][..];
    let cases = [
        // Busy: nothing happened, so anything may be repeated.
        (verify, vec![busy(), good()], 0, 2),
        (send, vec![busy(), busy(), good()], 0, 3),
        (patch, vec![busy(), stored()], 0, 2),
        // Not available, or lost: it may have happened.
        (ls, vec![away(), lost(), good()], 0, 3),
        (validate, vec![away(), good()], 0, 2),
        (update, vec![lost(), stored()], 0, 2),
        (rm, vec![lost(), gone()], 0, 2),
        (rm, vec![busy(), gone()], 3, 2),
        (verify, vec![away(), good()], 4, 1),
        (verify, vec![lost(), good()], 4, 1),
        (send, vec![away(), good()], 4, 1),
        (send, vec![lost(), good()], 4, 1),
        (patch, vec![lost(), stored()], 4, 1),
        // Not for ever.
        (ls, vec![away()], 4, 3),
        (ls, vec![plain("429 Too Many Requests", "retry-after: 86400\r\n", "{}")], 3, 1),
        (ls, vec![plain("500 Internal Server Error", "", "{}")], 4, 1),
    ]
    .map(|(arguments, answers, code, requests)| (arguments.to_vec(), answers, code, requests));
    // All at once, since most of them wait for a second.
    let mut running = tokio::task::JoinSet::new();
    for (arguments, answers, code, requests) in cases {
        running.spawn(async move {
            let (server, cli) = answering(answers).await;
            let ran = cli.run(&[&arguments[..], &["--retry", "2", "--verbose"]].concat()).await;
            assert_eq!((ran.code, server.requests().len()), (Some(code), requests), "{arguments:?}: {ran:?}");
            let told = ran.err.matches("trying again in 1 s (").count();
            assert_eq!(told, requests - 1, "{ran:?}");
        });
    }
    running.join_all().await;
    let (server, cli) =
        answering(vec![plain("429 Too Many Requests", "retry-after: 2\r\n", "{}"), good()]).await;
    let ran = cli.run(&["ls", "--retry", "1"]).await.expect(0);
    assert!(ran.err.contains("the server is busy (429); trying again in 2 s (1 of 1)"), "{ran:?}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_tls_server_is_trusted_only_by_its_authority() {
    let good = json_answer("200 OK", &json!({"isValid": true}));
    let server = HttpServer::start_tls(vec![good]).await;
    let cli = Cli::new(&format!("https://localhost:{}", server.address.port()), TOKEN);
    let distrusted = cli.run(&["validate"]).await.expect(4);
    assert!(
        distrusted.err.contains("TLS failed: ") && distrusted.err.contains("hint: --ca-file"),
        "{distrusted:?}"
    );
    assert!(server.requests().is_empty(), "the token went nowhere");
    let authority = certificates::authority_file().to_str().expect("text");
    cli.run(&["validate", "--ca-file", authority]).await.expect(0);
    assert_eq!(server.requests().len(), 1);
}

/// Security case I3.
#[tokio::test]
async fn server_text_cannot_control_the_terminal() {
    let hostile = "a\u{1b}]0;x\u{7}b\u{9b}2Jc\u{202e}d\r\nOK  forged";
    let body = json!({"success": false, "message": hostile, "smtpResponseCode": 535, "enhancedStatusCode": hostile,
        "rejected": [hostile], "diagnosis": {"code": hostile, "title": hostile, "meaning": hostile, "owner": hostile,
        "stage": hostile, "steps": [hostile], "links": [hostile],
        "transcript": [{"stage": hostile, "ms": 1, "detail": hostile}]}});
    let error =
        json!({"errors": [{"code": hostile, "title": hostile, "detail": hostile}], "traceId": hostile});
    let config = json!({"tenantId": hostile, "serviceProvider": "BasicAuth", "username": hostile, "errorCode": hostile,
        "advice": [{"title": hostile, "meaning": hostile, "link": hostile}]});
    let streamed = vec![event_stream(), stage(hostile, "done", hostile), event("result", &body)];
    for (arguments, answer) in [
        (&["verify-connection"][..], json_answer("200 OK", &body)),
        (&["verify-connection"], streamed),
        (&["ls"], json_answer("200 OK", &config)),
        (&["ls", "-q"], json_answer("200 OK", &config)),
        (&["ls", "-v"], json_answer("400 Bad Request", &error)),
        (&["validate"], json_answer("200 OK", &json!({"isValid": false, "errorCode": hostile}))),
    ] {
        let (_server, cli) = answering(vec![answer]).await;
        let ran = cli.run(arguments).await;
        for text in [&ran.out, &ran.err] {
            let steers = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!text.contains(steers), "{ran:?}");
            assert!(!text.lines().any(|line| line.starts_with("OK  forged")), "{ran:?}");
        }
    }
}

#[tokio::test]
async fn colours_need_a_terminal_and_respect_no_color() {
    let (_server, cli) = answering(vec![json_answer("200 OK", &json!({"isValid": true}))]).await;
    let coloured = "\u{1b}[32mvalid\u{1b}[0m\n";
    assert_eq!(cli.run(&["validate"]).await.expect(0).out, "valid\n");
    let forced = cli.clone().with("CLICOLOR_FORCE", "1");
    assert_eq!(forced.run(&["validate"]).await.expect(0).out, coloured);
    assert_eq!(forced.with("NO_COLOR", "1").run(&["validate"]).await.expect(0).out, "valid\n");
}

#[tokio::test]
async fn a_closed_pipe_is_no_error_but_a_full_disk_is() {
    let mut slow = vec![Part::Wait];
    slow.extend(json_answer("200 OK", &json!({"isValid": true})));
    let (server, cli) = answering(vec![slow, json_answer("200 OK", &json!({"isValid": true}))]).await;
    let mut child = cli
        .command(&["validate"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    drop(child.stdout.take());
    server.let_go();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().expect("it ends"));
    let output = output.await.expect("it does not panic");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = cli.command(&["validate"]);
    command.stdout(full).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().expect("it ends"));
    let output = output.await.expect("it does not panic");
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: the output could not be written: "));
}

#[tokio::test]
async fn commands_send_the_requests_of_the_api() {
    let (server, cli) = answering(vec![plain("204 No Content", "", "")]).await;
    let under_a_path = Cli::new(&format!("{}/mail/", server.url()), TOKEN);
    under_a_path.run(&["rm", "--yes", "--if-match", "\"a.1\""]).await.expect(0);
    cli.run(&["update", "-f", &file("{}"), "--serverPort", "587", "--if-match", "\"a.1\""]).await.expect(0);
    cli.run(&["patch", "--senderName", "Ada"]).await.expect(0);
    let requests = server.requests();
    let head = |request: &str| request.lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        requests.iter().map(|request| head(request)).collect::<Vec<_>>(),
        [
            "DELETE /mail/api/v1/transports/email-config HTTP/1.1",
            "PUT /api/v1/transports/email-config HTTP/1.1",
            "PATCH /api/v1/transports/email-config HTTP/1.1",
        ]
    );
    for (request, has_body, has_tag) in
        [(&requests[0], false, true), (&requests[1], true, true), (&requests[2], true, false)]
    {
        assert_eq!(request.contains("content-type: application/json\r\n"), has_body, "{request}");
        assert_eq!(request.contains("if-match: \"a.1\"\r\n"), has_tag, "{request}");
        assert!(request.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{request}");
    }
    assert!(requests[1].ends_with("{\"providerConfig\":{\"serverPort\":587}}"), "{}", requests[1]);
}
