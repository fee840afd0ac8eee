//! Says what went wrong, who can mend it and how. Pure: from what was seen to a [`Diagnosis`].
//!
//! What it knows is data: `diagnosis/rules` holds one entry for each code, with the replies that it stands
//! for and its words. This file only picks the entry and draws the conclusions. It must not dial, read a
//! clock or know a tenant.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod evidence;
mod fill;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod lexicon;
pub mod microsoft365;
mod observation;
mod reference;
mod retried;
mod rule;
mod rules;
mod stored;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

use crate::egress::DialError;
use crate::language::{self, Language};
use crate::mail::transcript::{Entry, Stage};
use crate::smtp;

pub use reference::reference_markdown;
pub use retried::while_it_is_retried;
pub use stored::StoredDiagnosis;

/// Who can act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    TenantAdmin,
    MailHost,
    Microsoft365Admin,
    WorkspaceAdmin,
    DnsOwner,
    Operator,
    Nobody,
}

/// `exact`: the rule names this provider and this reply; `generic`: the reply's class only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Exact,
    Generic,
}

/// What an administrator reads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Diagnosis {
    /// Stable, documented, never used for anything else.
    pub code: &'static str,
    pub stage: Stage,
    pub title: String,
    pub meaning: String,
    pub owner: Owner,
    pub steps: Vec<String>,
    pub links: Vec<String>,
    pub confidence: Confidence,
    pub retryable: bool,
    pub transcript: Vec<Entry>,
}

/// What a failure says about the stored configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The credentials were refused: counts in `authFailures`, `INVALID_CREDENTIALS`.
    CredentialsRefused,
    /// `PROVIDER_ERROR`.
    ProviderError,
    /// Says nothing about the configuration: a refused recipient, a fault of ours, nothing dialled.
    None,
}

/// What went wrong, as the provider saw it.
#[derive(Clone, Debug)]
pub enum Failure {
    Dial(DialError),
    Smtp(smtp::Error),
    /// Boxed: it is large and rare.
    Microsoft365(Box<microsoft365::Error>),
    /// The stored secret does not open.
    SecretUnreadable,
    /// Fields that a complete configuration needs, by their names in the API.
    ConfigIncomplete {
        missing: Vec<&'static str>,
    },
    ConfigNotSet,
    /// The API key that an email came with was revoked or has expired.
    ApiKeyRefused,
    /// Account or API key no longer allow the sender of an email that was taken.
    SenderNotAllowed,
    /// More mails went to one recipient in an hour than this service sends.
    RecipientFlood,
}

/// What is known besides the failure; it goes into the texts and decides between rules.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub host: String,
    pub port: u16,
    pub security: Option<smtp::Security>,
    pub username: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    /// The name in EHLO.
    pub ehlo_name: Option<String>,
    /// The app that signs in at Microsoft 365.
    pub client_id: Option<String>,
    /// The directory of Microsoft 365 that it signs in to.
    pub provider_tenant: Option<String>,
    /// Whether the token's `roles` hold `Mail.Send`; `None` where no token was had or read.
    pub mail_send_role: Option<bool>,
    /// The size of the message as it is sent, in octets.
    pub message_size: Option<u64>,
    /// The stored password has letters beyond ASCII, or blanks around it. Which, nobody is told.
    pub unusual_password: bool,
    /// The time limit of the whole check, in seconds.
    pub timeout_seconds: u64,
    /// The ports that this installation allows.
    pub allowed_ports: Vec<u16>,
}

/// A failure, understood.
#[derive(Clone, Debug)]
pub struct Finding {
    pub diagnosis: Diagnosis,
    pub effect: Effect,
    /// The contract's `connectionFailed`.
    pub connection_failed: bool,
    /// The account was tried: false where nothing but missing fields was found.
    pub is_attempt: bool,
    /// The reply that decided, where one came and may be shown.
    pub reply: Option<smtp::Reply>,
    /// One sentence for `message`, with the server's own reply where it may be shown.
    pub message: String,
    /// One sentence for the stored `statusReason`: the title, always in English. It holds nothing that the
    /// server said.
    pub status_reason: String,
    failure: Failure,
    facts: Facts,
}

impl Finding {
    /// The same finding with its words in another language.
    pub fn in_language(&self, language: Language) -> Self {
        diagnose_in(language, &self.failure, &self.facts, &self.diagnosis.transcript)
    }
}

/// What is known about a code without its failure: for a verdict that was stored as its code only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuleSummary {
    pub code: &'static str,
    /// As the diagnosis has it, with `{host}` and the like still to be filled.
    pub title_template: &'static str,
    pub owner: Owner,
}

impl RuleSummary {
    /// A stored [`Finding::status_reason`] in another language: with the values that it was filled with then.
    /// `None` where the rule's title has changed since.
    pub fn status_reason_in(&self, language: Language, stored: &str) -> Option<String> {
        let values = language::values_in(self.title_template, stored.strip_suffix('.')?)?;
        let title = language::fill(language.text(self.title_template), |name| {
            let value = values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
            let was_unknown = fill::fallback_for(name) == Some(value);
            if was_unknown { language.text(value).to_owned() } else { value.to_owned() }
        });
        Some(format!("{title}."))
    }
}

/// What a title may name to everybody: nothing of it tells of a user, a sender, a server or an app.
const NOT_PERSONAL: [&str; 3] = ["port", "missing", "protocol"];

impl RuleSummary {
    /// The title for users who are no administrators. `reason` is the [`Finding::status_reason`], where it is known.
    pub fn title_without_names(&self, language: Language, reason: &str) -> String {
        let filled = reason.strip_suffix('.').unwrap_or(reason);
        let values = language::values_in(self.title_template, filled).unwrap_or_default();
        let title = language::fill(language.text(self.title_template), |name| {
            let fallback = fill::fallback_for(name).unwrap_or_default();
            let value = values.iter().find(|(known, _)| *known == name && NOT_PERSONAL.contains(known));
            match value {
                Some((_, value)) if *value != fallback => (*value).to_owned(),
                _ => language.text(fallback).to_owned(),
            }
        });
        // Many titles begin with a name.
        let mut characters = title.chars();
        let first = characters.next();
        first.map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
    }
}

/// The entry of `code`, if there is one.
pub fn rule_for(code: &str) -> Option<RuleSummary> {
    rules::all().find(|rule| rule.code == code).map(|rule| RuleSummary {
        code: rule.code,
        title_template: rule.title,
        owner: rule.owner,
    })
}

/// The codes of all rules.
pub fn codes() -> impl Iterator<Item = &'static str> {
    rules::all().map(|rule| rule.code)
}

/// Understands a failure, in English. Total: any reply, any bytes give an honest answer.
pub fn diagnose(failure: &Failure, facts: &Facts, transcript: &[Entry]) -> Finding {
    diagnose_in(Language::English, failure, facts, transcript)
}

fn diagnose_in(language: Language, failure: &Failure, facts: &Facts, transcript: &[Entry]) -> Finding {
    let observation = observation::Observation::new(failure, facts);
    let rule = rules::rule_for(&observation);
    let words = fill::Words { language, observation: &observation };
    let title = words.fill(rule.title);
    let reply = observation.shown_reply();
    let message = match &reply {
        Some(reply) => format!("{title} ({reply})."),
        None => format!("{title}."),
    };
    Finding {
        effect: effect(rule, &observation),
        connection_failed: rule.connection_failed
            || observation.kind == rule::Kind::TokenTimeout
            || observation.stage == Stage::Greeting && observation.code.is_some(),
        is_attempt: !matches!(failure, Failure::ConfigIncomplete { .. } | Failure::ConfigNotSet),
        reply: observation.reply().cloned(),
        message,
        status_reason: format!(
            "{}.",
            fill::Words { language: Language::English, observation: &observation }.fill(rule.title)
        ),
        failure: failure.clone(),
        facts: facts.clone(),
        diagnosis: Diagnosis {
            code: rule.code,
            stage: observation.stage,
            meaning: words.meaning(rule),
            steps: words.steps(rule),
            links: rule.links.iter().map(|link| (*link).to_owned()).collect(),
            title,
            owner: rule.owner,
            confidence: rule.confidence,
            retryable: rule.retryable || observation.is_transient(),
            transcript: transcript.to_vec(),
        },
    }
}

/// The rule's effect, within two limits that no rule can widen: what is said about a recipient says nothing
/// about the configuration, and only a permanent reply to a sign-in can mean that credentials were refused.
fn effect(rule: &rule::Rule, observation: &observation::Observation<'_>) -> Effect {
    if observation.stage == Stage::RcptTo && observation.code.is_some() && !rule.concerns_configuration {
        return Effect::None;
    }
    match rule.effect {
        Effect::CredentialsRefused if !observation.is_permanent_refusal_of_sign_in() => Effect::ProviderError,
        effect => effect,
    }
}

/// Every text of the diagnosis.
#[cfg(test)]
pub(crate) fn texts() -> Vec<&'static str> {
    rules::all()
        .flat_map(rule::Rule::texts)
        .chain(fill::TEXTS.iter().chain(retried::TEXTS).copied())
        .collect()
}
