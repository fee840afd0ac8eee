//! Verifies and sends with an account on an SMTP server, with or without a sign-in.

use std::net::IpAddr;

use tokio::time::Instant;

use super::{NotVerified, Outbound, Outcome, SignInGuard, Success, UnlockedAccount};
use crate::diagnosis::{Facts, Failure};
use crate::egress::{Connection, DialError, Host};
use crate::email_config::{BasicAuth, fields};
use crate::language::{Text, texts};
use crate::mail::address::EmailAddress;
use crate::mail::domain_name;
use crate::mail::message::Message;
use crate::mail::transcript::{Stage, Transcript};
use crate::secret::Secret;
use crate::smtp::{self, Credentials, Envelope, Reply, Security, Session};

texts! {
    CONNECTED = "Connected to {place}.";
    SIGNED_IN = "Connected to {place} and signed in as {username}.";
    IPV6_PATH_BROKEN = "The server has an IPv6 address too, which cannot be reached from here; IPv4 was used.";
    SENDER_TAKEN = "The server accepts {sender} as the sender.";
    SENDER_NOT_KNOWN = "It asked us to try later, so it is not known whether it accepts {sender} as the sender.";
    /// Also where the server is Microsoft's.
    pub(super) MAIL_TAKEN = "The server accepted the mail for {recipient}: {reply}";
}

/// How many addresses of a host are tried while each refuses in its greeting.
const MAX_ADDRESSES: usize = 3;

/// A complete configuration: what a session needs.
pub(super) struct SmtpAccount<'a> {
    host: &'a Host,
    port: u16,
    security: Security,
    from: &'a EmailAddress,
    credentials: Option<Credentials<'a>>,
    guard: Option<&'a dyn SignInGuard>,
}

impl<'a> SmtpAccount<'a> {
    pub(super) fn new(basic: &'a BasicAuth, account: &UnlockedAccount<'a>) -> Result<Self, Failure> {
        let password = account.secret;
        let incomplete = |field| Failure::ConfigIncomplete { missing: vec![field] };
        let credentials = match (&basic.username, password) {
            (Some(username), Some(password)) => Some(Credentials::Password { username, password }),
            (None, None) => None,
            (Some(_), None) => return Err(incomplete(fields::EMAIL_PASSWORD)),
            (None, Some(_)) => return Err(incomplete(fields::USERNAME)),
        };
        Ok(Self {
            host: basic.server_address.as_ref().ok_or_else(|| incomplete(fields::SERVER_ADDRESS))?,
            port: basic.server_port.ok_or_else(|| incomplete(fields::SERVER_PORT))?,
            security: basic.security.ok_or_else(|| incomplete(fields::SECURITY_TYPE))?,
            from: basic.email_address.as_ref().ok_or_else(|| incomplete(fields::EMAIL_ADDRESS))?,
            credentials,
            guard: account.guard,
        })
    }

    /// Connects, and signs in where the account has a password.
    pub(super) async fn sign_in(
        &self,
        outbound: &Outbound,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<SignedIn, Failure> {
        let (mut session, peer, ipv6_path_broken) = self.open(outbound, deadline, log).await?;
        let guard = self.guard.filter(|_| self.credentials.is_some());
        if let Some(guard) = guard
            && !guard.begin(peer, deadline).await
        {
            session.quit().await;
            // The guard keeps the reason; this text is never shown.
            return Err(Failure::Dial(DialError::Unreachable));
        }
        let reply = match &self.credentials {
            Some(credentials) => match session.sign_in(credentials, log).await {
                Ok(reply) => {
                    if let Some(guard) = guard {
                        guard.accepted();
                    }
                    Some(reply)
                }
                Err(error) => {
                    let is_refused = error.reply.as_ref().is_some_and(|reply| reply.code >= 500);
                    if let Some(guard) = guard.filter(|_| is_refused) {
                        guard.refused();
                    }
                    session.quit().await;
                    return Err(Failure::Smtp(error));
                }
            },
            None => None,
        };
        Ok(SignedIn { session, reply, ipv6_path_broken })
    }

    /// Connects and opens a session. After a greeting that refuses, the host's next address is tried.
    async fn open(
        &self,
        outbound: &Outbound,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<(Session, IpAddr, bool), Failure> {
        let dialer = &outbound.dialer;
        let mut connection = dialer.dial(self.host, self.port, deadline, log).await.map_err(Failure::Dial)?;
        for _ in 1..MAX_ADDRESSES {
            let (peer, ipv6_path_broken) = (connection.peer.ip(), connection.ipv6_path_broken);
            let alternatives = std::mem::take(&mut connection.alternatives);
            let opened = self.greet(connection, outbound, deadline, log).await;
            let error = match opened {
                Ok(session) => return Ok((session, peer, ipv6_path_broken)),
                Err(error) if error.refuses_address() && !alternatives.is_empty() => error,
                Err(error) => return Err(Failure::Smtp(error)),
            };
            connection = match dialer.dial_alternative(&alternatives, deadline, log).await {
                Ok(connection) => connection,
                Err(_) => return Err(Failure::Smtp(error)),
            };
        }
        let (peer, ipv6_path_broken) = (connection.peer.ip(), connection.ipv6_path_broken);
        let opened = self.greet(connection, outbound, deadline, log).await;
        opened.map(|session| (session, peer, ipv6_path_broken)).map_err(Failure::Smtp)
    }

    async fn greet(
        &self,
        connection: Connection,
        outbound: &Outbound,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<Session, smtp::Error> {
        let credentials = self.credentials.as_ref();
        Session::open(connection, self.host, self.security, &outbound.smtp, credentials, deadline, log).await
    }

    /// The result of the open session.
    fn describe(&self, signed_in: &SignedIn, username: Option<&str>) -> Vec<Text> {
        let place = match self.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            host => format!("{}:{}", domain_name::to_unicode(&host.to_text()), self.port),
        };
        let mut sentences = vec![match username.filter(|_| signed_in.reply.is_some()) {
            Some(username) => Text::new(SIGNED_IN).with("place", place).with("username", username),
            None => Text::new(CONNECTED).with("place", place),
        }];
        if signed_in.ipv6_path_broken {
            sentences.push(Text::new(IPV6_PATH_BROKEN));
        }
        sentences
    }
}

/// An open session.
pub(super) struct SignedIn {
    pub session: Session,
    /// To the sign-in, where there was one.
    reply: Option<Reply>,
    ipv6_path_broken: bool,
}

pub(super) async fn verify(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    basic: &BasicAuth,
    deadline: Instant,
) -> Outcome {
    let mut log = Transcript::with_progress(account.progress);
    let checked = match SmtpAccount::new(basic, account) {
        Ok(smtp_account) => smtp_account.check(outbound, basic.username.as_deref(), deadline, &mut log).await,
        Err(failure) => Err(CheckFailure::before_sender_check(failure)),
    };
    match checked {
        Ok((success, not_verified)) => Outcome { result: Ok(success), not_verified },
        Err(CheckFailure { failure, not_verified }) => {
            Outcome::failed(&failure, &facts(outbound, basic, account.secret, None), &log, not_verified)
        }
    }
}

/// A failed check, and what it did not verify.
struct CheckFailure {
    failure: Failure,
    not_verified: Vec<NotVerified>,
}

const SENDER_AND_DELIVERY: [NotVerified; 2] = [NotVerified::SenderAddress, NotVerified::Delivery];

impl CheckFailure {
    fn before_sender_check(failure: Failure) -> Self {
        Self { failure, not_verified: SENDER_AND_DELIVERY.to_vec() }
    }
}

impl SmtpAccount<'_> {
    async fn check(
        &self,
        outbound: &Outbound,
        username: Option<&str>,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<(Success, Vec<NotVerified>), CheckFailure> {
        let mut signed_in =
            self.sign_in(outbound, deadline, log).await.map_err(CheckFailure::before_sender_check)?;
        let mut message = self.describe(&signed_in, username);
        let probed = signed_in.session.probe_sender(self.from, log).await;
        signed_in.session.quit().await;
        match probed {
            Ok(reply) => {
                message.push(Text::new(SENDER_TAKEN).with("sender", self.from.to_unicode()));
                let success = Success { reply: Some(reply), message, proven: Stage::MailFrom };
                Ok((success, vec![NotVerified::Delivery]))
            }
            Err(error) if error.reply.as_ref().is_some_and(|reply| reply.is_transient()) => {
                message.push(Text::new(SENDER_NOT_KNOWN).with("sender", self.from.to_unicode()));
                let success = Success { reply: signed_in.reply, message, proven: Stage::Auth };
                Ok((success, SENDER_AND_DELIVERY.to_vec()))
            }
            // A reply has judged the sender address; a loss has not.
            Err(error) if error.reply.is_some() => {
                Err(CheckFailure { failure: Failure::Smtp(error), not_verified: vec![NotVerified::Delivery] })
            }
            Err(error) => Err(CheckFailure::before_sender_check(Failure::Smtp(error))),
        }
    }
}

pub(super) async fn send(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    basic: &BasicAuth,
    recipient: &EmailAddress,
    message: &Message,
    deadline: Instant,
) -> Outcome {
    let message_size = u64::try_from(message.bytes.len()).ok();
    let facts = Facts { message_size, ..facts(outbound, basic, account.secret, Some(recipient)) };
    let mut log = Transcript::with_progress(account.progress);
    let sent = match SmtpAccount::new(basic, account) {
        Ok(smtp_account) => deliver(outbound, &smtp_account, recipient, message, deadline, &mut log).await,
        Err(failure) => Err(failure),
    };
    match sent {
        Ok(reply) => {
            let message = Text::new(MAIL_TAKEN)
                .with("recipient", recipient.to_unicode())
                .with("reply", reply.to_string());
            Outcome {
                result: Ok(Success { reply: Some(reply), message: vec![message], proven: Stage::Data }),
                not_verified: Vec::new(),
            }
        }
        Err(failure) => Outcome::failed(&failure, &facts, &log, Vec::new()),
    }
}

async fn deliver(
    outbound: &Outbound,
    smtp_account: &SmtpAccount<'_>,
    recipient: &EmailAddress,
    message: &Message,
    deadline: Instant,
    log: &mut Transcript,
) -> Result<Reply, Failure> {
    let SignedIn { mut session, .. } = smtp_account.sign_in(outbound, deadline, log).await?;
    let envelope = Envelope { from: smtp_account.from, to: std::slice::from_ref(recipient) };
    let sent = session.send(&envelope, message, log).await;
    session.quit().await;
    sent.map(|receipt| receipt.reply).map_err(Failure::Smtp)
}

/// Servers disagree on non-ASCII characters and on blanks at the ends.
fn is_unusual(password: &str) -> bool {
    !password.is_ascii() || password.trim() != password
}

pub(super) fn facts(
    outbound: &Outbound,
    basic: &BasicAuth,
    password: Option<&Secret>,
    recipient: Option<&EmailAddress>,
) -> Facts {
    Facts {
        host: basic.server_address.as_ref().map(ToString::to_string).unwrap_or_default(),
        port: basic.server_port.unwrap_or_default(),
        security: basic.security,
        username: basic.username.clone(),
        sender: basic.email_address.as_ref().map(ToString::to_string),
        recipient: recipient.map(ToString::to_string),
        unusual_password: password.is_some_and(|password| is_unusual(password.expose())),
        ..outbound.facts()
    }
}
