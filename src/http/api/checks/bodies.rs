//! Response bodies of verify-connection and send-test-email.

use serde::Serialize;
use utoipa::ToSchema;

use crate::account::Verification;
use crate::diagnosis::{self, Confidence, Diagnosis, Owner};
use crate::email_config::{Health, NotVerified};
use crate::language::{Language, texts};
use crate::mail::address::EmailAddress;
use crate::mail::transcript::{Entry, Stage};
use crate::providers::Outcome;
use crate::smtp::Reply;

/// The answer of verify-connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionVerification)]
pub struct VerifyBody {
    #[serde(flatten)]
    pub result: ResultBody,
    /// What the check did not show. Absent for a user who is no administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["delivery"]))]
    pub unproved: Option<Vec<&'static str>>,
}

/// The answer of send-test-email.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestMailResult)]
pub struct SendTestBody {
    #[serde(flatten)]
    pub result: ResultBody,
    /// The addresses that the server took.
    pub accepted: Vec<String>,
    /// The addresses that it refused.
    pub rejected: Vec<String>,
}

/// How a check or a sending ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CheckResult)]
pub struct ResultBody {
    pub success: bool,
    /// The name did not resolve, the connection was refused, timed out or is not allowed, or TLS failed.
    pub connection_failed: bool,
    /// What an administrator can use.
    pub message: String,
    /// The SMTP reply code; absent where no reply came.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 535)]
    pub smtp_response_code: Option<u16>,
    /// RFC 3463.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5.7.8")]
    pub enhanced_status_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<DiagnosisBody>,
}

/// What went wrong, who can fix it and how. A user who is no administrator gets `code`, `title` and `owner`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Diagnosis)]
pub struct DiagnosisBody {
    pub code: &'static str,
    pub title: String,
    pub owner: Owner,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Vec<Entry>>,
}

impl DiagnosisBody {
    pub(in crate::http::api) fn full(diagnosis: &Diagnosis) -> Self {
        Self {
            code: diagnosis.code,
            title: diagnosis.title.clone(),
            owner: diagnosis.owner,
            stage: Some(diagnosis.stage),
            meaning: Some(diagnosis.meaning.clone()),
            steps: Some(diagnosis.steps.clone()),
            links: Some(diagnosis.links.clone()),
            confidence: Some(diagnosis.confidence),
            retryable: Some(diagnosis.retryable),
            transcript: Some(diagnosis.transcript.clone()),
        }
    }

    fn summary(code: &'static str, title: String, owner: Owner) -> Self {
        Self {
            code,
            title,
            owner,
            stage: None,
            meaning: None,
            steps: None,
            links: None,
            confidence: None,
            retryable: None,
            transcript: None,
        }
    }
}

impl ResultBody {
    /// For an administrator.
    fn full(outcome: &Outcome, language: Language) -> Self {
        match &outcome.result {
            Ok(success) => Self::new(true, false, success.message(language), success.reply.as_ref(), None),
            Err(finding) => {
                let finding = finding.in_language(language);
                let diagnosis = DiagnosisBody::full(&finding.diagnosis);
                Self::new(
                    false,
                    finding.connection_failed,
                    finding.message.clone(),
                    finding.reply.as_ref(),
                    Some(diagnosis),
                )
            }
        }
    }

    /// For any other user: the outcome in general words, without details of the server.
    fn summary(outcome: &Outcome, language: Language) -> Self {
        let body = match &outcome.result {
            Ok(success) => {
                Self::new(true, false, language.text(WORKS).to_owned(), success.reply.as_ref(), None)
            }
            Err(finding) => {
                let Diagnosis { code, owner, .. } = finding.diagnosis;
                let title = diagnosis::rule_for(code)
                    .map(|rule| rule.title_without_names(language, &finding.status_reason));
                let summary = DiagnosisBody::summary(code, title.unwrap_or_default(), owner);
                let reply = finding.reply.as_ref();
                let message = language.text(FAILS).to_owned();
                Self::new(false, finding.connection_failed, message, reply, Some(summary))
            }
        };
        Self { enhanced_status_code: None, ..body }
    }

    /// For a user who is no administrator: what the last check said, without another one.
    fn last_diagnosis(health: &Health, language: Language) -> Self {
        let rule = health.diagnosis_code.as_deref().and_then(diagnosis::rule_for);
        let diagnosis = rule.map(|rule| {
            let reason = health.reason.as_deref().unwrap_or_default();
            let title = rule.title_without_names(language, reason);
            DiagnosisBody::summary(rule.code, title, rule.owner)
        });
        Self::new(false, false, language.text(FAILS).to_owned(), None, diagnosis)
    }

    fn new(
        success: bool,
        connection_failed: bool,
        message: String,
        reply: Option<&Reply>,
        diagnosis: Option<DiagnosisBody>,
    ) -> Self {
        Self {
            success,
            connection_failed,
            message,
            smtp_response_code: reply.map(|reply| reply.code),
            enhanced_status_code: reply.and_then(|reply| reply.enhanced).map(|code| code.to_string()),
            diagnosis,
        }
    }
}

texts! {
    WORKS = "The connection to the mail server works.";
    /// What a user who is no administrator reads about a failure.
    FAILS = "The connection to the mail server does not work. Ask an administrator.";
}

impl VerifyBody {
    pub(super) fn new(verification: &Verification, is_admin: bool, language: Language) -> Self {
        match verification {
            Verification::Checked(outcome) if is_admin => {
                let unproved = outcome.not_verified.iter().copied().map(NotVerified::as_str).collect();
                Self { result: ResultBody::full(outcome, language), unproved: Some(unproved) }
            }
            Verification::Checked(outcome) => {
                Self { result: ResultBody::summary(outcome, language), unproved: None }
            }
            Verification::LastDiagnosis(health) => {
                Self { result: ResultBody::last_diagnosis(health, language), unproved: None }
            }
        }
    }
}

impl SendTestBody {
    pub(super) fn new(outcome: &Outcome, recipient: &EmailAddress, language: Language) -> Self {
        let result = ResultBody::full(outcome, language);
        let recipient = vec![recipient.to_string()];
        let (accepted, rejected) = match outcome.result {
            Ok(_) => (recipient, Vec::new()),
            Err(_) if outcome.refused_recipient() => (Vec::new(), recipient),
            Err(_) => (Vec::new(), Vec::new()),
        };
        Self { result, accepted, rejected }
    }
}
