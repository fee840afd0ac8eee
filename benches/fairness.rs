//! What a good tenant notices of bad ones: latencies alone, beside tarpits, and beside slow clients; and whether the
//! time that a request takes tells what is stored.
//!
//! `scripts/soak fairness` runs it: the built service as a process, everything else in here. Nothing is asserted
//! about a time; the figures are printed.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tables are what it is for, and the progress"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a client of the service, and the settings of the measurement"
)]

#[path = "support/service.rs"]
mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use service::{Service, auth, token_of};

const CONFIG: &str = "/api/v1/transports/email-config";
const VERIFY: &str = "/api/v1/transports/email-config/actions/verify-connection";
/// Seconds: longer than it runs.
const LIFETIME: i64 = 6 * 3600;

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// Open files, and the most memory so far in MiB.
fn holds(service: &Service) -> (usize, usize) {
    let folder = format!("/proc/{}", service.id());
    let files = std::fs::read_dir(format!("{folder}/fd")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<usize>().ok());
    (files, most.unwrap_or(0) / 1024)
}

/// One request on a connection of its own; gives the status and how long it took.
async fn ask(address: SocketAddr, token: &str, method: &str, path: &str, body: &str) -> (u16, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads");
    let text = String::from_utf8_lossy(&answer);
    (text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0), started.elapsed())
}

async fn configure(address: SocketAddr, tenant: &str, port: u16) -> String {
    let token = token_of(&auth(), tenant, LIFETIME);
    let fields = [
        ("serverAddress", "127.0.0.1".to_owned()),
        ("serverPort", port.to_string()),
        ("securityType", "none".to_owned()),
        ("emailAddress", "ada@example.com".to_owned()),
    ];
    let operations: Vec<_> = fields
        .iter()
        .map(|(field, value)| serde_json::json!({"op": "replace", "path": format!("/{field}"), "value": value}))
        .collect();
    let (status, _) = ask(address, &token, "PATCH", CONFIG, &serde_json::json!(operations).to_string()).await;
    assert_eq!(status, 204, "the service takes the configuration");
    token
}

/// A relay that does its work at once.
async fn good_relay() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (reader, mut writer) = stream.into_split();
                let mut lines = tokio::io::BufReader::new(reader).lines();
                let _ = writer.write_all(b"220 good ESMTP\r\n").await;
                while let Ok(Some(line)) = lines.next_line().await {
                    let reply: &[u8] =
                        if line.starts_with("QUIT") { b"221 2.0.0 bye\r\n" } else { b"250 2.0.0 ok\r\n" };
                    if writer.write_all(reply).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

/// A server that never answers, and how many connections it holds now and held at most.
struct Tarpit {
    port: u16,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

async fn tarpit() -> Tarpit {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&now), Arc::clone(&most));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (now, most) = (Arc::clone(&counts.0), Arc::clone(&counts.1));
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut sink = [0; 512];
                while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
                now.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    Tarpit { port, now, most }
}

/// Latencies of one kind of request, in microseconds.
struct Latencies {
    sorted: Vec<u128>,
    failed: usize,
}

impl Latencies {
    async fn measure(count: usize, address: SocketAddr, token: &str, method: &str, path: &str) -> Self {
        let (mut sorted, mut failed) = (Vec::with_capacity(count), 0);
        for _ in 0..count {
            let (status, took) = ask(address, token, method, path, "").await;
            failed += usize::from(status != 200);
            sorted.push(took.as_micros());
        }
        sorted.sort_unstable();
        Self { sorted, failed }
    }

    fn at(&self, hundredth: usize) -> u128 {
        self.sorted[(self.sorted.len() - 1) * hundredth / 100]
    }

    fn ratio(&self, alone: &Self, hundredth: usize) -> f64 {
        let [here, there] = [self.at(hundredth), alone.at(hundredth)]
            .map(|micros| f64::from(u32::try_from(micros).unwrap_or(u32::MAX)));
        here / there.max(1.0)
    }
}

struct Side {
    name: String,
    get: Latencies,
    verify: Latencies,
}

impl Side {
    async fn measure(name: &str, count: usize, address: SocketAddr, token: &str) -> Self {
        eprintln!("measuring: {name}");
        Self {
            name: name.to_owned(),
            get: Latencies::measure(count, address, token, "GET", CONFIG).await,
            verify: Latencies::measure(count / 2, address, token, "POST", VERIFY).await,
        }
    }

    fn print(&self, alone: &Self, service: &Service) {
        for (what, here, there) in [("GET", &self.get, &alone.get), ("verify", &self.verify, &alone.verify)] {
            let (files, memory) = holds(service);
            println!(
                "| {} | {what} | {} | {} | {:.2} | {:.2} | {} | {files} | {memory} |",
                self.name,
                here.at(50),
                here.at(99),
                here.ratio(there, 50),
                here.ratio(there, 99),
                here.failed,
            );
        }
    }
}

#[tokio::main]
async fn main() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.join(format!("fairness-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let service = Service::start(
        &format!("sqlite://{}", folder.join("fairness.db").display()),
        &[
            ("EGRESS__ALLOW", "127.0.0.0/8"),
            ("EGRESS__PORTS", "0"),
            ("RATE_LIMIT__TIER1_PER_MINUTE", "0"),
            ("RATE_LIMIT__TIER2_PER_MINUTE", "0"),
        ],
    );
    let address = service.address;
    let count = number("FAIRNESS_REQUESTS", 600);
    let good = configure(address, "good", good_relay().await).await;
    let _ = Side::measure("warming up", count / 4, address, &good).await;

    println!(
        "| beside | request | p50 µs | p99 µs | p50 ratio | p99 ratio | failed | open files | most MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let alone = Side::measure("nobody", count, address, &good).await;
    alone.print(&alone, &service);
    beside_tarpits(&service, count, &good, &alone).await;
    let after = Side::measure("nobody, afterwards", count, address, &good).await;
    after.print(&alone, &service);
    beside_slow_clients(&service, count, &good, &alone).await;
    sameness(address, count, &good).await;
    drop(service);
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

async fn beside_tarpits(service: &Service, count: usize, good: &str, alone: &Side) {
    let address = service.address;
    let tarpits = number("FAIRNESS_TARPITS", 500);
    let tarpit = tarpit().await;
    let over = Arc::new(AtomicBool::new(false));
    let mut hanging = Vec::new();
    for tenant in 0..tarpits {
        let token = configure(address, &format!("tarpit-{tenant}"), tarpit.port).await;
        let over = Arc::clone(&over);
        hanging.push(tokio::spawn(async move {
            // As soon as one check has been given up, the next one is asked for.
            while !over.load(Ordering::SeqCst) {
                ask(address, &token, "POST", VERIFY, "").await;
            }
        }));
    }
    while tarpit.now.load(Ordering::SeqCst) < tarpits {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let beside = Side::measure(&format!("{tarpits} tarpits"), count, address, good).await;
    beside.print(alone, service);
    let most = tarpit.most.load(Ordering::SeqCst);
    over.store(true, Ordering::SeqCst);
    for one in hanging {
        let _ = one.await;
    }
    eprintln!("connections at the tarpit at most: {most}");
}

async fn beside_slow_clients(service: &Service, count: usize, good: &str, alone: &Side) {
    let address = service.address;
    let clients = number("FAIRNESS_SLOW_CLIENTS", 5_000);
    let connected = Arc::new(AtomicUsize::new(0));
    let mut slow = Vec::new();
    for _ in 0..clients {
        let connected = Arc::clone(&connected);
        slow.push(tokio::spawn(async move {
            // Cut off, each comes again.
            let mut first = true;
            loop {
                let Ok(mut stream) = TcpStream::connect(address).await else { continue };
                connected.fetch_add(usize::from(first), Ordering::SeqCst);
                first = false;
                while stream.write_all(b"G").await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        }));
    }
    while connected.load(Ordering::SeqCst) < clients {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let beside = Side::measure(&format!("{clients} slow clients"), count, address, good).await;
    beside.print(alone, service);
    for client in slow {
        client.abort();
    }
}

/// Pairs of requests that must not be told apart by the time that they take; they take turns.
async fn sameness(address: SocketAddr, count: usize, good: &str) {
    let missing = token_of(&auth(), "missing", LIFETIME);
    let mut wrong = [good.to_owned(), missing.clone()];
    for token in &mut wrong {
        token.pop();
    }
    let named = [format!("{CONFIG}?tenantId=tarpit-0"), format!("{CONFIG}?tenantId=missing")];
    let pairs = [
        ("a configuration, and none", [(good, CONFIG), (&missing, CONFIG)]),
        ("another tenant named that is there, and one that is not", [(good, &named[0]), (good, &named[1])]),
        (
            "wrong signatures, a tenant that is there and one that is not",
            [(&wrong[0], CONFIG), (&wrong[1], CONFIG)],
        ),
    ];
    println!("\n| GET | median µs | median µs | difference µs |\n|---|---|---|---|");
    for (name, pair) in pairs {
        let mut taken = [Vec::new(), Vec::new()];
        for _ in 0..count {
            for (times, (token, path)) in taken.iter_mut().zip(pair) {
                times.push(ask(address, token, "GET", path, "").await.1.as_micros());
            }
        }
        let [first, second] = taken.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        println!("| {name} | {first} | {second} | {} |", first.abs_diff(second));
    }
}
