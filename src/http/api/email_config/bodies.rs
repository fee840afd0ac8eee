//! Response bodies. The request bodies are in [`super::requests`].

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::entity_tag;
use crate::account::Verification;
use crate::diagnosis::{self, Confidence, Diagnosis, Owner};
use crate::egress::Host;
use crate::email_config::{
    Advice, BasicAuth, EmailConfig, ErrorCode, Health, Microsoft365, Settings, Version, advice,
};
use crate::id::TenantId;
use crate::language::{Language, texts};
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::mail::transcript::{Entry, Stage};
use crate::providers::{NotVerified, Outcome};
use crate::smtp::{Reply, Security};

/// A tenant's configuration, without its secret. What is unset is absent.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EmailConfig)]
pub struct EmailConfigBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "BasicAuth")]
    pub service_provider: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_config: Option<ProviderConfigBody<'a>>,
    /// Domain name or IP address of the SMTP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "smtp.example.com")]
    pub server_address: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 587)]
    pub server_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_type: Option<Security>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<&'a str>,
    /// From and `MAIL FROM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "sender@example.com")]
    pub email_address: Option<&'a str>,
    /// A secret is stored. It is never returned.
    pub password_exists: bool,
    /// Complete, and not known to fail.
    pub is_valid: bool,
    /// `OK`, `CONFIG_NOT_SET`, `INCOMPLETE_CONFIG`, `INVALID_CREDENTIALS` or `PROVIDER_ERROR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusBody>,
    /// Refused sign-ins since the last success or the last change of credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_failures: Option<i64>,
    /// ISO 8601: the last time that an administrator changed the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification_time: Option<String>,
    /// ISO 8601: the last time that anything here changed, health included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<String>,
    /// What an administrator should know before it fails. Absent where there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Vec<AdviceBody>>,
}

/// The settings of the provider, without a secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = GetProviderConfig)]
pub enum ProviderConfigBody<'a> {
    // In this order, since the second has members that the first requires nothing of.
    Microsoft365(Microsoft365Body<'a>),
    BasicAuth(BasicAuthBody<'a>),
}

/// The settings of an app of Microsoft 365.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = GetMicrosoft365Config)]
pub struct Microsoft365Body<'a> {
    pub client_id: &'a str,
    pub provider_tenant_id: &'a str,
    /// The mailbox, and From.
    pub email_address: &'a str,
}

impl<'a> Microsoft365Body<'a> {
    fn of(app: &'a Microsoft365) -> Self {
        Self {
            client_id: &app.client_id,
            provider_tenant_id: &app.provider_tenant,
            email_address: app.email_address.as_str(),
        }
    }
}

/// One piece of advice.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Advice)]
pub struct AdviceBody {
    /// Stable.
    #[schema(example = "M365_PASSWORD_SIGN_IN")]
    pub code: &'static str,
    pub title: String,
    pub meaning: String,
    pub link: &'static str,
}

impl AdviceBody {
    fn of(advice: &Advice, language: Language) -> Self {
        Self {
            code: advice.code,
            title: advice.title.say(language),
            meaning: advice.meaning.say(language),
            link: advice.link,
        }
    }
}

/// The settings of an SMTP server.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = GetBasicAuthConfig)]
pub struct BasicAuthBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_address: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_type: Option<Security>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_address: Option<&'a str>,
    /// The name in the From field beside the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<&'a str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Status)]
pub struct StatusBody {
    /// 0 `OK`, 1 `CONFIG_NOT_SET`, 2 `INCOMPLETE_CONFIG`, 3 `INVALID_CREDENTIALS`, 4 `PROVIDER_ERROR`.
    pub status_code: u8,
    /// `OK`, or one sentence for an administrator.
    pub status_reason: String,
}

impl<'a> EmailConfigBody<'a> {
    pub(super) fn of(tenant: &'a TenantId, stored: Option<&'a EmailConfig>, language: Language) -> Self {
        let Some(stored) = stored else { return Self::default() };
        let flat = match &stored.settings {
            Settings::BasicAuth(basic) => BasicAuthBody::of(basic),
            Settings::Microsoft365(app) => {
                BasicAuthBody { email_address: Some(app.email_address.as_str()), ..BasicAuthBody::default() }
            }
        };
        let code = stored.error_code();
        let advice = advice(&stored.settings);
        let advice: Vec<_> = advice.iter().map(|advice| AdviceBody::of(advice, language)).collect();
        Self {
            tenant_id: Some(tenant.as_str()),
            service_provider: Some(stored.settings.kind().as_str()),
            server_address: flat.server_address.clone(),
            server_port: flat.server_port,
            security_type: flat.security_type,
            username: flat.username,
            email_address: flat.email_address,
            provider_config: Some(match &stored.settings {
                Settings::BasicAuth(_) => ProviderConfigBody::BasicAuth(flat),
                Settings::Microsoft365(app) => ProviderConfigBody::Microsoft365(Microsoft365Body::of(app)),
            }),
            advice: Some(advice).filter(|advice| !advice.is_empty()),
            password_exists: stored.secret.is_some(),
            is_valid: stored.is_valid(),
            error_code: Some(code.as_str()),
            status: Some(StatusBody {
                status_code: code.status_code(),
                status_reason: stored.status_reason(language),
            }),
            auth_failures: Some(stored.health.auth_failures),
            modification_time: Some(stored.modified_at.to_iso()),
            last_updated: Some(stored.updated_at.to_iso()),
        }
    }
}

impl<'a> BasicAuthBody<'a> {
    fn of(basic: &'a BasicAuth) -> Self {
        Self {
            server_address: basic.server_address.as_ref().map(Host::to_text),
            server_port: basic.server_port,
            security_type: basic.security,
            username: basic.username.as_deref(),
            email_address: basic.email_address.as_ref().map(EmailAddress::as_str),
            sender_name: basic.sender_name.as_ref().map(HeaderText::as_str),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Validation)]
pub struct ValidateBody {
    pub is_valid: bool,
    pub error_code: &'static str,
}

impl ValidateBody {
    pub(super) fn new(code: ErrorCode) -> Self {
        Self { is_valid: code == ErrorCode::Ok, error_code: code.as_str() }
    }
}

/// What the `result` event of a PUT tells in place of status and header.
#[derive(Debug, Serialize)]
pub struct PutResultBody {
    status: u16,
    etag: String,
}

impl PutResultBody {
    pub(super) fn new(version: &Version) -> Self {
        Self { status: StatusCode::NO_CONTENT.as_u16(), etag: entity_tag(version) }
    }
}

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
    fn whole(diagnosis: &Diagnosis) -> Self {
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

    fn short(code: &'static str, title: String, owner: Owner) -> Self {
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
    /// For an administrator: everything that is known.
    fn whole(outcome: &Outcome, language: Language) -> Self {
        match &outcome.result {
            Ok(success) => Self::of(true, false, success.message(language), success.reply.as_ref(), None),
            Err(finding) => {
                let finding = finding.in_language(language);
                let diagnosis = DiagnosisBody::whole(&finding.diagnosis);
                Self::of(
                    false,
                    finding.connection_failed,
                    finding.message.clone(),
                    finding.reply.as_ref(),
                    Some(diagnosis),
                )
            }
        }
    }

    /// For any other user: the outcome, in general words, and without what only an administrator may know.
    fn short(outcome: &Outcome, language: Language) -> Self {
        let body = match &outcome.result {
            Ok(success) => {
                Self::of(true, false, language.text(WORKS).to_owned(), success.reply.as_ref(), None)
            }
            Err(finding) => {
                let Diagnosis { code, owner, .. } = finding.diagnosis;
                let title = diagnosis::rule_for(code)
                    .map(|rule| rule.title_without_names(language, &finding.status_reason));
                let short = DiagnosisBody::short(code, title.unwrap_or_default(), owner);
                let reply = finding.reply.as_ref();
                let message = language.text(FAILS).to_owned();
                Self::of(false, finding.connection_failed, message, reply, Some(short))
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
            DiagnosisBody::short(rule.code, title, rule.owner)
        });
        Self::of(false, false, language.text(FAILS).to_owned(), None, diagnosis)
    }

    fn of(
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
    pub(in crate::http::api) fn new(verification: &Verification, is_admin: bool, language: Language) -> Self {
        match verification {
            Verification::Checked(outcome) if is_admin => {
                let unproved = outcome.not_verified.iter().copied().map(NotVerified::as_str).collect();
                Self { result: ResultBody::whole(outcome, language), unproved: Some(unproved) }
            }
            Verification::Checked(outcome) => {
                Self { result: ResultBody::short(outcome, language), unproved: None }
            }
            Verification::LastDiagnosis(health) => {
                Self { result: ResultBody::last_diagnosis(health, language), unproved: None }
            }
        }
    }
}

impl SendTestBody {
    pub(in crate::http::api) fn new(outcome: &Outcome, recipient: &EmailAddress, language: Language) -> Self {
        let result = ResultBody::whole(outcome, language);
        let recipient = vec![recipient.to_string()];
        let (accepted, rejected) = match outcome.result {
            Ok(_) => (recipient, Vec::new()),
            Err(_) if outcome.refused_recipient() => (Vec::new(), recipient),
            Err(_) => (Vec::new(), Vec::new()),
        };
        Self { result, accepted, rejected }
    }
}
