//! The octets of one message: found, checked and kept within limits while they come (RFC 5321 section 4.5.2, RFC 3030).

use std::sync::Arc;

use memchr::memchr3;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reply::{BAD_MESSAGE, FixedReply, NO_MEMORY, TOO_LARGE};

/// Octets of a line without its CR LF and without the dot that was added (RFC 5321 section 4.5.3.1.6).
const MAX_LINE: usize = 998;

/// A message is held in pieces of this size, so that a growing one is never copied.
const PIECE: usize = 64 * 1024;

/// What messages may be held in: all of them, and those of one peer.
#[derive(Clone)]
pub(super) struct Memory {
    total: Arc<Semaphore>,
    peer: Option<Arc<Semaphore>>,
}

/// Memory that is held, given back when it is dropped.
#[derive(Debug)]
struct MemoryPermit {
    total: OwnedSemaphorePermit,
    peer: Option<OwnedSemaphorePermit>,
}

impl MemoryPermit {
    fn merge(&mut self, other: Self) {
        self.total.merge(other.total);
        if let (Some(held), Some(more)) = (&mut self.peer, other.peer) {
            held.merge(more);
        }
    }
}

impl Memory {
    pub(super) fn new(octets: usize) -> Self {
        Self { total: pieces(octets), peer: None }
    }

    /// With a share that other connections of the peer have as well.
    pub(super) fn for_peer(&self, peer: Option<Arc<Semaphore>>) -> Self {
        Self { total: Arc::clone(&self.total), peer }
    }

    fn acquire_piece(&self) -> Option<MemoryPermit> {
        let peer = match &self.peer {
            Some(peer) => Some(Arc::clone(peer).try_acquire_owned().ok()?),
            None => None,
        };
        Some(MemoryPermit { total: Arc::clone(&self.total).try_acquire_owned().ok()?, peer })
    }
}

/// A permit for each piece of so many octets.
pub(super) fn pieces(octets: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new((octets / PIECE).clamp(1, Semaphore::MAX_PERMITS)))
}

/// A whole message as the client sent it, dots unstuffed. Its memory counts as held until it is dropped.
#[derive(Default, Debug)]
pub struct MessageOctets {
    pieces: Vec<Vec<u8>>,
    length: usize,
    permit: Option<MemoryPermit>,
}

impl MessageOctets {
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The octets in order, in pieces of any size.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Vec::as_slice)
    }

    /// The octets in one vector. A piece is freed as soon as it is copied.
    pub fn into_vec(self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.length);
        for piece in self.pieces {
            whole.extend_from_slice(&piece);
        }
        whole
    }

    /// False where no memory is left.
    fn append(&mut self, mut octets: &[u8], memory: &Memory) -> bool {
        while !octets.is_empty() {
            if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
                let Some(permit) = memory.acquire_piece() else { return false };
                match &mut self.permit {
                    Some(held) => held.merge(permit),
                    held => *held = Some(permit),
                }
                self.pieces.push(Vec::new());
            }
            if let Some(piece) = self.pieces.last_mut() {
                let (fitting, rest) = octets.split_at(octets.len().min(PIECE - piece.len()));
                piece.extend_from_slice(fitting);
                self.length += fitting.len();
                octets = rest;
            }
        }
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Position {
    LineStart,
    /// A dot at the start of a line of DATA; it was added, or ends the message.
    Dot,
    DotCr,
    InLine,
    Cr,
}

/// A message under way; takes its octets in pieces of any size.
pub(super) struct Incoming {
    /// Sent with DATA: dots are unstuffed, and one alone ends it. With BDAT the octets are counted.
    has_dots: bool,
    limit: usize,
    memory: Memory,
    position: Position,
    line: usize,
    /// Without stuffed dots; counts on where nothing is kept any more.
    length: usize,
    octets: MessageOctets,
    fault: Option<FixedReply>,
}

impl Incoming {
    pub(super) fn data(limit: usize, memory: Memory) -> Self {
        Self {
            has_dots: true,
            limit,
            memory,
            position: Position::LineStart,
            line: 0,
            length: 0,
            octets: MessageOctets::default(),
            fault: None,
        }
    }

    pub(super) fn chunks(limit: usize, memory: Memory) -> Self {
        Self { has_dots: false, ..Self::data(limit, memory) }
    }

    /// Consumes `octets`; returns how many belong to the message, and whether DATA has ended.
    pub(super) fn push(&mut self, octets: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&octet) = octets.get(at) {
            match (self.position, octet) {
                (Position::LineStart, b'.') if self.has_dots => {
                    self.position = Position::Dot;
                    at += 1;
                }
                (Position::Dot, b'\r') => {
                    self.position = Position::DotCr;
                    at += 1;
                }
                (Position::DotCr, b'\n') => return (at + 1, true),
                (Position::DotCr, _) => {
                    // The dot was added after all, before a line that begins with CR.
                    self.append(b"\r");
                    self.position = Position::Cr;
                }
                (Position::Cr, b'\n') => {
                    self.append(b"\n");
                    self.position = Position::LineStart;
                    self.line = 0;
                    at += 1;
                }
                (Position::Cr, _) => {
                    self.refuse(BAD_MESSAGE);
                    self.position = Position::InLine;
                }
                (Position::LineStart | Position::Dot | Position::InLine, _) => {
                    at += self.push_in_line(&octets[at..]);
                }
            }
        }
        (octets.len(), false)
    }

    /// Consumes octets within a line, up to what needs a decision.
    fn push_in_line(&mut self, octets: &[u8]) -> usize {
        self.position = Position::InLine;
        let plain = memchr3(b'\r', b'\n', 0, octets).unwrap_or(octets.len());
        self.line = self.line.saturating_add(plain);
        if self.line > MAX_LINE {
            self.refuse(BAD_MESSAGE);
        }
        match octets.get(plain) {
            None => self.append(octets),
            Some(b'\r') => {
                self.append(&octets[..=plain]);
                self.position = Position::Cr;
            }
            Some(_) => {
                self.refuse(BAD_MESSAGE);
                self.append(&octets[..=plain]);
            }
        }
        (plain + 1).min(octets.len())
    }

    fn append(&mut self, octets: &[u8]) {
        self.length = self.length.saturating_add(octets.len());
        if self.length > self.limit {
            // The size takes precedence over other faults.
            self.fault = None;
            self.refuse(TOO_LARGE);
        }
        if self.fault.is_none() && !self.octets.append(octets, &self.memory) {
            self.refuse(NO_MEMORY);
        }
    }

    fn refuse(&mut self, fault: FixedReply) {
        self.fault.get_or_insert(fault);
        self.octets = MessageOctets::default();
    }

    /// What is wrong with the octets so far.
    pub(super) fn fault(&self) -> Option<FixedReply> {
        self.fault
    }

    /// The octets so far, kept or not.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// # Errors
    /// The reply that refuses the message.
    pub(super) fn finish(mut self) -> Result<MessageOctets, FixedReply> {
        if self.position == Position::Cr {
            self.refuse(BAD_MESSAGE);
        }
        self.fault.map_or(Ok(self.octets), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(limit: usize) -> Incoming {
        Incoming::data(limit, Memory::new(PIECE))
    }

    /// The message and the rest, with the input in pieces of `size`.
    fn read(input: &str, size: usize) -> (Option<Result<String, FixedReply>>, String) {
        let mut message = incoming(1_000);
        let mut used = 0;
        for piece in input.as_bytes().chunks(size) {
            let (taken, has_ended) = message.push(piece);
            used += taken;
            if has_ended {
                let octets =
                    message.finish().map(|octets| String::from_utf8(octets.into_vec()).expect("text"));
                return (Some(octets), input[used..].to_owned());
            }
        }
        (None, input[used..].to_owned())
    }

    #[test]
    fn the_end_is_found_and_dots_are_removed_for_any_piece_size() {
        for (input, message, rest) in [
            (".\r\n", Some(Ok("")), ""),
            ("a\r\n.\r\nQUIT\r\n", Some(Ok("a\r\n")), "QUIT\r\n"),
            ("..\r\n.\r\n", Some(Ok(".\r\n")), ""),
            ("..a\r\n...b\r\n.\r\n", Some(Ok(".a\r\n..b\r\n")), ""),
            (".a\r\n.\r\n", Some(Ok("a\r\n")), ""),
            ("a.\r\n.\r\n", Some(Ok("a.\r\n")), ""),
            ("a\r\r\n.\r\n", Some(Err(BAD_MESSAGE)), ""),
            (".\ra\r\n.\r\n", Some(Err(BAD_MESSAGE)), ""),
            (".\r\r\n.\r\n", Some(Err(BAD_MESSAGE)), ""),
            ("\r\n.\r\n", Some(Ok("\r\n")), ""),
            ("a\r\n", None, ""),
        ] {
            for size in 1..=input.len() {
                let expected = (message.map(|message| message.map(str::to_owned)), rest.to_owned());
                assert_eq!(read(input, size), expected, "{input:?} by {size}");
            }
        }
    }

    #[test]
    fn no_bare_line_end_ends_a_message() {
        for input in [
            "a\n.\n",
            "a\n.\r\n",
            "a\r\n.\n",
            "a\r.\r",
            "a\r\n.\r",
            "a\r.\r\n",
            "a\n.\r",
            "a\r\n\0.\r\n",
            "\n.\r\n",
        ] {
            assert_eq!(read(input, input.len()).0, None, "{input:?}");
            let ended = format!("{input}x\r\n.\r\n");
            assert_eq!(read(&ended, 1).0, Some(Err(BAD_MESSAGE)), "{ended:?}");
        }
    }

    #[test]
    fn a_message_beyond_the_limit_is_consumed_and_dropped() {
        for (length, fits) in [(8, true), (9, false), (998, false), (2_000, false)] {
            let mut message = incoming(10);
            let input = format!("{}\r\n.\r\n", "x".repeat(length));
            assert_eq!(message.push(input.as_bytes()), (input.len(), true));
            assert!(message.octets.len() <= 10);
            assert_eq!(message.finish().err(), (!fits).then_some(TOO_LARGE), "{length}");
        }
    }
}
