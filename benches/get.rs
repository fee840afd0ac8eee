//! What reading a configuration costs beside a static answer from the same HTTP stack.
//!
//! `cargo bench --bench get` prints a table of ratios. The sides run in one process, each server on a thread of
//! its own, and take turns in short rounds, so that a noisy neighbour meets all of them.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use axum::Router;
use axum::routing::get;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transports::app::App;
use transports::clock::{Clock, Timestamp};
use transports::config::Config;
use transports::egress::Resolver;
use transports::email_config::{BasicAuth, EmailConfig, Health, Settings, Version};
use transports::http::{self, server};
use transports::id::TenantId;
use transports::secret::Secret;
use transports::smtp::Security;
use transports::store::{Write, email_configs};

const TENANTS: usize = 100_000;
const CONNECTIONS: usize = 64;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);
const PATH: &str = "/api/v1/transports/email-config";
const HMAC_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// One server, and the requests that it is asked.
struct Side {
    name: &'static str,
    address: std::net::SocketAddr,
    thread: PathBuf,
    tokens: Vec<String>,
}

/// Requests a second, and the server's CPU time for each in microseconds.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    cpu: f64,
}

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-get-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let keys = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let config = |prepare: &dyn Fn(&mut Config)| settings(&folder, &keys, prepare);
    let body = fill(config(&|_| {}));
    let rs256 = tokens(&keys);
    let hs256: Vec<String> = (0..64).map(hmac_token).collect();
    let sides = [
        Side { name: "static answer", tokens: vec!["none".to_owned()], ..start_static(body) },
        Side { name: "GET, SQLite, RS256", tokens: rs256, ..start_service(config(&|_| {})) },
        Side { name: "GET, SQLite, HS256", tokens: hs256, ..start_service(config(&|_| {})) },
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut figures: Vec<Vec<Figures>> = vec![Vec::new(); sides.len()];
    for round in 0..=ROUNDS {
        for (side, found) in sides.iter().zip(&mut figures) {
            let measured = runtime.block_on(measure(side));
            // The first round warms up.
            if round > 0 {
                found.push(measured);
            }
        }
    }
    println!("{TENANTS} tenants, {CONNECTIONS} connections, {ROUNDS} rounds, medians (least to most)\n");
    println!("| | requests/s | of the static answer | CPU µs per request |\n|---|---|---|---|");
    let floor: Vec<f64> = figures[0].iter().map(|figures| figures.rate).collect();
    for (side, found) in sides.iter().zip(&figures) {
        let ratios = found.iter().zip(&floor).map(|(figures, floor)| figures.rate / floor).collect();
        let rates = found.iter().map(|figures| figures.rate).collect();
        let cpu = found.iter().map(|figures| figures.cpu).collect();
        println!("| {} | {} | {} | {} |", side.name, spread(rates, 0), spread(ratios, 2), spread(cpu, 1));
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

fn spread(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let middle = values[values.len() / 2];
    format!("{middle:.digits$} ({:.digits$} to {:.digits$})", values[0], values[values.len() - 1])
}

fn settings(folder: &std::path::Path, keys: &KeyPair, prepare: &dyn Fn(&mut Config)) -> Config {
    let pem = folder.join("key.pem");
    let der =
        aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(keys.public_key());
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.expect("DER").as_ref());
    std::fs::write(&pem, format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"))
        .expect("a file");
    let mut config = Config::default();
    config.database.url = Secret::new(format!("sqlite://{}", folder.join("bench.db").display()));
    config.encryption.keys = vec![Secret::new("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned())];
    config.auth.public_key_file = Some(pem);
    config.auth.hs256_secret = Some(Secret::new(HMAC_SECRET.to_owned()));
    config.rate_limit.tier1_per_minute = 0;
    prepare(&mut config);
    config
}

fn tenant(number: usize) -> String {
    format!("tenant-{number:07}")
}

/// Tokens of tenants all over the table.
fn tokens(keys: &KeyPair) -> Vec<String> {
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(keys).expect("DER");
    // The encoder takes PKCS #1 or PEM; the PEM form of PKCS #8 serves.
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key");
    (0..64)
        .map(|number| {
            jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims(number), &key).expect("a token")
        })
        .collect()
}

fn claims(number: usize) -> serde_json::Value {
    let expires = Clock::System.now().seconds() + 3600;
    let tenant = tenant(number * (TENANTS / 64));
    serde_json::json!({ "tenantId": tenant, "sub": "bench", "roles": ["TenantAdmin"], "exp": expires })
}

fn hmac_token(number: usize) -> String {
    let key = EncodingKey::from_secret(HMAC_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(number), &key).expect("a token")
}

/// Fills the table, and returns the body of one answer.
fn fill(config: Config) -> Vec<u8> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let app = App::start(config, Clock::System, Resolver::System).await.expect("starts");
        let mut number = 0;
        while number < TENANTS {
            let mut write = Write::default();
            for _ in 0..1000 {
                let id = TenantId::from_operator(&tenant(number));
                write = write.then(email_configs::insert(&id, &configuration(number)));
                number += 1;
            }
            assert_eq!(
                app.db.write(write).await.expect("writes"),
                transports::store::WriteOutcome::Committed
            );
        }
        app.db.close().await;
    });
    b"{\"tenantId\":\"tenant-0000000\",\"serviceProvider\":\"BasicAuth\",\"providerConfig\":{}}".repeat(6)
}

fn configuration(number: usize) -> EmailConfig {
    let address = format!("mail{number}@example.com");
    EmailConfig {
        settings: Settings::BasicAuth(BasicAuth {
            server_address: transports::egress::Host::parse("smtp.example.com").ok(),
            server_port: Some(587),
            security: Some(Security::StartTls),
            username: Some(address.clone()),
            email_address: transports::address::EmailAddress::parse(&address).ok(),
            sender_name: None,
        }),
        secret: None,
        health: Health::unknown(),
        version: Version { config: format!("{number:032x}"), health: 0 },
        modified_at: Timestamp(1_767_225_600_000),
        updated_at: Timestamp(1_767_225_600_000),
    }
}

fn start_static(body: Vec<u8>) -> Side {
    start(Config::default(), move |_| {
        let body = body.clone();
        Router::new().route(PATH, get(move || std::future::ready(body.clone())))
    })
}

fn start_service(config: Config) -> Side {
    start(config, |app| http::service(app.as_ref().expect("an app"), None))
}

/// Starts a server on a thread of its own.
fn start(config: Config, service: impl FnOnce(Option<Arc<App>>) -> Router + Send + 'static) -> Side {
    let (started, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let settings = config.server.clone();
            let app = if config.encryption.keys.is_empty() {
                None
            } else {
                Some(App::start(config, Clock::System, Resolver::System).await.expect("starts"))
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let _ =
                started.send((listener.local_addr().expect("bound"), PathBuf::from("/proc").join(thread)));
            let _ = server::serve(listener, service(app), &settings, std::future::pending()).await;
        });
    });
    let (address, thread) = address.recv().expect("starts");
    Side { name: "", address, thread, tokens: Vec::new() }
}

async fn measure(side: &Side) -> Figures {
    let (cpu, started) = (cpu_time(side), Instant::now());
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let token = &side.tokens[number % side.tokens.len()];
            let request =
                format!("GET {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
            tokio::spawn(ask(side.address, request, started + ROUND))
        })
        .collect();
    let mut count = 0_u32;
    for client in clients {
        count += client.await.expect("a client");
    }
    let took = started.elapsed();
    let cpu = cpu_time(side).saturating_sub(cpu);
    Figures { rate: f64::from(count) / took.as_secs_f64(), cpu: cpu.as_secs_f64() * 1e6 / f64::from(count) }
}

/// Asks over one connection until the time is over; gives the number of answers.
#[expect(clippy::disallowed_methods, reason = "a client of the server that is measured")]
async fn ask(address: std::net::SocketAddr, request: String, end: Instant) -> u32 {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.set_nodelay(true).expect("a socket");
    let mut buffer = vec![0; 16 * 1024];
    let (mut count, mut length) = (0, 0);
    while Instant::now() < end {
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut filled = 0;
        // All answers of a side to one token are alike, so the first tells how long they are.
        while length == 0 || filled < length {
            filled += stream.read(&mut buffer[filled..]).await.expect("reads");
            if length == 0 {
                length = answer_length(&buffer[..filled]).unwrap_or(0);
            }
        }
        count += 1;
    }
    count
}

fn answer_length(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    Some(head.len() + 4 + length.unwrap_or(0_usize))
}

/// The CPU time of the server's thread so far.
fn cpu_time(side: &Side) -> Duration {
    let text = std::fs::read_to_string(side.thread.join("schedstat")).expect("Linux");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}
