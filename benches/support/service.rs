//! The built service as a process, and tokens that it takes.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use transports::auth::token;
use transports::clock::Clock;
use transports::config::{Auth, Config};
use transports::secret::Secret;

pub const KEY: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const TOKEN_SECRET: &str = "0123456789abcdef0123456789abcdef";
const ISSUER: &str = "issuer";
const AUDIENCE: &str = "transports";

/// Killed when dropped.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
}

impl Service {
    /// Starts it on this database, with `more` settings beside those that it needs.
    pub fn start(database_url: &str, more: &[(&str, &str)]) -> Self {
        let needed = [
            ("SERVER__LISTEN", "127.0.0.1:0"),
            ("DATABASE__URL", database_url),
            ("ENCRYPTION__KEYS", KEY),
            ("AUTH__HS256_SECRET", TOKEN_SECRET),
            ("AUTH__ISSUER", ISSUER),
            ("AUTH__AUDIENCE", AUDIENCE),
            ("LOG__FILTER", "error,transports::cli=info"),
        ];
        let mut command = command(&[&needed, more].concat(), &["serve"]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the service is built");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = loop {
            let line = lines.next().expect("it starts").expect("text");
            if let Some((_, rest)) = line.split_once("listening on http://") {
                let end =
                    rest.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c))).unwrap_or(rest.len());
                break rest[..end].parse().expect("an address");
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The built binary with these settings and no others.
pub fn command(settings: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transports"));
    command
        .args(arguments)
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (format!("TRANSPORTS_{name}"), value)))
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null());
    command
}

/// What tokens have to say here.
pub fn auth() -> Auth {
    let mut auth = Config::default().auth;
    auth.issuer = Some(ISSUER.to_owned());
    auth.audience = Some(AUDIENCE.to_owned());
    auth
}

/// An administrator's token, good for `lifetime` seconds.
pub fn token_of(auth: &Auth, tenant: &str, lifetime: i64) -> String {
    let secret = Secret::new(TOKEN_SECRET.to_owned());
    let token = token::issue(&secret, auth, tenant, "admin", true, lifetime, Clock::System.now());
    token.expect("a token").expose().to_owned()
}
