//! The built binary as a process of its own: what only a real start and a real end can show.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use transports::auth::token;
use transports::clock::Clock;
use transports::config::Config;
use transports::secret::Secret;

use super::app::{encryption_key, token_secret};
use super::client::Client;
use super::database::Database;
use super::leaks;

/// A running `transports serve`. Killed when dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// The settings of every process, as environment variables.
pub fn variables(database: &Database) -> Vec<(String, String)> {
    let authority = super::certificates::authority_file();
    [
        ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("DATABASE__URL", database.url()),
        ("ENCRYPTION__KEYS", encryption_key()),
        ("AUTH__HS256_SECRET", token_secret().to_owned()),
        ("AUTH__ISSUER", "https://issuer.test".to_owned()),
        ("AUTH__AUDIENCE", "transports".to_owned()),
        ("EGRESS__ALLOW", "127.0.0.0/8".to_owned()),
        ("EGRESS__ALLOW_HOSTS", "localhost".to_owned()),
        ("EGRESS__PORTS", "0".to_owned()),
        ("TLS__CA_FILE", Path::new(&authority).display().to_string()),
        ("DELIVERY__MAILS_PER_RECIPIENT_PER_HOUR", "0".to_owned()),
        ("DELIVERY__MIN_FREE_DISK_PERCENT", "0".to_owned()),
        ("LOG__FORMAT", "json".to_owned()),
        ("LOG__FILTER", "trace".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("TRANSPORTS_{name}"), value))
    .collect()
}

/// A token for [`variables`], good for an hour.
pub fn admin_token(tenant: &str) -> String {
    let mut settings = Config::default().auth;
    settings.issuer = Some("https://issuer.test".to_owned());
    settings.audience = Some("transports".to_owned());
    let secret = Secret::new(token_secret().to_owned());
    let token = token::issue(&secret, &settings, tenant, "admin", true, 3600, Clock::System.now());
    token.expect("a token").expose().to_owned()
}

/// The same settings with one changed or added, by its name without the prefix `TRANSPORTS_`.
pub fn with(settings: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let name = format!("TRANSPORTS_{name}");
    let mut all: Vec<_> = settings.iter().filter(|(known, _)| *known != name).cloned().collect();
    all.push((name, value.to_owned()));
    all
}

/// [`variables`] without rate limits.
pub fn unlimited(database: &Database) -> Vec<(String, String)> {
    let settings = with(&variables(database), "RATE_LIMIT__TIER1_PER_MINUTE", "0");
    with(&settings, "RATE_LIMIT__TIER2_PER_MINUTE", "0")
}

/// The same settings with others beside them, or in their place.
pub fn with_all(base: &[(String, String)], more: &[(&str, &str)]) -> Vec<(String, String)> {
    let is_replaced = |name: &String| more.iter().any(|(other, _)| other == name);
    let kept = base.iter().filter(|(name, _)| !is_replaced(name)).cloned();
    kept.chain(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
}

/// The built binary with no settings but these.
pub fn command(arguments: &[&str], variables: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transports"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null());
    command
}

/// What the service says with its address, once its database is open.
const LISTENS: &str = "listening on http://";

impl Process {
    /// Starts the service and waits until its log names the address.
    pub fn serve(variables: &[(String, String)]) -> Self {
        Self::serve_with(&["serve"], variables)
    }

    /// [`Self::serve`] on a thread of its own: other tasks of the test go on meanwhile, also those of its own connections.
    pub async fn serve_beside(variables: &[(String, String)]) -> Self {
        let variables = variables.to_vec();
        tokio::task::spawn_blocking(move || Self::serve(&variables)).await.expect("it starts")
    }

    /// Starts the service, and waits for nothing but its address: the database may be held.
    pub fn begin_to_serve(variables: &[(String, String)]) -> Self {
        let started = Self::start(&["serve"], variables, "to listen on http://");
        started.unwrap_or_else(|log| panic!("it ended at once:\n{log}"))
    }

    /// Like [`Self::serve`]; an error is the log of a service that ended before it listened.
    pub fn try_serve(variables: &[(String, String)]) -> Result<Self, String> {
        Self::start(&["serve"], variables, LISTENS)
    }

    /// The same with these arguments.
    pub fn serve_with(arguments: &[&str], variables: &[(String, String)]) -> Self {
        let started = Self::start(arguments, variables, LISTENS);
        started.unwrap_or_else(|log| panic!("it ended before it listened:\n{log}"))
    }

    /// Waits for a line with these words before the address.
    fn start(arguments: &[&str], variables: &[(String, String)], words: &str) -> Result<Self, String> {
        let mut child = command(arguments, variables)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let mut lines = BufReader::new(child.stderr.take().expect("is piped"));
        let mut first = String::new();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let mut line = String::new();
            if lines.read_line(&mut line).expect("text") == 0 {
                let _ = child.wait();
                return Err(first);
            }
            first.push_str(&line);
            if let Some((_, rest)) = line.split_once(words) {
                let end =
                    rest.find(|c: char| !(c.is_ascii_digit() || ".:[]".contains(c))).unwrap_or(rest.len());
                break rest[..end].parse().expect("an address");
            }
        };
        log.lock().expect("not poisoned").push_str(&first);
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                kept.lock().expect("not poisoned").push_str(&line);
                line.clear();
            }
        });
        Ok(Self { child, address, log, reader: Some(reader) })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// An administrator of a tenant; the token is made by the binary itself.
    pub fn admin(&self, tenant: &str, variables: &[(String, String)]) -> Client {
        let output = command(&["token", "--tenant", tenant, "--user", "admin", "--admin"], variables)
            .output()
            .expect("the binary is built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).expect("text").trim().to_owned();
        Client { address: self.address, token: Some(token) }
    }

    /// An administrator of a tenant, with a token that the test made.
    pub fn known_admin(&self, tenant: &str) -> Client {
        Client { address: self.address, token: Some(admin_token(tenant)) }
    }

    /// Somebody without a token.
    pub fn anybody(&self) -> Client {
        Client { address: self.address, token: None }
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal, such as `-HUP`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Sends SIGSTOP, and waits until no thread runs any more: when the signal is sent, others may go on for a while.
    pub fn suspend(&self) {
        self.signal("-STOP");
        let tasks = format!("/proc/{}/task", self.id());
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let Ok(stat) = task.and_then(|task| std::fs::read_to_string(task.path().join("stat"))) else {
                return true; // the thread has ended
            };
            // The state is behind the name, which is in parentheses (proc(5)).
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
        };
        while !std::fs::read_dir(&tasks).expect("the kernel's table").all(is_stopped) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets a process that was suspended go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    /// Waits for the end; gives the exit code and the whole log.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("a child");
        (status.code(), self.whole_log())
    }

    /// The log to its end, once the process has ended.
    fn whole_log(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader");
        }
        self.log.lock().expect("not poisoned").clone()
    }

    /// Sends SIGTERM and waits.
    pub fn stop(self) -> (Option<i32>, String) {
        self.terminate();
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.whole_log();
        if std::thread::panicking() {
            let told: Vec<_> = log.lines().filter(|line| !line.contains("\"TRACE\"")).collect();
            let last = told[told.len().saturating_sub(10)..].join("\n");
            #[expect(clippy::print_stderr, reason = "for who reads why the test failed")]
            {
                eprintln!("the log of {} ends with:\n{last}", self.address);
            }
        } else {
            leaks::assert_absent("the log of a process", log.as_bytes());
        }
    }
}

/// Runs to the end and gives exit code, standard output and standard error.
pub fn run(arguments: &[&str], variables: &[(String, String)]) -> (Option<i32>, String, String) {
    let output = command(arguments, variables).output().expect("the binary is built");
    leaks::assert_absent("standard output", &output.stdout);
    leaks::assert_absent("standard error", &output.stderr);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
