//! Traces of the real binary, as a collector receives them.

use std::fmt::Write as _;
use std::net::TcpListener;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::json;

use crate::support::client::{CONFIG, Client, VERIFY};
use crate::support::collector::{Collector, attribute};
use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::leaks;
use crate::support::microsoft365::{self, Microsoft};
use crate::support::process::{self, Process, variables, with_all};
use crate::support::smtp_server::{At, Script, SmtpServer, USER, good_password};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const GET: &str = "GET /api/v1/transports/email-config";
const VERIFYING: &str = "POST /api/v1/transports/email-config/actions/verify-connection";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn names(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans
        .iter()
        .find(|span| span.name == name)
        .unwrap_or_else(|| panic!("{name} is not in {:?}", names(spans)))
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

fn traceparent(id: &str, flags: &str) -> String {
    format!("00-{id}-{PARENT}-{flags}")
}

async fn get(client: &Client, id: &str, flags: &str) -> u16 {
    client.send("GET", CONFIG, &[("traceparent", &traceparent(id, flags))], Vec::new()).await.status
}

fn account(port: u16) -> serde_json::Value {
    json!({
        "serverAddress": "localhost", "serverPort": port, "securityType": "StartTLS", "username": USER,
        "emailPassword": good_password(), "emailAddress": "ada@example.com",
    })
}

/// Security case I1.
#[tokio::test]
async fn get_and_verify_are_traced_without_private_data() {
    let collector = Collector::start();
    let server = SmtpServer::start(Script::starttls()).await;
    let database = Database::create(Engine::chosen()).await;
    let header = format!("X-Key: {}", leaks::canary("key "));
    let settings = with_all(
        &variables(&database),
        &[
            ("TRANSPORTS_TELEMETRY__OTLP_ENDPOINT", &collector.url),
            ("TRANSPORTS_TELEMETRY__OTLP_HEADERS", &header),
        ],
    );
    let process = Process::serve(&settings);
    let admin = process.known_admin("a-tenant");
    admin.put(&account(server.port())).await.expect(204);
    assert_eq!(get(&admin, TRACE, "01").await, 200);
    let trace = collector.trace_with(GET).await;

    assert_eq!(names(&trace), [GET, "SELECT email_configs"]);
    let (request, read) = (&trace[0], &trace[1]);
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(read.parent_span_id, request.span_id);
    assert_eq!((request.kind(), read.kind()), (SpanKind::Server, SpanKind::Client));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/v1/transports/email-config"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(request, name).as_deref(), Some(value), "{name}");
    }
    let system = if Engine::chosen() == Engine::Sqlite { "sqlite" } else { "postgresql" };
    assert_eq!(attribute(read, "db.system.name").as_deref(), Some(system));
    assert_eq!(attribute(read, "db.operation.name").as_deref(), Some("SELECT"));
    assert!(attribute(read, "db.query.text").is_some_and(|text| text.contains("$1")));

    // A trace that begins here has the id that the log and the answers show.
    assert_eq!(admin.verify().await["success"], true);
    let trace = collector.trace_with(VERIFYING).await;
    let request = named(&trace, VERIFYING);
    assert!(request.parent_span_id.is_empty());
    let id = hex(&request.trace_id);
    eventually("the log names the trace", async || process.log().contains(&id)).await;
    let steps: Vec<_> = names(&trace).into_iter().filter(|name| !name.contains("email_configs")).collect();
    let expected = [
        VERIFYING,
        "dns lookup",
        "connect",
        "smtp greeting",
        "smtp EHLO",
        "smtp STARTTLS",
        "tls handshake",
        "smtp EHLO",
        "smtp AUTH",
        "smtp MAIL",
    ];
    assert_eq!(&steps[..expected.len()], expected);
    for child in trace.iter().filter(|span| span.span_id != request.span_id) {
        assert_eq!(child.parent_span_id, request.span_id, "{}", child.name);
        assert!(!failed(child), "{}", child.name);
    }

    // A refused sign-in marks its step, and not the request, which was answered as it should be.
    server.play(Script::starttls().on(At::Auth, "535 5.7.8 no"));
    admin.post(VERIFY).await.expect(200);
    eventually("a failed step", async || collector.spans().iter().any(failed)).await;
    let failures: Vec<_> = collector.spans().into_iter().filter(failed).collect();
    assert_eq!(names(&failures), ["smtp AUTH"]);

    assert!(collector.spans().iter().all(|span| span.events.is_empty()), "the log is no part of a trace");

    // What a client asks for is not told, but for the route that it matched.
    admin.get("/api/v1/transports/bob@example.org?subject=Kein-Betreff").await.expect(404);
    admin.get("/health/ready").await.expect(200);
    let unmatched = async || collector.spans().iter().any(|span| span.name == "GET");
    eventually("the span of a path without a route", unmatched).await;
    let headers = collector.headers();
    assert_eq!(headers["x-key"], leaks::canary("key "));
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let (code, _) = process.stop();
    assert_eq!(code, Some(0));
    let told = collector.bytes();
    leaks::assert_absent("the traces", &told);
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("service.name") && told.contains("transports"));
    let private =
        ["@example", "a-tenant", USER, "localhost", "Kein-Betreff", "127.0.0.1", "Bearer", "/health", "535 "];
    for private in private {
        assert!(!told.contains(private), "the traces hold {private}");
    }
}

const HANDING_OVER: &str = "hand over an email";

#[tokio::test]
async fn a_page_of_events_reads_its_emails_many_at_a_time() {
    let collector = Collector::start();
    let server = SmtpServer::start(Script::starttls()).await;
    let database = Database::create(Engine::chosen()).await;
    let settings = with_all(
        &variables(&database),
        &[
            ("TRANSPORTS_TELEMETRY__OTLP_ENDPOINT", &collector.url),
            ("TRANSPORTS_TELEMETRY__SAMPLED_PERCENT", "0"),
            ("TRANSPORTS_DELIVERY__ENABLED", "false"),
        ],
    );
    let process = Process::serve(&settings);
    let admin = process.known_admin("a-tenant");
    admin.put(&account(server.port())).await.expect(204);
    let email = |number| json!({ "to": format!("bob{number}@example.net"), "subject": "s", "text": "t" });
    let batch: Vec<_> = (0..60).map(email).collect();
    admin.json("POST", "/api/v1/transports/emails/batch", &json!(batch)).await.expect(202);
    let events = "/api/v1/transports/events";
    eventually("the feed shows all of them", async || {
        admin.get(events).await.expect(200).json()["data"].as_array().map(Vec::len) == Some(60)
    })
    .await;
    let parent = traceparent(TRACE, "01");
    let page = admin.send("GET", events, &[("traceparent", &parent)], Vec::new()).await.expect(200).json();
    for (number, event) in page["data"].as_array().expect("events").iter().enumerate() {
        assert_eq!(event["data"]["to"], json!([format!("bob{number}@example.net")]));
        assert_eq!(event["data"]["subject"], "s");
    }
    let trace = collector.trace_with("GET /api/v1/transports/events").await;
    let count = |name: &str| names(&trace).into_iter().filter(|found| *found == name).count();
    // Twenty-five events for each; about midnight the emails have keys of two days.
    assert_eq!((count("SELECT email_events"), count("SELECT emails")), (1, 3), "{:?}", names(&trace));
    assert!((1..=2).contains(&count("SELECT content_keys")), "{:?}", names(&trace));
}

/// Security case I1.
#[tokio::test]
async fn a_hand_over_has_a_trace_that_links_to_its_request() {
    let collector = Collector::start();
    let refusing =
        Script::starttls().on(At::RcptTo("bob@example.net"), "550 5.1.1 <bob@example.net> is unknown");
    let server = SmtpServer::start(refusing).await;
    let database = Database::create(Engine::chosen()).await;
    let settings = with_all(
        &variables(&database),
        &[
            ("TRANSPORTS_TELEMETRY__OTLP_ENDPOINT", &collector.url),
            ("TRANSPORTS_TELEMETRY__SAMPLED_PERCENT", "0"),
        ],
    );
    let process = Process::serve(&settings);
    let admin = process.known_admin("a-tenant");
    admin.put(&account(server.port())).await.expect(204);
    let email = json!({
        "to": ["bob@example.net", "carol@example.net"], "subject": "Kein-Betreff", "text": "Kein-Wort",
    });
    let body = serde_json::to_vec(&email).expect("JSON");
    let send = async |id: &str, flags: &str| {
        let parent = traceparent(id, flags);
        let headers = [("traceparent", parent.as_str()), ("Content-Type", "application/json")];
        admin.send("POST", "/api/v1/transports/emails", &headers, body.clone()).await.expect(202).json()
    };
    // The request decides for its hand-over as well.
    let unsampled = send(&TRACE.replace("4b", "5b"), "00").await;
    let sampled = send(TRACE, "01").await;
    let trace = collector.trace_with(HANDING_OVER).await;
    let handover = named(&trace, HANDING_OVER);
    assert_eq!((handover.kind(), handover.parent_span_id.is_empty()), (SpanKind::Consumer, true));
    let request = collector.trace_with("POST /api/v1/transports/emails").await;
    let request = named(&request, "POST /api/v1/transports/emails");
    let link = handover.links.first().expect("a link");
    assert_eq!((hex(&link.trace_id), &link.span_id), (TRACE.to_owned(), &request.span_id));
    for (name, value) in [
        ("transports.provider", "BasicAuth"),
        ("transports.recipients", "2"),
        ("transports.accepted", "1"),
        ("error.type", "RECIPIENT_UNKNOWN"),
    ] {
        assert_eq!(attribute(handover, name).as_deref(), Some(value), "{name}");
    }
    let steps: Vec<_> = names(&trace).into_iter().filter(|name| name.starts_with("smtp ")).collect();
    assert!(steps.contains(&"smtp RCPT"), "{steps:?}");
    for step in trace.iter().filter(|span| span.name.starts_with("smtp ")) {
        assert_eq!(step.parent_span_id, handover.span_id, "{}", step.name);
    }

    let ended = "an email was handed over";
    eventually("both are in the log", async || process.log().matches(ended).count() == 2).await;
    let spans = collector.spans();
    assert_eq!(spans.iter().filter(|span| span.name == HANDING_OVER).count(), 1, "the other was not sampled");
    let (code, log) = process.stop();
    assert_eq!(code, Some(0));
    for id in [&unsampled["id"], &sampled["id"]] {
        assert!(log.contains(id.as_str().expect("an id")), "the log names the email");
    }
    assert!(log.contains(&hex(&handover.trace_id)), "the log names the trace of the hand-over");
    leaks::assert_absent("the log", log.as_bytes());
    leaks::assert_absent("the traces", &collector.bytes());
    let exported = String::from_utf8_lossy(&collector.bytes()).into_owned();
    for private in ["@example", "a-tenant", USER, "localhost", "127.0.0.1", "550 ", "is unknown", "Kein-"] {
        assert!(!exported.contains(private), "the traces hold {private}");
    }
    for private in ["bob", "carol", "ada@", "is unknown", "Kein-"] {
        assert!(!log.contains(private), "the log holds {private}");
    }
}

#[tokio::test]
async fn a_microsoft_call_is_a_child_span_of_its_step() {
    let collector = Collector::start();
    let microsoft = Microsoft::start().await;
    let database = Database::create(Engine::chosen()).await;
    let settings = with_all(
        &variables(&database),
        &[
            ("TRANSPORTS_TELEMETRY__OTLP_ENDPOINT", &collector.url),
            ("TRANSPORTS_MICROSOFT365__LOGIN_URL", &microsoft.url),
            ("TRANSPORTS_MICROSOFT365__GRAPH_URL", &microsoft.url),
        ],
    );
    let process = Process::serve(&settings);
    let admin = process.known_admin("a-tenant");
    microsoft365::put(&admin, &microsoft.provider_config()).await.expect(204);
    assert_eq!(admin.send_test("bob@example.org").await["success"], true);
    let sending = "POST /api/v1/transports/email-config/actions/send-test-email";
    let trace = collector.trace_with(sending).await;
    let request = named(&trace, sending);
    for step in ["oauth token", "graph sendMail"] {
        let step = named(&trace, step);
        assert_eq!(step.parent_span_id, request.span_id, "{}", step.name);
        let calls: Vec<_> = trace.iter().filter(|span| span.parent_span_id == step.span_id).collect();
        assert_eq!(calls.len(), 1, "{}", step.name);
        assert_eq!(calls[0].name, "POST");
        assert_eq!(attribute(calls[0], "server.address").as_deref(), Some("127.0.0.1"));
        assert!(attribute(calls[0], "http.response.status_code").is_some());
    }
    let told = String::from_utf8_lossy(&collector.bytes()).into_owned();
    for private in ["@example", &microsoft.registration.mailbox, &microsoft.registration.client_id] {
        assert!(!told.contains(private), "the traces hold {private}");
    }
}

#[tokio::test]
async fn the_caller_or_else_the_setting_decides_on_sampling() {
    let collector = Collector::start();
    let database = Database::create(Engine::chosen()).await;
    let settings = with_all(
        &variables(&database),
        &[
            ("TRANSPORTS_TELEMETRY__OTLP_ENDPOINT", &collector.url),
            ("TRANSPORTS_TELEMETRY__SAMPLED_PERCENT", "0"),
        ],
    );
    let process = Process::serve(&settings);
    let admin = process.known_admin("a-tenant");
    let (other, wanted) = (TRACE.replace("4b", "5b"), TRACE.replace("4b", "6b"));
    assert_eq!(get(&admin, &other, "00").await, 200);
    admin.get(CONFIG).await.expect(200);
    assert_eq!(get(&admin, &wanted, "01").await, 200);
    let trace = collector.trace_with(GET).await;
    assert_eq!(hex(&trace[0].trace_id), wanted);
    // Whether or not it is sampled, the answer and the log name the caller's trace.
    let headers = [("traceparent", traceparent(&other, "00"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = admin.send("DELETE", CONFIG, &headers, Vec::new()).await.expect(404);
    assert_eq!(refused.json()["traceId"], other.as_str());
    let (_, log) = process.stop();
    assert!(log.contains(&other));
    assert!(collector.spans().iter().all(|span| hex(&span.trace_id) == wanted));
}

/// The sum of the metric with this outcome.
async fn spans(client: &Client, outcome: &str) -> u64 {
    let page = client.get("/metrics").await.expect(200);
    let page = String::from_utf8_lossy(&page.body).into_owned();
    let line = format!("transports_trace_spans_total{{outcome=\"{outcome}\"}} ");
    page.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
}

const TOLD: &str = "does not take spans";

#[tokio::test]
async fn a_refusing_collector_is_logged_once_and_counted() {
    let collector = Collector::start();
    collector.answer_with(503);
    let database = Database::create(Engine::chosen()).await;
    let endpoint = [("TRANSPORTS_TELEMETRY__OTLP_ENDPOINT", collector.url.as_str())];
    let process = Process::serve(&with_all(&variables(&database), &endpoint));
    let admin = process.known_admin("a-tenant");
    for batch in 1..=2 {
        admin.get(CONFIG).await.expect(200);
        eventually("a failed call", async || collector.calls() >= batch).await;
        let failed = 2 * batch as u64;
        eventually("it is counted", async || spans(&admin, "failed").await >= failed).await;
    }
    eventually("it is told", async || process.log().contains(TOLD)).await;
    assert_eq!(process.log().matches(TOLD).count(), 1, "told once");
    collector.answer_with(200);
    admin.get(CONFIG).await.expect(200);
    eventually("it is counted", async || spans(&admin, "exported").await >= 2).await;
    // The end of the process delivers what waits, and waits for the answer.
    collector.hesitate();
    admin.get("/openapi.json").await.expect(200);
    // On a thread of its own, since the collector answers meanwhile.
    let (code, log) = tokio::task::spawn_blocking(move || process.stop()).await.expect("it ends");
    assert_eq!(code, Some(0));
    assert!(collector.spans().iter().any(|span| span.name == "GET /openapi.json"), "the last span is there");
    assert_eq!(log.matches("trace export recovered").count(), 1);
}

#[tokio::test]
async fn a_silent_or_absent_collector_delays_neither_requests_nor_shutdown() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let away = TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).expect("a free port");
    for place in [silent.local_addr().expect("bound"), away] {
        let database = Database::create(Engine::chosen()).await;
        let endpoint = format!("http://{place}");
        let endpoint = [("TRANSPORTS_TELEMETRY__OTLP_ENDPOINT", endpoint.as_str())];
        let process = Process::serve(&with_all(&variables(&database), &endpoint));
        let admin = process.known_admin("a-tenant");
        for _ in 0..20 {
            admin.get(CONFIG).await.expect(200);
        }
        let (code, log) = process.stop();
        assert_eq!(code, Some(0));
        assert!(log.contains("stopped"), "it came to its orderly end");
        assert!(log.contains(TOLD) || log.contains("not delivered in time"), "the loss is told");
    }
}

#[tokio::test]
async fn an_unusable_endpoint_is_refused_by_name() {
    let database = Database::create(Engine::Sqlite).await;
    for (setting, value, text) in [
        ("OTLP_ENDPOINT", "http://collector.example:4318", "it must begin with https://"),
        ("OTLP_ENDPOINT", "https://collector.example/?a=b", "it holds more than"),
        ("OTLP_ENDPOINT", "collector.example:4318", "expected a text that starts with"),
        ("SAMPLED_PERCENT", "101", "expected an integer from 0 to 100"),
    ] {
        let name = format!("TRANSPORTS_TELEMETRY__{setting}");
        let settings = with_all(&variables(&database), &[(&name, value)]);
        for command in [&["config", "check"][..], &["serve"]] {
            let (code, _, errors) = process::run(command, &settings);
            assert_eq!(code, Some(2), "{command:?} with {value}: {errors}");
            assert!(errors.contains(text), "{errors}");
            assert!(errors.to_lowercase().contains(&setting.to_lowercase()), "{errors}");
        }
    }
}
