//! The built service as a process, and what the system says about it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::place::{Engine, KEY, Place};

pub const TOKEN_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Killed when dropped.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
    engine: Engine,
}

/// Megabytes.
pub struct Memory {
    pub private: f64,
    pub proportional: f64,
}

impl Service {
    pub fn start(place: &Place) -> Self {
        let settings = [
            ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("DATABASE__URL", place.url.clone()),
            ("ENCRYPTION__KEYS", KEY.to_owned()),
            ("AUTH__HS256_SECRET", TOKEN_SECRET.to_owned()),
            ("AUTH__ISSUER", "issuer".to_owned()),
            ("AUTH__AUDIENCE", "transports".to_owned()),
            // So high that nobody is refused, and not off: the counts are a part of the memory.
            ("RATE_LIMIT__TIER1_PER_MINUTE", "1000000".to_owned()),
            ("RATE_LIMIT__TIER2_PER_MINUTE", "1000000".to_owned()),
            ("LOG__FILTER", "error,transports::cli=info".to_owned()),
        ];
        let mut child = command(&settings, &["serve"]).stderr(Stdio::piped()).spawn().expect("it is built");
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
        Self { child, address, engine: place.engine }
    }

    /// The CPU time so far of the service, and of PostgreSQL with all of its connections.
    pub fn cpu(&self) -> (Duration, Duration) {
        let own = cpu_of(&self.child.id().to_string());
        let server = match (self.engine, std::env::var("GROWTH_POSTGRES_PID")) {
            (Engine::Postgres, Ok(pid)) => children_of(&pid).iter().map(|pid| cpu_of(pid)).sum(),
            _ => Duration::ZERO,
        };
        (own, server)
    }

    /// Nothing where the system does not let us look: the service keeps others from its memory, and root alone may.
    pub fn memory(&self) -> Memory {
        let text =
            std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap_or_default();
        let sum = |names: &[&str]| {
            let line = |line: &str| {
                let (name, rest) = line.split_once(':')?;
                names.contains(&name).then(|| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())?
            };
            text.lines().filter_map(line).sum::<f64>() * 1024.0 / 1e6
        };
        Memory { private: sum(&["Private_Clean", "Private_Dirty"]), proportional: sum(&["Pss"]) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The built binary with these settings and no others.
pub fn command(settings: &[(&str, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transports"));
    command
        .args(arguments)
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (format!("TRANSPORTS_{name}"), value)))
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null());
    command
}

/// The fields of `/proc/PID/stat` behind the name, which may hold anything.
fn stat(pid: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    rest.split(' ').map(str::to_owned).collect()
}

/// User and system time; Linux counts them in hundredths of a second.
fn cpu_of(pid: &str) -> Duration {
    let stat = stat(pid);
    let ticks = [11, 12].map(|field| stat.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0));
    Duration::from_millis(ticks.iter().sum::<u64>() * 10)
}

fn children_of(parent: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = all.filter_map(|entry| entry.file_name().into_string().ok());
    let pids = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter(|pid| stat(pid).get(1).is_some_and(|of| of == parent)).collect()
}
