//! The platform's own mail: taking it by `POST /emails` and by the SMTP gateway, handing it over to a mail server that takes
//! all at once, and reading its events.

mod events;
mod gateway;
mod handing_over;
mod taking;
mod writing;

use serde_json::json;

use super::client::{Client, EMAILS, PATH, with_body};
use super::figures::Latencies;
use super::load::{self, Extent, Plan};
use super::proc::children_cpu_micros;
use super::process::{self, Process, SERVER_CORE, free_port};
use super::sides::{Place, service_settings};
use super::{Extents, fill, progress};
use std::path::Path;
use std::time::Duration;

pub use events::Events;
pub use gateway::Gateway;
pub use handing_over::{HandingOver, ONE_AT_A_TIME};
pub use taking::Taking;
pub use writing::Writing;

/// Octets of a mail's text, about.
const TEXT_BYTES: usize = 10_000;

/// Callers of the API at once, each with the token of another tenant.
const CALLERS: usize = 64;

/// What one round showed of one side.
#[derive(Clone, Copy)]
pub struct Round {
    /// Mails a second.
    pub rate: f64,
    /// CPU time of the side's process for each, in microseconds.
    pub cpu: f64,
    /// The same of PostgreSQL's connections, or of Redis.
    pub database_cpu: f64,
    /// Milliseconds to the answer.
    pub p50: f64,
    pub p99: f64,
}

/// A side with its rounds.
pub struct Side {
    pub name: &'static str,
    pub rounds: Vec<Round>,
}

/// All that was measured of the delivery.
pub struct Measured {
    pub taking: Taking,
    pub events: Events,
    /// With one session, and with ten.
    pub gateway: Vec<Gateway>,
    pub handing_over: HandingOver,
    pub writing: Vec<Writing>,
}

/// Measures all of it. `postgres_pid` is the main process of PostgreSQL, and `postfix` the folder of Postfix.
pub async fn measure(
    place: &Place,
    extents: &Extents,
    server: &str,
    postgres_pid: u32,
    postfix: &Path,
) -> Measured {
    let tokens = place.signer.tokens(CALLERS, CALLERS, 0);
    let (taking, running) = taking::measure(place, extents, &tokens, server, postgres_pid).await;
    Measured {
        taking,
        events: events::measure(place, extents, &tokens, running, postgres_pid).await,
        gateway: gateway::measure(place, extents, server, postgres_pid, postfix).await,
        handing_over: handing_over::measure(place, extents, server, postgres_pid).await,
        writing: writing::measure(place, extents, server).await,
    }
}

/// A side that answers requests over HTTP.
struct Running {
    process: Process,
    /// Whether PostgreSQL works for it.
    uses_postgres: bool,
    /// Of an answer with its head, where all have the same.
    length: Option<usize>,
    side: Side,
}

impl Running {
    fn new(name: &'static str, process: Process) -> Self {
        let side = Side { name, rounds: Vec::new() };
        Self { process, uses_postgres: false, length: None, side }
    }

    async fn measure(&self, plan: &Plan, extents: &Extents, postgres_pid: u32) -> Round {
        let of_database = || if self.uses_postgres { children_cpu_micros(postgres_pid) } else { 0.0 };
        let before = (self.process.cpu_micros(), of_database());
        let load = load::put_on(self.process.address, plan, self.length, Extent::For(extents.round)).await;
        let cpu = (self.process.cpu_micros() - before.0, of_database() - before.1);
        round(&load.latencies, load.elapsed, cpu.0, cpu.1)
    }
}

/// Measures all sides in turns; `what` is said of the progress.
async fn take_turns(what: &str, running: &mut [Running], plan: &Plan, extents: &Extents, postgres_pid: u32) {
    for round in 0..=extents.delivery_rounds {
        progress(format_args!("{what}: round {round} of {}", extents.delivery_rounds));
        for one in &mut *running {
            let found = one.measure(plan, extents, postgres_pid).await;
            // The first round warms up.
            if round > 0 {
                one.side.rounds.push(found);
            }
        }
    }
}

/// The request of a mail of ten kilobytes.
fn post_email(token: &str) -> Vec<u8> {
    let line = "<p>An invoice is a list of things that were bought, with what each of them costs.</p>\n";
    let email = json!({
        "to": ["ada@example.net"], "subject": "Invoice 8841",
        "html": line.repeat(TEXT_BYTES / line.len()),
    });
    with_body("POST", EMAILS, token, &email.to_string())
}

/// Starts the service with a database of its own. `more` are settings besides those of all sides.
async fn start_service(place: &Place, url: &str, log: &str, more: &[(&str, &str)]) -> Process {
    let port = free_port();
    let mut command = process::pinned(SERVER_CORE, &place.service);
    command.arg("serve").envs(service_settings(place, port, url));
    let more = more.iter().chain(&[
        ("RATE_LIMIT__SEND_PER_MINUTE", "0"),
        ("DELIVERY__MAX_WAITING_PER_TENANT", "1000000"),
        ("EGRESS__ALLOW", "127.0.0.0/8,::1/128"),
        ("EGRESS__ALLOW_HOSTS", "localhost"),
        ("EGRESS__PORTS", "0"),
    ]);
    command.envs(more.map(|(name, value)| (format!("TRANSPORTS_{name}"), *value)));
    let mut process = Process::start(command, port, &place.folder.join(log));
    process.wait_until_it_listens();
    process
}

/// The static answer of the service's HTTP stack, with these octets. What is posted to it is on disk before it answers.
fn start_floor(place: &Place, name: &str, answer: &[u8]) -> Process {
    let file = |what: &str| place.folder.join(format!("{name}-floor.{what}"));
    std::fs::write(file("json"), answer).expect("a file");
    let port = free_port();
    let mut command = process::pinned(SERVER_CORE, &std::env::current_exe().expect("this program"));
    command.args(["floor", "--port", &port.to_string(), "--body"]).arg(file("json"));
    command.arg("--disk").arg(file("disk"));
    let mut process = Process::start(command, port, &file("log"));
    process.wait_until_it_listens();
    process
}

/// A peer of `benches/peers`, with its database.
fn start_peer(place: &Place, file: &str, url: &str, sink_port: u16) -> Process {
    let port = free_port();
    let mut command = process::pinned(SERVER_CORE, Path::new("node"));
    command.arg(place.peers.join(file)).envs(place.peer_settings(port, url));
    command.env("PEER_CONTENT_KEY", fill::CONTENT_KEY).env("PEER_SINK_PORT", sink_port.to_string());
    let mut process = Process::start(command, port, &place.folder.join(format!("{file}.log")));
    process.wait_until_it_listens();
    process
}

/// Gives these tenants an account at a mail server on loopback.
async fn put_accounts(service: &Process, tokens: &[String], server_port: u16) {
    let mut client = Client::connect(service.address).await.expect("it listens");
    for token in tokens {
        let account = json!({
            "serverAddress": "localhost", "serverPort": server_port, "securityType": "none",
            "emailAddress": "billing@example.com",
        });
        let body = json!({ "serviceProvider": "BasicAuth", "providerConfig": account }).to_string();
        let answer = client.ask(&with_body("PUT", PATH, token, &body)).await;
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    }
}

fn round(latencies: &Latencies, elapsed: Duration, cpu: f64, database_cpu: f64) -> Round {
    let count = f64::from(latencies.count());
    Round {
        rate: count / elapsed.as_secs_f64(),
        cpu: cpu / count,
        database_cpu: database_cpu / count,
        p50: latencies.at(50),
        p99: latencies.at(99),
    }
}
