//! Everything that reads a configuration: the service, the floor, and the peers.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{self, Process, SERVER_CORE};
use super::tokens::{AUDIENCE, ISSUER, Signer};
use super::{fill, process::free_port};

/// What the sides have in common.
pub struct Place {
    /// For databases, keys and logs.
    pub folder: PathBuf,
    /// With the packages from npm and the peers.
    pub peers: PathBuf,
    /// The binary that is measured.
    pub service: PathBuf,
    pub sqlite: PathBuf,
    pub postgres_url: String,
    pub signer: Signer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Database {
    None,
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A static answer, which was written to the folder before.
    Floor,
    Service,
    /// A file of `benches/peers`.
    Peer(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Side {
    pub name: &'static str,
    pub program: Program,
    pub database: Database,
    /// With tokens that the process has never seen, rather than the same ones again and again.
    pub new_tokens: bool,
}

pub const FLOOR: Side = side("static answer", Program::Floor, Database::None);
pub const SQLITE: Side = side("transports, SQLite", Program::Service, Database::Sqlite);
pub const SQLITE_NEW_TOKENS: Side =
    Side { name: "transports, SQLite, tokens never seen before", new_tokens: true, ..SQLITE };
pub const POSTGRES: Side = side("transports, PostgreSQL", Program::Service, Database::Postgres);
pub const POSTGRES_NEW_TOKENS: Side =
    Side { name: "transports, PostgreSQL, tokens never seen before", new_tokens: true, ..POSTGRES };
pub const JOSE_SQLITE: Side =
    side("Fastify, jose, better-sqlite3", Program::Peer("fastify-jose-sqlite.mjs"), Database::Sqlite);
pub const FAST_JWT_SQLITE: Side = side(
    "Fastify, fast-jwt with its cache, better-sqlite3",
    Program::Peer("fastify-fast-jwt-sqlite.mjs"),
    Database::Sqlite,
);
pub const EXPRESS_POSTGRES: Side =
    side("Express, jsonwebtoken, pg", Program::Peer("express-jsonwebtoken-pg.mjs"), Database::Postgres);
pub const FAST_JWT_POSTGRES: Side = side(
    "Fastify, fast-jwt with its cache, pg",
    Program::Peer("fastify-fast-jwt-pg.mjs"),
    Database::Postgres,
);

/// In the order in which they take turns.
pub const ALL: [Side; 9] = [
    FLOOR,
    SQLITE,
    SQLITE_NEW_TOKENS,
    POSTGRES,
    POSTGRES_NEW_TOKENS,
    JOSE_SQLITE,
    FAST_JWT_SQLITE,
    EXPRESS_POSTGRES,
    FAST_JWT_POSTGRES,
];

const fn side(name: &'static str, program: Program, database: Database) -> Side {
    Side { name, program, database, new_tokens: false }
}

impl Side {
    /// Starts it on the servers' core. It may not listen yet.
    pub fn start(&self, place: &Place) -> Process {
        let port = free_port();
        let command = self.command(place, port, |program| process::pinned(SERVER_CORE, program));
        Process::start(command, port, &place.folder.join(format!("{port}.log")))
    }

    /// The command that starts it; `run` says how a program is started.
    pub fn command(&self, place: &Place, port: u16, run: impl Fn(&Path) -> Command) -> Command {
        match self.program {
            Program::Floor => {
                let mut command = run(&std::env::current_exe().expect("this program"));
                command.args(["floor", "--port", &port.to_string(), "--body"]).arg(place.static_answer());
                command
            }
            Program::Service => {
                let mut command = run(&place.service);
                command.arg("serve").envs(service_settings(place, port, &self.url(place)));
                command
            }
            Program::Peer(file) => {
                let mut command = run(Path::new("node"));
                command.arg(place.peers.join(file)).envs(place.peer_settings(port, &self.url(place)));
                command
            }
        }
    }

    fn url(&self, place: &Place) -> String {
        match self.database {
            Database::None => String::new(),
            Database::Sqlite => sqlite_url(&place.sqlite),
            Database::Postgres => place.postgres_url.clone(),
        }
    }
}

impl Place {
    /// The file with the floor's answer.
    pub fn static_answer(&self) -> PathBuf {
        self.folder.join("answer.json")
    }

    /// The environment of a peer of `benches/peers`.
    pub fn peer_settings(&self, port: u16, url: &str) -> [(&'static str, String); 6] {
        [
            ("NODE_ENV", "production".to_owned()),
            ("PEER_PORT", port.to_string()),
            ("PEER_DATABASE", url.trim_start_matches("sqlite://").to_owned()),
            ("PEER_PUBLIC_KEY", self.signer.public_key.display().to_string()),
            ("PEER_ISSUER", ISSUER.to_owned()),
            ("PEER_AUDIENCE", AUDIENCE.to_owned()),
        ]
    }
}

pub fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// What `transports serve` is told: as an operator would, but without limits of the rate.
pub fn service_settings(place: &Place, port: u16, url: &str) -> Vec<(String, String)> {
    [
        ("SERVER__LISTEN", format!("127.0.0.1:{port}")),
        ("DATABASE__URL", url.to_owned()),
        ("ENCRYPTION__KEYS", fill::ENCRYPTION_KEY.to_owned()),
        ("AUTH__PUBLIC_KEY_FILE", place.signer.public_key.display().to_string()),
        ("AUTH__ISSUER", ISSUER.to_owned()),
        ("AUTH__AUDIENCE", AUDIENCE.to_owned()),
        ("RATE_LIMIT__TIER1_PER_MINUTE", "0".to_owned()),
        ("RATE_LIMIT__TIER2_PER_MINUTE", "0".to_owned()),
        ("DELIVERY__MAILS_PER_RECIPIENT_PER_HOUR", "0".to_owned()),
        ("DELIVERY__MIN_FREE_DISK_PERCENT", "0".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("TRANSPORTS_{name}"), value))
    .collect()
}
