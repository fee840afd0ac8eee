//! A stream that records when everything written to it has been flushed, and how the other side begins.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Enough to tell one protocol from another.
const MAX_FIRST: usize = 16;

/// The beginning of what was read first.
#[derive(Clone, Default)]
pub(super) struct FirstOctets(Arc<OnceLock<Vec<u8>>>);

impl FirstOctets {
    /// Empty where nothing was read.
    pub fn get(&self) -> &[u8] {
        self.0.get().map(Vec::as_slice).unwrap_or_default()
    }
}

/// Sets `flushed` at the first flush after a write. A request whose body is in one piece is written whole
/// before that: hyper flushes when its own buffer is empty.
pub(super) struct Watched<S> {
    stream: S,
    has_written: bool,
    flushed: Arc<AtomicBool>,
    first: FirstOctets,
}

impl<S> Watched<S> {
    pub fn new(stream: S, flushed: Arc<AtomicBool>, first: FirstOctets) -> Self {
        Self { stream, has_written: false, flushed, first }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let octets = &buffer.filled()[before..];
        if !octets.is_empty() && self.first.0.get().is_none() {
            // Only this stream sets it.
            let _ = self.first.0.set(octets[..octets.len().min(MAX_FIRST)].to_vec());
        }
        read
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn only_a_flush_behind_a_write_counts() {
        let flushed = Arc::new(AtomicBool::new(false));
        let mut stream = Watched::new(tokio::io::sink(), Arc::clone(&flushed), FirstOctets::default());
        stream.flush().await.unwrap();
        assert!(!flushed.load(Ordering::Acquire));
        stream.write_all(b"GET").await.unwrap();
        assert!(!flushed.load(Ordering::Acquire));
        stream.flush().await.unwrap();
        assert!(flushed.load(Ordering::Acquire));
    }

    #[tokio::test]
    async fn only_the_beginning_of_what_comes_first_is_recorded() {
        const TEXT: &str = "220 mail.example.com ESMTP";
        let first = FirstOctets::default();
        let (mut other_side, stream) = tokio::io::duplex(64);
        other_side.write_all(TEXT.as_bytes()).await.unwrap();
        drop(other_side);
        let mut stream = Watched::new(stream, Arc::default(), first.clone());
        assert!(first.get().is_empty());
        let mut read = String::new();
        stream.read_to_string(&mut read).await.unwrap();
        assert_eq!((read.as_str(), first.get()), (TEXT, &TEXT.as_bytes()[..MAX_FIRST]));
    }
}
