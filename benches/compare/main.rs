//! This service beside the floor of its HTTP stack and beside what a team would otherwise write: the figures of
//! docs/performance.md.
//!
//! `scripts/bench` runs it with all that it needs. The sides are processes on one core, and the load and the
//! databases are on another one; the sides take turns in short rounds, and ratios are taken within a round, so that a
//! noisy neighbour meets all of them. Nothing is asserted about a time; every answer is.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tables are what it is for, and the progress"
)]

mod certificate;
mod client;
mod delivery;
mod disk;
mod figures;
mod fill;
mod floor;
mod get;
mod instructions;
mod load;
mod machine;
#[path = "../support/proc.rs"]
mod proc;
mod process;
mod report;
mod sides;
mod sink;
mod smtp_server;
mod start;
mod targets;
mod tokens;
mod verify;

use std::fmt::Arguments;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};

use report::{Configuration, Results};
use sides::{Place, sqlite_url};
use tokens::Signer;

/// Measures the service beside its peers; see scripts/bench.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    server: Option<Server>,
    /// A few seconds for each side: to try the benchmark itself
    #[arg(long)]
    quick: bool,
    /// How many tenants have a configuration
    #[arg(long)]
    tenants: Option<usize>,
    /// A PostgreSQL superuser's URL, as `scripts/postgres-for-tests start` prints it
    #[arg(long)]
    postgres: Option<String>,
    /// The main process of that PostgreSQL
    #[arg(long)]
    postgres_pid: Option<u32>,
    /// The folder of a running `tests/peers/postfix-dovecot`
    #[arg(long)]
    postfix: Option<PathBuf>,
    /// The folder with the peers and their packages
    #[arg(long)]
    peers: Option<PathBuf>,
    /// The binary of the service that is measured; without it the one that cargo has built beside this benchmark
    #[arg(long)]
    service: Option<PathBuf>,
    /// Measure one part alone
    #[arg(long)]
    only: Option<Part>,
    /// Leave instructions uncounted, although valgrind is there
    #[arg(long)]
    no_instructions: bool,
    /// Put the tables into this file, between its marks
    #[arg(long)]
    write: Option<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part that can be measured alone.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// GET of a configuration, start, checks of accounts, instructions
    Configuration,
    /// Taking mail and handing it over
    Delivery,
}

/// Servers that the benchmark starts from its own program.
#[derive(Subcommand)]
enum Server {
    #[command(hide = true)]
    Floor {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        body: PathBuf,
        /// Where the bodies of POST are stored
        #[arg(long)]
        disk: Option<PathBuf>,
    },
    #[command(hide = true)]
    Smtp {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        authority: PathBuf,
    },
    #[command(hide = true)]
    SubmissionFloor {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        authority: PathBuf,
        /// Where mail is stored
        #[arg(long)]
        disk: PathBuf,
    },
}

/// How much is measured.
pub struct Extents {
    pub tenants: usize,
    /// How often each token is used before the first round, so that Node has compiled what it runs.
    pub warm_ups: usize,
    /// Rounds of the GET, without the one that warms up.
    pub rounds: usize,
    /// How long a side has its turn.
    pub round: Duration,
    /// Tokens that a process sees for the first time in its turn.
    pub new_tokens: usize,
    /// Starts of each side.
    pub starts: usize,
    pub check_rounds: usize,
    /// Checks of an account in a round, where there is one at a time.
    pub checks: usize,
    /// Rounds of taking mail, and of handing it over.
    pub delivery_rounds: usize,
    /// Mails that are handed over in a round.
    pub mails: usize,
}

impl Extents {
    fn of(options: &Options) -> Self {
        let whole = Self {
            tenants: options.tenants.unwrap_or(100_000),
            warm_ups: 16,
            rounds: 15,
            round: Duration::from_secs(1),
            new_tokens: 16_384,
            starts: 11,
            check_rounds: 7,
            checks: 200,
            delivery_rounds: 7,
            mails: 4000,
        };
        if !options.quick {
            return whole;
        }
        Self {
            tenants: options.tenants.unwrap_or(10_000),
            warm_ups: 4,
            rounds: 3,
            round: Duration::from_millis(500),
            new_tokens: 2048,
            starts: 3,
            check_rounds: 2,
            checks: 40,
            delivery_rounds: 2,
            mails: 1000,
        }
    }
}

fn main() {
    let options = Options::parse();
    match &options.server {
        Some(Server::Floor { port, body, disk }) => return floor::serve(*port, body, disk.as_deref()),
        Some(Server::Smtp { port, authority }) => return smtp_server::serve(*port, authority),
        Some(Server::SubmissionFloor { port, authority, disk }) => {
            return sink::serve_with_tls(*port, authority, disk);
        }
        None => {}
    }
    let extents = Extents::of(&options);
    // The load comes from this thread alone.
    process::pin_this_thread(process::OTHER_CORE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tables = runtime.block_on(measure(&options, &extents));
    for (part, text) in &tables {
        println!("{text}");
        if let Some(file) = &options.write {
            report::replace(file, part, text);
            progress(format_args!("written to {}: {part}", file.display()));
        }
    }
}

async fn measure(options: &Options, extents: &Extents) -> Vec<(&'static str, String)> {
    let missing = "missing: run scripts/bench, which gives it";
    let server = options.postgres.as_ref().unwrap_or_else(|| panic!("--postgres is {missing}"));
    let postgres = options.postgres_pid.unwrap_or_else(|| panic!("--postgres-pid is {missing}"));
    let postfix = options.postfix.as_ref().unwrap_or_else(|| panic!("--postfix is {missing}"));
    let peers = options.peers.as_ref().unwrap_or_else(|| panic!("--peers is {missing}"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compare");
    // A run that failed has left its databases and logs for whoever looks for the reason.
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", folder.display()),
        _ => std::fs::create_dir_all(&folder).expect("a folder"),
    }
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_transports"));
    let place = Place {
        service: options.service.clone().unwrap_or_else(built),
        sqlite: folder.join("transports.db"),
        postgres_url: create_database(server, "configuration").await,
        signer: Signer::new(&folder),
        peers: peers.clone(),
        folder,
    };
    let configuration = match options.only {
        Some(Part::Delivery) => None,
        _ => Some(measure_configuration(&place, options, extents, postgres, postfix).await),
    };
    let delivery = match options.only {
        Some(Part::Configuration) => None,
        _ => Some(delivery::measure(&place, extents, server, postgres, postfix).await),
    };
    let machine = machine::description(extents);
    std::fs::remove_dir_all(&place.folder).expect("the folder is ours");
    report::markdown(&Results { machine, configuration, delivery })
}

async fn measure_configuration(
    place: &Place,
    options: &Options,
    extents: &Extents,
    postgres: u32,
    postfix: &Path,
) -> Configuration {
    progress(format_args!("filling SQLite and PostgreSQL with {} tenants each", extents.tenants));
    fill::fill(&sqlite_url(&place.sqlite), extents.tenants).await;
    fill::fill(&place.postgres_url, extents.tenants).await;
    vacuum(&place.postgres_url).await;

    let get = get::measure(place, extents, postgres).await;
    let start = start::measure(place, extents).await;
    let verify = verify::measure(place, extents, postfix).await;
    let instructions =
        if options.no_instructions { None } else { instructions::measure(place, extents).await };
    Configuration { get, start, verify, instructions }
}

/// An empty database on this server; gives its URL.
async fn create_database(server: &str, what: &str) -> String {
    let name = format!("compare_{what}_{}", std::process::id());
    batch(server, &format!("create database {name} template template0")).await;
    let (host, _) = server.rsplit_once('/').expect("postgres://USER@HOST/NAME");
    format!("{host}/{name}")
}

/// What autovacuum would have done in a server that has run for a while.
async fn vacuum(url: &str) {
    batch(url, "vacuum (analyze, freeze)").await;
    batch(url, "checkpoint").await;
}

async fn batch(url: &str, sql: &str) {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("PostgreSQL does it");
    drop(client);
    connection.await.expect("it ends").expect("it ends well");
}

/// What is being done, on standard error.
fn progress(what: Arguments<'_>) {
    static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let seconds = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("[{:>2}:{:02}] {what}", seconds / 60, seconds % 60);
}
