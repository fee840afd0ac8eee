//! The inbox of `transports dev`: its SMTP server through sockets, its pages through their router.

mod pages;
mod sessions;

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use transports::clock::{Clock, Timestamp};
use transports::dev::certificates;
use transports::dev::folder::Folder;
use transports::dev::inbox::Inbox;
use transports::secret::Secret;
use transports::smtp::Security;

const PASSWORD: &str = "the password of the inbox";

/// 2026-01-01T00:00:00Z
const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// A listening inbox and its certificate authority.
pub struct Running {
    pub inbox: Inbox,
    pub port: u16,
    tls_port: u16,
    authority: CertificateDer<'static>,
}

impl Running {
    pub async fn start() -> Self {
        // The client's library uses the system's clock, so the certificate must be valid now.
        let path = std::env::temp_dir().join(format!("transports-inbox-{}", uuid::Uuid::new_v4().simple()));
        let folder = Folder::open(&path).expect("a new folder");
        let identity = certificates::load_or_issue(&folder, Clock::System.now()).expect("a certificate");
        let authority = CertificateDer::from_pem_file(&identity.authority_file).expect("a certificate");
        std::fs::remove_dir_all(path).expect("can be removed");
        let (inbox, password) = (Inbox::default(), Secret::new(PASSWORD.to_owned()));
        let clock = Clock::manual(NOW);
        let server = transports::dev::smtp::server(inbox.clone(), identity.tls, password, clock);
        let mut ports = Vec::new();
        for security in [Security::StartTls, Security::Tls] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            ports.push(listener.local_addr().expect("is bound").port());
            tokio::spawn(Arc::clone(&server).serve(listener, security, CancellationToken::new()));
        }
        Self { inbox, port: ports[0], tls_port: ports[1], authority }
    }

    /// A session without TLS, after the greeting.
    async fn connect(&self) -> Peer<TcpStream> {
        let mut peer = Peer::new(tcp(self.port).await);
        peer.expect("220").await;
        peer
    }

    /// A session over STARTTLS.
    async fn start_tls(&self) -> Peer<TlsStream<TcpStream>> {
        let mut peer = self.connect().await;
        peer.say("EHLO me", "250").await;
        peer.say("STARTTLS", "220 2.0.0").await;
        let mut peer = Peer::new(self.encrypt(peer.stream.into_inner()).await);
        peer.say("EHLO me", "250").await;
        peer
    }

    async fn encrypt(&self, stream: TcpStream) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.clone()).expect("an authority");
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a trusted certificate")
    }

    async fn get(&self, path: &str) -> Response {
        self.request("GET", path, "localhost:8080").await
    }

    async fn request(&self, method: &str, path: &str, host: &str) -> Response {
        let request = Request::builder().method(method).uri(path).header("host", host);
        let request = request.body(Body::empty()).expect("a request");
        let password = Secret::new(PASSWORD.to_owned());
        transports::dev::pages::router(self.inbox.clone(), password)
            .oneshot(request)
            .await
            .expect("never fails")
    }

    /// Sends one mail without TLS.
    async fn deliver(&self, source: &str) {
        let mut peer = self.connect().await;
        peer.say("EHLO me", "250").await;
        peer.mail(source, "250").await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a test connects to the inbox under test")]
async fn tcp(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.expect("the inbox listens")
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The client's side of a session.
struct Peer<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("can be sent");
        self.stream.flush().await.expect("can be sent");
    }

    /// A whole reply; none where the connection was closed.
    async fn reply(&mut self) -> Option<String> {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return None;
            }
            assert!(line.ends_with("\r\n"), "{line:?}");
            let last = line.as_bytes().get(3) == Some(&b' ');
            reply.push_str(&line);
            if last {
                return Some(reply);
            }
        }
    }

    async fn expect(&mut self, start: &'static str) -> String {
        let reply = self.reply().await.unwrap_or_default();
        assert!(reply.starts_with(start), "{reply:?} instead of {start}");
        reply
    }

    /// Sends a line and expects a reply that begins with `start`.
    async fn say(&mut self, line: &str, start: &'static str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.expect(start).await
    }

    async fn sign_in(&mut self) {
        let response = STANDARD.encode(format!("\0dev\0{PASSWORD}"));
        self.say(&format!("AUTH PLAIN {response}"), "235 2.7.0").await;
    }

    /// Runs a transaction with `source` unchanged, and expects a last reply that begins with `start`.
    async fn mail(&mut self, source: &str, start: &'static str) -> String {
        self.say("MAIL FROM:<platform@example.com>", "250").await;
        self.say("RCPT TO:<you@example.com>", "250").await;
        self.say("DATA", "354").await;
        self.send(source.as_bytes()).await;
        self.say("\r\n.", start).await
    }

    /// Expects the end of the connection.
    async fn expect_end(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

const MAIL: &str = "From: Acme <platform@example.com>\r\nTo: you@example.com\r\nSubject: Hello\r\n\r\nText";
