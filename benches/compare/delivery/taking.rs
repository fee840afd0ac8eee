//! `POST /emails` with mails of ten kilobytes, each on disk before its answer, beside a static answer that comes when the
//! request is on disk, and beside Node servers that store the same.

use super::super::client::Client;
use super::super::load;
use super::super::sides::{Place, sqlite_url};
use super::super::{Extents, create_database, fill};
use super::{CALLERS, Running, Side, post_email, start_floor, start_peer, start_service, take_turns};

/// The rounds of each side.
pub struct Taking {
    pub floor: Side,
    pub sqlite: Side,
    pub sqlite_peer: Side,
    pub postgres: Side,
    pub postgres_peer: Side,
}

/// The service on both databases, with the mail that it has taken.
pub(super) struct Services {
    pub sqlite: Running,
    pub postgres: Running,
}

/// Measures all sides in turns. The service only takes mail here (`delivery.enabled = false`): handing over is measured by
/// itself.
pub(super) async fn measure(
    place: &Place,
    extents: &Extents,
    tokens: &[String],
    server: &str,
    postgres_pid: u32,
) -> (Taking, Services) {
    let requests: Vec<_> = tokens.iter().map(|token| post_email(token)).collect();
    let plan = load::plan(&requests, CALLERS);
    let mut running = start_all(place, server, &requests[0]).await;
    take_turns("POST /emails", &mut running, &plan, extents, postgres_pid).await;
    let mut rounds = running.each_mut().map(|one| std::mem::take(&mut one.side.rounds)).into_iter();
    let mut side = |index: usize| Side {
        name: running[index].side.name,
        rounds: rounds.next().expect("there are five"),
    };
    let taking = Taking {
        sqlite: side(0),
        sqlite_peer: side(1),
        postgres: side(2),
        postgres_peer: side(3),
        floor: side(4),
    };
    let [sqlite, _, postgres, ..] = running;
    (taking, Services { sqlite, postgres })
}

async fn start_all(place: &Place, server: &str, request: &[u8]) -> [Running; 5] {
    let sqlite = |name: &str| sqlite_url(&place.folder.join(name));
    let urls = [
        sqlite("taking.db"),
        sqlite("taking-peer.db"),
        create_database(server, "taking").await,
        create_database(server, "taking_peer").await,
    ];
    for url in &urls {
        fill::fill(url, CALLERS).await;
    }
    let [sqlite, sqlite_peer, postgres, postgres_peer] = &urls;
    let only_takes = [("DELIVERY__ENABLED", "false")];
    let sqlite = start_service(place, sqlite, "taking.log", &only_takes).await;
    let sqlite_peer = start_peer(place, "take-emails-sqlite.mjs", sqlite_peer, 0);
    let postgres = start_service(place, postgres, "taking-postgres.log", &only_takes).await;
    let postgres_peer = start_peer(place, "take-emails-pg.mjs", postgres_peer, 0);
    let answer = Client::connect(sqlite.address).await.expect("it listens").ask(request).await;
    let floor = start_floor(place, "taking", &answer.body);
    let mut running = [
        Running::new("transports, SQLite", sqlite),
        Running::new("Fastify, fast-jwt, nodemailer's composer, better-sqlite3", sqlite_peer),
        Running { uses_postgres: true, ..Running::new("transports, PostgreSQL", postgres) },
        Running {
            uses_postgres: true,
            ..Running::new("Fastify, fast-jwt, nodemailer's composer, pg", postgres_peer)
        },
        Running::new("static answer, the request on disk", floor),
    ];
    for one in &mut running {
        let mut client = Client::connect(one.process.address).await.expect("it listens");
        one.length = Some(client.length_of_answer(request).await);
    }
    running
}
