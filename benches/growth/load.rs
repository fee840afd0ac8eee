//! Clients that ask for tenants all over the table, each time with a token that was never seen before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transports::config::Auth;

use crate::figures::{Random, number, spread};
use crate::fill::tenant;
use crate::place::{Engine, Place};
use crate::proc;
use crate::service::{Service, auth, token_of};

/// No two clients ask for the same tenants in the same order.
static NEXT_SEED: AtomicU64 = AtomicU64::new(1);

const PATH: &str = "/api/v1/transports/email-config";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Get,
    /// A new server, user name and password.
    Patch,
}

/// Of one round.
#[derive(Clone)]
pub struct Figures {
    rate: f64,
    /// Microseconds for each request.
    cpu: f64,
    cpu_of_postgres: f64,
    p50: f64,
    p99: f64,
}

/// The columns from `requests/s` on.
pub fn cells(found: &[Figures]) -> String {
    let column = |value: &dyn Fn(&Figures) -> f64, digits| spread(found.iter().map(value).collect(), digits);
    [
        column(&|figures| figures.rate, 0),
        column(&|figures| figures.cpu, 1),
        column(&|figures| figures.cpu_of_postgres, 1),
        column(&|figures| figures.p50, 0),
        column(&|figures| figures.p99, 0),
    ]
    .join(" | ")
}

/// The CPU time so far of the service, and of the connections of PostgreSQL, in microseconds.
fn cpu(service: &Service, place: &Place) -> (f64, f64) {
    let server = match (place.engine, std::env::var("GROWTH_POSTGRES_PID")) {
        (Engine::Postgres, Ok(pid)) => proc::children_cpu_micros(pid.parse().expect("a process's number")),
        _ => 0.0,
    };
    (proc::cpu_micros(service.id()), server)
}

/// Asks once; the service has started when it answers.
pub async fn first_answer(service: &Service, place: &Place) {
    let mut client = Client::connect(service, place, Kind::Get, 1).await;
    client.ask().await;
}

pub async fn measure(service: &Service, place: &Place, kind: Kind) -> Figures {
    let round = Duration::from_millis(number("GROWTH_ROUND_MILLISECONDS", 3_000) as u64);
    let connections = number("GROWTH_CONNECTIONS", 8);
    let mut clients = Vec::new();
    for _ in 0..connections {
        let seed = NEXT_SEED.fetch_add(1, Ordering::Relaxed);
        clients.push(Client::connect(service, place, kind, seed << 32).await);
    }
    let (before, started) = (cpu(service, place), Instant::now());
    let tasks: Vec<_> =
        clients.into_iter().map(|client| tokio::spawn(client.until(started + round))).collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.expect("a client"));
    }
    let (took, after) = (started.elapsed(), cpu(service, place));
    taken.sort_unstable();
    let count = f64::from(u32::try_from(taken.len()).expect("fewer"));
    let at = |hundredth: usize| f64::from(taken[(taken.len() - 1) * hundredth / 100]);
    Figures {
        rate: count / took.as_secs_f64(),
        cpu: (after.0 - before.0) / count,
        cpu_of_postgres: (after.1 - before.1) / count,
        p50: at(50),
        p99: at(99),
    }
}

/// One connection.
struct Client {
    stream: TcpStream,
    auth: Auth,
    random: Random,
    tenants: usize,
    kind: Kind,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(service: &Service, place: &Place, kind: Kind, seed: u64) -> Self {
        let stream = TcpStream::connect(service.address).await.expect("connects");
        stream.set_nodelay(true).expect("a socket");
        let (random, buffer) = (Random(seed), vec![0; 16 * 1024]);
        Self { stream, auth: auth(), random, tenants: place.size, kind, buffer }
    }

    /// Asks until the time is over; gives the microseconds of each request.
    async fn until(mut self, end: Instant) -> Vec<u32> {
        let mut taken = Vec::new();
        while Instant::now() < end {
            taken.push(self.ask().await);
        }
        taken
    }

    async fn ask(&mut self) -> u32 {
        let name = tenant(self.random.below(self.tenants));
        let lifetime = 3_600 + i64::try_from(self.random.below(1_000_000)).expect("small");
        let token = token_of(&self.auth, &name, lifetime);
        let request = match self.kind {
            Kind::Get => format!("GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"),
            Kind::Patch => {
                let body = change(self.random.below(1_000_000));
                let length = body.len();
                format!(
                    "PATCH {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
                     Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                )
            }
        };
        let asked = Instant::now();
        self.stream.write_all(request.as_bytes()).await.expect("writes");
        let mut filled = 0;
        loop {
            let count = self.stream.read(&mut self.buffer[filled..]).await.expect("reads");
            assert!(count > 0, "the service goes on answering");
            filled += count;
            if answer_length(&self.buffer[..filled]).is_some_and(|length| length <= filled) {
                break;
            }
        }
        u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX)
    }
}

/// Of any tenant: one that uses Microsoft 365 is switched to a server, so that each PATCH is complete.
fn change(number: usize) -> String {
    let fields = [
        ("serverAddress", format!("mail-{}.example", number % 5_000)),
        ("serverPort", "587".to_owned()),
        ("securityType", "StartTLS".to_owned()),
        ("username", format!("user-{number}")),
        ("emailPassword", format!("a new password {number}")),
        ("emailAddress", format!("notifications@customer-{number}.example")),
    ];
    let operation = |(field, value): &(&str, String)| serde_json::json!({"op": "replace", "path": format!("/{field}"), "value": value});
    serde_json::json!(fields.iter().map(operation).collect::<Vec<_>>()).to_string()
}

/// Of a whole answer, once its head is there.
fn answer_length(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 20"), "{text}");
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    Some(head.len() + 4 + length.unwrap_or(0_usize))
}
