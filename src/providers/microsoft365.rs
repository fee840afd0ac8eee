//! Microsoft 365: an app with its own token, through Graph or by SMTP as the operator chose.

mod client;
mod cloud;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod graph;
pub mod setup;
mod token;

pub use crate::diagnosis::microsoft365::{Error, ErrorKind};
pub use client::{Client, Key, Token};
pub use cloud::Endpoints;
pub use token::{AccessToken, Credentials};

use tokio::time::Instant;

use super::{Account, Depth, NotVerified, Outcome, Success, basic_auth};
use crate::app::App;
use crate::diagnosis::{Facts, Failure};
use crate::egress::{DialError, Host};
use crate::email_config::{Microsoft365, fields};
use crate::language::{Text, texts};
use crate::mail::address::EmailAddress;
use crate::mail::message::Message;
use crate::mail::transcript::Transcript;
use crate::secret::Secret;
use crate::smtp::{Credentials as SignIn, Envelope, Security, Session};

texts! {
    TOKEN_ISSUED = "Microsoft issued a token for the app {client_id}.";
    PERMISSION_SHOWN = "It has the permission Mail.Send.";
    PERMISSION_NOT_SHOWN = "The token does not show the permission Mail.Send, which is right for an app that is \
                            limited to one mailbox. Send a test mail to see whether it may send from {mailbox}.";
    SENDER_TAKEN = "Signed in as {mailbox} with a token, and the sender is taken.";
    SIGNED_IN = "Signed in as {mailbox} with a token.";
    ACCEPTED = "Microsoft accepted the mail for delivery. Accepted is not yet delivered: if it comes back, the \
                notice goes to {mailbox}.";
}

/// What a call needs of a configuration.
struct Target<'a> {
    app: &'a App,
    account: &'a Account<'a>,
    settings: &'a Microsoft365,
    secret: &'a Secret,
    deadline: Instant,
}

impl<'a> Target<'a> {
    fn of(
        app: &'a App,
        account: &'a Account<'a>,
        settings: &'a Microsoft365,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let missing = || Failure::ConfigIncomplete { missing: vec![fields::CLIENT_SECRET] };
        Ok(Self { app, account, settings, secret: account.secret.ok_or_else(missing)?, deadline })
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            provider_tenant: &self.settings.provider_tenant,
            client_id: &self.settings.client_id,
            client_secret: self.secret,
        }
    }

    fn uses_smtp(&self) -> bool {
        self.app.config.microsoft365.transport == "smtp"
    }

    fn scope(&self) -> &str {
        let endpoints = &self.app.microsoft365.endpoints;
        if self.uses_smtp() { &endpoints.smtp_scope } else { &endpoints.graph_scope }
    }

    /// `None` for a configuration that is not stored yet: its token is for the check alone.
    fn key(&self) -> Option<Key> {
        Some(Key {
            tenant: self.account.tenant.clone(),
            provider_tenant: self.settings.provider_tenant.clone(),
            client_id: self.settings.client_id.clone(),
            version: self.account.version?.to_owned(),
            scope: self.scope().to_owned(),
        })
    }

    /// A token from the issuer itself: what proves the secret now.
    async fn fresh_token(&self, log: &mut Transcript) -> Result<Token, Error> {
        let key = self.key();
        let client = &self.app.microsoft365;
        client.fresh_token(&self.credentials(), self.scope(), key.as_ref(), self.deadline, log).await
    }

    /// Connects to Microsoft's submission server and signs in with the token.
    async fn sign_in(&self, token: &Secret, log: &mut Transcript) -> Result<Session, Failure> {
        let endpoints = &self.app.microsoft365.endpoints;
        let host = Host::parse(&endpoints.smtp_host).map_err(|_| Failure::Dial(DialError::NotFound))?;
        let dialer = &self.app.dialer;
        let connection = dialer
            .dial_for_operator(&host, endpoints.smtp_port, self.deadline)
            .await
            .map_err(Failure::Dial)?;
        let settings = &self.app.smtp;
        let opened = Session::open(connection, &host, Security::StartTls, settings, self.deadline, log).await;
        let mut session = opened.map_err(Failure::Smtp)?;
        let credentials = SignIn::OAuthToken { username: self.settings.email_address.as_str(), token };
        match session.sign_in(&credentials, log).await {
            Ok(_) => Ok(session),
            Err(error) => {
                session.quit().await;
                Err(Failure::Smtp(error))
            }
        }
    }
}

pub(super) async fn verify(
    app: &App,
    account: &Account<'_>,
    settings: &Microsoft365,
    depth: Depth,
    deadline: Instant,
) -> Outcome {
    let mut log = Transcript::watched(account.watcher);
    let mut facts = facts(app, settings, None);
    let unproved = vec![NotVerified::SenderAddress, NotVerified::SendPermission, NotVerified::Delivery];
    let target = match Target::of(app, account, settings, deadline) {
        Ok(target) => target,
        Err(failure) => return Outcome::failed(&failure, &facts, &log, unproved),
    };
    let token = match target.fresh_token(&mut log).await {
        Ok(token) => token,
        Err(error) => {
            return Outcome::failed(&Failure::Microsoft365(Box::new(error)), &facts, &log, unproved);
        }
    };
    facts.mail_send_role = token.mail_send_role;
    let issued = Text::new(TOKEN_ISSUED).with("client_id", &settings.client_id);
    if depth == Depth::SignIn {
        return succeeded(vec![issued], unproved);
    }
    if target.uses_smtp() {
        return verify_by_smtp(&target, &token, &facts, &mut log).await;
    }
    // An app that is limited to one mailbox has no such role, so that its absence is no failure.
    if token.mail_send_role == Some(true) {
        let message = vec![issued, Text::new(PERMISSION_SHOWN)];
        succeeded(message, vec![NotVerified::SenderAddress, NotVerified::Delivery])
    } else {
        let not_shown = Text::new(PERMISSION_NOT_SHOWN).with("mailbox", settings.email_address.as_str());
        succeeded(vec![issued, not_shown], unproved)
    }
}

async fn verify_by_smtp(target: &Target<'_>, token: &Token, facts: &Facts, log: &mut Transcript) -> Outcome {
    let unproved = vec![NotVerified::SenderAddress, NotVerified::Delivery];
    let mut session = match target.sign_in(&token.text, log).await {
        Ok(session) => session,
        Err(failure) => return Outcome::failed(&failure, facts, log, unproved),
    };
    let probed = session.probe_sender(&target.settings.email_address, log).await;
    session.quit().await;
    let mailbox = &target.settings.email_address;
    match probed {
        Ok(_) => {
            let message = Text::new(SENDER_TAKEN).with("mailbox", mailbox.as_str());
            succeeded(vec![message], vec![NotVerified::Delivery])
        }
        Err(error) if error.is_transient() => {
            succeeded(vec![Text::new(SIGNED_IN).with("mailbox", mailbox.as_str())], unproved)
        }
        Err(error) => Outcome::failed(&Failure::Smtp(error), facts, log, vec![NotVerified::Delivery]),
    }
}

pub(super) async fn send(
    app: &App,
    account: &Account<'_>,
    settings: &Microsoft365,
    recipient: &EmailAddress,
    message: &Message,
    deadline: Instant,
) -> Outcome {
    let mut log = Transcript::default();
    let mut facts = facts(app, settings, Some(recipient));
    let sent = match Target::of(app, account, settings, deadline) {
        Ok(target) if target.uses_smtp() => send_by_smtp(&target, recipient, message, &mut log).await,
        Ok(target) => send_by_graph(&target, message, &mut facts, &mut log).await,
        Err(failure) => Err(failure),
    };
    match sent {
        Ok(success) => Outcome { result: Ok(success), unproved: Vec::new() },
        Err(failure) => Outcome::failed(&failure, &facts, &log, Vec::new()),
    }
}

async fn send_by_graph(
    target: &Target<'_>,
    message: &Message,
    facts: &mut Facts,
    log: &mut Transcript,
) -> Result<Success, Failure> {
    let Some(key) = target.key() else {
        return Err(Failure::ConfigNotSet);
    };
    let mailbox = &target.settings.email_address;
    let client = &target.app.microsoft365;
    let sent = client.send_mail(&target.credentials(), &key, mailbox, message, target.deadline, log).await;
    sent.map_err(|(error, mail_send_role)| {
        facts.mail_send_role = mail_send_role;
        Failure::Microsoft365(Box::new(error))
    })?;
    let message = Text::new(ACCEPTED).with("mailbox", mailbox.as_str());
    Ok(Success { reply: None, message: vec![message] })
}

async fn send_by_smtp(
    target: &Target<'_>,
    recipient: &EmailAddress,
    message: &Message,
    log: &mut Transcript,
) -> Result<Success, Failure> {
    let Some(key) = target.key() else {
        return Err(Failure::ConfigNotSet);
    };
    let client = &target.app.microsoft365;
    let token = client
        .token(&target.credentials(), &key, target.deadline, log)
        .await
        .map_err(|error| Failure::Microsoft365(Box::new(error)))?;
    let mut session = match target.sign_in(&token.text, log).await {
        Ok(session) => session,
        Err(failure) => {
            // Another token may be taken: the next sending asks for one.
            client.forget(&key).await;
            return Err(failure);
        }
    };
    let from = &target.settings.email_address;
    let envelope = Envelope { from, to: std::slice::from_ref(recipient) };
    let sent = session.send(&envelope, message, log).await;
    session.quit().await;
    let receipt = sent.map_err(Failure::Smtp)?;
    let message = Text::new(basic_auth::MAIL_TAKEN)
        .with("recipient", recipient.as_str())
        .with("reply", receipt.reply.to_string());
    Ok(Success { reply: Some(receipt.reply), message: vec![message] })
}

fn succeeded(message: Vec<Text>, unproved: Vec<NotVerified>) -> Outcome {
    Outcome { result: Ok(Success { reply: None, message }), unproved }
}

fn facts(app: &App, settings: &Microsoft365, recipient: Option<&EmailAddress>) -> Facts {
    let by_smtp = app.config.microsoft365.transport == "smtp";
    let endpoints = &app.microsoft365.endpoints;
    Facts {
        host: if by_smtp { endpoints.smtp_host.clone() } else { "Microsoft 365".to_owned() },
        port: endpoints.smtp_port,
        security: by_smtp.then_some(Security::StartTls),
        username: Some(settings.email_address.to_string()),
        sender: Some(settings.email_address.to_string()),
        recipient: recipient.map(ToString::to_string),
        ehlo_name: app.smtp.ehlo_name.as_ref().map(ToString::to_string),
        client_id: Some(settings.client_id.clone()),
        provider_tenant: Some(settings.provider_tenant.clone()),
        mail_send_role: None,
        timeout_seconds: app.config.egress.timeout_seconds,
        allowed_ports: app.config.egress.ports.clone(),
    }
}
