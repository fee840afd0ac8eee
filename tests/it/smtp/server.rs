//! The SMTP server over sockets: connections in number, clients that stay silent, never read, or leave half-way.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use transports::smtp::server::{
    Client, FrontDoor, Limits, MessageOctets, Outcome, Server, SignIn, SignInRule, Transaction,
};
use transports::smtp::{EnhancedCode, Reply, Security};

use crate::support::certificates;
use crate::support::eventually::eventually;
use crate::support::raw::{connect, exchange, rest, size};

/// Takes mail of anyone, and counts it.
struct Door {
    tls: Mutex<Arc<ServerConfig>>,
    messages: AtomicUsize,
    counts_peers: bool,
}

impl FrontDoor for Door {
    type Caller = ();

    fn hostname(&self) -> &'static str {
        "mx.example"
    }

    fn banner(&self) -> &'static str {
        "ESMTP"
    }

    fn help(&self) -> &'static str {
        "See RFC 5321"
    }

    fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls.lock().expect("not poisoned"))
    }

    fn sign_in_rule(&self, _: bool) -> SignInRule {
        SignInRule::Optional
    }

    fn peer_group(&self, _: IpAddr) -> Option<u128> {
        self.counts_peers.then_some(1)
    }

    async fn admit(&self, _: SocketAddr) -> Result<(), Reply> {
        Ok(())
    }

    async fn sign_in(&self, _: &Client<()>, _: SignIn) -> Result<(), Reply> {
        Ok(())
    }

    async fn begin(&self, _: &Client<()>, _: &Transaction) -> Result<(), Reply> {
        Ok(())
    }

    async fn add_recipient(&self, _: &Client<()>, _: &Transaction, _: &str) -> Result<(), Reply> {
        Ok(())
    }

    async fn accept(&self, _: &Client<()>, _: Transaction, _: MessageOctets) -> Outcome {
        self.messages.fetch_add(1, Ordering::SeqCst);
        Outcome::Reply(Reply::new(250, EnhancedCode(2, 0, 0), "queued"))
    }
}

struct Running {
    server: Arc<Server<Door>>,
    address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(limits: Limits, counts_peers: bool) -> Self {
        let tls = Mutex::new(certificates::server().server_config(&[&TLS13]));
        let server = Server::new(Door { tls, messages: AtomicUsize::new(0), counts_peers }, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(Arc::clone(&server).serve(listener, Security::StartTls, stop.clone()));
        Self { server, address, stop, serving }
    }

    fn messages(&self) -> usize {
        self.server.door().messages.load(Ordering::SeqCst)
    }

    /// Sends one mail; returns whether it was accepted.
    async fn deliver(&self) -> bool {
        let mail = b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n";
        let replies = exchange(self.address, mail).await;
        String::from_utf8_lossy(&replies).contains("250 2.0.0 queued")
    }
}

/// The certificate that is shown after STARTTLS.
async fn certificate(address: SocketAddr) -> CertificateDer<'static> {
    let mut stream = connect(address).await;
    stream.write_all(b"EHLO me\r\n").await.expect("can be sent");
    let mut replies = String::new();
    while !replies.ends_with("250 ENHANCEDSTATUSCODES\r\n") {
        replies.push(char::from(stream.read_u8().await.expect("a reply")));
    }
    stream.write_all(b"STARTTLS\r\n").await.expect("can be sent");
    while !replies.ends_with("220 2.0.0 Begin TLS\r\n") {
        replies.push(char::from(stream.read_u8().await.expect("a reply")));
    }
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(certificates::client_config());
    let stream = connector.connect(name, stream).await.expect("a trusted certificate");
    stream.get_ref().1.peer_certificates().expect("a chain")[0].clone().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_may_change_while_the_server_listens() {
    let running = Running::start(Limits::default(), false).await;
    let first = certificate(running.address).await;
    assert_eq!(certificate(running.address).await, first);
    let second = certificates::valid_for(&["localhost"]);
    *running.server.door().tls.lock().expect("not poisoned") = second.server_config(&[&TLS13]);
    assert_ne!(certificate(running.address).await, first);
}

/// How many silent clients there are.
fn clients() -> usize {
    size("TEST_SMTP_CLIENTS", 200)
}

/// Security case N13.
#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_on_every_place_keep_nobody_out() {
    let limits =
        Limits { max_connections: clients(), min_idle: Duration::from_millis(1), ..Limits::default() };
    let running = Running::start(limits, false).await;
    let mut silent = Vec::new();
    for number in 0..clients() {
        let mut stream = connect(running.address).await;
        // Some have said something, and some half of a line.
        let said = ["", "EHLO me\r\n", "EHLO me\r\nNOOP\r\n", "EH"][number % 4];
        stream.write_all(said.as_bytes()).await.expect("can be sent");
        stream.read_u8().await.expect("a greeting");
        silent.push(stream);
    }
    for _ in 0..10 {
        assert!(running.deliver().await);
    }
    let told = rest(&mut silent[0]).await;
    assert!(String::from_utf8_lossy(&told).ends_with("421 4.7.0 Too many connections, closing idle one\r\n"));
    assert_eq!(running.messages(), 10);
}

/// Security case N13.
#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_a_peers_share_are_refused_and_given_back() {
    let limits =
        Limits { max_connections_per_peer: 5, min_idle: Duration::from_hours(1), ..Limits::default() };
    let running = Running::start(limits, true).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = connect(running.address).await;
        assert_eq!(stream.read_u8().await.expect("a greeting"), b'2');
        streams.push(stream);
    }
    let refused = exchange(running.address, b"").await;
    assert_eq!(String::from_utf8_lossy(&refused), "421 4.7.0 Too many connections\r\n");
    drop(streams);
    eventually("a place is free again", async || running.deliver().await).await;
}

/// Security case N10.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_are_cut_off_and_cost_nobody_else() {
    let limits =
        Limits { write: Duration::from_millis(200), max_idle_commands: usize::MAX, ..Limits::default() };
    let running = Running::start(limits, false).await;
    let floods: Vec<_> = (0..clients() / 10)
        .map(|_| {
            let address = running.address;
            tokio::spawn(async move {
                let mut stream = connect(address).await;
                let commands = b"HELP\r\n".repeat(1_000);
                // Nothing is read: at some time the server resets the connection.
                while stream.write_all(&commands).await.is_ok() {}
            })
        })
        .collect();
    for _ in 0..10 {
        assert!(running.deliver().await);
    }
    for flood in floods {
        flood.await.expect("ends by itself");
    }
}

/// Security case N14.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_half_way_leave_nothing() {
    let running = Running::start(Limits { max_connections: 4, ..Limits::default() }, false).await;
    let begin = "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
    for number in 0..clients() {
        let said = [
            String::new(),
            "EH".to_owned(),
            begin.to_owned(),
            format!("{begin}DATA\r\nhalf"),
            format!("{begin}DATA\r\nhalf\r\n."),
            format!("{begin}BDAT 100 LAST\r\nhalf\r\n"),
            "EHLO me\r\nSTARTTLS\r\n".to_owned(),
            "EHLO me\r\nAUTH LOGIN\r\n".to_owned(),
        ];
        let mut stream = connect(running.address).await;
        let _ = stream.write_all(said[number % said.len()].as_bytes()).await;
        if number % 2 == 0 {
            // Half-open: it says no more, and would read.
            stream.shutdown().await.expect("can be closed");
            rest(&mut stream).await;
        }
    }
    eventually("the places are free", async || running.deliver().await).await;
    assert_eq!(running.messages(), 1, "half a message is none");
}

/// Security case N13.
#[tokio::test(flavor = "multi_thread")]
async fn many_connections_deliver_at_once() {
    let running =
        Arc::new(Running::start(Limits { max_connections: 10_000, ..Limits::default() }, false).await);
    let sending: Vec<_> = (0..clients())
        .map(|_| {
            let running = Arc::clone(&running);
            tokio::spawn(async move { running.deliver().await })
        })
        .collect();
    for sent in sending {
        assert!(sent.await.expect("no panic"));
    }
    assert_eq!(running.messages(), clients());
}

/// Security case N12.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_the_listener_and_ends_what_never_ends() {
    let limits = Limits { shutdown: Duration::from_millis(200), ..Limits::default() };
    let running = Running::start(limits, false).await;
    let mut idle = connect(running.address).await;
    let mut busy = connect(running.address).await;
    busy.write_all(b"EHLO me\r\nMAIL FROM:<a@b>\r\n").await.expect("can be sent");
    let mut replies = String::new();
    while !replies.ends_with("250 2.1.0 OK\r\n") {
        replies.push(char::from(busy.read_u8().await.expect("a reply")));
    }
    running.stop.cancel();
    assert!(String::from_utf8_lossy(&rest(&mut idle).await).contains("421 4.3.2"));
    running.serving.await.expect("ends by itself");
    assert!(String::from_utf8_lossy(&rest(&mut busy).await).starts_with("421 4.3.2"), "it never went on");
}
