//! The socket of a client: little waits in the kernel, and a connection that does not end in order is reset.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the kernel holds of replies that the client has not taken; it reserves twice as much.
const SEND_BUFFER: usize = 32 * 1024;

pub(super) struct ClientSocket {
    tcp: TcpStream,
    has_shut_down: bool,
}

impl ClientSocket {
    pub(super) fn new(tcp: TcpStream, write: Duration) -> Self {
        // Replies are written at once: waiting to fill a segment would only delay them.
        let _ = tcp.set_nodelay(true);
        let socket = SockRef::from(&tcp);
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        // The kernel's own end of a connection whose peer takes nothing, also after it was closed.
        #[cfg(target_os = "linux")]
        let _ = socket.set_tcp_user_timeout(Some(write));
        Self { tcp, has_shut_down: false }
    }
}

impl Drop for ClientSocket {
    /// Closed in the ordinary way, the kernel would go on offering replies that the client does not take.
    fn drop(&mut self) {
        if !self.has_shut_down {
            reset_on_close(&self.tcp);
        }
    }
}

/// Has the kernel forget a connection when it is closed, with all that its peer has not taken.
pub(super) fn reset_on_close(tcp: &TcpStream) {
    let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.tcp).poll_shutdown(context);
        self.has_shut_down |= matches!(shut_down, Poll::Ready(Ok(())));
        shut_down
    }
}
