//! How many instructions the GET of a configuration takes, counted by callgrind: figures that a noisy machine gives
//! again.
//!
//! Each side runs twice with another number of requests. The difference leaves out the start, the end and what comes
//! once.

use std::path::Path;
use std::process::Command;

use super::Extents;
use super::client::{Client, get};
use super::process::{Process, free_port};
use super::sides::{self, Place, Side};

/// The requests of the two runs. The first ones fill caches and make connections to the database.
const REQUESTS: [usize; 2] = [200, 1200];

pub struct Measured {
    pub side: Side,
    /// Instructions of one request.
    pub each: f64,
}

/// `None` where valgrind is not installed.
pub async fn measure(place: &Place, extents: &Extents) -> Option<Vec<Measured>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        super::progress(format_args!("no valgrind: instructions are not counted"));
        return None;
    }
    let sides =
        [sides::FLOOR, sides::SQLITE, sides::SQLITE_NEW_TOKENS, sides::POSTGRES, sides::POSTGRES_NEW_TOKENS];
    let mut measured = Vec::new();
    for side in sides {
        super::progress(format_args!("counting instructions: {}", side.name));
        let known = if side.new_tokens { REQUESTS[1] } else { 1 };
        let tokens = place.signer.tokens(known, extents.tenants, 0);
        let requests: Vec<_> = tokens.iter().map(|token| get(token)).collect();
        let few = count(place, side, &requests, REQUESTS[0]).await;
        let many = count(place, side, &requests, REQUESTS[1]).await;
        let difference = u32::try_from(REQUESTS[1] - REQUESTS[0]).expect("a small number");
        measured.push(Measured { side, each: (many - few) / f64::from(difference) });
    }
    Some(measured)
}

/// Instructions of a whole run with so many requests, one after the other.
async fn count(place: &Place, side: Side, requests: &[Vec<u8>], number: usize) -> f64 {
    let port = free_port();
    let (figures, log) = (place.folder.join(format!("{port}.callgrind")), place.folder.join("valgrind.log"));
    let command = side.command(place, port, |program| under_callgrind(program, &figures));
    let mut process = Process::start(command, port, &log);
    process.wait_until_it_listens();
    let mut client = Client::connect(process.address).await.expect("it listens");
    for request in requests.iter().cycle().take(number) {
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 200, "{}: {}", side.name, String::from_utf8_lossy(&answer.body));
    }
    drop(client);
    process.end();
    let text = std::fs::read_to_string(&figures).expect("callgrind writes when the process ends");
    let total =
        text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    total.and_then(|total| total.trim().parse().ok()).expect("callgrind's total")
}

fn under_callgrind(program: &Path, figures: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "valgrind", "--tool=callgrind", "--quiet"]);
    command.arg(format!("--callgrind-out-file={}", figures.display())).arg(program);
    command
}
