//! An issuer's key set over HTTP/1.1 on loopback: changeable, countable, and it can go away or be slow.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Ends with the test's runtime.
pub struct JwksServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    document: Mutex<String>,
    requests: AtomicUsize,
    down: AtomicBool,
    slow: AtomicBool,
    let_go: Notify,
}

impl JwksServer {
    pub async fn start(document: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let server = Self { address, shared: Arc::clone(&shared) };
        server.serve(document);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.address)
    }

    /// The key set from now on.
    pub fn serve(&self, document: &Value) {
        *self.shared.document.lock().unwrap() = document.to_string();
    }

    /// While down, a request is counted and its connection closed without an answer.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    /// While slow, a request is counted and waits for [`Self::let_go`].
    pub fn set_slow(&self, slow: bool) {
        self.shared.slow.store(slow, Ordering::SeqCst);
    }

    /// Answers one request that waits, or the next that will.
    pub fn let_go(&self) {
        self.shared.let_go.notify_one();
    }

    /// How many requests have come in.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

async fn answer(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if head.len() < 16 * 1024 => head.push(byte),
            _ => return,
        }
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    if shared.down.load(Ordering::SeqCst) {
        return;
    }
    if shared.slow.load(Ordering::SeqCst) {
        shared.let_go.notified().await;
    }
    let body = shared.document.lock().unwrap().clone();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    // The client may have gone; then there is nobody to tell.
    let _ = stream.write_all(answer.as_bytes()).await;
}
