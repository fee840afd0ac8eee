//! The inbox of `transports dev` through raw sockets, and its pages through their router.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::ServiceExt as _;
use transports::clock::{Clock, Timestamp};
use transports::dev::certificates;
use transports::dev::folder::Folder;
use transports::dev::inbox::Inbox;
use transports::dev::pages;
use transports::dev::smtp::{MAX_MESSAGE, Security, Server};
use transports::secret::Secret;

const PASSWORD: &str = "the password of the inbox";

/// 2026-01-01T00:00:00Z
const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// An inbox that listens, and what it takes to trust it.
struct Running {
    inbox: Inbox,
    port: u16,
    tls_port: u16,
    authority: CertificateDer<'static>,
}

impl Running {
    async fn start() -> Self {
        // The certificate has to hold at this moment for the client's library, whatever the inbox's clock says.
        let path = std::env::temp_dir().join(format!("transports-inbox-{}", uuid::Uuid::new_v4().simple()));
        let folder = Folder::open(&path).expect("a new folder");
        let identity = certificates::identity(&folder, Clock::System.now()).expect("a certificate");
        let authority = CertificateDer::from_pem_file(&identity.authority_file).expect("a certificate");
        std::fs::remove_dir_all(path).expect("can be removed");
        let (inbox, password) = (Inbox::default(), Secret::new(PASSWORD.to_owned()));
        let server = Server::new(inbox.clone(), identity.tls, password, Clock::manual(NOW));
        let mut ports = Vec::new();
        for security in [Security::StartTls, Security::Implicit] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            ports.push(listener.local_addr().expect("is bound").port());
            tokio::spawn(Arc::clone(&server).serve(listener, security));
        }
        Self { inbox, port: ports[0], tls_port: ports[1], authority }
    }

    /// A session in the clear, greeted.
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
        pages::router(self.inbox.clone()).oneshot(request).await.expect("never fails")
    }

    /// Sends one mail in the clear.
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

    /// A whole reply; none where the connection has ended.
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

    /// Sends a line and expects a reply that begins so.
    async fn say(&mut self, line: &str, start: &'static str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.expect(start).await
    }

    async fn sign_in(&mut self) {
        let response = STANDARD.encode(format!("\0dev\0{PASSWORD}"));
        self.say(&format!("AUTH PLAIN {response}"), "235 2.7.0").await;
    }

    /// A whole transaction; `source` is sent as it is, and `start` begins the last reply.
    async fn mail(&mut self, source: &str, start: &'static str) -> String {
        self.say("MAIL FROM:<platform@example.com>", "250").await;
        self.say("RCPT TO:<you@example.com>", "250").await;
        self.say("DATA", "354").await;
        self.send(source.as_bytes()).await;
        self.say("\r\n.", start).await
    }

    /// Nothing more comes.
    async fn expect_end(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

const MAIL: &str = "From: Acme <platform@example.com>\r\nTo: you@example.com\r\nSubject: Hello\r\n\r\nText";

#[tokio::test]
async fn a_mail_over_starttls_is_caught() {
    let running = Running::start().await;
    let mut peer = running.start_tls().await;
    peer.say("MAIL FROM:<a@b>", "530 5.7.0").await;
    peer.sign_in().await;
    peer.mail(MAIL, "250 2.0.0 Caught as 1").await;
    peer.say("QUIT", "221").await;
    peer.expect_end().await;
    let mails = running.inbox.newest_first();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].received, NOW);
    assert_eq!(mails[0].envelope.sender, "platform@example.com");
    assert_eq!(mails[0].envelope.recipients, ["you@example.com"]);
    assert!(mails[0].envelope.encrypted && mails[0].envelope.signed_in);
    assert_eq!(String::from_utf8_lossy(&mails[0].source), format!("{MAIL}\r\n"));
}

#[tokio::test]
async fn tls_from_the_first_byte_has_a_port_of_its_own() {
    let running = Running::start().await;
    let mut peer = Peer::new(running.encrypt(tcp(running.tls_port).await).await);
    peer.expect("220").await;
    let offered = peer.say("EHLO me", "250").await;
    assert!(!offered.contains("STARTTLS"), "{offered}");
    peer.sign_in().await;
    peer.mail(MAIL, "250").await;
    assert!(running.inbox.newest_first()[0].envelope.encrypted);
}

#[tokio::test]
async fn in_the_clear_nobody_has_to_sign_in_but_a_password_is_checked() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.say("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
    peer.say(&STANDARD.encode("dev"), "334 UGFzc3dvcmQ6").await;
    peer.say(&STANDARD.encode("guess"), "535 5.7.8").await;
    peer.sign_in().await;
    peer.mail(MAIL, "250").await;
    let signed_in: Vec<bool> =
        running.inbox.newest_first().iter().map(|mail| mail.envelope.signed_in).collect();
    assert_eq!(signed_in, [true, false]);
}

#[tokio::test]
async fn a_wrong_password_over_tls_lets_no_mail_in() {
    let running = Running::start().await;
    let mut peer = running.start_tls().await;
    peer.say(&format!("AUTH PLAIN {}", STANDARD.encode("\0dev\0guess")), "535 5.7.8").await;
    peer.say("MAIL FROM:<a@b>", "530 5.7.0").await;
    assert!(running.inbox.newest_first().is_empty());
}

#[tokio::test]
async fn commands_sent_together_are_answered_in_order() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.send(
        b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<nouser@c>\r\nRCPT TO:<d@e>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n\
          .\r\nNOOP\r\nQUIT\r\n",
    )
    .await;
    for start in ["250-localhost", "250 2.1.0", "550 5.1.1", "250 2.1.5", "354", "250 2.0.0", "250", "221"] {
        peer.expect(start).await;
    }
    let mail = &running.inbox.newest_first()[0];
    assert_eq!(mail.envelope.recipients, ["d@e"]);
    assert_eq!(mail.source, b"Subject: x\r\n\r\n.\r\n");
}

#[tokio::test]
async fn d1_what_follows_starttls_in_the_clear_ends_the_session() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.send(b"STARTTLS\r\nEHLO injected\r\n").await;
    peer.expect("503 5.5.1 Nothing may follow STARTTLS").await;
    peer.expect_end().await;
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_refused_and_the_next_one_taken() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.say(&format!("MAIL FROM:<a@b> SIZE={}", MAX_MESSAGE + 1), "552 5.3.4").await;
    peer.mail(&"x".repeat(MAX_MESSAGE), "552 5.3.4").await;
    peer.mail(MAIL, "250").await;
    assert_eq!(running.inbox.newest_first().len(), 1);
}

#[tokio::test]
async fn a_line_without_end_ends_the_session() {
    let running = Running::start().await;
    for line in ["x".repeat(20_000), format!("{}\r\n", "x".repeat(12_287))] {
        let mut peer = running.connect().await;
        // The inbox may be gone before all of it is sent.
        let _ = peer.stream.write_all(line.as_bytes()).await;
        let _ = peer.stream.flush().await;
        peer.expect("500 5.5.6").await;
    }
    let mut peer = running.connect().await;
    peer.say(&"x".repeat(12_286), "500 5.5.1").await;
}

#[tokio::test]
async fn a_client_that_breaks_off_leaves_nothing() {
    let running = Running::start().await;
    let mut peer = running.connect().await;
    peer.say("EHLO me", "250").await;
    peer.say("MAIL FROM:<a@b>", "250").await;
    peer.say("RCPT TO:<c@d>", "250").await;
    peer.say("DATA", "354").await;
    peer.send(b"Subject: half\r\n\r\n.").await;
    peer.stream.shutdown().await.expect("can be closed");
    peer.expect_end().await;
    assert!(running.inbox.newest_first().is_empty());
}

#[tokio::test]
async fn the_inbox_is_told_as_json() {
    let running = Running::start().await;
    running.deliver("Subject: first\r\n\r\n1").await;
    let mut peer = running.start_tls().await;
    peer.sign_in().await;
    let source = "From: =?utf-8?q?=C3=9Cbung?= <platform@example.com>\r\nTo: you@example.com\r\n\
                  Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Thu, 1 Jan 2026 01:00:00 +0100\r\n\r\n..Dots";
    peer.mail(source, "250").await;
    let response = running.get("/dev/inbox.json").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let all: Value = serde_json::from_str(&text(response).await).expect("JSON");
    assert_eq!(
        all["mails"][0],
        json!({
            "id": "2",
            "receivedAt": "2026-01-01T00:00:00.000Z",
            "from": "Übung <platform@example.com>",
            "to": ["you@example.com"],
            "subject": "Grüße",
            "date": "2026-01-01T00:00:00.000Z",
            "text": ".Dots\r\n",
            "envelope": {
                "from": "platform@example.com", "to": ["you@example.com"], "encrypted": true, "signedIn": true,
            },
            // With the last line end, without the stuffed dot.
            "size": source.len() + 2 - 1,
            "source": "/dev/inbox/2.eml",
        })
    );
    assert_eq!(all["mails"][1]["subject"], "first");
    assert_eq!(all["mails"][1].get("date"), None);
    assert_eq!(all["mails"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_source_of_a_mail_comes_byte_by_byte() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    let response = running.get("/dev/inbox/1.eml").await;
    assert_eq!(response.headers()["content-type"], "message/rfc822");
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"1.eml\"");
    assert_eq!(text(response).await, format!("{MAIL}\r\n"));
}

#[tokio::test]
async fn a_script_in_a_mail_is_shown_and_never_run() {
    let running = Running::start().await;
    let script = "<script>alert(1)</script>";
    running
        .deliver(&format!(
            "From: \"{script}\" <a@b>\r\nTo: \"{script}\" <c@d>\r\nSubject: {script}\r\nX-{script}: 1\r\n\
             Content-Type: text/html\r\n\r\n{script}&lt;script&gt;"
        ))
        .await;
    for path in ["/dev/inbox", "/dev/inbox/1"] {
        let response = running.get(path).await;
        let policy = response.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let page = text(response).await;
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    }
}

#[tokio::test]
async fn the_inbox_is_emptied_by_delete() {
    let running = Running::start().await;
    for path in ["/dev/inbox", "/dev/inbox.json"] {
        running.deliver(MAIL).await;
        let response = running.request("DELETE", path, "127.0.0.1:8080").await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert!(running.inbox.newest_first().is_empty());
    }
    assert!(text(running.get("/dev/inbox").await).await.contains("No mail yet"));
    assert_eq!(text(running.get("/dev/inbox.json").await).await, r#"{"mails":[]}"#);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_cannot_be_done_405() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    for (method, path, status) in [
        ("GET", "/dev/inbox/1", 200),
        ("GET", "/dev/inbox.css", 200),
        ("GET", "/dev/inbox/2", 404),
        ("GET", "/dev/inbox/2.eml", 404),
        ("GET", "/dev/inbox/-1", 404),
        ("GET", "/dev/inbox/1.html", 404),
        ("GET", "/dev/inbox/..%2f1", 404),
        ("POST", "/dev/inbox", 405),
        ("PUT", "/dev/inbox/1", 405),
    ] {
        let response = running.request(method, path, "localhost").await;
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_page_under_the_name_of_another_host_gets_nothing() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    for path in ["/dev/inbox", "/dev/inbox.json", "/dev/inbox/1", "/dev/inbox/1.eml"] {
        for method in ["GET", "DELETE"] {
            let response = running.request(method, path, "evil.example:8080").await;
            assert!(response.status().is_client_error(), "{method} {path}");
            assert!(!text(response).await.contains("Hello"), "{method} {path}");
        }
        assert_eq!(running.request("GET", path, "[::1]:8080").await.status(), StatusCode::OK);
    }
    assert_eq!(running.inbox.newest_first().len(), 1, "nothing was emptied");
}
