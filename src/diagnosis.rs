//! Says what went wrong, who can mend it and how. Pure: from what was seen to a [`Diagnosis`].

use serde::Serialize;
use utoipa::ToSchema;

use crate::egress::DialError;
use crate::smtp;
use crate::transcript::{Entry, Stage};

/// Who can act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
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
    /// The stored secret does not open.
    SecretUnreadable,
    /// Fields that a complete configuration needs, by their names in the API.
    ConfigIncomplete {
        missing: Vec<&'static str>,
    },
    ConfigNotSet,
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
    /// One sentence for `message`, with the server's own reply where it may be shown.
    pub message: String,
}

/// Understands a failure. Total: any reply, any bytes give an honest answer.
#[must_use]
pub fn diagnose(_failure: &Failure, _facts: &Facts, _transcript: &[Entry]) -> Finding {
    todo!()
}
