//! Checks a tenant's mail account or sends a mail with it, for each provider.
//!
//! One match for each operation; each provider has a file. Nothing here uses the database.

mod basic_auth;
pub mod delivery;
pub mod microsoft365;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};
use crate::config::MicrosoftTransport;
use crate::diagnosis::{Effect, Facts, Failure, Finding, StoredDiagnosis, diagnose};
use crate::egress::Dialer;
use crate::email_config::{
    CheckOperation, CheckOutcome, EmailConfig, Health, LastCheck, NotVerified, Settings,
};
use crate::id::TenantId;
use crate::language::{Language, Text};
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::{self, Content, Draft, HeaderText, MessageId};
use crate::mail::transcript::{ProgressSender, Stage, Transcript};
use crate::secret::Secret;
use crate::smtp::{self, Reply};

/// Enough of a hash that no two tenants have the same.
const TENANT_MARK_BYTES: usize = 16;

/// What the providers connect with.
pub struct Outbound {
    pub dialer: Dialer,
    pub smtp: smtp::Settings,
    pub microsoft365: microsoft365::Client,
    /// How Microsoft 365 gets its mail, as the operator has chosen.
    pub microsoft365_transport: MicrosoftTransport,
    pub clock: Clock,
    /// How long one check or sending may take.
    pub timeout: Duration,
    /// The name of this installation, which each mail carries: printable ASCII.
    pub installation: String,
    /// `egress.ports`, for the explanation of a refused port.
    pub allowed_ports: Vec<u16>,
}

impl Outbound {
    /// The deadline of a check or a sending that begins now.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// What a diagnosis may say about this service.
    fn facts(&self) -> Facts {
        Facts {
            ehlo_name: self.smtp.ehlo_name.as_ref().map(ToString::to_string),
            timeout_seconds: self.timeout.as_secs(),
            allowed_ports: self.allowed_ports.clone(),
            ..Facts::default()
        }
    }
}

/// A configuration with its opened secret, for one session.
#[derive(Clone, Copy)]
pub struct UnlockedAccount<'a> {
    pub tenant: &'a TenantId,
    /// The stored version; `None` for a configuration that is checked before it is stored.
    pub version: Option<&'a str>,
    pub settings: &'a Settings,
    pub secret: Option<&'a Secret>,
    /// Receives each step as it happens.
    pub progress: Option<&'a ProgressSender>,
    /// Asked before a password is sent to a server that the tenant named.
    pub guard: Option<&'a dyn SignInGuard>,
}

/// Decides whether a password may be tried at an address.
pub trait SignInGuard: Send + Sync {
    /// Whether it may be tried; waits until the deadline for sign-ins of others whose outcome decides that.
    fn begin(&self, address: IpAddr, deadline: Instant) -> BoxFuture<'_, bool>;
    /// The server has accepted it.
    fn accepted(&self);
    /// The server has refused it.
    fn refused(&self);
}

impl<'a> UnlockedAccount<'a> {
    /// The account of a stored configuration.
    pub fn new(tenant: &'a TenantId, stored: &'a EmailConfig, secret: Option<&'a Secret>) -> Self {
        Self {
            tenant,
            version: Some(&stored.version.config),
            settings: &stored.settings,
            secret,
            progress: None,
            guard: None,
        }
    }
}

/// The depth of a check of a Microsoft 365 account. An SMTP server is always asked whether it accepts the sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// A token is issued: the check of PUT.
    Token,
    /// Also what the token opens is asked: verify-connection.
    Session,
}

/// One mail to one recipient.
pub struct Mail<'a> {
    pub recipient: &'a EmailAddress,
    pub subject: &'a HeaderText,
    pub body: &'a str,
}

/// The outcome of a check or a sending.
pub struct Outcome {
    pub result: Result<Success, Box<Finding>>,
    /// What was not verified, whatever the result.
    pub not_verified: Vec<NotVerified>,
}

/// It worked.
pub struct Success {
    /// The last reply that decided something.
    pub reply: Option<Reply>,
    /// For the administrator, a sentence each.
    message: Vec<Text>,
    /// The last stage of the session: later ones are not proven.
    proven: Stage,
}

impl Success {
    /// What the administrator reads.
    pub fn message(&self, language: Language) -> String {
        let sentences: Vec<String> = self.message.iter().map(|sentence| sentence.render(language)).collect();
        sentences.join(" ")
    }
}

/// Signs in to the account, and asks about the sender.
pub async fn verify(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    depth: Depth,
    deadline: Instant,
) -> Outcome {
    match account.settings {
        Settings::BasicAuth(basic) => basic_auth::verify(outbound, account, basic, deadline).await,
        Settings::Microsoft365(settings) => {
            microsoft365::verify(outbound, account, settings, depth, deadline).await
        }
    }
}

/// Sends one mail through the account.
///
/// # Errors
/// Where the mail cannot be built, which is a fault of ours.
pub async fn send(
    outbound: &Outbound,
    account: &UnlockedAccount<'_>,
    mail: &Mail<'_>,
    deadline: Instant,
) -> anyhow::Result<Outcome> {
    let Some(from) = account.settings.email_address() else {
        return Ok(incomplete(account.settings.missing(account.secret.is_some())));
    };
    let mut message = message::build(&Draft {
        message_id: &MessageId::random(from),
        from: Some(&Mailbox::new(account.settings.sender_name(), from.clone())),
        reply_to: &[],
        to: &[mail.recipient.clone().into()],
        cc: &[],
        subject: mail.subject,
        date: outbound.clock.now(),
        headers: &[],
        content: Content { text: Some(mail.body), ..Content::default() },
    })?;
    message.prepend("X-Mailer", &outbound.installation);
    message.prepend("X-Transports-Tenant", &tenant_mark(account.tenant));
    Ok(match account.settings {
        Settings::BasicAuth(basic) => {
            basic_auth::send(outbound, account, basic, mail.recipient, &message, deadline).await
        }
        Settings::Microsoft365(settings) => {
            microsoft365::send(outbound, account, settings, mail.recipient, &message, deadline).await
        }
    })
}

/// Identifies a mail's tenant to the operator, and tells the recipient nothing.
fn tenant_mark(tenant: &TenantId) -> String {
    let hash = digest(&SHA256, tenant.as_str().as_bytes());
    hash.as_ref().iter().take(TENANT_MARK_BYTES).fold(String::new(), |mut mark, byte| {
        // Writing to a String cannot fail.
        let _ = write!(mark, "{byte:02x}");
        mark
    })
}

/// The outcome where fields are still missing: nothing is dialled.
pub fn incomplete(missing: Vec<&'static str>) -> Outcome {
    failed_without_connecting(&Failure::ConfigIncomplete { missing })
}

/// The outcome where the stored secret does not open: nothing is dialled.
pub fn unreadable() -> Outcome {
    failed_without_connecting(&Failure::SecretUnreadable)
}

fn failed_without_connecting(failure: &Failure) -> Outcome {
    let not_verified = vec![NotVerified::SenderAddress, NotVerified::Delivery];
    Outcome::failed(failure, &Facts::default(), &Transcript::default(), not_verified)
}

impl Outcome {
    /// A failure with its diagnosis.
    pub fn failed(
        failure: &Failure,
        facts: &Facts,
        transcript: &Transcript,
        not_verified: Vec<NotVerified>,
    ) -> Self {
        Self { result: Err(Box::new(diagnose(failure, facts, transcript.entries()))), not_verified }
    }

    /// The hand-over of a mail that the server took, or the reason why it did not.
    pub fn delivered(result: Result<Option<Reply>, Box<Finding>>) -> Self {
        let success = |reply: Option<Reply>| {
            let proven = if reply.is_some() { Stage::Data } else { Stage::Graph };
            Success { reply, message: Vec::new(), proven }
        };
        Self { result: result.map(success), not_verified: Vec::new() }
    }

    /// What this says about a stored configuration of which `known` was known.
    pub fn health_outcome(&self, known: &Health) -> CheckOutcome {
        let finding = match &self.result {
            Ok(success) if known.outlasts(success.proven) => return CheckOutcome::Nothing,
            Ok(_) => return CheckOutcome::Success,
            Err(finding) => finding,
        };
        let stage = finding.diagnosis.stage;
        let diagnosis_code = finding.diagnosis.code.to_owned();
        let reason = finding.status_reason.clone();
        match finding.effect {
            Effect::CredentialsRefused => CheckOutcome::CredentialsRefused { diagnosis_code, reason },
            Effect::ProviderError => CheckOutcome::ProviderError { diagnosis_code, reason, stage },
            Effect::None => CheckOutcome::Nothing,
        }
    }

    /// What is kept of this as the last check of the settings; none where they were not tried.
    pub fn last_check(&self, operation: CheckOperation, at: Timestamp) -> Option<LastCheck> {
        let finding = self.result.as_ref().err();
        if finding.is_some_and(|finding| !finding.is_attempt) {
            return None;
        }
        let diagnosis = finding.map(|finding| finding.to_stored());
        Some(LastCheck {
            at,
            operation,
            success: finding.is_none(),
            unproved: self.not_verified.clone(),
            diagnosis: match operation {
                // It names recipients.
                CheckOperation::Delivery => diagnosis.map(StoredDiagnosis::without_transcript),
                _ => diagnosis,
            },
        })
    }

    /// Whether the server refused the recipient, and nothing else.
    pub fn refused_recipient(&self) -> bool {
        self.result.as_ref().is_err_and(|finding| {
            finding.diagnosis.stage == Stage::RcptTo
                && finding.reply.is_some()
                && finding.effect == Effect::None
        })
    }

    /// `OK`, or the code of the diagnosis: for the audit and the metrics.
    pub fn code(&self) -> &'static str {
        self.result.as_ref().map_or_else(|finding| finding.diagnosis.code, |_| "OK")
    }
}

/// Every text of a success.
#[cfg(test)]
pub(crate) fn texts() -> Vec<&'static str> {
    [basic_auth::TEXTS, microsoft365::TEXTS].concat()
}
