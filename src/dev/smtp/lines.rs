//! Reads lines and messages from a connection, with limits on their size.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::data::Message;

/// The longest command line with its line end: that of AUTH (RFC 4954 section 4).
const MAX_LINE: usize = 12_288;

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// Without the line end.
    Read(Vec<u8>),
    TooLong,
    /// The client closed the connection, perhaps within a line.
    Closed,
}

pub(super) struct Lines<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Reads a line that ends with CR LF, or with LF alone, as typed by hand.
    pub(super) async fn line(&mut self) -> io::Result<Line> {
        let mut line = Vec::new();
        loop {
            let bytes = self.stream.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(Line::Closed);
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

    /// Reads a message to its end; false where the client closed the connection before.
    pub(super) async fn message(&mut self, message: &mut Message) -> io::Result<bool> {
        loop {
            let bytes = self.stream.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let (taken, ended) = message.push(bytes);
            self.stream.consume(taken);
            if ended {
                return Ok(true);
            }
        }
    }

    /// Whether a pipelined command is already here, so that replies can be collected (RFC 2920).
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
