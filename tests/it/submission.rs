//! The SMTP gateway: who may send, what becomes of a message, and each reply of the contract.

mod envelope;
mod limits;
mod microsoft365;
mod octets;
mod relay;
mod repetition;
mod sign_in;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use transports::app::App;
use transports::auth::api_key::{NewKey, Permission};
use transports::clock::Timestamp;
use transports::config::Config;
use transports::id::TenantId;
use transports::smtp::Security;
use transports::store::api_keys::{self, ApiKey, KeyOwner};
use transports::store::{Write, WriteOutcome};
use transports::submission::{Certificate, Gateway};
use uuid::Uuid;

use crate::delivery::Post;
use crate::support::certificates;
use crate::support::client::Client;
use crate::support::smtp_client::SmtpClient;
use crate::support::smtp_server::Script;

pub const FROM: &str = "ada@example.com";
pub const TO: &str = "bob@example.net";

pub const MESSAGE: &str = "Message-ID: <1@client.example>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nFrom: Ada <ada@example.com>\r\n\
                           To: bob@example.net\r\nSubject: Invoice 8841\r\n\r\nThank you.\r\n";

/// The gateway of a service.
pub struct Door {
    pub start_tls: SocketAddr,
    pub implicit_tls: SocketAddr,
    pub certificate: Arc<Certificate>,
    pub folder: tempfile::TempDir,
    stop: CancellationToken,
    serving: Option<tokio::task::JoinHandle<()>>,
}

impl Door {
    pub async fn open(app: &Arc<App>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate_file, key_file) = certificates::server().write_to(folder.path());
        let mut settings = app.config.submission.clone();
        settings.listen = Some(([127, 0, 0, 1], 0).into());
        (settings.certificate_file, settings.key_file) = (Some(certificate_file), Some(key_file));
        let certificate = Certificate::configured(&settings).expect("good files").expect("it listens");
        let (one, other) = (bind().await, bind().await);
        let address = |listener: &TcpListener| listener.local_addr().expect("is bound");
        let (start_tls, implicit_tls) = (address(&one), address(&other));
        let gateway = Gateway::new(app, &certificate).expect("TLS");
        let stop = CancellationToken::new();
        let listeners = vec![(one, Security::StartTls), (other, Security::Tls)];
        let serving = tokio::spawn(gateway.serve(Arc::clone(&certificate), listeners, stop.clone()));
        Self { start_tls, implicit_tls, certificate, folder, stop, serving: Some(serving) }
    }

    /// A client that has signed in with a key.
    pub async fn client(&self, key: &Key) -> SmtpClient {
        let (client, greeting) = SmtpClient::connect(self.start_tls).await;
        assert!(greeting.starts_with("220 "), "{greeting}");
        let mut client = client.start_tls().await;
        let reply = client.sign_in("anybody", &key.text).await;
        assert_eq!(reply, "235 2.7.0 Signed in");
        client
    }

    pub async fn stop(&mut self) {
        self.stop.cancel();
        self.serving.take().expect("stops once").await.expect("no panic");
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

pub struct Key {
    pub id: Uuid,
    pub text: String,
}

/// Makes a key, which `change` may limit.
pub async fn key_of(app: &App, owner: KeyOwner, change: impl FnOnce(&mut ApiKey)) -> Key {
    let new = NewKey::generate().expect("randomness");
    let mut key = ApiKey {
        id: new.id,
        owner,
        name: "a program".to_owned(),
        permission: Permission::SendingAccess,
        allowed_senders: None,
        is_test: false,
        created_at: app.clock.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    change(&mut key);
    let write = Write::default().then(api_keys::insert(&key, &new.hash));
    assert_eq!(app.db.write(write).await.expect("it is stored"), WriteOutcome::Committed);
    Key { id: key.id, text: new.text.expose().to_owned() }
}

pub fn tenant(name: &str) -> KeyOwner {
    KeyOwner::Tenant(TenantId::from_operator(name))
}

/// A service with a gateway, the account of the tenant `acme` and its mail server, and a key.
pub struct Site {
    pub post: Post,
    pub door: Door,
    pub key: Key,
}

impl Site {
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// Mail that is taken waits.
    pub async fn waiting() -> Self {
        Self::with(|config| config.delivery.enabled = false).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let post = Post::with(Script::starttls(), change).await;
        let door = Door::open(&post.app.app).await;
        let key = key_of(&post.app.app, tenant("acme"), |_| {}).await;
        Self { post, door, key }
    }

    pub fn app(&self) -> &Arc<App> {
        &self.post.app.app
    }

    pub fn admin(&self) -> Client {
        self.post.admin()
    }

    pub async fn client(&self) -> SmtpClient {
        self.door.client(&self.key).await
    }

    /// Sends a message with the usual envelope over a connection of its own.
    pub async fn send(&self, message: &str) -> String {
        self.client().await.send(FROM, &[TO], message.as_bytes()).await
    }

    /// How many emails are stored.
    pub async fn count(&self) -> usize {
        self.post.app.database.count("emails").await
    }
}

/// The id in `250 2.0.0 queued as ID`.
pub fn id(reply: &str) -> String {
    let id = reply.strip_prefix("250 2.0.0 queued as ").unwrap_or_else(|| panic!("not taken: {reply}"));
    id.parse::<Uuid>().expect("an id").to_string()
}

/// What follows our own trace line.
pub fn below_received(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).into_owned();
    let rest = text.strip_prefix("Received: by ").expect("a trace line").to_owned();
    let (line, rest) = rest.split_once("\r\n\t").expect("folded before its date");
    assert!(line.contains(" (transports) with ESMTPSA id "), "{line}");
    rest.split_once("\r\n").expect("the date").1.to_owned()
}

/// A time ahead of the tests' clock.
pub fn later(app: &App, seconds: i64) -> Timestamp {
    Timestamp(app.clock.now().0 + seconds * 1_000)
}
