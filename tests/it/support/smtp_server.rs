//! A scripted SMTP server on loopback: well-behaved by default, and hostile wherever a test says so.
//!
//! ```ignore
//! let server = SmtpServer::start(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
//! // … a session towards server.address …
//! server.ended().await;
//! assert_eq!(server.verbs(), ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]);
//! ```
//!
//! One server takes many connections, each recorded in a [`Seen`]. It ends with the test's runtime.

mod conversation;
mod script;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

pub use script::{Act, At, Script, USER, good_password, good_token, reply};

/// What one connection showed.
#[derive(Clone, Default, Debug)]
pub struct Seen {
    pub commands: Vec<Command>,
    pub sign_ins: Vec<SignIn>,
    /// The messages, each with the moment at which it had come.
    pub mails: Vec<(Instant, Mail)>,
    /// How many messages came without their end.
    pub lost_dots: usize,
    /// The name that the client asked for in TLS.
    pub sni: Option<String>,
    /// TLS came about.
    pub tls: bool,
    /// Bytes that came where no command was expected: while silent, or instead of a handshake.
    pub stray: Vec<u8>,
    /// How often the client waited for an answer to a flight of commands. RSET and QUIT alone are not waited for.
    pub flights: usize,
    /// How often it waited within handshakes.
    pub handshake_flights: usize,
}

impl Seen {
    /// Round trips as a client counts them: connecting, the greeting, handshakes and flights.
    pub fn round_trips(&self) -> usize {
        2 + self.handshake_flights + self.flights
    }
}

/// One line of the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Without its line end; bytes beyond UTF-8 replaced.
    pub line: String,
    pub tls: bool,
}

impl Command {
    /// `MAIL` of `MAIL FROM:<…>`, in upper case.
    pub fn verb(&self) -> String {
        self.line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase()
    }
}

/// One attempt to sign in, as far as it went.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SignIn {
    pub mechanism: String,
    pub username: String,
    /// The password or the token.
    pub secret: String,
    pub tls: bool,
}

/// One message that came whole.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// As it came: dots doubled, without the final dot.
    pub wire: Vec<u8>,
    /// The sizes of the chunks, where it came by BDAT: then no dot was doubled.
    pub chunks: Vec<usize>,
}

impl Mail {
    /// The message, dots undone.
    pub fn bytes(&self) -> Vec<u8> {
        if !self.chunks.is_empty() {
            return self.wire.clone();
        }
        let lines = self.wire.split_inclusive(|byte| *byte == b'\n');
        lines.flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect()
    }
}

pub struct SmtpServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Arc<Script>>,
    seen: Mutex<Vec<Arc<Mutex<Seen>>>>,
    /// The commands of all connections in the order in which they came.
    log: Mutex<Vec<Command>>,
    /// How many connections have ended.
    ended: watch::Sender<usize>,
}

impl SmtpServer {
    pub async fn start(script: Script) -> Self {
        Self::start_on("127.0.0.1", script).await
    }

    /// On another address of this machine: `::1`.
    pub async fn start_on(address: &str, script: Script) -> Self {
        Self::start_at(SocketAddr::new(address.parse().expect("an address"), 0), script).await
    }

    /// At this address and port.
    pub async fn start_at(address: SocketAddr, script: Script) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            seen: Mutex::default(),
            log: Mutex::default(),
            ended: watch::Sender::new(0),
        });
        let server = Self { address, shared: Arc::clone(&shared) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::new(Mutex::new(Seen::default()));
                shared.seen.lock().unwrap().push(Arc::clone(&seen));
                let (script, shared) = (Arc::clone(&shared.script.lock().unwrap()), Arc::clone(&shared));
                tokio::spawn(async move {
                    conversation::hold(stream, &script, &seen, &shared.log).await;
                    shared.ended.send_modify(|ended| *ended += 1);
                });
            }
        });
        server
    }

    /// What connections are played from now on.
    pub fn play(&self, script: Script) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// Forgets the connections so far, so that a test sees those to come.
    pub async fn forget(&self) {
        self.ended().await;
        self.shared.ended.send_replace(0);
        self.shared.seen.lock().unwrap().clear();
    }

    /// What every connection showed so far, in the order in which they were accepted.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().iter().map(|seen| seen.lock().unwrap().clone()).collect()
    }

    /// What the last connection showed so far.
    pub fn last(&self) -> Seen {
        let seen = self.shared.seen.lock().unwrap();
        seen.last().expect("a connection was made").lock().unwrap().clone()
    }

    /// The verbs of all connections.
    pub fn verbs(&self) -> Vec<String> {
        self.seen().iter().flat_map(|seen| &seen.commands).map(Command::verb).collect()
    }

    /// The lines of all connections.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().flat_map(|seen| seen.commands).map(|command| command.line).collect()
    }

    /// The lines with this verb in the order in which they came, whatever the connection.
    pub fn commands_of(&self, verb: &str) -> Vec<String> {
        let log = self.shared.log.lock().unwrap();
        log.iter().filter(|command| command.verb() == verb).map(|command| command.line.clone()).collect()
    }

    /// The attempts to sign in of all connections.
    pub fn sign_ins(&self) -> Vec<SignIn> {
        self.seen().into_iter().flat_map(|seen| seen.sign_ins).collect()
    }

    /// How many messages came without their end.
    pub fn lost_dots(&self) -> usize {
        self.seen().iter().map(|seen| seen.lost_dots).sum()
    }

    /// The messages of all connections in the order in which they came.
    pub fn mails(&self) -> Vec<Mail> {
        let mut mails: Vec<_> = self.seen().into_iter().flat_map(|seen| seen.mails).collect();
        mails.sort_by_key(|(came, _)| *came);
        mails.into_iter().map(|(_, mail)| mail).collect()
    }

    /// Waits until every connection that was accepted has ended: then nothing more comes.
    pub async fn ended(&self) {
        let mut ended = self.shared.ended.subscribe();
        let all = ended.wait_for(|ended| *ended == self.connections());
        tokio::time::timeout(Duration::from_secs(20), all)
            .await
            .expect("every connection ends")
            .expect("the server runs");
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        super::leaks::check();
    }
}
