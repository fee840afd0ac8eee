//! The connection, plain or in TLS: writes bytes, and reads replies from its buffer, each by a deadline.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::Reply;
use super::reply::{Malformed, Replies};
use super::socket::Socket;
use super::tls;

/// Holds many replies, and costs little memory per session.
const READ_SIZE: usize = 4_096;

/// Why no reply came, or nothing could be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StreamError {
    Lost,
    Timeout,
    Malformed(Malformed),
    /// The alert with which TLS 1.3 refuses a client that has shown no certificate.
    ClientCertificateWanted,
}

pub(super) struct Stream {
    io: Io,
    replies: Replies,
    chunk: Box<[u8]>,
}

enum Io {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    pub fn plain(socket: Socket) -> Self {
        Self::from_io(Io::Plain(socket))
    }

    pub fn tls(stream: TlsStream<Socket>) -> Self {
        Self::from_io(Io::Tls(Box::new(stream)))
    }

    /// The buffer is new: bytes that came unencrypted are no part of an encrypted session.
    fn from_io(io: Io) -> Self {
        let chunk = vec![0; READ_SIZE].into_boxed_slice();
        Self { io, replies: Replies::default(), chunk }
    }

    /// The socket of an unencrypted connection; `None` where TLS is up.
    pub fn into_plain(self) -> Option<Socket> {
        match self.io {
            Io::Plain(socket) => Some(socket),
            Io::Tls(_) => None,
        }
    }

    pub fn is_encrypted(&self) -> bool {
        matches!(self.io, Io::Tls(_))
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match &self.io {
            Io::Plain(socket) => socket.tcp().local_addr(),
            Io::Tls(stream) => stream.get_ref().0.tcp().local_addr(),
        }
    }

    /// The bytes that have arrived after the last reply.
    pub fn pending(&self) -> &[u8] {
        self.replies.pending()
    }

    /// Whether nothing has arrived after the last reply.
    pub fn is_drained(&self) -> bool {
        self.replies.is_empty()
    }

    /// One whole reply by `deadline`, however many reads it takes. It may hold what is kept secret.
    pub async fn unredacted_reply(&mut self, deadline: Instant) -> Result<Reply, StreamError> {
        let whole = async {
            loop {
                if let Some(reply) = self.replies.next().map_err(StreamError::Malformed)? {
                    return Ok(reply);
                }
                self.fill().await?;
            }
        };
        timeout_at(deadline, whole).await.unwrap_or(Err(StreamError::Timeout))
    }

    /// Reads until the pending bytes are `enough`, or until `deadline`.
    pub async fn fill_until(
        &mut self,
        enough: impl Fn(&[u8]) -> bool,
        deadline: Instant,
    ) -> Result<(), StreamError> {
        let filled = async {
            while !enough(self.pending()) {
                self.fill().await?;
            }
            Ok(())
        };
        timeout_at(deadline, filled).await.unwrap_or(Err(StreamError::Timeout))
    }

    async fn fill(&mut self) -> Result<(), StreamError> {
        let read = match &mut self.io {
            Io::Plain(socket) => socket.read(&mut self.chunk).await,
            Io::Tls(stream) => stream.read(&mut self.chunk).await,
        };
        match read {
            // An end without close_notify is an error of rustls, and a lost connection like any other.
            Err(error) if tls::wants_client_certificate(&error) => Err(StreamError::ClientCertificateWanted),
            Ok(0) | Err(_) => Err(StreamError::Lost),
            Ok(length) => {
                self.replies.feed(&self.chunk[..length]);
                Ok(())
            }
        }
    }

    /// Writes `bytes` as one flight.
    pub async fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), StreamError> {
        let written = async {
            match &mut self.io {
                Io::Plain(socket) => write_and_flush(socket, bytes).await,
                Io::Tls(stream) => write_and_flush(stream.as_mut(), bytes).await,
            }
        };
        match timeout_at(deadline, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(StreamError::Lost),
            Err(_) => Err(StreamError::Timeout),
        }
    }

    /// Ends the stream: in TLS by `close_notify`, then by TCP's FIN.
    pub async fn finish(&mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Plain(socket) => socket.shutdown().await,
            Io::Tls(stream) => stream.shutdown().await,
        }
    }
}

async fn write_and_flush(io: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.flush().await
}
