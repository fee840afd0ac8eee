//! `POST /emails` with mails of ten kilobytes, each on disk before its answer, beside Node servers that store the same.

use super::super::client::Client;
use super::super::load::{self, Extent, Plan};
use super::super::proc::children_cpu_micros;
use super::super::process::Process;
use super::super::sides::{Place, sqlite_url};
use super::super::{Extents, create_database, fill, progress};
use super::{Round, Side, post_email, round, start_peer, start_service};

/// Callers at once, each with the token of another tenant.
const CALLERS: usize = 64;

/// The rounds of each side.
pub struct Taking {
    pub sqlite: Side,
    pub sqlite_peer: Side,
    pub postgres: Side,
    pub postgres_peer: Side,
}

struct Running {
    process: Process,
    /// Whether PostgreSQL works for it.
    uses_postgres: bool,
    /// Of an answer with its head.
    length: usize,
    side: Side,
}

/// Measures all sides in turns. The service only takes mail here (`delivery.enabled = false`): handing over is measured by
/// itself.
pub(super) async fn measure(place: &Place, extents: &Extents, server: &str, postgres_pid: u32) -> Taking {
    let tokens = place.signer.tokens(CALLERS, CALLERS, 0);
    let requests: Vec<_> = tokens.iter().map(|token| post_email(token)).collect();
    let plan = load::plan(&requests, CALLERS);
    let mut running = start_all(place, server, &requests[0]).await;
    for round in 0..=extents.delivery_rounds {
        progress(format_args!("POST /emails: round {round} of {}", extents.delivery_rounds));
        for one in &mut running {
            let found = one.measure(&plan, extents, postgres_pid).await;
            // The first round warms up.
            if round > 0 {
                one.side.rounds.push(found);
            }
        }
    }
    let mut sides = running.into_iter().map(|one| one.side);
    let mut next = || sides.next().expect("there are four");
    Taking { sqlite: next(), sqlite_peer: next(), postgres: next(), postgres_peer: next() }
}

async fn start_all(place: &Place, server: &str, request: &[u8]) -> Vec<Running> {
    let sqlite = |name: &str| sqlite_url(&place.folder.join(name));
    let urls = [
        sqlite("taking.db"),
        sqlite("taking-peer.db"),
        create_database(server, "taking").await,
        create_database(server, "taking_peer").await,
    ];
    let names = [
        "transports, SQLite",
        "Fastify, fast-jwt, nodemailer's composer, better-sqlite3",
        "transports, PostgreSQL",
        "Fastify, fast-jwt, nodemailer's composer, pg",
    ];
    let mut running = Vec::new();
    for (index, (url, name)) in urls.iter().zip(names).enumerate() {
        fill::fill(url, CALLERS).await;
        let process = match index {
            1 => start_peer(place, "take-emails-sqlite.mjs", url, 0),
            3 => start_peer(place, "take-emails-pg.mjs", url, 0),
            _ => {
                let log = format!("taking-{index}.log");
                start_service(place, url, &log, &[("DELIVERY__ENABLED", "false")]).await
            }
        };
        let mut client = Client::connect(process.address).await.expect("it listens");
        let length = client.length_of_answer(request).await;
        let side = Side { name, rounds: Vec::new() };
        running.push(Running { process, uses_postgres: index >= 2, length, side });
    }
    running
}

impl Running {
    async fn measure(&self, plan: &Plan, extents: &Extents, postgres_pid: u32) -> Round {
        let of_database = || if self.uses_postgres { children_cpu_micros(postgres_pid) } else { 0.0 };
        let before = (self.process.cpu_micros(), of_database());
        let load =
            load::put_on(self.process.address, plan, Some(self.length), Extent::For(extents.round)).await;
        let cpu = (self.process.cpu_micros() - before.0, of_database() - before.1);
        round(&load.latencies, load.elapsed, cpu.0, cpu.1)
    }
}
