//! The TCP connection under a session. It acknowledges at once, and keeps the first bytes that it read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How many of the first bytes are kept, to recognise a protocol.
const FIRST_BYTES: usize = 16;

pub(super) struct Socket {
    tcp: TcpStream,
    first: Vec<u8>,
}

impl Socket {
    pub fn new(tcp: TcpStream) -> Self {
        Self { tcp, first: Vec::with_capacity(FIRST_BYTES) }
    }

    /// The first bytes that were read since [`Self::clear_first_bytes`], or since the start.
    pub fn first_bytes(&self) -> &[u8] {
        &self.first
    }

    /// Starts over with the next byte: another protocol is about to begin.
    pub fn clear_first_bytes(&mut self) {
        self.first.clear();
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A delayed acknowledgement stalls a server that writes in two pieces by 40 ms. The kernel takes the
        // option back, so it is set before each read; where it cannot be set, all still works.
        #[cfg(target_os = "linux")]
        let _ = self.tcp.set_quickack(true);
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(context, buffer);
        let room = FIRST_BYTES - self.first.len();
        if room > 0 {
            let came = &buffer.filled()[before..];
            self.first.extend_from_slice(&came[..came.len().min(room)]);
        }
        polled
    }
}

impl AsyncWrite for Socket {
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
        slices: &[io::IoSlice<'_>],
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
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
