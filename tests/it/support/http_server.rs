//! A scripted HTTP/1.1 server on loopback: one answer for each connection, byte by byte as a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::certificates;

/// A part of an answer.
#[derive(Clone, Debug)]
pub enum Part {
    Send(Vec<u8>),
    /// Until [`HttpServer::let_go`].
    Wait,
}

/// What one connection gets; without parts it is closed when the request has been read.
pub type Script = Vec<Part>;

/// Ends with the test's runtime.
pub struct HttpServer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    gate: Arc<Notify>,
}

impl HttpServer {
    /// The last answer is that of all further connections, too.
    pub async fn start(answers: Vec<Script>) -> Self {
        Self::serve(answers, None).await
    }

    /// The same over TLS, with a certificate of the tests' authority.
    pub async fn start_tls(answers: Vec<Script>) -> Self {
        let config = certificates::server().server_config(&[&TLS12, &TLS13]);
        Self::serve(answers, Some(TlsAcceptor::from(config))).await
    }

    async fn serve(answers: Vec<Script>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let server = Self { address, requests: Arc::default(), gate: Arc::default() };
        let (requests, gate) = (Arc::clone(&server.requests), Arc::clone(&server.gate));
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut script = answers.next().unwrap_or_default();
            while let Ok((stream, _)) = listener.accept().await {
                let outcome = match &tls {
                    None => answer(stream, &script, &requests, &gate).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => answer(stream, &script, &requests, &gate).await,
                        // The client does not trust it: no request was made.
                        Err(_) => continue,
                    },
                };
                // A client that has gone takes no answer; that is its own affair.
                drop(outcome);
                script = answers.next().unwrap_or(script);
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Head and body of each request that came whole.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// Ends one [`Part::Wait`].
    pub fn let_go(&self) {
        self.gate.notify_one();
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: &[Part],
    requests: &Mutex<Vec<String>>,
    gate: &Notify,
) -> std::io::Result<()> {
    let request = read_request(&mut stream).await?;
    requests.lock().expect("not poisoned").push(request);
    for part in script {
        match part {
            Part::Send(bytes) => {
                stream.write_all(bytes).await?;
                stream.flush().await?;
            }
            Part::Wait => gate.notified().await,
        }
    }
    stream.shutdown().await
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Ok(text.into_owned());
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// A whole answer.
pub fn plain(status: &str, headers: &str, body: &str) -> Script {
    let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
    vec![Part::Send(text.into_bytes())]
}

pub fn json(status: &str, body: &serde_json::Value) -> Script {
    plain(status, "content-type: application/json\r\n", &body.to_string())
}

/// The head of a stream of events that ends with its connection; the events follow as parts.
pub fn event_stream() -> Part {
    Part::Send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec())
}

pub fn event(name: &str, data: &serde_json::Value) -> Part {
    Part::Send(format!("event: {name}\ndata: {data}\n\n").into_bytes())
}
