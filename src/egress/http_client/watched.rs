//! A stream that records when everything written to it has been flushed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Sets `flushed` at the first flush after a write. A request whose body is in one piece is written whole
/// before that: hyper flushes when its own buffer is empty.
pub(super) struct Watched<S> {
    stream: S,
    has_written: bool,
    flushed: Arc<AtomicBool>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, flushed: Arc<AtomicBool>) -> Self {
        Self { stream, has_written: false, flushed }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.has_written = true;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.has_written = true;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if self.has_written && matches!(flushed, Poll::Ready(Ok(()))) {
            self.flushed.store(true, Ordering::Release);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn only_a_flush_behind_a_write_counts() {
        let flushed = Arc::new(AtomicBool::new(false));
        let mut stream = Watched::new(tokio::io::sink(), Arc::clone(&flushed));
        stream.flush().await.unwrap();
        assert!(!flushed.load(Ordering::Acquire));
        stream.write_all(b"GET").await.unwrap();
        assert!(!flushed.load(Ordering::Acquire));
        stream.flush().await.unwrap();
        assert!(flushed.load(Ordering::Acquire));
    }
}
