//! Fuzz target: what a hostile client sends to the server.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, End};
use super::{Client, FrontDoor, Limits, MessageOctets, Outcome, Server, SignIn, SignInRule, Transaction};
use crate::fuzz_targets::Input;
use crate::smtp::{EnhancedCode, Reply, Security};

const BEGIN: &[u8] = b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
const MAX_MESSAGE: usize = 2_000;
const MAX_LINE: usize = 998;

/// How the bytes are used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// They are all that the client sends.
    Session,
    /// They are a message, sent as a client should.
    Data,
    Chunks,
    /// They are sent after DATA as they are.
    Raw,
}

/// Replies are well formed, and what is accepted is what was sent, however it is cut: nothing else, and never more
/// messages than the client sent.
pub fn smtp_server(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.choose(&[Mode::Session, Mode::Data, Mode::Chunks, Mode::Raw]);
    let piece = usize::from(input.byte());
    let sizes: [u8; 3] = input.array();
    let octets = input.rest();
    // With more the server gives up.
    let octets = &octets[..octets.len().min(2 * MAX_MESSAGE - 2)];
    let (output, accepted) = run(&sent(mode, octets, sizes), piece);
    let codes = codes(&output);
    match mode {
        Mode::Session => assert!(accepted.len() <= count(octets, b"\r\n.\r\n") + words(octets, b"LAST")),
        Mode::Data => {
            let message = [octets, b"\r\n"].concat();
            let expected: Vec<_> = is_accepted(&message).then_some(message).into_iter().collect();
            assert_eq!(codes.len(), 6);
            assert_eq!(codes[4] == 250, !expected.is_empty());
            assert_eq!((codes[5], accepted), (250, expected), "and the session goes on");
        }
        Mode::Chunks => {
            let expected: Vec<_> = is_accepted(octets).then(|| octets.to_vec()).into_iter().collect();
            assert_eq!(accepted, expected);
            assert_eq!(codes.last(), Some(&250), "the session goes on");
        }
        Mode::Raw => {
            let end = end_of_message(octets);
            let message = end.map(|end| unstuffed(&octets[..end]));
            let expected: Vec<_> = message.into_iter().filter(|message| is_accepted(message)).collect();
            assert_eq!(accepted, expected);
        }
    }
}

/// All that the client sends.
fn sent(mode: Mode, octets: &[u8], sizes: [u8; 3]) -> Vec<u8> {
    match mode {
        Mode::Session => octets.to_vec(),
        Mode::Raw => {
            // What follows the end is a session again.
            let end = end_of_message(octets).map_or(octets.len(), |end| end + b".\r\n".len());
            [BEGIN, b"DATA\r\n", &octets[..end]].concat()
        }
        Mode::Data => {
            let message = [octets, b"\r\n"].concat();
            [BEGIN, b"DATA\r\n", &stuffed(&message), b".\r\nNOOP\r\n"].concat()
        }
        Mode::Chunks => {
            let mut wire = BEGIN.to_vec();
            let mut rest = octets;
            for size in sizes {
                let (chunk, after) = rest.split_at(usize::from(size).min(rest.len()));
                wire.extend(format!("BDAT {}\r\n", chunk.len()).as_bytes());
                wire.extend(chunk);
                rest = after;
            }
            wire.extend(format!("BDAT {} LAST\r\n", rest.len()).as_bytes());
            [&wire, rest, b"NOOP\r\n"].concat()
        }
    }
}

/// What a message may be, written without the parser.
pub(super) fn is_good(message: &[u8]) -> bool {
    let lines: Vec<_> = message.split(|byte| *byte == b'\n').collect();
    lines.iter().enumerate().all(|(index, line)| {
        let text = if index + 1 == lines.len() { Some(*line) } else { line.strip_suffix(b"\r") };
        text.is_some_and(|text| text.len() <= MAX_LINE && !text.contains(&b'\r') && !text.contains(&0))
    })
}

fn is_accepted(message: &[u8]) -> bool {
    is_good(message) && message.len() <= MAX_MESSAGE
}

/// A dot before each line that begins with one.
pub(super) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (index, byte) in message.iter().enumerate() {
        if *byte == b'.' && (index == 0 || message[..index].ends_with(b"\r\n")) {
            wire.push(b'.');
        }
        wire.push(*byte);
    }
    wire
}

fn unstuffed(wire: &[u8]) -> Vec<u8> {
    let is_added = |index: usize| wire[index] == b'.' && (index == 0 || wire[..index].ends_with(b"\r\n"));
    (0..wire.len()).filter(|index| !is_added(*index)).map(|index| wire[index]).collect()
}

/// Where a line of one dot begins.
fn end_of_message(octets: &[u8]) -> Option<usize> {
    [b"\r\n", octets].concat().windows(5).position(|window| window == b"\r\n.\r\n")
}

fn count(octets: &[u8], needle: &[u8]) -> usize {
    octets.windows(needle.len()).filter(|window| *window == needle).count()
}

fn words(octets: &[u8], word: &[u8]) -> usize {
    count(&octets.to_ascii_uppercase(), word)
}

/// The code of each reply. All lines of a reply have the same one, no control characters, and their own line end.
fn codes(output: &[u8]) -> Vec<u16> {
    let text = std::str::from_utf8(output).expect("replies are UTF-8");
    assert!(text.is_empty() || text.ends_with("\r\n"));
    let mut codes = Vec::new();
    let mut begun = None;
    for line in text.split_terminator("\r\n") {
        assert!(!line.contains(char::is_control), "{line:?}");
        let code: u16 = line[..3].parse().expect("a code");
        assert!((200..560).contains(&code) && begun.is_none_or(|begun| begun == code), "{line:?}");
        begun = (line.as_bytes()[3] == b'-').then_some(code);
        if begun.is_none() {
            assert_eq!(line.as_bytes()[3], b' ');
            codes.push(code);
        }
    }
    assert_eq!(begun, None, "the last reply is whole");
    codes.split_off(codes.iter().take_while(|code| **code == 220).count().min(1))
}

/// What the server says, and what it accepts.
fn run(input: &[u8], piece: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    let limits = Limits { max_message: MAX_MESSAGE, max_held_octets: 1024 * 1024, ..Limits::default() };
    let server = Server::new(Door::default(), limits);
    let mut output = Vec::new();
    let stream = tokio::io::join(Pieces { input, piece: piece.max(1) }, io::Cursor::new(&mut output));
    let place = server.connections.admit(None).expect("a place");
    let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
    let connection = Connection {
        server: &server,
        peer,
        place,
        stop: CancellationToken::new(),
        end: CancellationToken::new(),
    };
    let (_, end) = RUNTIME.with(|runtime| runtime.block_on(connection.serve(stream, Security::None)));
    assert!(matches!(end, End::Closed | End::Lost), "{end}");
    let accepted = std::mem::take(&mut *server.door().0.lock().unwrap_or_else(PoisonError::into_inner));
    (output, accepted)
}

/// Octets that come so many at a time.
struct Pieces<'a> {
    input: &'a [u8],
    piece: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.piece.min(self.input.len()).min(buffer.remaining());
        let (now, later) = self.input.split_at(length);
        buffer.put_slice(now);
        self.input = later;
        Poll::Ready(Ok(()))
    }
}

/// Takes every mail without a sign-in.
#[derive(Default)]
struct Door(Mutex<Vec<Vec<u8>>>);

impl FrontDoor for Door {
    type Caller = Infallible;

    fn hostname(&self) -> &'static str {
        "mx.example"
    }

    fn banner(&self) -> &'static str {
        "ESMTP"
    }

    fn help(&self) -> &'static str {
        "See RFC 5321"
    }

    fn tls(&self) -> Arc<ServerConfig> {
        unreachable!("the listener has no TLS")
    }

    fn sign_in_rule(&self, _: bool) -> SignInRule {
        SignInRule::Optional
    }

    fn peer_group(&self, _: IpAddr) -> Option<u128> {
        None
    }

    async fn admit(&self, _: SocketAddr) -> Result<(), Reply> {
        Ok(())
    }

    async fn sign_in(&self, _: &Client<Infallible>, _: SignIn) -> Result<Infallible, Reply> {
        Err(Reply::new(535, EnhancedCode(5, 7, 8), "Sign-in refused"))
    }

    async fn begin(&self, _: &Client<Infallible>, transaction: &Transaction) -> Result<(), Reply> {
        assert!(!transaction.sender.contains(char::is_control));
        assert!(transaction.smtputf8 || transaction.sender.is_ascii());
        Ok(())
    }

    async fn add_recipient(
        &self,
        client: &Client<Infallible>,
        transaction: &Transaction,
        recipient: &str,
    ) -> Result<(), Reply> {
        assert!(!recipient.is_empty() && !recipient.contains(char::is_control));
        assert!(transaction.smtputf8 || recipient.is_ascii());
        assert!(!client.hello.is_empty() && !client.hello.contains([' ', '(', ')', '<', '>', '"', '\\']));
        Ok(())
    }

    async fn accept(
        &self,
        _: &Client<Infallible>,
        transaction: Transaction,
        message: MessageOctets,
    ) -> Outcome {
        assert!((1..=100).contains(&transaction.recipients.len()));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.into_vec());
        Outcome::Reply(Reply::new(250, EnhancedCode(2, 0, 0), "queued"))
    }
}
