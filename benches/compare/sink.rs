//! An SMTP server that takes every mail at once and keeps none: it counts them.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::watch;
use transports::http::server;

use super::process::free_port;

/// No round takes as long.
const PATIENCE: Duration = Duration::from_mins(2);

/// Accepts mail on loopback without TLS and sign-in, as a relay of one's own does, until the runtime stops.
pub struct Sink {
    pub port: u16,
    accepted: watch::Receiver<u64>,
}

impl Sink {
    pub fn start() -> Self {
        let port = free_port();
        let listener = server::bind(([127, 0, 0, 1], port).into()).expect("the port is free");
        let (count, accepted) = watch::channel(0);
        let count = Arc::new(count);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                // A client that goes away is no trouble here.
                tokio::spawn(async move { hold(stream, &count).await.ok() });
            }
        });
        Self { port, accepted }
    }

    /// How many mails it has accepted so far.
    pub fn accepted(&self) -> u64 {
        *self.accepted.borrow()
    }

    /// Waits until it has accepted so many.
    pub async fn wait_for(&self, count: u64) {
        let mut accepted = self.accepted.clone();
        let enough = accepted.wait_for(|accepted| *accepted >= count);
        let has_come = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        assert!(has_come, "{} of {count} mails have arrived in {PATIENCE:?}", self.accepted());
    }
}

async fn hold(stream: TcpStream, count: &watch::Sender<u64>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (from_client, to_client) = stream.into_split();
    let (mut from_client, mut to_client) = (BufReader::new(from_client), BufWriter::new(to_client));
    to_client.write_all(b"220 sink.example.com ESMTP\r\n").await?;
    let mut line = Vec::new();
    loop {
        // What was sent in one flight is answered in one.
        if from_client.buffer().is_empty() {
            to_client.flush().await?;
        }
        line.clear();
        if from_client.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line).to_ascii_uppercase();
        let answer: &[u8] = match text.split([' ', ':', '\r']).next().unwrap_or_default() {
            "EHLO" => b"250-sink.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n",
            "MAIL" | "RCPT" | "RSET" => b"250 2.0.0 ok\r\n",
            "DATA" => {
                to_client.write_all(b"354 go ahead\r\n").await?;
                to_client.flush().await?;
                read_to_dot(&mut from_client).await?;
                count.send_modify(|count| *count += 1);
                b"250 2.0.0 accepted\r\n"
            }
            "BDAT" => {
                let length = text.split_whitespace().nth(1).and_then(|length| length.parse().ok());
                let mut chunk = vec![0; length.expect("BDAT has a length")];
                from_client.read_exact(&mut chunk).await?;
                if text.trim_end().ends_with("LAST") {
                    count.send_modify(|count| *count += 1);
                }
                b"250 2.0.0 accepted\r\n"
            }
            "QUIT" => {
                to_client.write_all(b"221 2.0.0 bye\r\n").await?;
                return to_client.flush().await;
            }
            _ => b"502 5.5.1 not here\r\n",
        };
        to_client.write_all(answer).await?;
    }
}

async fn read_to_dot(from_client: &mut BufReader<OwnedReadHalf>) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if from_client.read_until(b'\n', &mut line).await? == 0 || line == b".\r\n" {
            return Ok(());
        }
    }
}
