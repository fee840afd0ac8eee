//! The GET of a configuration, all sides in turns.

use std::time::Duration;

use serde_json::Value;

use super::Extents;
use super::client::{Client, get};
use super::load::{self, Extent, Plan};
use super::proc::children_cpu_micros;
use super::process::Process;
use super::sides::{self, Database, Place, Program, Side};

const CONNECTIONS: usize = 64;

/// Tokens that are used again, ten for each connection: each of another tenant.
const KNOWN_TOKENS: usize = 10 * CONNECTIONS;

/// Requests a second where latencies are compared: far below what any of those sides can do.
pub const LIGHT_LOAD: f64 = 2000.0;

/// The sides whose latencies are compared under that load.
const UNDER_LIGHT_LOAD: [Side; 3] = [sides::FLOOR, sides::SQLITE, sides::POSTGRES];

/// What one round showed of one side.
#[derive(Clone, Copy)]
pub struct Round {
    /// Requests a second.
    pub rate: f64,
    /// CPU time of the server for each, in microseconds.
    pub cpu: f64,
    /// The same of PostgreSQL's connections.
    pub database_cpu: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

/// All that was measured of one side.
pub struct Measured {
    pub side: Side,
    pub rounds: Vec<Round>,
    /// The 99th hundredth under [`LIGHT_LOAD`] in each round, in milliseconds; of some sides.
    pub light_p99: Vec<f64>,
    /// MiB after the last round; not of a process that is a new one in each round.
    pub private_mib: Option<f64>,
}

/// A side, and its process where it stays the same over the rounds.
struct Running {
    side: Side,
    process: Option<Process>,
    length: usize,
}

/// The requests of all rounds.
struct Requests {
    known: Plan,
    new: Plan,
}

/// Measures all sides. `postgres` is the main process of PostgreSQL.
pub async fn measure(place: &Place, extents: &Extents, postgres: u32) -> Vec<Measured> {
    super::progress(format_args!("signing {} tokens", KNOWN_TOKENS + extents.new_tokens));
    let known = place.signer.tokens(KNOWN_TOKENS, extents.tenants, 0);
    let new = place.signer.tokens(extents.new_tokens, extents.tenants, KNOWN_TOKENS);
    let requests = |tokens: &[String]| {
        let requests: Vec<_> = tokens.iter().map(|token| get(token)).collect();
        load::plan(&requests, CONNECTIONS)
    };
    let requests = Requests { known: requests(&known), new: requests(&new) };
    let mut running = start_all(place, &requests.known[0][0]).await;
    for one in &running {
        let Some(process) = &one.process else { continue };
        super::progress(format_args!("warming up: {}", one.side.name));
        for _ in 0..extents.warm_ups {
            load::put_on(process.address, &requests.known, Some(one.length), Extent::Once).await;
        }
    }
    let mut measured: Vec<_> = sides::ALL
        .map(|side| Measured { side, rounds: Vec::new(), light_p99: Vec::new(), private_mib: None })
        .into();
    for round in 0..=extents.rounds {
        super::progress(format_args!("GET: round {round} of {}", extents.rounds));
        for (one, measured) in running.iter_mut().zip(&mut measured) {
            let found = one.measure(place, &requests, extents.round, postgres).await;
            // The first round warms up.
            if round > 0 {
                measured.rounds.push(found);
            }
        }
        for (one, measured) in running.iter().zip(&mut measured) {
            if round > 0 && UNDER_LIGHT_LOAD.contains(&one.side) {
                measured.light_p99.push(one.light_p99(&requests, extents.round).await);
            }
        }
    }
    for (one, measured) in running.iter().zip(&mut measured) {
        measured.private_mib = one.process.as_ref().map(Process::private_mib);
    }
    measured
}

/// Starts all sides, and sees that they answer the same.
async fn start_all(place: &Place, request: &[u8]) -> Vec<Running> {
    super::progress(format_args!("starting the servers"));
    let mut expected: Option<Value> = None;
    let mut running = Vec::new();
    // The service comes first, since the floor gives its answer.
    let mut order = sides::ALL;
    order.sort_by_key(|side| side.program == Program::Floor);
    for side in order {
        let mut process = side.start(place);
        process.wait_until_it_listens();
        let mut client = Client::connect(process.address).await.expect("it listens");
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 200, "{}: {}", side.name, String::from_utf8_lossy(&answer.body));
        if expected.is_none() {
            std::fs::write(place.static_answer(), &answer.body).expect("a file");
        }
        let expected = expected.get_or_insert_with(|| answer.json());
        assert_eq!(answer.json(), *expected, "{} gives another answer", side.name);
        let length = client.length_of_answer(request).await;
        running.push(Running { side, process: (!side.new_tokens).then_some(process), length });
    }
    running.sort_by_key(|one| sides::ALL.iter().position(|side| *side == one.side));
    running
}

impl Running {
    async fn measure(&mut self, place: &Place, requests: &Requests, time: Duration, postgres: u32) -> Round {
        let fresh;
        let (process, plan, extent) = if let Some(process) = &self.process {
            (process, &requests.known, Extent::For(time))
        } else {
            fresh = self.start_fresh(place, requests).await;
            (&fresh, &requests.new, Extent::Once)
        };
        let of_database = || match self.side.database {
            Database::Postgres => children_cpu_micros(postgres),
            Database::None | Database::Sqlite => 0.0,
        };
        let before = (process.cpu_micros(), of_database());
        let load = load::put_on(process.address, plan, Some(self.length), extent).await;
        let count = f64::from(load.latencies.count());
        Round {
            rate: count / load.elapsed.as_secs_f64(),
            cpu: (process.cpu_micros() - before.0) / count,
            database_cpu: (of_database() - before.1) / count,
            p50: load.latencies.at(50),
            p99: load.latencies.at(99),
        }
    }

    /// The 99th hundredth of the latencies under a load that keeps nobody waiting for its turn.
    async fn light_p99(&self, requests: &Requests, time: Duration) -> f64 {
        let process = self.process.as_ref().expect("it stays the same over the rounds");
        let extent = Extent::Paced(time, LIGHT_LOAD);
        load::put_on(process.address, &requests.known, Some(self.length), extent).await.latencies.at(99)
    }

    /// A process that has seen none of the new tokens, and has had its first requests.
    async fn start_fresh(&self, place: &Place, requests: &Requests) -> Process {
        let mut process = self.side.start(place);
        process.wait_until_it_listens();
        load::put_on(process.address, &requests.known, Some(self.length), Extent::Once).await;
        process
    }
}
