//! Checks that tell their progress by server-sent events.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::app::TestApp;
use crate::support::client::{Answer, CONFIG, Client, SEND_TEST, VERIFY};
use crate::support::eventually::eventually;
use crate::support::leaks;
use crate::support::smtp_server::{Act, At, Script, SmtpServer, USER, good_password};

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

async fn started(script: Script) -> (TestApp, SmtpServer, Client, Value) {
    let app = TestApp::with(|config| {
        config.rate_limit.tier2_per_minute = 0;
        config.egress.timeout_seconds = 3;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(script).await;
    let account = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com",
    });
    let admin = app.admin("acme");
    (app, server, admin, account)
}

/// Name and data of each event.
fn events(answer: &Answer) -> Vec<(String, Value)> {
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let text = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map_or_else(|| panic!("no {name} in {block}"), str::to_owned)
    };
    text.split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .map(|block| (field(block, "event"), serde_json::from_str(&field(block, "data")).expect("JSON")))
        .collect()
}

/// The stages that began, in order, and whether each event is as documented.
fn stages(events: &[(String, Value)]) -> Vec<(String, String)> {
    let steps = events.iter().filter(|(name, _)| name == "stage").map(|(_, data)| data);
    steps
        .map(|data| {
            let text = |name: &str| data[name].as_str().expect("a text").to_owned();
            let begun = text("state") == "started";
            assert_eq!(data.get("elapsedMs").is_none(), begun, "{data}");
            (text("stage"), text("state"))
        })
        .collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(stage, state)| ((*stage).to_owned(), (*state).to_owned())).collect()
}

async fn verify(client: &Client) -> Answer {
    client.send("POST", VERIFY, &[EVENTS], Vec::new()).await.expect(200)
}

#[tokio::test]
async fn a_check_streams_each_step_and_then_its_result() {
    let (_app, _server, admin, account) = started(Script::starttls()).await;
    admin.put(&account).await.expect(204);
    let told = events(&verify(&admin).await);
    let order = ["dns", "connect", "greeting", "ehlo", "starttls", "tls", "ehlo", "auth", "mail_from"];
    let expected: Vec<_> = order.iter().flat_map(|stage| [(*stage, "started"), (*stage, "done")]).collect();
    assert_eq!(stages(&told), pairs(&expected));
    let (name, result) = told.last().expect("an event");
    assert_eq!((name.as_str(), told.iter().filter(|(name, _)| name != "stage").count()), ("result", 1));
    assert_eq!(*result, admin.verify().await, "the body of the plain answer");
    let details: String = told.iter().map(|(_, data)| data["detail"].to_string()).collect();
    assert!(details.contains("AUTH PLAIN <hidden>") && !details.contains(good_password()), "{details}");
}

#[tokio::test]
async fn a_test_mail_streams_each_step_and_then_its_result() {
    let (_app, _server, admin, account) = started(Script::starttls()).await;
    admin.put(&account).await.expect(204);
    let mail = || serde_json::to_vec(&json!({"recipient": "bob@example.org"})).expect("JSON");
    let headers = [EVENTS, ("content-type", "application/json")];
    let told = events(&admin.send("POST", SEND_TEST, &headers, mail()).await.expect(200));
    let begun: Vec<_> = stages(&told).into_iter().filter(|(_, state)| state == "started").collect();
    let order = [
        "dns",
        "connect",
        "greeting",
        "ehlo",
        "starttls",
        "tls",
        "ehlo",
        "auth",
        "mail_from",
        "rcpt_to",
        // The command, and then the message.
        "data",
        "data",
    ];
    assert_eq!(begun, pairs(&order.map(|stage| (stage, "started"))));
    let (name, result) = told.last().expect("an event");
    assert_eq!((name.as_str(), &result["success"]), ("result", &json!(true)));
    assert_eq!(result["accepted"], json!(["bob@example.org"]));

    // What is refused before anything is sent is a plain response.
    let headers = [EVENTS, ("content-type", "application/json")];
    let refused = admin.send("POST", SEND_TEST, &headers, b"{}".to_vec()).await.expect(400);
    assert_eq!(refused.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_check_that_fails_names_the_step() {
    let (_app, _server, admin, account) = started(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    admin.patch(&account).await.expect(204);
    let told = events(&verify(&admin).await);
    assert_eq!(stages(&told).last(), Some(&("auth".to_owned(), "failed".to_owned())));
    assert_eq!(told.last().expect("an event").1["diagnosis"]["code"], "AUTH_REJECTED");
}

#[tokio::test]
async fn a_plain_user_receives_steps_without_details() {
    let (app, _server, admin, account) = started(Script::starttls()).await;
    admin.put(&account).await.expect(204);
    let member = app.member("acme");
    let told = events(&verify(&member).await);
    assert!(told.iter().all(|(_, data)| data.get("detail").is_none()), "{told:?}");
    assert_eq!(told.last().expect("an event").1, member.verify().await);
}

#[tokio::test]
async fn early_refusals_are_plain_responses() {
    let (app, _server, admin, _) = started(Script::starttls()).await;
    for (client, status) in [(admin, 404), (app.anybody(), 401)] {
        let answer = client.send("POST", VERIFY, &[EVENTS], Vec::new()).await.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn an_incomplete_configuration_is_reported_without_steps() {
    let (_app, server, admin, _) = started(Script::starttls()).await;
    admin.patch(&json!({"username": "ann"})).await.expect(204);
    let told = events(&verify(&admin).await);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1["diagnosis"]["code"], "CONFIG_INCOMPLETE");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn put_streams_its_check_and_then_the_new_version() {
    let (_app, _server, admin, mut account) = started(Script::starttls()).await;
    let put = async |account: &Value| {
        let body = json!({"serviceProvider": "BasicAuth", "providerConfig": account});
        events(&admin.json_with("PUT", CONFIG, &[EVENTS], &body).await.expect(200))
    };
    let told = put(&account).await;
    let (name, result) = told.last().expect("an event");
    assert_eq!((name.as_str(), &result["status"]), ("result", &json!(204)));
    assert_eq!(result["etag"].as_str(), admin.get(CONFIG).await.header("etag"));
    assert_eq!(stages(&told).last(), Some(&("mail_from".to_owned(), "done".to_owned())));

    let before = admin.config().await;
    account["emailPassword"] = json!(leaks::canary("not it "));
    let told = put(&account).await;
    let (name, refusal) = told.last().expect("an event");
    assert_eq!((name.as_str(), &refusal["status"]), ("error", &json!(400)));
    assert_eq!(refusal["errors"][0]["code"], "CONNECTIONCHECK-1");
    assert_eq!(refusal["traceId"].as_str().map(str::len), Some(32));
    assert_eq!(admin.config().await, before, "nothing was stored");
    // What is wrong with the input is known before.
    account["serverPort"] = json!(0);
    let body = json!({"serviceProvider": "BasicAuth", "providerConfig": account});
    admin.json_with("PUT", CONFIG, &[EVENTS], &body).await.expect(400);
}

#[tokio::test]
async fn steps_stream_as_they_happen_and_a_check_outlives_its_client() {
    let (app, _server, admin, account) = started(Script::starttls().on(At::Auth, Act::Silence)).await;
    admin.patch(&account).await.expect(204);
    #[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
    let mut stream = tokio::net::TcpStream::connect(app.address).await.expect("the service listens");
    let token = admin.token.as_deref().expect("a token");
    let request = format!(
        "POST {VERIFY} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\
         Content-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut heard = String::new();
    // The server says nothing to AUTH, so whoever is told of it now is told before the end.
    while !heard.contains(r#"{"stage":"auth","state":"started"}"#) {
        assert!(!heard.contains("event: result"), "{heard}");
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.expect("an event");
        assert_ne!(read, 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    drop(stream);
    eventually("the outcome is recorded", async || {
        app.database.audit("acme").await.iter().any(|row| row.outcome == "REPLY_TIMEOUT")
    })
    .await;
    assert_eq!(admin.config().await["errorCode"], "PROVIDER_ERROR");
    assert_eq!(app.app.accounts.connections.in_use(), 0);
}
