//! Mails of ten kilobytes by SMTP with TLS and sign-in, each on disk before its 250, beside a server that does no more than
//! this, and beside Postfix that takes the same and puts it on hold.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::certificate;
use super::super::client::{Client, with_body};
use super::super::figures::Latencies;
use super::super::proc::children_cpu_micros;
use super::super::process::{self, OTHER_CORE, Process, SERVER_CORE, free_port};
use super::super::sides::{Place, sqlite_url};
use super::super::sink::Sink;
use super::super::{Extents, create_database, progress};
use super::{Round, Side, TEXT_BYTES, put_accounts, round, start_service};

/// Sessions at once, each kept for a round.
const SESSIONS: [usize; 2] = [1, 10];

/// Messages of a session: the service ends one that brings a thousand.
const MESSAGES_OF_A_SESSION: usize = 900;

/// Where `tests/peers/postfix-dovecot` takes mail and puts it on hold.
const POSTFIX: ([u8; 4], u16) = ([127, 0, 0, 1], 2466);

/// The rounds of each side with so many sessions.
pub struct Gateway {
    pub sessions: usize,
    pub sqlite: Side,
    pub postgres: Side,
    pub postfix: Side,
    pub floor: Side,
}

/// Where the CPU time of a side is found.
enum Cpu {
    /// The service's, and where PostgreSQL works for it the main process of that.
    Service(Process, Option<u32>),
    /// Postfix: the children of its main process.
    Postfix(u32),
}

struct Running {
    address: SocketAddr,
    client: Sender,
    cpu: Cpu,
    name: &'static str,
}

/// Who sends.
#[derive(Clone)]
struct Sender {
    tls: TlsConnector,
    /// What PLAIN sends (RFC 4616), in base64.
    sign_in: String,
    from: &'static str,
}

/// Measures all sides in turns. The service only takes mail here (`delivery.enabled = false`).
pub(super) async fn measure(
    place: &Place,
    extents: &Extents,
    server: &str,
    postgres_pid: u32,
    postfix: &Path,
) -> Vec<Gateway> {
    let sink = Sink::start();
    let urls = [sqlite_url(&place.folder.join("gateway.db")), create_database(server, "gateway").await];
    let [sqlite, postgres] = urls;
    let running = [
        start_gateway(place, "transports, SQLite", &sqlite, &sink, None).await,
        start_gateway(place, "transports, PostgreSQL", &postgres, &sink, Some(postgres_pid)).await,
        find_postfix(postfix),
        start_floor(place),
    ];
    let mut measured = Vec::new();
    for sessions in SESSIONS {
        let mut rounds = [const { Vec::new() }; 4];
        for round in 0..=extents.delivery_rounds {
            progress(format_args!(
                "the gateway, {sessions} at once: round {round} of {}",
                extents.delivery_rounds
            ));
            for (one, rounds) in running.iter().zip(&mut rounds) {
                let found = one.measure(sessions, extents.round).await;
                // The first round warms up.
                if round > 0 {
                    rounds.push(found);
                }
            }
        }
        let [sqlite, postgres, postfix, floor] = std::array::from_fn(|index| Side {
            name: running[index].name,
            rounds: std::mem::take(&mut rounds[index]),
        });
        measured.push(Gateway { sessions, sqlite, postgres, postfix, floor });
    }
    pin_postfix(postfix, OTHER_CORE);
    measured
}

/// The service with a gateway and an API key.
async fn start_gateway(
    place: &Place,
    name: &'static str,
    url: &str,
    sink: &Sink,
    postgres: Option<u32>,
) -> Running {
    let port = free_port();
    let issued = certificate::issue();
    let file = |name: &str, text: &str| {
        let path = place.folder.join(format!("{port}-{name}"));
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (certificate, key) = (file("certificate.pem", &issued.certificate), file("key.pem", &issued.key));
    let listen = format!("127.0.0.1:{port}");
    let process = start_service(
        place,
        url,
        &format!("gateway-{port}.log"),
        &[
            ("DELIVERY__ENABLED", "false"),
            ("SUBMISSION__LISTEN_TLS", &listen),
            ("SUBMISSION__CERTIFICATE_FILE", &certificate),
            ("SUBMISSION__KEY_FILE", &key),
        ],
    )
    .await;
    let tokens = place.signer.tokens(1, 1, 0);
    put_accounts(&process, &tokens, sink.port).await;
    let mut client = Client::connect(process.address).await.expect("it listens");
    let body = json!({ "name": "benchmark", "permission": "sending_access" }).to_string();
    let made = client.ask(&with_body("POST", "/api/v1/transports/api-keys", &tokens[0], &body)).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let made = made.json();
    let key = made["token"].as_str().expect("a key is shown once");
    Running {
        address: ([127, 0, 0, 1], port).into(),
        client: Sender::new(issued.authority.as_bytes(), "benchmark", key, "billing@example.com"),
        cpu: Cpu::Service(process, postgres),
        name,
    }
}

/// A server that answers what has to be answered, and stores what it is given.
fn start_floor(place: &Place) -> Running {
    let port = free_port();
    let file = |what: &str| place.folder.join(format!("gateway-floor.{what}"));
    let mut command = process::pinned(SERVER_CORE, &std::env::current_exe().expect("this program"));
    command.args(["submission-floor", "--port", &port.to_string(), "--authority"]).arg(file("pem"));
    command.arg("--disk").arg(file("disk"));
    let mut process = Process::start(command, port, &file("log"));
    process.wait_until_it_listens();
    let authority = std::fs::read(file("pem")).expect("it is written before the server listens");
    Running {
        address: process.address,
        client: Sender::new(&authority, "benchmark", "any", "billing@example.com"),
        cpu: Cpu::Service(process, None),
        name: "replies alone, the message on disk",
    }
}

fn find_postfix(folder: &Path) -> Running {
    let authority = std::fs::read(folder.join("ca.pem")).expect("Postfix has a certificate");
    pin_postfix(folder, SERVER_CORE);
    Running {
        address: POSTFIX.into(),
        client: Sender::new(&authority, "alice", "secret", "alice@example.com"),
        cpu: Cpu::Postfix(main_process(folder)),
        name: "Postfix",
    }
}

fn main_process(postfix: &Path) -> u32 {
    let file = postfix.join("spool/pid/master.pid");
    let id = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    id.trim().parse().expect("the number of a process")
}

/// Binds Postfix's processes, and those that they start from now on, to a core: they are root's.
fn pin_postfix(folder: &Path, core: &str) {
    let parent = main_process(folder);
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.expect("Postfix runs");
    for id in children.split_whitespace().chain([parent.to_string().as_str()]) {
        let pin = |program: &str, before: &[&str]| {
            let mut command = Command::new(program);
            command.args(before).args(["-cp", core, id]).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        // One that has ended since is no trouble.
        let _ = pin("taskset", &[]) || pin("sudo", &["-n", "taskset"]);
    }
}

impl Cpu {
    /// Of the server, and of the database.
    fn micros(&self) -> (f64, f64) {
        match self {
            Self::Service(process, postgres) => {
                (process.cpu_micros(), postgres.map_or(0.0, children_cpu_micros))
            }
            Self::Postfix(parent) => (children_cpu_micros(*parent), 0.0),
        }
    }
}

impl Running {
    async fn measure(&self, sessions: usize, time: Duration) -> Round {
        let mut opened = Vec::new();
        for _ in 0..sessions {
            opened.push(Session::open(self.address, &self.client).await);
        }
        let (before, started) = (self.cpu.micros(), Instant::now());
        let sending: Vec<_> = opened
            .into_iter()
            .map(|session| {
                tokio::spawn(send_until(started + time, session, self.address, self.client.clone()))
            })
            .collect();
        let mut micros = Vec::new();
        for one in sending {
            micros.append(&mut one.await.expect("every mail is taken"));
        }
        let (elapsed, after) = (started.elapsed(), self.cpu.micros());
        round(&Latencies::of(micros), elapsed, after.0 - before.0, after.1 - before.1)
    }
}

impl Sender {
    fn new(authority: &[u8], user: &str, password: &str, from: &'static str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let sign_in = STANDARD.encode(format!("\0{user}\0{password}"));
        Self { tls: TlsConnector::from(Arc::new(config)), sign_in, from }
    }
}

/// Sends in one session after the other.
async fn send_until(end: Instant, mut session: Session, address: SocketAddr, sender: Sender) -> Vec<u32> {
    let mut micros = Vec::new();
    loop {
        micros.append(&mut session.send_many(end, sender.from).await);
        if Instant::now() >= end {
            return micros;
        }
        session = Session::open(address, &sender).await;
    }
}

/// An SMTP session that is signed in.
struct Session {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
}

impl Session {
    #[expect(clippy::disallowed_methods, reason = "a client of the server that is measured")]
    async fn open(address: SocketAddr, sender: &Sender) -> Self {
        let tcp = TcpStream::connect(address).await.expect("it listens");
        tcp.set_nodelay(true).expect("a socket");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = sender.tls.connect(name, tcp).await.expect("TLS");
        let mut session = Self { stream, unread: Vec::new() };
        session.expect(b"220").await;
        session.ask("EHLO client.example.com\r\n", b"250").await;
        session.ask(&format!("AUTH PLAIN {}\r\n", sender.sign_in), b"235").await;
        session
    }

    /// Sends mail after mail, as many as one session may; the microseconds of each from MAIL to the 250 of its message.
    async fn send_many(&mut self, end: Instant, from: &str) -> Vec<u32> {
        static SENT: AtomicU64 = AtomicU64::new(0);
        let line = "An invoice is a list of things that were bought, with what each of them costs.\r\n";
        let text = line.repeat(TEXT_BYTES / line.len());
        let envelope = format!("MAIL FROM:<{from}>\r\nRCPT TO:<ada@example.net>\r\nDATA\r\n");
        let mut micros = Vec::new();
        loop {
            let number = SENT.fetch_add(1, Ordering::Relaxed);
            let message = format!(
                "From: {from}\r\nTo: ada@example.net\r\nSubject: Invoice {number}\r\n\
                 Message-ID: <{number}@example.com>\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\n\r\n{text}.\r\n"
            );
            let begun = Instant::now();
            self.write(&envelope).await;
            for code in [b"250", b"250", b"354"] {
                self.expect(code).await;
            }
            self.ask(&message, b"250").await;
            let accepted = Instant::now();
            micros.push(u32::try_from((accepted - begun).as_micros()).unwrap_or(u32::MAX));
            if accepted >= end || micros.len() == MESSAGES_OF_A_SESSION {
                return micros;
            }
        }
    }

    async fn ask(&mut self, command: &str, code: &[u8; 3]) {
        self.write(command).await;
        self.expect(code).await;
    }

    async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("it reads");
        self.stream.flush().await.expect("it reads");
    }

    /// Reads one reply, with all of its lines.
    async fn expect(&mut self, code: &[u8; 3]) {
        loop {
            while let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                assert!(line.starts_with(code), "another reply: {}", String::from_utf8_lossy(&line));
                if line.get(3) != Some(&b'-') {
                    return;
                }
            }
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).await.expect("it answers");
            assert!(count > 0, "it has ended the session");
            self.unread.extend_from_slice(&chunk[..count]);
        }
    }
}
