//! Reads lines and messages from a connection, within limits of size.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::data::Message;

/// The longest line of a command, with its line end: the longest that AUTH may have (RFC 4954 section 4).
const MAX_LINE: usize = 12_288;

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// Without the line end.
    Read(Vec<u8>),
    TooLong,
    /// The client has gone, maybe amid a line.
    End,
}

pub(super) struct Lines<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// A line that ends with CR LF, or with LF alone as people type it by hand.
    pub(super) async fn line(&mut self) -> io::Result<Line> {
        let mut line = Vec::new();
        loop {
            let bytes = self.stream.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(Line::End);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(bytes.len(), |at| at + 1);
            if line.len() + taken > MAX_LINE {
                return Ok(Line::TooLong);
            }
            line.extend_from_slice(&bytes[..taken]);
            self.stream.consume(taken);
            if end.is_some() {
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Line::Read(line));
            }
        }
    }

    /// Reads a message to its end; false where the client has gone before.
    pub(super) async fn message(&mut self, message: &mut Message) -> io::Result<bool> {
        loop {
            let bytes = self.stream.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let (taken, ended) = message.take(bytes);
            self.stream.consume(taken);
            if ended {
                return Ok(true);
            }
        }
    }

    /// Whether the client has sent a further command already, so that the replies can wait for it (RFC 2920).
    pub(super) fn has_line(&self) -> bool {
        self.stream.buffer().contains(&b'\n')
    }

    pub(super) async fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.flush().await
    }

    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// The connection, where nothing has been read ahead.
    pub(super) fn into_stream(self) -> Option<S> {
        self.stream.buffer().is_empty().then(|| self.stream.into_inner())
    }

    pub(super) fn has_read_ahead(&self) -> bool {
        !self.stream.buffer().is_empty()
    }
}
