//! Clients that are slow on purpose: they are cut off, and nobody else notices.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, Client, VERIFY};
use crate::support::eventually::eventually;
use crate::support::raw::{connect, exchange, rest, size, statuses};
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

/// Beyond any slowness of a machine: a test that gets here has failed.
const HOPELESS: Duration = Duration::from_mins(1);

/// Asks so many times; every answer has to be the right one.
async fn all_are_answered(client: &Client, times: usize) {
    for _ in 0..times {
        let asking = tokio::time::timeout(HOPELESS, client.get(CONFIG));
        asking.await.expect("others are kept out").expect(200);
    }
}

async fn app(change: impl FnOnce(&mut transports::config::Config)) -> TestApp {
    TestApp::with(|config| {
        config.rate_limit.tier1_per_minute = 0;
        change(config);
    })
    .await
}

/// Security case G11.
#[tokio::test(flavor = "multi_thread")]
async fn unfinished_heads_are_cut_off_and_disturb_no_others() {
    let app = app(|config| config.server.header_timeout_seconds = 2).await;
    let slow: Vec<_> = (0..size("TEST_SLOW_CLIENTS", 300))
        .map(|number| {
            let address = app.address;
            tokio::spawn(async move {
                let mut stream = connect(address).await;
                match number % 3 {
                    0 => {}
                    1 => stream
                        .write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ")
                        .await
                        .expect("writes"),
                    _ => {
                        // One byte after the other, which must not win it time.
                        let _ = stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ").await;
                        while stream.write_all(b"x").await.is_ok() {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
                rest(&mut stream).await
            })
        })
        .collect();
    all_are_answered(&app.admin("acme"), 50).await;
    for slow in slow {
        let answer = slow.await.expect("it is closed");
        assert!(!statuses(&answer).contains(&200), "{:?}", String::from_utf8_lossy(&answer));
    }
    all_are_answered(&app.admin("acme"), 5).await;
}

/// A PATCH whose head says that so many bytes follow.
fn patch_head(client: &Client, length: usize) -> String {
    let token = client.token.as_ref().expect("a token");
    format!(
        "PATCH {CONFIG} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// Security case G11.
#[tokio::test(flavor = "multi_thread")]
async fn unfinished_bodies_are_abandoned_and_change_nothing() {
    let app = app(|config| {
        config.rate_limit.tier2_per_minute = 0;
        config.server.body_timeout_seconds = 1;
    })
    .await;
    let admin = app.admin("acme");
    let document = json!([{"op": "replace", "path": "/username", "value": "eve"}]).to_string();
    let slow: Vec<_> = (0..size("TEST_SLOW_CLIENTS", 300) / 10)
        .map(|_| {
            let (head, document) = (patch_head(&admin, document.len() + 1_000), document.clone());
            let address = app.address;
            tokio::spawn(async move {
                let mut stream = connect(address).await;
                let _ = stream.write_all(format!("{head}{document}").as_bytes()).await;
                // Spaces behind a document are a part of it.
                while stream.write_all(b" ").await.is_ok() {
                    if tokio::time::timeout(Duration::from_millis(50), stream.readable()).await.is_ok() {
                        break;
                    }
                }
                rest(&mut stream).await
            })
        })
        .collect();
    all_are_answered(&admin, 30).await;
    for slow in slow {
        let answer = slow.await.expect("it is closed");
        assert_eq!(statuses(&answer), [400]);
        assert!(String::from_utf8_lossy(&answer).contains("The body did not arrive in time"));
    }
    assert_eq!(admin.config().await, json!({"isValid": false, "passwordExists": false}));
}

/// Closed with octets that it has not read, the system would reset the connection, and the answer would be lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_end_of_a_request_reaches_a_client_that_goes_on_sending() {
    let app = app(|_| {}).await;
    let admin = app.admin("acme");
    let length = 32 * 1024 * 1024;
    let stranger = Client { address: app.address, token: Some("x".to_owned()) };
    for (client, status) in [(&admin, 413), (&stranger, 401)] {
        let mut stream = connect(app.address).await;
        stream.write_all(patch_head(client, length).as_bytes()).await.expect("writes");
        stream.write_all(&vec![b' '; length]).await.expect("the service reads what it does not need");
        let answer = rest(&mut stream).await;
        assert_eq!(statuses(&answer), [status]);
        assert!(answer.ends_with(b"}"), "the whole answer: {:?}", String::from_utf8_lossy(&answer));
    }
}

/// A proxy may lose an answer that comes before it has sent everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_read_to_its_end_before_it_is_refused() {
    let app = app(|_| {}).await;
    let length = 1024 * 1024;
    let head = patch_head(&app.admin("acme"), length);
    let next = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let requests = format!("{head}{}{next}", " ".repeat(length));
    assert_eq!(statuses(&exchange(app.address, requests.as_bytes()).await), [413, 200]);
}

/// Security case G11.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_no_responses_are_cut_off() {
    let app = app(|config| config.server.answer_timeout_seconds = 1).await;
    let greedy: Vec<_> = (0..4)
        .map(|_| {
            let address = app.address;
            tokio::spawn(async move {
                let mut stream = connect(address).await;
                // A small buffer is soon full.
                socket2::SockRef::from(&stream).set_recv_buffer_size(4_096).expect("a socket");
                let asking = async {
                    // Until the service closes: the answers are never read, so at last nothing more is taken.
                    while stream.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok() {}
                };
                tokio::time::timeout(HOPELESS, asking).await
            })
        })
        .collect();
    all_are_answered(&app.admin("acme"), 20).await;
    for greedy in greedy {
        assert!(greedy.await.expect("a client").is_ok(), "the service never closed the connection");
    }
}

/// What the kernel holds for each connection of the service's listener and has not got rid of, in bytes.
#[cfg(target_os = "linux")]
fn unsent(address: std::net::SocketAddr) -> Vec<u64> {
    let local = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let columns = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = columns.filter(|columns| columns[1].ends_with(&local));
    let queues = ours.map(|columns| {
        let (unsent, _) = columns[4].split_once(':').expect("two queues");
        u64::from_str_radix(unsent, 16).expect("a number")
    });
    queues.filter(|unsent| *unsent > 0).collect()
}

/// Connections that ask for far more than they read, which is nothing.
async fn greedy(app: &TestApp, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = connect(app.address).await;
        socket2::SockRef::from(&stream).set_recv_buffer_size(2_048).expect("a socket");
        // It may have been closed already, to make room for a later one.
        let _ =
            stream.write_all("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(120).as_bytes()).await;
        streams.push(stream);
    }
    streams
}

/// Security case M2.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_take_little_from_the_kernel_and_nothing_once_they_are_given_up() {
    let app = app(|config| config.server.answer_timeout_seconds = 2).await;
    let streams = greedy(&app, 8).await;
    let mut most = 0;
    eventually("the buffers are full", async || {
        let unsent = unsent(app.address);
        most = most.max(unsent.iter().copied().max().unwrap_or_default());
        unsent.len() == 8 && most > 32 * 1024
    })
    .await;
    eventually("the kernel has forgotten them", async || {
        let unsent = unsent(app.address);
        most = most.max(unsent.iter().copied().max().unwrap_or_default());
        unsent.is_empty()
    })
    .await;
    assert!(most <= 512 * 1024, "{most} bytes for one connection");
    drop(streams);
}

/// Security case M2.
#[tokio::test(flavor = "multi_thread")]
async fn where_all_permits_are_taken_by_who_reads_nothing_others_still_get_in() {
    let app = app(|config| {
        config.server.max_connections = 20;
        // So that time alone helps nobody.
        config.server.answer_timeout_seconds = 300;
        config.server.header_timeout_seconds = 300;
    })
    .await;
    let streams = greedy(&app, 60).await;
    all_are_answered(&app.admin("acme"), 40).await;
    drop(streams);
}

/// Connections that ask nothing, of every kind that costs a client nothing.
async fn idle(app: &TestApp, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for number in 0..count {
        let mut stream = connect(app.address).await;
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ",
            _ => b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        };
        // It may have been closed already, to make room for a later one.
        let _ = stream.write_all(begun).await;
        streams.push(stream);
    }
    streams
}

/// An account whose server keeps a check waiting for a while, and the server.
async fn slow_account(app: &TestApp, tenants: &[&str], pause: Duration) -> SmtpServer {
    let acts = [Act::Pause(pause), Act::Usual];
    let server = SmtpServer::start(Script::plain().on(At::Greeting, acts)).await;
    let account: Value = json!({
        "serverAddress": "127.0.0.1", "serverPort": server.port(), "securityType": "none",
        "emailAddress": "ada@example.com",
    });
    for tenant in tenants {
        app.admin(tenant).patch(&account).await.expect(204);
    }
    server
}

/// Security case G11.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_evicted_for_new_clients() {
    let app = app(|config| {
        config.server.max_connections = 40;
        // So that time alone helps nobody.
        config.server.header_timeout_seconds = 300;
    })
    .await;
    let server = slow_account(&app, &["busy"], Duration::from_millis(700)).await;
    let busy = app.admin("busy");
    let under_way = tokio::spawn(async move { busy.post(VERIFY).await });
    eventually("a request is under way", async || server.connections() == 1).await;
    let idle = idle(&app, 160).await;
    all_are_answered(&app.admin("acme"), 60).await;
    let answer = under_way.await.expect("a request").expect(200).json();
    assert_eq!(answer["success"], json!(true), "what was under way was not given up: {answer}");
    // The oldest have given way; the newest are still there.
    let mut idle = idle;
    rest(&mut idle[0]).await;
    let mut newest = idle.pop().expect("a connection");
    newest
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .expect("writes");
    drop(idle);
}

/// Security case G11.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_waits_while_all_others_are_busy() {
    let app = app(|config| {
        config.server.max_connections = 2;
        config.server.header_timeout_seconds = 300;
    })
    .await;
    let server = slow_account(&app, &["one", "two"], Duration::from_millis(500)).await;
    let mut at_work = Vec::new();
    for tenant in ["one", "two"] {
        let client = app.admin(tenant);
        at_work.push(tokio::spawn(async move { client.post(VERIFY).await }));
        // One after the other: a connection that has not been read yet might give way to the next.
        eventually("it is at work", async || server.connections() == at_work.len()).await;
    }
    all_are_answered(&app.admin("acme"), 3).await;
    for work in at_work {
        assert_eq!(work.await.expect("a request").expect(200).json()["success"], json!(true));
    }
}
