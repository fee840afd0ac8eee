//! SMTP servers that take every mail at once: one that counts them and keeps none, and one with TLS that stores them, the
//! floor of the gateway.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter,
};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use transports::http::server;

use super::disk::Disk;
use super::process::free_port;
use super::smtp_server;

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
        let end = End::Count(Arc::new(count));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let end = end.clone();
                // A client that goes away is no trouble here.
                tokio::spawn(async move {
                    stream.set_nodelay(true)?;
                    converse(stream, &end).await
                });
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

/// Accepts mail over TLS from any user, and answers when it is on disk, until the process is ended: the floor of the gateway.
/// The authority of its certificate for `localhost` is written to a file first.
pub fn serve_with_tls(port: u16, authority: &Path, disk: &Path) {
    let acceptor = TlsAcceptor::from(smtp_server::certificate(authority));
    let end = End::Store(Disk::create(disk));
    // As the service: as many threads as the process has cores.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = server::bind(([127, 0, 0, 1], port).into()).expect("the port is free");
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, end) = (acceptor.clone(), end.clone());
            // A client that goes away is no trouble here.
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                converse(acceptor.accept(stream).await?, &end).await
            });
        }
    });
}

/// What becomes of a mail before it is accepted.
#[derive(Clone)]
enum End {
    Count(Arc<watch::Sender<u64>>),
    Store(Disk),
}

impl End {
    async fn take(&self, mail: Vec<u8>) {
        match self {
            Self::Count(count) => count.send_modify(|count| *count += 1),
            Self::Store(disk) => disk.store(mail).await,
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, end: &End) -> std::io::Result<()> {
    let mut stream = BufReader::new(BufWriter::new(stream));
    stream.write_all(b"220 sink.example.com ESMTP\r\n").await?;
    let mut line = Vec::new();
    loop {
        // What was sent in one flight is answered in one.
        if stream.buffer().is_empty() {
            stream.flush().await?;
        }
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line).to_ascii_uppercase();
        let answer: &[u8] = match text.split([' ', ':', '\r']).next().unwrap_or_default() {
            "EHLO" => b"250-sink.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 CHUNKING\r\n",
            "AUTH" => b"235 2.7.0 welcome\r\n",
            "MAIL" | "RCPT" | "RSET" => b"250 2.0.0 ok\r\n",
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                stream.flush().await?;
                end.take(read_to_dot(&mut stream).await?).await;
                b"250 2.0.0 accepted\r\n"
            }
            "BDAT" => {
                let length = text.split_whitespace().nth(1).and_then(|length| length.parse().ok());
                let mut chunk = vec![0; length.expect("BDAT has a length")];
                stream.read_exact(&mut chunk).await?;
                if text.trim_end().ends_with("LAST") {
                    end.take(chunk).await;
                }
                b"250 2.0.0 accepted\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return stream.flush().await;
            }
            _ => b"502 5.5.1 not here\r\n",
        };
        stream.write_all(answer).await?;
    }
}

async fn read_to_dot(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let begin = mail.len();
        if stream.read_until(b'\n', &mut mail).await? == 0 || mail[begin..] == *b".\r\n" {
            return Ok(mail);
        }
    }
}
