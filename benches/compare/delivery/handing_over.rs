//! From `POST /emails` to the mail server's 250, beside nodemailer with a queue of `BullMQ` on Redis.

use std::path::Path;
use std::time::Instant;

use super::super::client::Client;
use super::super::figures::Latencies;
use super::super::load::{self, Extent, Plan};
use super::super::proc::children_cpu_micros;
use super::super::process::{self, OTHER_CORE, Process, free_port};
use super::super::sides::{Place, sqlite_url};
use super::super::sink::Sink;
use super::super::{Extents, create_database, progress};
use super::{Round, Side, post_email, put_accounts, round, start_peer, start_service};

/// Accounts, each with one caller.
const ACCOUNTS: usize = 50;

/// How many mails are sent one after the other to see how long each takes.
pub const ONE_AT_A_TIME: usize = 200;

/// The rounds of each side.
pub struct HandingOver {
    pub sqlite: Side,
    pub postgres: Side,
    pub peer: Side,
    /// Milliseconds from the request to the server's 250 of a mail that is alone, with a warm session, on SQLite.
    pub alone_p50: f64,
    pub alone_p99: f64,
}

/// Whose CPU time is counted beside the side's own.
enum Helper {
    None,
    /// The children of this process.
    Postgres(u32),
    Redis(Process),
}

struct Running {
    process: Process,
    helper: Helper,
    sink: Sink,
    side: Side,
}

/// Measures all sides in turns.
pub(super) async fn measure(
    place: &Place,
    extents: &Extents,
    server: &str,
    postgres_pid: u32,
) -> HandingOver {
    let tokens = place.signer.tokens(ACCOUNTS, ACCOUNTS, 0);
    let each = extents.mails / ACCOUNTS;
    let requests: Vec<_> = tokens
        .iter()
        .map(|token| post_email(token))
        .flat_map(|request| std::iter::repeat_n(request, each))
        .collect();
    // Neighbours in the list are of one account: dealt out in turn, each caller has mail of many accounts.
    let plan = load::plan(&requests, ACCOUNTS);
    let mut running = [
        start_transports(
            place,
            "transports, SQLite",
            &sqlite_url(&place.folder.join("handing-over.db")),
            &tokens,
        )
        .await,
        start_transports(
            place,
            "transports, PostgreSQL",
            &create_database(server, "handing_over").await,
            &tokens,
        )
        .await,
        start_bullmq(place, &requests[0]).await,
    ];
    running[1].helper = Helper::Postgres(postgres_pid);
    for round in 0..=extents.delivery_rounds {
        progress(format_args!("handing over: round {round} of {}", extents.delivery_rounds));
        for one in &mut running {
            let found = one.measure(&plan, requests.len()).await;
            // The first round warms up.
            if round > 0 {
                one.side.rounds.push(found);
            }
        }
    }
    progress(format_args!("handing over: one at a time"));
    let alone = running[0].one_at_a_time(&requests[0]).await;
    let [sqlite, postgres, peer] = running.map(|one| one.side);
    HandingOver { sqlite, postgres, peer, alone_p50: alone.at(50), alone_p99: alone.at(99) }
}

async fn start_transports(place: &Place, name: &'static str, url: &str, tokens: &[String]) -> Running {
    let sink = Sink::start();
    let log = format!("handing-over-{}.log", sink.port);
    let process = start_service(place, url, &log, &[]).await;
    put_accounts(&process, tokens, sink.port).await;
    let mut client = Client::connect(process.address).await.expect("it listens");
    client.ask_for_success(&post_email(&tokens[0])).await;
    sink.wait_for(1).await;
    Running { process, helper: Helper::None, sink, side: Side { name, rounds: Vec::new() } }
}

/// nodemailer with `BullMQ`. Redis writes each command to disk before it answers (`appendfsync always`), as both databases of
/// the service do.
async fn start_bullmq(place: &Place, request: &[u8]) -> Running {
    let port = free_port();
    let mut command = process::pinned(OTHER_CORE, Path::new("redis-server"));
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "yes"]);
    command.args(["--appendfsync", "always", "--dir"]).arg(&place.folder);
    let mut redis = Process::start(command, port, &place.folder.join("redis.log"));
    redis.wait_until_it_listens();
    let sink = Sink::start();
    let process = start_peer(place, "nodemailer-bullmq.mjs", &port.to_string(), sink.port);
    let mut client = Client::connect(process.address).await.expect("it listens");
    client.ask_for_success(request).await;
    sink.wait_for(1).await;
    let side = Side { name: "Fastify, BullMQ on Redis, nodemailer", rounds: Vec::new() };
    Running { process, helper: Helper::Redis(redis), sink, side }
}

impl Running {
    fn helper_cpu(&self) -> f64 {
        match &self.helper {
            Helper::None => 0.0,
            Helper::Postgres(parent) => children_cpu_micros(*parent),
            Helper::Redis(redis) => redis.cpu_micros(),
        }
    }

    async fn measure(&self, plan: &Plan, mails: usize) -> Round {
        let wanted = self.sink.accepted() + mails as u64;
        let (cpu, helper, started) = (self.process.cpu_micros(), self.helper_cpu(), Instant::now());
        let load = load::put_on(self.process.address, plan, None, Extent::Once).await;
        self.sink.wait_for(wanted).await;
        let elapsed = started.elapsed();
        let (cpu, helper) = (self.process.cpu_micros() - cpu, self.helper_cpu() - helper);
        round(&load.latencies, elapsed, cpu, helper)
    }

    /// How long each of some mails takes from the request to the server's 250.
    async fn one_at_a_time(&self, request: &[u8]) -> Latencies {
        let mut client = Client::connect(self.process.address).await.expect("it listens");
        let mut micros = Vec::new();
        // The first one opens the session.
        for number in 0..=ONE_AT_A_TIME {
            let (wanted, asked) = (self.sink.accepted() + 1, Instant::now());
            client.ask_for_success(request).await;
            self.sink.wait_for(wanted).await;
            if number > 0 {
                micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
        }
        Latencies::of(micros)
    }
}
