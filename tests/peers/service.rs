//! `transports serve` as a process of its own, with settings from its environment.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::client::Client;

/// The folder of the peers, which `scripts/test` prepares.
pub fn peers() -> PathBuf {
    let folder =
        std::env::var_os("TRANSPORTS_PEERS").expect("TRANSPORTS_PEERS: run these tests by scripts/test");
    PathBuf::from(folder)
}

/// A running service with an empty database, on SQLite unless a setting says otherwise. Killed when dropped.
pub struct Service {
    pub address: SocketAddr,
    process: Child,
    log: Arc<Mutex<String>>,
    folder: PathBuf,
}

impl Service {
    /// What a service needs at least.
    pub const SETTINGS: [(&str, &str); 4] = [
        ("TRANSPORTS_ENCRYPTION__KEYS", "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("TRANSPORTS_AUTH__HS256_SECRET", "a secret that only the tests of this service know"),
        ("TRANSPORTS_AUTH__ISSUER", "https://issuer.test"),
        ("TRANSPORTS_AUTH__AUDIENCE", "transports"),
    ];

    /// The service, trusting the authority of the mail server's certificate.
    pub fn start() -> Self {
        let authority = peers().join("mail/ca.pem");
        Self::with(&[("TRANSPORTS_TLS__CA_FILE", authority.to_str().expect("UTF-8"))])
    }

    /// The service with these settings beside those that it needs to reach loopback. Ports stay at their default.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let (mut process, folder) = Self::spawn(settings);
        let mut stderr = BufReader::new(process.stderr.take().expect("is piped"));
        let mut start = String::new();
        let address = loop {
            // Warnings about settings come before the line with the address.
            let read = stderr.read_line(&mut start).expect("a line of text");
            assert!(read > 0, "the service did not start: {start}");
            if let Some(address) = start.lines().last().and_then(listening) {
                break address;
            }
        };
        let log = Arc::new(Mutex::new(start));
        let written = Arc::clone(&log);
        // A pipe that nobody reads would stop the service once it is full.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = written.lock().expect("not poisoned");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { address, process, log, folder }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    /// The URL of its database.
    pub fn database(&self) -> String {
        format!("sqlite://{}", self.folder.join("transports.db").display())
    }

    /// What a service says that does not start with these settings.
    pub fn refused(settings: &[(&str, &str)]) -> String {
        let (process, folder) = Self::spawn(settings);
        let output = process.wait_with_output().expect("it ends");
        let _ = std::fs::remove_dir_all(folder);
        assert!(!output.status.success(), "it does not start");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn spawn(settings: &[(&str, &str)]) -> (Child, PathBuf) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().to_string());
        std::fs::create_dir(&folder).expect("a folder of its own");
        let process = Self::command(&["serve"])
            .env("TRANSPORTS_SERVER__LISTEN", "127.0.0.1:0")
            .env("TRANSPORTS_DATABASE__URL", format!("sqlite://{}", folder.join("transports.db").display()))
            .env("TRANSPORTS_EGRESS__ALLOW", "127.0.0.0/8,::1/128")
            .env("TRANSPORTS_EGRESS__ALLOW_HOSTS", "localhost")
            .env("TRANSPORTS_DELIVERY__MIN_FREE_DISK_PERCENT", "0")
            .envs(settings.iter().copied())
            .current_dir(&folder)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        (process, folder)
    }

    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transports"));
        command.args(arguments).env_clear().envs(Self::SETTINGS).stdin(Stdio::null());
        command
    }

    /// What `transports token` prints.
    pub fn token(tenant: &str, user: &str, admin: bool) -> String {
        let mut arguments = vec!["--tenant", tenant, "--user", user];
        if admin {
            arguments.push("--admin");
        }
        Self::sign(&arguments)
    }

    /// The same for the platform.
    pub fn platform_token() -> String {
        Self::sign(&["--platform", "--user", "billing"])
    }

    fn sign(arguments: &[&str]) -> String {
        let output = Self::command(&[&["token"], arguments].concat()).output().expect("the binary is built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    /// An administrator of a tenant.
    pub fn admin(&self, tenant: &str) -> Client {
        Client { address: self.address, token: Some(Self::token(tenant, "admin", true)) }
    }
}

impl Drop for Service {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("the log of the service:\n{}", self.log.lock().expect("not poisoned"));
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// The address in the log's first line, in text or JSON.
fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    let end = rest.find(|c: char| !c.is_ascii_hexdigit() && !".:[]".contains(c)).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
