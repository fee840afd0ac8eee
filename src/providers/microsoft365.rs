//! Microsoft 365: an app with its own token, through Graph or by SMTP as the operator chose.

mod client;
mod cloud;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod graph;
pub mod setup;
mod token;

pub use crate::diagnosis::microsoft365::{Error, ErrorKind};
pub use client::{Client, Token, TokenKey};
pub use cloud::Endpoints;
pub use token::{AccessToken, Credentials};

#[cfg(test)]
use hyper::header::HeaderMap;
use tokio::time::Instant;

use super::{Depth, NotVerified, Outbound, Outcome, Success, UnlockedAccount, basic_auth};
use crate::config::MicrosoftTransport;
use crate::diagnosis::{Facts, Failure};
#[cfg(test)]
use crate::egress::http_client::Response;
use crate::egress::{DialError, Host};
use crate::email_config::{Microsoft365, fields};
use crate::language::{Text, texts};
use crate::mail::address::EmailAddress;
use crate::mail::message::Message;
use crate::mail::transcript::{Stage, Transcript};
use crate::secret::Secret;
use crate::smtp::{Credentials as SignIn, Envelope, Security, Session};

/// What an answer of Entra or Graph is understood as, where it is a refusal.
#[cfg(test)]
pub(crate) fn error_of_answer(stage: Stage, status: u16, body: &str) -> Option<Error> {
    let response = Response { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() };
    match stage {
        Stage::Token => token::read(&response).err(),
        _ => graph::read(&response).err(),
    }
}

texts! {
    TOKEN_ISSUED = "Microsoft issued a token for the app {client_id}.";
    PERMISSION_SHOWN = "It has the permission Mail.Send.";
    PERMISSION_NOT_SHOWN = "The token does not show the permission Mail.Send, which is right for an app that is \
                            limited to one mailbox. Send a test email to see whether it may send from {mailbox}.";
    SENDER_TAKEN = "Signed in as {mailbox} with a token, and the sender is accepted.";
    SIGNED_IN = "Signed in as {mailbox} with a token.";
    ACCEPTED = "Microsoft accepted the email for delivery. If it cannot be delivered, {mailbox} receives a notice.";
}

/// A check or a sending with one account.
pub(super) struct Call<'a> {
    outbound: &'a Outbound,
    account: &'a UnlockedAccount<'a>,
    settings: &'a Microsoft365,
    secret: &'a Secret,
    deadline: Instant,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        outbound: &'a Outbound,
        account: &'a UnlockedAccount<'a>,
        settings: &'a Microsoft365,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let missing = || Failure::ConfigIncomplete { missing: vec![fields::CLIENT_SECRET] };
        Ok(Self { outbound, account, settings, secret: account.secret.ok_or_else(missing)?, deadline })
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            provider_tenant: &self.settings.provider_tenant,
            client_id: &self.settings.client_id,
            client_secret: self.secret,
        }
    }

    pub(super) fn uses_smtp(&self) -> bool {
        self.outbound.microsoft365_transport == MicrosoftTransport::Smtp
    }

    fn scope(&self) -> &str {
        let endpoints = &self.outbound.microsoft365.endpoints;
        if self.uses_smtp() { &endpoints.smtp_scope } else { &endpoints.graph_scope }
    }

    /// `None` for a configuration that is not stored yet: its token serves this check alone.
    fn key(&self) -> Option<TokenKey> {
        Some(TokenKey {
            tenant: self.account.tenant.clone(),
            provider_tenant: self.settings.provider_tenant.clone(),
            client_id: self.settings.client_id.clone(),
            version: self.account.version?.to_owned(),
            scope: self.scope().to_owned(),
        })
    }

    /// A token from the issuer itself, not a kept one: it proves that the secret is valid now.
    async fn fresh_token(&self, log: &mut Transcript) -> Result<Token, Error> {
        let key = self.key();
        let client = &self.outbound.microsoft365;
        client.fresh_token(&self.credentials(), self.scope(), key.as_ref(), self.deadline, log).await
    }

    /// Hands one mail to Graph.
    ///
    /// # Errors
    /// Also what the token says about the permission to send, where there was one.
    pub(super) async fn send_by_graph(
        &self,
        message: &Message,
        log: &mut Transcript,
    ) -> Result<(), (Failure, Option<bool>)> {
        let Some(key) = self.key() else {
            return Err((Failure::ConfigNotSet, None));
        };
        let client = &self.outbound.microsoft365;
        let mailbox = &self.settings.email_address;
        let sent = client.send_mail(&self.credentials(), &key, mailbox, message, self.deadline, log).await;
        sent.map_err(|(error, mail_send_role)| (Failure::Microsoft365(Box::new(error)), mail_send_role))
    }

    /// Signs in to the submission server with the cached token or a new one.
    pub(super) async fn sign_in_with_cached_token(&self, log: &mut Transcript) -> Result<Session, Failure> {
        let Some(key) = self.key() else {
            return Err(Failure::ConfigNotSet);
        };
        let client = &self.outbound.microsoft365;
        let token = client
            .token(&self.credentials(), &key, self.deadline, log)
            .await
            .map_err(|error| Failure::Microsoft365(Box::new(error)))?;
        let signed_in = self.sign_in(&token.text, log).await;
        if signed_in.is_err() {
            // Another token may be taken: the next sending asks for one.
            client.forget(&key).await;
        }
        signed_in
    }

    /// Connects to Microsoft's submission server and signs in with the token.
    async fn sign_in(&self, token: &Secret, log: &mut Transcript) -> Result<Session, Failure> {
        let endpoints = &self.outbound.microsoft365.endpoints;
        let host = Host::parse(&endpoints.smtp_host).map_err(|_| Failure::Dial(DialError::NotFound))?;
        let dialer = &self.outbound.dialer;
        let connection = dialer
            .dial_for_operator(&host, endpoints.smtp_port, self.deadline)
            .await
            .map_err(Failure::Dial)?;
        let settings = &self.outbound.smtp;
        let credentials = SignIn::OAuthToken { username: self.settings.email_address.as_str(), token };
        let security = Security::StartTls;
        let opened =
            Session::open(connection, &host, security, settings, Some(&credentials), self.deadline, log)
                .await;
        let mut session = opened.map_err(Failure::Smtp)?;
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
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    settings: &Microsoft365,
    depth: Depth,
    deadline: Instant,
) -> Outcome {
    let mut log = Transcript::with_progress(account.progress);
    let mut facts = facts(outbound, settings, None);
    let not_verified = vec![NotVerified::SenderAddress, NotVerified::SendPermission, NotVerified::Delivery];
    let call = match Call::new(outbound, account, settings, deadline) {
        Ok(call) => call,
        Err(failure) => return Outcome::failed(&failure, &facts, &log, not_verified),
    };
    let token = match call.fresh_token(&mut log).await {
        Ok(token) => token,
        Err(error) => {
            return Outcome::failed(&Failure::Microsoft365(Box::new(error)), &facts, &log, not_verified);
        }
    };
    facts.mail_send_role = token.mail_send_role;
    let issued = Text::new(TOKEN_ISSUED).with("client_id", &settings.client_id);
    if call.uses_smtp() && depth == Depth::Token {
        return succeeded(vec![issued], Stage::Token, not_verified);
    }
    if call.uses_smtp() {
        return verify_by_smtp(&call, &token, &facts, &mut log).await;
    }
    // An app that is limited to one mailbox has no such role, so that its absence is no failure.
    if token.mail_send_role == Some(true) {
        let message = vec![issued, Text::new(PERMISSION_SHOWN)];
        succeeded(message, Stage::Token, vec![NotVerified::SenderAddress, NotVerified::Delivery])
    } else {
        let not_shown = Text::new(PERMISSION_NOT_SHOWN).with("mailbox", settings.email_address.as_str());
        succeeded(vec![issued, not_shown], Stage::Token, not_verified)
    }
}

async fn verify_by_smtp(call: &Call<'_>, token: &Token, facts: &Facts, log: &mut Transcript) -> Outcome {
    let not_verified = vec![NotVerified::SenderAddress, NotVerified::Delivery];
    let mut session = match call.sign_in(&token.text, log).await {
        Ok(session) => session,
        Err(failure) => return Outcome::failed(&failure, facts, log, not_verified),
    };
    let probed = session.probe_sender(&call.settings.email_address, log).await;
    session.quit().await;
    let mailbox = &call.settings.email_address;
    match probed {
        Ok(_) => {
            let message = Text::new(SENDER_TAKEN).with("mailbox", mailbox.as_str());
            succeeded(vec![message], Stage::MailFrom, vec![NotVerified::Delivery])
        }
        Err(error) if error.is_transient() => {
            succeeded(vec![Text::new(SIGNED_IN).with("mailbox", mailbox.as_str())], Stage::Auth, not_verified)
        }
        Err(error) => Outcome::failed(&Failure::Smtp(error), facts, log, vec![NotVerified::Delivery]),
    }
}

pub(super) async fn send(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    settings: &Microsoft365,
    recipient: &EmailAddress,
    message: &Message,
    deadline: Instant,
) -> Outcome {
    let mut log = Transcript::with_progress(account.progress);
    let mut facts = facts(outbound, settings, Some(recipient));
    let sent = match Call::new(outbound, account, settings, deadline) {
        Ok(call) if call.uses_smtp() => send_by_smtp(&call, recipient, message, &mut log).await,
        Ok(call) => send_by_graph(&call, message, &mut facts, &mut log).await,
        Err(failure) => Err(failure),
    };
    match sent {
        Ok(success) => Outcome { result: Ok(success), not_verified: Vec::new() },
        Err(failure) => Outcome::failed(&failure, &facts, &log, Vec::new()),
    }
}

async fn send_by_graph(
    call: &Call<'_>,
    message: &Message,
    facts: &mut Facts,
    log: &mut Transcript,
) -> Result<Success, Failure> {
    call.send_by_graph(message, log).await.map_err(|(failure, mail_send_role)| {
        facts.mail_send_role = mail_send_role;
        failure
    })?;
    let message = Text::new(ACCEPTED).with("mailbox", call.settings.email_address.as_str());
    Ok(Success { reply: None, message: vec![message], proven: Stage::Graph })
}

async fn send_by_smtp(
    call: &Call<'_>,
    recipient: &EmailAddress,
    message: &Message,
    log: &mut Transcript,
) -> Result<Success, Failure> {
    let mut session = call.sign_in_with_cached_token(log).await?;
    let from = &call.settings.email_address;
    let envelope = Envelope { from, to: std::slice::from_ref(recipient) };
    let sent = session.send(&envelope, message, log).await;
    session.quit().await;
    let receipt = sent.map_err(Failure::Smtp)?;
    let message = Text::new(basic_auth::MAIL_TAKEN)
        .with("recipient", recipient.as_str())
        .with("reply", receipt.reply.to_string());
    Ok(Success { reply: Some(receipt.reply), message: vec![message], proven: Stage::Data })
}

fn succeeded(message: Vec<Text>, proven: Stage, not_verified: Vec<NotVerified>) -> Outcome {
    Outcome { result: Ok(Success { reply: None, message, proven }), not_verified }
}

pub(super) fn facts(outbound: &Outbound, settings: &Microsoft365, recipient: Option<&EmailAddress>) -> Facts {
    let by_smtp = outbound.microsoft365_transport == MicrosoftTransport::Smtp;
    let endpoints = &outbound.microsoft365.endpoints;
    Facts {
        host: if by_smtp { endpoints.smtp_host.clone() } else { "Microsoft 365".to_owned() },
        port: endpoints.smtp_port,
        security: by_smtp.then_some(Security::StartTls),
        username: Some(settings.email_address.to_string()),
        sender: Some(settings.email_address.to_string()),
        recipient: recipient.map(ToString::to_string),
        client_id: Some(settings.client_id.clone()),
        provider_tenant: Some(settings.provider_tenant.clone()),
        ..outbound.facts()
    }
}
