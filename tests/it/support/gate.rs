//! Holds the service at one of its commits: between it and PostgreSQL stands a proxy, between it and SQLite's file the shim
//! of the disk.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::database::{Database, Engine};
use super::eventually::eventually;
use super::journal::Journal;
use super::proxy::Proxy;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// On PostgreSQL the commit has not reached the server; on SQLite it is written and not synced.
    Before,
    /// It is durable, and the service has not heard of it.
    After,
}

pub enum Gate {
    Sqlite(Journal),
    Postgres(CommitProxy),
}

impl Gate {
    /// A gate before a database, and the settings with which a service goes through it. None without a C compiler.
    pub async fn new(
        database: &Database,
        settings: &[(String, String)],
    ) -> Option<(Self, Vec<(String, String)>)> {
        let mut settings = settings.to_vec();
        if Engine::chosen() == Engine::Sqlite {
            let journal = Journal::new();
            settings.extend(journal.variables(database.file().parent().expect("a folder"))?);
            return Some((Self::Sqlite(journal), settings));
        }
        let proxy = CommitProxy::start(database).await;
        let url = Proxy::url_by(database, proxy.address);
        settings = super::process::with(&settings, "DATABASE__URL", &url);
        Some((Self::Postgres(proxy), settings))
    }

    /// Holds the next commit of a transaction that writes this text. On PostgreSQL a statement's text counts where it is
    /// prepared, on SQLite all that stands on the page.
    pub fn hold(&self, side: Side, text: &'static str) {
        match self {
            Self::Sqlite(journal) => {
                journal.hold(if side == Side::Before { "before" } else { "after" }, text);
            }
            Self::Postgres(proxy) => *proxy.wanted.lock().expect("not poisoned") = Some((side, text)),
        }
    }

    /// Waits until a commit is held.
    pub async fn until_held(&self, what: &str) {
        eventually(what, async || {
            tokio::time::sleep(Duration::from_millis(2)).await;
            match self {
                Self::Sqlite(journal) => journal.is_held(),
                Self::Postgres(proxy) => *proxy.held.borrow(),
            }
        })
        .await;
    }

    /// Lets the commit go on.
    pub fn release(&self) {
        match self {
            Self::Sqlite(journal) => journal.trouble(""),
            Self::Postgres(proxy) => {
                *proxy.wanted.lock().expect("not poisoned") = None;
                proxy.held.send_replace(false);
            }
        }
    }
}

type Wanted = Arc<Mutex<Option<(Side, &'static str)>>>;

/// A way to PostgreSQL that stops at a commit.
pub struct CommitProxy {
    address: SocketAddr,
    wanted: Wanted,
    held: watch::Sender<bool>,
}

impl CommitProxy {
    async fn start(database: &Database) -> Self {
        let server = Proxy::server_of(database);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let (wanted, held) = (Wanted::default(), watch::Sender::new(false));
        let (for_all, says_held) = (Arc::clone(&wanted), held.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&for_all), says_held.clone()));
            }
        });
        Self { address, wanted, held }
    }
}

/// Each side waits for the other on a connection that holds a transaction, so one loop sees both in their order.
#[expect(clippy::disallowed_methods, reason = "the proxy stands outside of the service")]
async fn carry(mut client: TcpStream, server: SocketAddr, wanted: Wanted, held: watch::Sender<bool>) {
    let mut server = TcpStream::connect(server).await.expect("the server answers");
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    // The transaction that is under way writes the text.
    let mut matches = false;
    let mut holds_answer = false;
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let Ok(length @ 1..) = length else { return };
                let bytes = &asked[..length];
                let now = *wanted.lock().expect("not poisoned");
                matches |= now.is_some_and(|(_, text)| has(bytes, text.as_bytes()));
                if has(bytes, b"COMMIT\0") {
                    match now {
                        Some((Side::Before, _)) if matches && !wait(&mut client, &wanted, &held).await => return,
                        Some((Side::After, _)) if matches => holds_answer = true,
                        _ => {}
                    }
                    matches = false;
                }
                if server.write_all(bytes).await.is_err() {
                    return;
                }
            }
            length = server.read(&mut answered) => {
                let Ok(length @ 1..) = length else { return };
                if std::mem::take(&mut holds_answer) && !wait(&mut client, &wanted, &held).await {
                    return;
                }
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Says that a commit is held, and waits for its release. False where the service has gone meanwhile: then PostgreSQL ends
/// what it had not committed.
async fn wait(client: &mut TcpStream, wanted: &Wanted, held: &watch::Sender<bool>) -> bool {
    *wanted.lock().expect("not poisoned") = None;
    held.send_replace(true);
    let mut held = held.subscribe();
    tokio::select! {
        released = held.wait_for(|held| !held) => released.is_ok(),
        // It waits for its answer, and says nothing more.
        _ = client.readable() => false,
    }
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
