//! A client's socket, with limits to the time that a client may need for an answer and to what waits in the kernel.

use std::future::Future;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::connections::Connection;
use crate::http::extract::MAX_DROPPED;

/// What the kernel holds for a client that has not taken it yet; it reserves twice as much. By default this grows to
/// 4 MB for each connection, whatever is allowed to the process.
const SEND_BUFFER: usize = 128 * 1024;

/// How long a client that was answered may send nothing before its connection is closed, and how long it may send in all.
const MAX_SILENCE: Duration = Duration::from_secs(5);
const MAX_LINGER: Duration = Duration::from_secs(30);

/// The socket. Its time limit runs from the first byte that does not fit into the network's buffers until everything
/// has been written, however slowly the client reads in between.
pub struct ClientStream {
    stream: TcpStream,
    connection: Arc<Connection>,
    limit: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    linger: Option<Linger>,
}

/// The end of a connection whose client may still be sending a request that has its answer, such as one that is too large.
/// Closed with something unread, the kernel would reset the connection, and the client, or the proxy before it, would lose
/// the answer. What comes is read and dropped.
struct Linger {
    /// When the client has been silent for too long, or at the end of all.
    until: Pin<Box<Sleep>>,
    end: Instant,
    dropped: usize,
}

impl Linger {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            until: Box::pin(tokio::time::sleep_until(now + MAX_SILENCE)),
            end: now + MAX_LINGER,
            dropped: 0,
        }
    }

    /// Ready where the client has closed its side, its time is over or it sends without end.
    fn poll(&mut self, context: &mut Context<'_>, stream: &mut TcpStream) -> Poll<()> {
        let mut scratch = [MaybeUninit::uninit(); 8 * 1024];
        loop {
            if self.until.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::uninit(&mut scratch);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.dropped += buffer.filled().len();
                    if self.dropped > MAX_DROPPED {
                        return Poll::Ready(());
                    }
                    self.until.as_mut().reset(self.end.min(Instant::now() + MAX_SILENCE));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl ClientStream {
    pub fn new(stream: TcpStream, connection: Arc<Connection>, limit: Duration) -> Self {
        // Answers are small: waiting to fill a segment would only delay them.
        let _ = stream.set_nodelay(true);
        let socket = SockRef::from(&stream);
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        // The kernel's own end of a connection whose peer takes nothing, also after it was closed in the ordinary way.
        #[cfg(target_os = "linux")]
        let _ = socket.set_tcp_user_timeout(Some(limit));
        Self { stream, connection, limit, deadline: None, linger: None }
    }

    /// Applies the time limit to an attempt to write `wanted` bytes.
    fn limit_write(
        &mut self,
        context: &mut Context<'_>,
        wanted: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) if count == wanted => {
                self.deadline = None;
                self.connection.write_unblocked();
                return written;
            }
            Poll::Ready(Err(_)) => return written,
            _ => {}
        }
        self.connection.write_blocked();
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.limit)));
        if deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl Drop for ClientStream {
    /// Where the client has not taken everything, the connection is reset: closed in the ordinary way, the kernel would
    /// go on offering the rest, in memory that nothing bounds.
    fn drop(&mut self) {
        if self.deadline.is_some() {
            reset_on_close(&self.stream);
        }
    }
}

/// Has the kernel forget a connection when it is closed, with all that its peer has not taken.
pub fn reset_on_close(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limit_write(context, bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.limit_write(context, wanted, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when nothing is left to write.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.connection.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        this.linger.get_or_insert_with(Linger::new).poll(context, &mut this.stream).map(Ok)
    }
}
