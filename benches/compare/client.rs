//! A client over one connection that is kept: as lean as a client can be, so that the server is what is measured.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer of HTTP/1.1 with a `Content-Length`.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "a client of the server that is measured")]
    pub async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 128 * 1024] })
    }

    /// Asks, and gives the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.expect("the server takes a request");
        let mut filled = 0;
        loop {
            filled += self.read_some(filled).await;
            if let Some((status, head, length)) = parse(&self.buffer[..filled])
                && filled >= head + length
            {
                assert_eq!(filled, head + length, "nothing follows an answer");
                return Answer { status, body: self.buffer[head..filled].to_vec() };
            }
        }
    }

    /// Asks for an answer of success that is `length` bytes long, head and all, as all of this kind are.
    pub async fn ask_again(&mut self, request: &[u8], length: usize) {
        self.stream.write_all(request).await.expect("the server takes a request");
        let mut filled = 0;
        while filled < length {
            filled += self.read_some(filled).await;
        }
        let shown = || String::from_utf8_lossy(&self.buffer[..filled]).into_owned();
        assert!(filled == length && self.buffer.starts_with(b"HTTP/1.1 20"), "another answer: {}", shown());
    }

    /// Asks for an answer of success of any length.
    pub async fn ask_for_success(&mut self, request: &[u8]) {
        let answer = self.ask(request).await;
        let shown = || String::from_utf8_lossy(&answer.body);
        assert!(matches!(answer.status, 200 | 202), "another answer, {}: {}", answer.status, shown());
    }

    /// The length of the answer to this request with its head; it has to be one of success.
    pub async fn length_of_answer(&mut self, request: &[u8]) -> usize {
        let answer = self.ask(request).await;
        let shown = String::from_utf8_lossy(&answer.body);
        assert!(matches!(answer.status, 200 | 202), "the server refuses: {shown}");
        let (_, head, length) = parse(&self.buffer).expect("it was read");
        head + length
    }

    async fn read_some(&mut self, filled: usize) -> usize {
        assert!(filled < self.buffer.len(), "an answer of more than {} bytes", self.buffer.len());
        let count = self.stream.read(&mut self.buffer[filled..]).await.expect("the server answers");
        assert_ne!(count, 0, "the connection was closed within an answer, after {filled} bytes");
        count
    }
}

/// Status, length of the head and length of the body; `None` before the end of the head.
fn parse(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let head = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("a head is ASCII");
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    // A 204 has none.
    Some((status, head, length.unwrap_or(0)))
}

pub const PATH: &str = "/api/v1/transports/email-config";
pub const EMAILS: &str = "/api/v1/transports/emails";
pub const EVENTS: &str = "/api/v1/transports/events";

/// The GET of a configuration.
pub fn get(token: &str) -> Vec<u8> {
    get_from(PATH, token)
}

/// The GET of a path.
pub fn get_from(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// A request with a body of JSON, or without one.
pub fn with_body(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
