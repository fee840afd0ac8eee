//! An SMTP server, with or without a sign-in.

use std::net::IpAddr;

use tokio::time::Instant;

use super::{Account, Depth, NotVerified, Outcome, Success};
use crate::app::App;
use crate::diagnosis::{Facts, Failure};
use crate::egress::Host;
use crate::email_config::{BasicAuth, fields};
use crate::language::{Text, texts};
use crate::mail::address::EmailAddress;
use crate::mail::message::Message;
use crate::mail::transcript::Transcript;
use crate::secret::Secret;
use crate::smtp::{Credentials, Envelope, Reply, Security, Session};

texts! {
    CONNECTED = "Connected to {place}.";
    SIGNED_IN = "Connected to {place} and signed in as {username}.";
    IPV6_PATH_BROKEN = "The server has an IPv6 address too, which cannot be reached from here; IPv4 was used.";
    SENDER_TAKEN = "The server takes {sender} as the sender.";
    SENDER_NOT_KNOWN = "Whether it takes {sender} as the sender is not known: it asked to try later.";
    /// Also where the server is Microsoft's.
    pub(super) MAIL_TAKEN = "The server took the mail for {recipient}: {reply}";
}

/// What a session needs of a complete configuration.
struct Target<'a> {
    host: &'a Host,
    port: u16,
    security: Security,
    from: &'a EmailAddress,
    credentials: Option<Credentials<'a>>,
}

impl<'a> Target<'a> {
    fn of(basic: &'a BasicAuth, password: Option<&'a Secret>) -> Result<Self, Failure> {
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
        })
    }

    /// Connects, and signs in where there is something to sign in with.
    async fn sign_in(&self, app: &App, deadline: Instant, log: &mut Transcript) -> Result<SignedIn, Failure> {
        let connection = app.dialer.dial(self.host, self.port, deadline, log).await.map_err(Failure::Dial)?;
        let ipv6_path_broken = connection.ipv6_path_broken;
        let opened = Session::open(connection, self.host, self.security, &app.smtp, deadline, log).await;
        let mut session = opened.map_err(Failure::Smtp)?;
        let reply = match &self.credentials {
            Some(credentials) => match session.sign_in(credentials, log).await {
                Ok(reply) => Some(reply),
                Err(error) => {
                    session.quit().await;
                    return Err(Failure::Smtp(error));
                }
            },
            None => None,
        };
        Ok(SignedIn { session, reply, ipv6_path_broken })
    }

    /// What has been shown once the session stands, in words.
    fn reached(&self, signed_in: &SignedIn, username: Option<&str>) -> Vec<Text> {
        let place = match self.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            host => format!("{host}:{}", self.port),
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

/// A session that stands.
struct SignedIn {
    session: Session,
    /// To the sign-in, where there was one.
    reply: Option<Reply>,
    ipv6_path_broken: bool,
}

pub(super) async fn verify(
    app: &App,
    account: &Account<'_>,
    basic: &BasicAuth,
    depth: Depth,
    deadline: Instant,
) -> Outcome {
    let mut log = Transcript::watched(account.watcher);
    let checked = match Target::of(basic, account.secret) {
        Ok(target) => target.check(app, basic.username.as_deref(), depth, deadline, &mut log).await,
        Err(failure) => Err(CheckFailure::nothing(failure)),
    };
    match checked {
        Ok((success, unproved)) => Outcome { result: Ok(success), unproved },
        Err(CheckFailure { failure, unproved }) => {
            Outcome::failed(&failure, &facts(app, basic, None), &log, unproved)
        }
    }
}

/// A failed check, and what it left open.
struct CheckFailure {
    failure: Failure,
    unproved: Vec<NotVerified>,
}

const NOTHING_VERIFIED: [NotVerified; 2] = [NotVerified::SenderAddress, NotVerified::Delivery];

impl CheckFailure {
    fn nothing(failure: Failure) -> Self {
        Self { failure, unproved: NOTHING_VERIFIED.to_vec() }
    }
}

impl Target<'_> {
    async fn check(
        &self,
        app: &App,
        username: Option<&str>,
        depth: Depth,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<(Success, Vec<NotVerified>), CheckFailure> {
        let mut signed_in = self.sign_in(app, deadline, log).await.map_err(CheckFailure::nothing)?;
        let mut message = self.reached(&signed_in, username);
        if depth == Depth::SignIn {
            signed_in.session.quit().await;
            return Ok((Success { reply: signed_in.reply, message }, NOTHING_VERIFIED.to_vec()));
        }
        let probed = signed_in.session.probe_sender(self.from, log).await;
        signed_in.session.quit().await;
        match probed {
            Ok(reply) => {
                message.push(Text::new(SENDER_TAKEN).with("sender", self.from.as_str()));
                Ok((Success { reply: Some(reply), message }, vec![NotVerified::Delivery]))
            }
            Err(error) if error.reply.as_ref().is_some_and(|reply| reply.is_transient()) => {
                message.push(Text::new(SENDER_NOT_KNOWN).with("sender", self.from.as_str()));
                Ok((Success { reply: signed_in.reply, message }, NOTHING_VERIFIED.to_vec()))
            }
            // A reply has judged the sender address; a loss has not.
            Err(error) if error.reply.is_some() => {
                Err(CheckFailure { failure: Failure::Smtp(error), unproved: vec![NotVerified::Delivery] })
            }
            Err(error) => Err(CheckFailure::nothing(Failure::Smtp(error))),
        }
    }
}

pub(super) async fn send(
    app: &App,
    basic: &BasicAuth,
    password: Option<&Secret>,
    recipient: &EmailAddress,
    message: &Message,
    deadline: Instant,
) -> Outcome {
    let facts = facts(app, basic, Some(recipient));
    let mut log = Transcript::default();
    let sent = match Target::of(basic, password) {
        Ok(target) => deliver(app, &target, recipient, message, deadline, &mut log).await,
        Err(failure) => Err(failure),
    };
    match sent {
        Ok(reply) => {
            let message =
                Text::new(MAIL_TAKEN).with("recipient", recipient.as_str()).with("reply", reply.to_string());
            Outcome {
                result: Ok(Success { reply: Some(reply), message: vec![message] }),
                unproved: Vec::new(),
            }
        }
        Err(failure) => Outcome::failed(&failure, &facts, &log, Vec::new()),
    }
}

async fn deliver(
    app: &App,
    target: &Target<'_>,
    recipient: &EmailAddress,
    message: &Message,
    deadline: Instant,
    log: &mut Transcript,
) -> Result<Reply, Failure> {
    let SignedIn { mut session, .. } = target.sign_in(app, deadline, log).await?;
    let envelope = Envelope { from: target.from, to: std::slice::from_ref(recipient) };
    let sent = session.send(&envelope, message, log).await;
    session.quit().await;
    sent.map(|receipt| receipt.reply).map_err(Failure::Smtp)
}

fn facts(app: &App, basic: &BasicAuth, recipient: Option<&EmailAddress>) -> Facts {
    Facts {
        host: basic.server_address.as_ref().map(ToString::to_string).unwrap_or_default(),
        port: basic.server_port.unwrap_or_default(),
        security: basic.security,
        username: basic.username.clone(),
        sender: basic.email_address.as_ref().map(ToString::to_string),
        recipient: recipient.map(ToString::to_string),
        ehlo_name: app.smtp.ehlo_name.as_ref().map(ToString::to_string),
        client_id: None,
        provider_tenant: None,
        mail_send_role: None,
        timeout_seconds: app.config.egress.timeout_seconds,
        allowed_ports: app.config.egress.ports.clone(),
    }
}
