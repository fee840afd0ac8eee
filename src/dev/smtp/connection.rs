//! Serves one connection: reads lines, writes replies, adds messages to the inbox, and enforces time limits.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::data::Message;
use super::dialogue::{Dialogue, NextInput};
use super::lines::{Line, Lines};
use super::outcomes::Outcome;
use super::{MAX_MESSAGE, Security, Server, reply};

/// For reading a command and for writing replies (RFC 5321 section 4.5.3.2.7).
const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);
/// For a whole message.
const MESSAGE_TIMEOUT: Duration = Duration::from_mins(10);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the reply takes where a recipient asks for a slow one.
const SLOW_REPLY: Duration = Duration::from_secs(5);
/// For a whole connection.
const SESSION_TIMEOUT: Duration = Duration::from_mins(30);

pub(super) async fn serve(server: &Server, stream: TcpStream, security: Security) -> io::Result<()> {
    stream.set_nodelay(true)?;
    timeout(SESSION_TIMEOUT, session(server, stream, security)).await?
}

async fn session(server: &Server, stream: TcpStream, security: Security) -> io::Result<()> {
    if security == Security::Implicit {
        let stream = encrypt(server, stream).await?;
        return converse(server, stream, true, reply::GREETING).await.map(|_| ());
    }
    if let Some(stream) = converse(server, stream, false, reply::GREETING).await? {
        let stream = encrypt(server, stream).await?;
        converse(server, stream, true, "").await?;
    }
    Ok(())
}

async fn encrypt(server: &Server, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(server.tls.clone()).accept(stream)).await?
}

/// Runs a session until it ends (`None`), or until STARTTLS (the connection).
async fn converse<S>(server: &Server, stream: S, encrypted: bool, greeting: &str) -> io::Result<Option<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut lines = Lines::new(stream);
    let mut dialogue = Dialogue::new(&server.password, &server.later, encrypted);
    let mut replies = Replies::default();
    if !greeting.is_empty() {
        replies.push(greeting);
    }
    loop {
        if !lines.has_line() {
            replies.send(&mut lines).await?;
        }
        let (reply, next) = match timeout(COMMAND_TIMEOUT, lines.line()).await {
            Ok(line) => match line? {
                Line::Read(line) => dialogue.handle(&line),
                Line::TooLong => (reply::LINE_TOO_LONG.into(), NextInput::Close),
                Line::Closed => return Ok(None),
            },
            Err(_) => (reply::TIMED_OUT.into(), NextInput::Close),
        };
        match next {
            NextInput::Command => replies.push(&reply),
            NextInput::Message => {
                replies.push(&reply);
                replies.send(&mut lines).await?;
                let mut message = Message::new(MAX_MESSAGE);
                if !timeout(MESSAGE_TIMEOUT, lines.message(&mut message)).await?? {
                    return Ok(None);
                }
                match deliver(server, &mut dialogue, message) {
                    (_, Some(Outcome::Lost)) => return Ok(None),
                    (reply, outcome) => {
                        if outcome == Some(Outcome::Slow) {
                            tokio::time::sleep(SLOW_REPLY).await;
                        }
                        replies.push(&reply);
                    }
                }
            }
            // Commands pipelined behind STARTTLS came without TLS; they must not count as sent over TLS.
            NextInput::StartTls if !lines.has_read_ahead() => {
                replies.push(&reply);
                replies.send(&mut lines).await?;
                return Ok(lines.into_stream());
            }
            NextInput::StartTls => {
                replies.push(reply::INJECTION);
                return close(lines, replies).await;
            }
            NextInput::Close => {
                replies.push(&reply);
                return close(lines, replies).await;
            }
        }
    }
}

async fn close<S>(mut lines: Lines<S>, mut replies: Replies) -> io::Result<Option<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    replies.send(&mut lines).await?;
    timeout(COMMAND_TIMEOUT, lines.close()).await??;
    Ok(None)
}

/// The reply to a message, and the outcome that one of its recipients has asked for.
fn deliver(
    server: &Server,
    dialogue: &mut Dialogue<'_>,
    message: Message,
) -> (reply::Reply, Option<Outcome>) {
    let envelope = dialogue.finish_message();
    let outcome = envelope.as_ref().and_then(|envelope| {
        [Outcome::Lost, Outcome::Slow].into_iter().find(|outcome| outcome.is_of(envelope))
    });
    let reply = match (envelope, message.into_source()) {
        (Some(envelope), Some(source)) => {
            let id = server.inbox.add(server.clock.now(), envelope, source);
            tracing::info!("a mail was caught: /dev/inbox/{id}");
            format!("250 2.0.0 Caught as {id}").into()
        }
        (Some(_), None) => reply::TOO_LARGE.into(),
        (None, _) => reply::OUT_OF_ORDER.into(),
    };
    (reply, outcome)
}

/// Collects replies, so that those to pipelined commands are sent together (RFC 2920).
#[derive(Default)]
struct Replies {
    text: String,
}

impl Replies {
    fn push(&mut self, reply: &str) {
        self.text.push_str(reply);
        self.text.push_str("\r\n");
    }

    async fn send<S: AsyncRead + AsyncWrite + Unpin>(&mut self, lines: &mut Lines<S>) -> io::Result<()> {
        if !self.text.is_empty() {
            timeout(COMMAND_TIMEOUT, lines.send(&self.text)).await??;
            self.text.clear();
        }
        Ok(())
    }
}
