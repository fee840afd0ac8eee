//! The state machine of one session: takes command lines, returns replies and builds the envelope. Without I/O.

use super::MAX_MESSAGE;
use super::command::Path;
use super::outcomes::{LaterAttempts, Outcome};
use super::reply::{self, Reply};
use super::sign_in::{self, Awaited, Step};
use crate::dev::mail::Envelope;
use crate::secret::Secret;

/// RFC 5321 section 4.5.3.1.8 asks for 100 at least.
const MAX_RECIPIENTS: usize = 1000;

/// What the connection does after it has sent the reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NextInput {
    Command,
    Message,
    StartTls,
    Close,
}

pub(super) struct Dialogue<'a> {
    password: &'a Secret,
    later: &'a LaterAttempts,
    encrypted: bool,
    greeted: bool,
    signed_in: bool,
    exchange: Option<Awaited>,
    transaction: Option<Transaction>,
}

struct Transaction {
    sender: String,
    recipients: Vec<String>,
    utf8: bool,
}

impl<'a> Dialogue<'a> {
    /// A new dialogue begins after STARTTLS (RFC 3207 section 4.2); `encrypted` is true then.
    pub(super) fn new(password: &'a Secret, later: &'a LaterAttempts, encrypted: bool) -> Self {
        Self {
            password,
            later,
            encrypted,
            greeted: false,
            signed_in: false,
            exchange: None,
            transaction: None,
        }
    }

    /// Handles a line, given without its end.
    pub(super) fn handle(&mut self, line: &[u8]) -> (Reply, NextInput) {
        let Ok(line) = std::str::from_utf8(line) else { return (reply::NOT_UTF8.into(), NextInput::Command) };
        if let Some(awaited) = self.exchange.take() {
            let step = sign_in::respond(awaited, line, self.password);
            return (self.apply_sign_in(step).into(), NextInput::Command);
        }
        let (verb, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let arguments = arguments.trim();
        let reply: Reply = match verb.trim_end().to_ascii_uppercase().as_str() {
            "EHLO" => self.ehlo(arguments),
            "HELO" => self.helo(arguments).into(),
            "STARTTLS" if self.encrypted || !self.greeted => reply::OUT_OF_ORDER.into(),
            "STARTTLS" if !arguments.is_empty() => reply::SYNTAX.into(),
            "STARTTLS" => return (reply::START_TLS.into(), NextInput::StartTls),
            "AUTH" => self.auth(arguments).into(),
            "MAIL" => self.mail(arguments).unwrap_or_else(|refusal| refusal).into(),
            "RCPT" => self.rcpt(arguments).unwrap_or_else(|refusal| refusal).into(),
            "DATA" => match &self.transaction {
                None => reply::OUT_OF_ORDER.into(),
                Some(transaction) if transaction.recipients.is_empty() => reply::NO_RECIPIENT.into(),
                Some(_) => return (reply::SEND_MESSAGE.into(), NextInput::Message),
            },
            "RSET" => {
                self.transaction = None;
                reply::OK.into()
            }
            "NOOP" => reply::OK.into(),
            "VRFY" => "252 2.1.5 Send it and see".into(),
            "HELP" => "214 2.0.0 See /dev/inbox beside the API".into(),
            "QUIT" => return (reply::BYE.into(), NextInput::Close),
            _ => reply::UNKNOWN_COMMAND.into(),
        };
        (reply, NextInput::Command)
    }

    /// Ends the transaction and returns its envelope.
    pub(super) fn finish_message(&mut self) -> Option<Envelope> {
        let transaction = self.transaction.take()?;
        Some(Envelope {
            sender: transaction.sender,
            recipients: transaction.recipients,
            encrypted: self.encrypted,
            signed_in: self.signed_in,
        })
    }

    fn ehlo(&mut self, domain: &str) -> Reply {
        if domain.is_empty() {
            return reply::SYNTAX.into();
        }
        self.greeted = true;
        self.transaction = None;
        let start_tls = if self.encrypted { "" } else { "250-STARTTLS\r\n" };
        format!(
            "250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE {MAX_MESSAGE}\r\n\
             {start_tls}250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES"
        )
        .into()
    }

    fn helo(&mut self, domain: &str) -> &'static str {
        if domain.is_empty() {
            return reply::SYNTAX;
        }
        self.greeted = true;
        self.transaction = None;
        "250 localhost"
    }

    fn auth(&mut self, arguments: &str) -> &'static str {
        if !self.greeted || self.signed_in || self.transaction.is_some() {
            return reply::OUT_OF_ORDER;
        }
        let step = sign_in::begin(arguments, self.password);
        self.apply_sign_in(step)
    }

    fn apply_sign_in(&mut self, step: Step) -> &'static str {
        match step {
            Step::Challenge(challenge, awaited) => {
                self.exchange = Some(awaited);
                challenge
            }
            Step::SignedIn => {
                self.signed_in = true;
                reply::SIGNED_IN
            }
            Step::Refused(refusal) => refusal,
        }
    }

    fn mail(&mut self, arguments: &str) -> Result<&'static str, &'static str> {
        if !self.greeted {
            return Err(reply::GREET_FIRST);
        }
        if self.encrypted && !self.signed_in {
            return Err(reply::SIGN_IN_FIRST);
        }
        if self.transaction.is_some() {
            return Err(reply::OUT_OF_ORDER);
        }
        let path = Path::parse(arguments, "FROM").ok_or(reply::SYNTAX)?;
        let mut utf8 = false;
        for (name, value) in path.parameters {
            match (name.to_ascii_uppercase().as_str(), value) {
                ("SIZE", Some(size)) => {
                    let size: u64 = size.parse().map_err(|_| reply::SYNTAX)?;
                    if size > MAX_MESSAGE as u64 {
                        return Err(reply::TOO_LARGE);
                    }
                }
                ("BODY", Some(body)) if body.eq_ignore_ascii_case("7BIT") => {}
                ("BODY", Some(body)) if body.eq_ignore_ascii_case("8BITMIME") => {}
                ("AUTH", Some(_)) => {}
                ("SMTPUTF8", None) => utf8 = true,
                _ => return Err(reply::UNKNOWN_PARAMETER),
            }
        }
        if !path.address.is_ascii() && !utf8 {
            return Err(reply::NEEDS_SMTPUTF8);
        }
        self.transaction =
            Some(Transaction { sender: path.address.to_owned(), recipients: Vec::new(), utf8 });
        Ok("250 2.1.0 OK")
    }

    fn rcpt(&mut self, arguments: &str) -> Result<&'static str, &'static str> {
        let transaction = self.transaction.as_mut().ok_or(reply::OUT_OF_ORDER)?;
        let path = Path::parse(arguments, "TO").ok_or(reply::SYNTAX)?;
        if path.address.is_empty() {
            return Err(reply::SYNTAX);
        }
        if !path.parameters.is_empty() {
            return Err(reply::UNKNOWN_PARAMETER);
        }
        if !path.address.is_ascii() && !transaction.utf8 {
            return Err(reply::NEEDS_SMTPUTF8);
        }
        match Outcome::find(path.address) {
            Some(Outcome::Unknown) => return Err(reply::NO_SUCH_USER),
            Some(Outcome::Later) if self.later.refuses(path.address) => return Err(reply::COME_LATER),
            _ => {}
        }
        if transaction.recipients.len() >= MAX_RECIPIENTS {
            return Err(reply::TOO_MANY_RECIPIENTS);
        }
        transaction.recipients.push(path.address.to_owned());
        Ok("250 2.1.5 OK")
    }
}

#[cfg(test)]
mod tests;
