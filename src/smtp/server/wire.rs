//! Buffers between a session and its connection: lines and octets in, replies out in one write for each flight.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::command::MAX_AUTH_LINE;
use crate::smtp::Reply;

/// Read at once. A record of TLS holds as much.
const READ_SIZE: usize = 16 * 1024;

/// Replies that wait for a write. Above this, no command is read until the replies are written.
const MAX_UNSENT: usize = 8 * 1024;

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// Without CR LF.
    Whole(Vec<u8>),
    TooLong,
    /// Its end has not come.
    Partial,
}

pub(super) struct Wire<S> {
    stream: S,
    input: Vec<u8>,
    /// Where the octets begin that are not consumed.
    start: usize,
    output: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, input: Vec::new(), start: 0, output: Vec::new() }
    }

    /// Octets that have come and are not consumed.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.input[self.start..]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.input.len() {
            // An idle connection holds no memory for it.
            self.input = Vec::new();
            self.start = 0;
        }
    }

    /// The next line, where it has come. Nothing but CR LF ends it.
    pub(super) fn take_line(&mut self) -> Line {
        let within = &self.buffered()[..self.buffered().len().min(MAX_AUTH_LINE)];
        match memmem::find(within, b"\r\n") {
            Some(end) => {
                let line = within[..end].to_vec();
                self.consume(end + 2);
                Line::Whole(line)
            }
            None if within.len() == MAX_AUTH_LINE => Line::TooLong,
            None => Line::Partial,
        }
    }

    /// Reads more octets; none at the end of the connection. Cancel safe.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
        self.input.reserve(READ_SIZE);
        self.stream.read_buf(&mut self.input).await
    }

    pub(super) fn push(&mut self, reply: &Reply) {
        reply.encode_to(&mut self.output);
    }

    pub(super) fn push_all<'a>(&mut self, replies: impl IntoIterator<Item = &'a Reply>) {
        for reply in replies {
            self.push(reply);
        }
    }

    pub(super) fn is_output_full(&self) -> bool {
        self.output.len() >= MAX_UNSENT
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await?;
            self.output = Vec::new();
        }
        Ok(())
    }

    /// Ends the connection in order, and reads on until the client has ended it as well: closed with octets unread, the
    /// kernel would reset it, and the client might never see the last reply.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        self.consume(self.buffered().len());
        while self.fill().await? > 0 {
            self.consume(self.buffered().len());
        }
        Ok(())
    }

    /// The connection, for its handshake. Whatever came before must not count as sent over TLS: there must be nothing.
    pub(super) fn into_drained(self) -> Option<S> {
        (self.buffered().is_empty() && self.output.is_empty()).then_some(self.stream)
    }
}
