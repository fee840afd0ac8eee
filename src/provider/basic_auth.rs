//! An SMTP server, with or without a sign-in.

use tokio::time::Instant;

use super::{Depth, Outcome, Success, Unproved};
use crate::address::EmailAddress;
use crate::app::App;
use crate::diagnosis::{Facts, Failure};
use crate::egress::Host;
use crate::email_config::{BasicAuth, fields};
use crate::message::Message;
use crate::secret::Secret;
use crate::smtp::{Credentials, Envelope, Reply, Security, Session};
use crate::transcript::Transcript;

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
    /// The reply is the one to the sign-in.
    async fn sign_in(
        &self,
        app: &App,
        deadline: Instant,
        log: &mut Transcript,
    ) -> Result<(Session, Option<Reply>), Failure> {
        let connection = app.dialer.dial(self.host, self.port, deadline, log).await.map_err(Failure::Dial)?;
        let mut session = Session::open(connection, self.host, self.security, &app.smtp, deadline, log)
            .await
            .map_err(Failure::Smtp)?;
        let reply = match &self.credentials {
            Some(credentials) => Some(session.sign_in(credentials, log).await.map_err(Failure::Smtp)?),
            None => None,
        };
        Ok((session, reply))
    }
}

pub(super) async fn verify(
    app: &App,
    basic: &BasicAuth,
    password: Option<&Secret>,
    depth: Depth,
    deadline: Instant,
) -> Outcome {
    let facts = facts(app, basic, None);
    let mut log = Transcript::default();
    let nothing_shown = vec![Unproved::SenderAddress, Unproved::Delivery];
    let signed_in = match Target::of(basic, password) {
        Ok(target) => target.sign_in(app, deadline, &mut log).await.map(|opened| (target, opened)),
        Err(failure) => Err(failure),
    };
    let (target, (mut session, signed_in_reply)) = match signed_in {
        Ok(pair) => pair,
        Err(failure) => return Outcome::failed(&failure, &facts, &log, nothing_shown),
    };
    let place = format!("{}:{}", target.host, target.port);
    let greeted = match &basic.username {
        Some(username) if target.credentials.is_some() => {
            format!("Connected to {place} and signed in as {username}.")
        }
        _ => format!("Connected to {place}."),
    };
    if depth == Depth::SignIn {
        session.quit().await;
        let success = Success { reply: signed_in_reply, message: greeted };
        return Outcome { result: Ok(success), unproved: nothing_shown };
    }
    let probed = session.probe_sender(target.from, &mut log).await;
    match probed {
        Ok(reply) => {
            session.quit().await;
            let message = format!("{greeted} The server takes {} as the sender.", target.from);
            let success = Success { reply: Some(reply), message };
            Outcome { result: Ok(success), unproved: vec![Unproved::Delivery] }
        }
        Err(error) if error.reply.as_ref().is_some_and(|reply| reply.is_transient()) => {
            session.quit().await;
            let message = format!(
                "{greeted} Whether it takes {} as the sender is not known: it asked to try later.",
                target.from
            );
            let success = Success { reply: signed_in_reply, message };
            Outcome { result: Ok(success), unproved: nothing_shown }
        }
        Err(error) => {
            // A reply has judged the sender address; a loss has not.
            let unproved = if error.reply.is_some() { vec![Unproved::Delivery] } else { nothing_shown };
            session.quit().await;
            Outcome::failed(&Failure::Smtp(error), &facts, &log, unproved)
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
            let message = format!("The server took the mail for {recipient}: {reply}");
            Outcome { result: Ok(Success { reply: Some(reply), message }), unproved: Vec::new() }
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
    let (mut session, _) = target.sign_in(app, deadline, log).await?;
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
