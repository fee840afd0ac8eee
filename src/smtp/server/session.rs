//! The state of one connection: takes command lines, asks the front door, and says what to reply and what to read next.
//! Does no I/O.

mod message;

use std::net::SocketAddr;

use tokio::time::Instant;

use super::command::{self, Path, Verb};
use super::listener::Server;
use super::message::{Incoming, Memory};
use super::reply::{self, FixedReply};
use super::sign_in::{self, Awaited, Step};
use super::{Client, FrontDoor, SignInRule, Transaction};
use crate::smtp::{EnhancedCode, Reply};

/// RCPT commands of one transaction, accepted or not; one more ends the connection.
const MAX_RECIPIENT_COMMANDS: usize = 20_000;

/// Chunks that a client may have sent before it has seen that the message is refused; one more ends the connection.
const MAX_REFUSED_CHUNKS: usize = 20_000;

/// What the connection does after it has sent the reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Command,
    /// Reads a command, unless octets have come that the client could only send if the reply were another.
    CommandIfDrained,
    /// Reads a message up to its dot, then calls [`Session::end_message`].
    Data,
    /// Reads octets by their number, then calls [`Session::end_chunk`].
    Chunk(Chunk),
    StartTls,
    /// Ends the connection, with one more reply where there is one.
    Close(Option<FixedReply>),
    /// Ends the connection at once.
    Disconnect,
}

/// A BDAT command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    pub octets: usize,
    pub is_last: bool,
    /// The octets are read, and dropped.
    pub refusal: Option<FixedReply>,
}

/// The message of a transaction under way.
struct Receiving {
    message: Incoming,
    begun: Instant,
}

/// A reply, or none yet.
pub(super) type Handled = (Option<Reply>, Next);

pub(super) struct Session<'a, D: FrontDoor> {
    server: &'a Server<D>,
    memory: Memory,
    /// STARTTLS is possible on this listener.
    has_start_tls: bool,
    client: Client<D::Caller>,
    exchange: Option<Awaited>,
    transaction: Option<Transaction>,
    recipient_commands: usize,
    /// Chunks that were refused since the last MAIL.
    refused_chunks: usize,
    receiving: Option<Receiving>,
    bad_commands: usize,
    idle_commands: usize,
    refused_sign_ins: usize,
    messages: usize,
}

impl<'a, D: FrontDoor> Session<'a, D> {
    pub(super) fn new(server: &'a Server<D>, memory: Memory, peer: SocketAddr, has_start_tls: bool) -> Self {
        Self {
            server,
            memory,
            has_start_tls,
            client: Client::new(peer, false),
            exchange: None,
            transaction: None,
            recipient_commands: 0,
            refused_chunks: 0,
            receiving: None,
            bad_commands: 0,
            idle_commands: 0,
            refused_sign_ins: 0,
            messages: 0,
        }
    }

    /// TLS is up: what was said before counts for nothing (RFC 3207 section 4.2).
    pub(super) fn begin_encrypted(&mut self) {
        self.client = Client::new(self.client.peer, true);
        self.exchange = None;
        self.reset();
    }

    pub(super) fn has_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    pub(super) fn has_signed_in(&self) -> bool {
        self.client.caller.is_some()
    }

    /// Deadline of the current message.
    pub(super) fn message_deadline(&self) -> Option<Instant> {
        self.receiving.as_ref().map(|receiving| receiving.begun + self.server.limits.message)
    }

    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Handles a line, given without its end.
    pub(super) async fn handle(&mut self, line: &[u8]) -> Handled {
        let recipient_commands = self.recipient_commands;
        let has_exchange = self.exchange.is_some();
        let (reply, next) = match parse_line(line) {
            Err(refusal) => {
                self.exchange = None;
                (Some(refusal.into()), Next::Command)
            }
            Ok(line) => match self.exchange.take() {
                Some(awaited) => self.apply_sign_in(sign_in::respond(awaited, line)).await,
                None => self.command(line).await,
            },
        };
        let next = if has_exchange { next } else { self.distrust_what_follows(line, next) };
        let is_chunk = matches!(next, Next::Chunk(_));
        if self.recipient_commands <= recipient_commands && !is_chunk {
            self.idle_commands += 1;
        }
        if reply.as_ref().is_some_and(|reply| is_protocol_error(reply.code)) {
            self.bad_commands += 1;
        }
        self.within_limits(reply, next)
    }

    /// A client that sends BDAT or DATA sends a message after it. Where the command was not understood, its octets would be read
    /// as commands.
    fn distrust_what_follows(&mut self, line: &[u8], next: Next) -> Next {
        let start = line.iter().position(u8::is_ascii_alphabetic).unwrap_or_default();
        let verb = line.get(start..start + 4).unwrap_or_default();
        if next != Next::Command {
            next
        } else if verb.eq_ignore_ascii_case(b"BDAT") {
            self.reset();
            Next::Close(None)
        } else if verb.eq_ignore_ascii_case(b"DATA") {
            Next::CommandIfDrained
        } else {
            next
        }
    }

    /// Ends the connection where the reply says so or a limit is passed.
    fn within_limits(&self, reply: Option<Reply>, next: Next) -> Handled {
        let limits = &self.server.limits;
        let exceeded = [
            (self.bad_commands > limits.max_bad_commands, reply::TOO_MANY_ERRORS),
            (self.idle_commands > limits.max_idle_commands, reply::TOO_MANY_COMMANDS),
            (self.recipient_commands > MAX_RECIPIENT_COMMANDS, reply::TOO_MANY_COMMANDS),
            (self.refused_chunks > MAX_REFUSED_CHUNKS, reply::TOO_MANY_COMMANDS),
        ];
        match (reply, next) {
            (reply, Next::Close(farewell)) => (reply, Next::Close(farewell)),
            (Some(reply), _) if reply.code == 421 => (Some(reply), Next::Close(None)),
            (reply, next) => match exceeded.iter().find(|(is_exceeded, _)| *is_exceeded) {
                Some((_, farewell)) => (Some((*farewell).into()), Next::Close(None)),
                None => (reply, next),
            },
        }
    }

    async fn command(&mut self, line: &str) -> Handled {
        let (verb, arguments) = command::split(line);
        if line.len() + 2 > verb.max_line() {
            return refused(reply::LINE_TOO_LONG);
        }
        let needs_tls = self.server.door.sign_in_rule(self.client.is_encrypted) == SignInRule::AfterTls;
        match verb {
            Verb::Bdat => return self.bdat(arguments, needs_tls),
            Verb::Http => return (Some(reply::OTHER_PROTOCOL.into()), Next::Close(None)),
            Verb::Unknown => return refused(reply::UNKNOWN_COMMAND),
            Verb::NotImplemented | Verb::Expn => return refused(reply::NOT_IMPLEMENTED),
            // RFC 3207 section 4.
            Verb::Helo | Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Rset | Verb::Vrfy | Verb::Help
                if needs_tls =>
            {
                let next = if verb == Verb::Data { Next::CommandIfDrained } else { Next::Command };
                return (Some(reply::TLS_FIRST.into()), next);
            }
            Verb::Auth => return self.auth(arguments, needs_tls).await,
            Verb::StartTls => return self.start_tls(arguments),
            Verb::Data => return self.data(arguments),
            Verb::Quit if arguments.is_empty() => return (Some(reply::BYE.into()), Next::Close(None)),
            _ => {}
        }
        let replied = match verb {
            Verb::Ehlo => self.ehlo(arguments),
            Verb::Helo => self.helo(arguments),
            Verb::Mail => self.mail(arguments).await,
            Verb::Rcpt => self.rcpt(arguments).await,
            Verb::Rset if arguments.is_empty() => {
                self.reset();
                Ok(reply::OK.into())
            }
            Verb::Noop => Ok(reply::OK.into()),
            Verb::Vrfy if !arguments.is_empty() => Ok(reply::NOT_VERIFIED.into()),
            Verb::Help => Ok(Reply::new(214, EnhancedCode(2, 0, 0), self.server.door.help())),
            _ => Err(reply::SYNTAX.into()),
        };
        (Some(replied.unwrap_or_else(|refusal| refusal)), Next::Command)
    }

    fn reset(&mut self) {
        self.transaction = None;
        self.recipient_commands = 0;
        self.receiving = None;
    }

    fn hello(&mut self, arguments: &str, is_extended: bool) -> Result<(), Reply> {
        self.client.hello = command::parse_hello(arguments).ok_or(reply::SYNTAX)?;
        self.client.is_extended = is_extended;
        self.reset();
        Ok(())
    }

    fn ehlo(&mut self, arguments: &str) -> Result<Reply, Reply> {
        self.hello(arguments, true)?;
        let limits = &self.server.limits;
        let mut lines = vec![
            self.server.door.hostname().to_owned(),
            "PIPELINING".to_owned(),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            "CHUNKING".to_owned(),
            format!("SIZE {}", limits.max_message),
            format!("LIMITS MAILMAX={} RCPTMAX={}", limits.max_messages, limits.max_recipients),
        ];
        if self.has_start_tls && !self.client.is_encrypted {
            lines.push("STARTTLS".to_owned());
        }
        if self.server.door.sign_in_rule(self.client.is_encrypted) != SignInRule::AfterTls {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        Ok(Reply { code: 250, enhanced: None, lines })
    }

    fn helo(&mut self, arguments: &str) -> Result<Reply, Reply> {
        self.hello(arguments, false)?;
        Ok(Reply { code: 250, enhanced: None, lines: vec![self.server.door.hostname().to_owned()] })
    }

    fn has_greeted(&self) -> bool {
        !self.client.hello.is_empty()
    }

    fn start_tls(&self, arguments: &str) -> Handled {
        if !arguments.is_empty() {
            return refused(reply::SYNTAX);
        }
        if !self.has_start_tls {
            return refused(reply::NOT_IMPLEMENTED);
        }
        if self.client.is_encrypted || !self.has_greeted() {
            return refused(reply::OUT_OF_ORDER);
        }
        (Some(reply::START_TLS.into()), Next::StartTls)
    }

    async fn auth(&mut self, arguments: &str, needs_tls: bool) -> Handled {
        if needs_tls {
            return refused(reply::SIGN_IN_NEEDS_TLS);
        }
        if arguments.is_empty() {
            return refused(reply::SYNTAX);
        }
        if !self.client.is_extended || self.client.caller.is_some() || self.transaction.is_some() {
            return refused(reply::OUT_OF_ORDER);
        }
        self.apply_sign_in(sign_in::begin(arguments)).await
    }

    async fn apply_sign_in(&mut self, step: Step) -> Handled {
        let refusal = match step {
            Step::Challenge(challenge, awaited) => {
                self.exchange = Some(awaited);
                return (Some(challenge.into()), Next::Command);
            }
            Step::Malformed(refusal) => return refused(refusal),
            Step::Refused(refusal) => refusal.into(),
            Step::Credentials(credentials) => match self.server.door.sign_in(&self.client, credentials).await
            {
                Ok(caller) => {
                    self.client.caller = Some(caller);
                    return (Some(reply::SIGNED_IN.into()), Next::Command);
                }
                Err(refusal) => refusal,
            },
        };
        self.refused_sign_ins += 1;
        let is_last = self.refused_sign_ins >= self.server.limits.max_refused_sign_ins;
        (Some(refusal), if is_last { Next::Close(Some(reply::TOO_MANY_REFUSED)) } else { Next::Command })
    }

    async fn mail(&mut self, arguments: &str) -> Result<Reply, Reply> {
        if !self.has_greeted() {
            return Err(reply::GREET_FIRST.into());
        }
        let rule = self.server.door.sign_in_rule(self.client.is_encrypted);
        if rule == SignInRule::Required && self.client.caller.is_none() {
            return Err(reply::SIGN_IN_FIRST.into());
        }
        if self.transaction.is_some() {
            return Err(reply::OUT_OF_ORDER.into());
        }
        if self.messages >= self.server.limits.max_messages {
            return Err(reply::TOO_MANY_MESSAGES.into());
        }
        let transaction = self.parse_mail(arguments)?;
        self.server.door.begin(&self.client, &transaction).await?;
        self.reset();
        self.refused_chunks = 0;
        self.transaction = Some(transaction);
        Ok(reply::SENDER_OK.into())
    }

    fn parse_mail(&self, arguments: &str) -> Result<Transaction, FixedReply> {
        let path = Path::parse(arguments, "FROM").ok_or(reply::BAD_SENDER)?;
        if !path.parameters.is_empty() && !self.client.is_extended {
            return Err(reply::UNKNOWN_PARAMETER);
        }
        let transaction = path.transaction()?;
        if transaction.size.is_some_and(|size| size > self.server.limits.max_message) {
            return Err(reply::TOO_LARGE);
        }
        if !path.address.is_ascii() && !transaction.smtputf8 {
            return Err(reply::NEEDS_SMTPUTF8);
        }
        Ok(transaction)
    }

    async fn rcpt(&mut self, arguments: &str) -> Result<Reply, Reply> {
        if self.receiving.is_some() {
            return Err(reply::CHUNKS_BEGUN.into());
        }
        let transaction = self.transaction.as_mut().ok_or(reply::OUT_OF_ORDER)?;
        self.recipient_commands += 1;
        let path = Path::parse(arguments, "TO").ok_or(reply::BAD_RECIPIENT)?;
        if path.address.is_empty() {
            return Err(reply::BAD_RECIPIENT.into());
        }
        if !path.parameters.is_empty() {
            return Err(reply::UNKNOWN_PARAMETER.into());
        }
        if !path.address.is_ascii() && !transaction.smtputf8 {
            return Err(reply::NEEDS_SMTPUTF8.into());
        }
        if transaction.recipients.len() >= self.server.limits.max_recipients {
            return Err(reply::TOO_MANY_RECIPIENTS.into());
        }
        self.server.door.add_recipient(&self.client, transaction, path.address).await?;
        transaction.recipients.push(path.address.to_owned());
        Ok(reply::RECIPIENT_OK.into())
    }
}

fn refused(refusal: FixedReply) -> Handled {
    (Some(refusal.into()), Next::Command)
}

/// The client violated the protocol.
fn is_protocol_error(code: u16) -> bool {
    matches!(code, 500..=504 | 530 | 538 | 555)
}

fn parse_line(line: &[u8]) -> Result<&str, FixedReply> {
    if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(reply::BAD_LINE);
    }
    std::str::from_utf8(line).map_err(|_| reply::NOT_UTF8)
}
