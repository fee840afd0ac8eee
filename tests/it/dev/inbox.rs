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
        let identity = certificates::load_or_issue(&folder, Clock::System.now()).expect("a certificate");
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

/// Security case D1.
#[tokio::test]
async fn what_follows_starttls_in_the_clear_ends_the_session() {
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
            "attachments": [],
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
    let views = ["html", "text", "headers", "source"].map(|view| format!("/dev/inbox/1?view={view}"));
    for path in ["/dev/inbox", "/dev/inbox/1"].into_iter().chain(views.iter().map(String::as_str)) {
        let response = running.get(path).await;
        assert_eq!(
            response.headers()["content-security-policy"],
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let page = text(response).await;
        let own = "<script type=\"module\" src=\"/dev/inbox.js\"></script>";
        assert!(page.contains(own) && page.matches("<script").count() == 1, "{page}");
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

/// A mail as marketing sends it: text and HTML, an inline image, an attachment, remote images.
const NEWSLETTER: &str = "From: Acme <a@b>\r\nTo: c@d\r\nCc: e@f\r\nSubject: News\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n\
    --r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
    --a\r\nContent-Type: text/plain\r\n\r\nPlain words\r\n\
    --a\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script><p onclick=x()>Rich</p>\
    <img src=\"cid:logo@acme\"><img src=\"https://tracker.example/1.gif\">\
    <base href=\"https://evil.example/\"><form action=\"/dev/inbox\"><meta http-equiv=refresh content=\"0;/\">\r\n\
    --a--\r\n\
    --r\r\nContent-Type: image/png\r\nContent-ID: <logo@acme>\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    iVBORw0KGgo=\r\n--r--\r\n\
    --m\r\nContent-Type: text/html; name=\"page.html\"\r\n\
    Content-Disposition: attachment; filename=\"../evil \\\"page\\\".html\"\r\n\r\n<script>alert(2)</script>\r\n--m--\r\n";

#[tokio::test]
async fn the_html_of_a_mail_is_shown_where_it_can_do_nothing() {
    let running = Running::start().await;
    running.deliver(NEWSLETTER).await;
    let page = text(running.get("/dev/inbox/1").await).await;
    let frame = page.split("<iframe ").nth(1).and_then(|rest| rest.split('>').next()).expect("a frame");
    assert!(frame.contains("src=\"/dev/inbox/1/html\""), "{frame}");
    assert!(frame.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), "{frame}");
    let response = running.get("/dev/inbox/1/html").await;
    assert_eq!(
        response.headers()["content-security-policy"],
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    );
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    let html = text(response).await;
    assert!(html.starts_with("<!doctype html><meta charset=\"utf-8\"><base target=\"_blank\">"), "{html}");
    assert!(html.contains("<img src=\"data:image/png;base64,iVBORw0KGgo=\">"), "{html}");
    assert!(
        html.contains("https://tracker.example/1.gif"),
        "it stands there, and the policy keeps it from loading"
    );
    running.deliver(MAIL).await;
    assert_eq!(
        running.get("/dev/inbox/2/html").await.status(),
        StatusCode::NOT_FOUND,
        "a mail of text alone"
    );
    assert!(!text(running.get("/dev/inbox/2?view=html").await).await.contains("<iframe"));
}

#[tokio::test]
async fn an_attachment_is_a_download_that_is_no_page_and_no_script() {
    let running = Running::start().await;
    running.deliver(NEWSLETTER).await;
    let all: Value = serde_json::from_str(&text(running.get("/dev/inbox.json").await).await).expect("JSON");
    let mail = &all["mails"][0];
    assert_eq!((&mail["html"], &mail["cc"]), (&json!("/dev/inbox/1/html"), &json!(["e@f"])));
    assert_eq!(
        mail["attachments"],
        json!([
            {"contentType": "image/png", "size": 8, "contentId": "logo@acme", "url": "/dev/inbox/1/attachments/0"},
            {"name": "../evil \"page\".html", "contentType": "text/html", "size": 25,
             "url": "/dev/inbox/1/attachments/1"},
        ])
    );
    let page = running.get("/dev/inbox/1/attachments/1").await;
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        (
            "content-disposition",
            "attachment; filename=\"evil _page_.html\"; filename*=UTF-8''evil%20%22page%22.html",
        ),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.headers()[name], value);
    }
    assert_eq!(text(page).await, "<script>alert(2)</script>");
    let image = running.get("/dev/inbox/1/attachments/0").await;
    assert_eq!(image.headers()["content-type"], "image/png");
    assert!(image.headers()["content-disposition"].to_str().expect("text").starts_with("attachment; "));
    for path in ["/dev/inbox/1/attachments/2", "/dev/inbox/1/attachments/-1", "/dev/inbox/2/attachments/0"] {
        assert_eq!(running.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let view = text(running.get("/dev/inbox/1?view=attachments").await).await;
    assert!(
        view.contains("href=\"/dev/inbox/1/attachments/1\" download>../evil &quot;page&quot;.html</a>"),
        "{view}"
    );
}

#[tokio::test]
async fn a_mail_of_nothing_but_trouble_is_shown() {
    let running = Running::start().await;
    let huge = "x".repeat(100_000);
    let many: Vec<String> = (0..5000).map(|number| format!("X-{number}: {number}\r\n")).collect();
    let nested = (0..200)
        .map(|depth| format!("--{depth}\r\nContent-Type: multipart/mixed; boundary={}\r\n\r\n", depth + 1));
    for source in [
        format!("Subject: {huge}\r\nX-{huge}: {huge}\r\n\r\n{huge}"),
        format!("{}\r\nbody", many.concat()),
        format!("Content-Type: multipart/mixed; boundary=0\r\n\r\n{}", nested.collect::<String>()),
        "Content-Type: text/html; charset=nonsense\r\n\r\n<img src=\"cid:\"><img src='cid:%'>".to_owned(),
        "Content-Type: multipart/mixed\r\n\r\nno boundary".to_owned(),
        "\0\u{1}\u{2}".to_owned(),
    ] {
        running.deliver(&source).await;
        let id = running.inbox.newest_first()[0].id;
        for path in ["", "?view=html", "?view=text", "?view=headers", "?view=attachments", "?view=source"] {
            let response = running.get(&format!("/dev/inbox/{id}{path}")).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert!(text(response).await.ends_with("</html>\n"), "{path}");
        }
        assert_eq!(running.get("/dev/inbox").await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn words_are_looked_for_in_everything_that_is_read() {
    let running = Running::start().await;
    running.deliver(NEWSLETTER).await;
    running.deliver("From: Grace <g@h>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nAnother body").await;
    for (words, ids) in [
        ("", &["2", "1"][..]),
        ("gr%C3%9C%C3%9FE", &["2"]),
        ("another", &["2"]),
        ("+plain+words+", &["1"]),
        ("e%40f", &["1"]),
        ("evil", &["1"]),
        ("acme", &["1"]),
        ("nothing%20of%20that", &[]),
    ] {
        let found = text(running.get(&format!("/dev/inbox.json?q={words}")).await).await;
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let found: Vec<&str> = found["mails"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|mail| mail["id"].as_str())
            .collect();
        assert_eq!(found, ids, "{words}");
        let page = text(running.get(&format!("/dev/inbox?q={words}")).await).await;
        assert_eq!(page.matches("<li><a ").count(), ids.len(), "{words}");
    }
    let hostile = text(running.get("/dev/inbox?q=%22%3E%3Cscript%3E").await).await;
    assert!(hostile.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{hostile}");
    assert!(hostile.contains("No mail has these words."), "{hostile}");
}

#[tokio::test]
async fn one_mail_is_removed_and_the_others_stay() {
    let running = Running::start().await;
    for _ in 0..3 {
        running.deliver(MAIL).await;
    }
    assert_eq!(running.request("DELETE", "/dev/inbox/2", "localhost").await.status(), StatusCode::NO_CONTENT);
    for path in ["/dev/inbox/2", "/dev/inbox/nonsense", "/dev/inbox/1.eml"] {
        assert_eq!(
            running.request("DELETE", path, "localhost").await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let left: Vec<u64> = running.inbox.newest_first().iter().map(|mail| mail.id).collect();
    assert_eq!(left, [3, 1]);
}

#[tokio::test]
async fn a_page_is_told_of_every_change_until_the_program_ends() {
    let running = Running::start().await;
    let response = running.get("/dev/inbox/events").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await?.expect("nothing breaks");
        Some(String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text"))
    };
    assert_eq!(next().await.as_deref(), Some("event: change\ndata: 0\n\n"), "one at once");
    running.deliver(MAIL).await;
    assert_eq!(next().await.as_deref(), Some("event: change\ndata: 1\n\n"));
    running.inbox.remove(1);
    assert_eq!(next().await.as_deref(), Some("event: change\ndata: 2\n\n"));
    running.inbox.close();
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_cannot_be_done_405() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    for (method, path, status) in [
        ("GET", "/dev/inbox/1", 200),
        ("GET", "/dev/inbox.css", 200),
        ("GET", "/dev/inbox.js", 200),
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
    running.deliver(NEWSLETTER).await;
    for path in [
        "/dev/inbox",
        "/dev/inbox.json",
        "/dev/inbox/1",
        "/dev/inbox/1.eml",
        "/dev/inbox/2/html",
        "/dev/inbox/2/attachments/0",
        "/dev/inbox/events",
    ] {
        for method in ["GET", "DELETE"] {
            let response = running.request(method, path, "evil.example:8080").await;
            assert!(response.status().is_client_error(), "{method} {path}");
            assert!(!text(response).await.contains("Hello"), "{method} {path}");
        }
        assert_eq!(running.request("GET", path, "[::1]:8080").await.status(), StatusCode::OK);
    }
    assert_eq!(running.inbox.newest_first().len(), 2, "nothing was emptied");
}
