//! Response bodies. The request bodies are in [`super::requests`].

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::entity_tag;
use crate::egress::Host;
use crate::email_config::{
    Advice, BasicAuth, EmailConfig, ErrorCode, LastCheck, Microsoft365, NotVerified, Settings, Version,
    advice,
};
use crate::http::api::checks::bodies::DiagnosisBody;
use crate::id::TenantId;
use crate::language::Language;
use crate::mail::address::EmailAddress;
use crate::mail::domain_name;
use crate::mail::message::HeaderText;
use crate::smtp::Security;

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
    /// How the last attempt to use these settings ended. Absent where they have not been tried since they were changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_check: Option<LastCheckBody>,
    /// The internationalised names of this configuration in their own script, for people. Absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unicode: Option<UnicodeBody>,
    /// What an administrator should know before it fails. Absent where there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Vec<AdviceBody>>,
}

/// Names in their own script. On the wire, and everywhere else in this API, they are ASCII (`xn--…`). A name that could be
/// mistaken for another one is not here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UnicodeNames)]
pub struct UnicodeBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "smtp.größe.de")]
    pub server_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "news@größe.de")]
    pub email_address: Option<String>,
}

impl UnicodeBody {
    /// None where every name is shown as it is on the wire.
    fn new(settings: &Settings) -> Option<Self> {
        let (host, address) = match settings {
            Settings::BasicAuth(basic) => (basic.server_address.as_ref(), basic.email_address.as_ref()),
            Settings::Microsoft365(app) => (None, Some(&app.email_address)),
        };
        let host = host.map(Host::to_text);
        let server_address =
            host.as_deref().map(domain_name::to_unicode).filter(|shown| Some(&**shown) != host.as_deref());
        let email_address = address
            .map(|address| (address, address.to_unicode()))
            .filter(|(address, shown)| address.as_str() != shown);
        let email_address = email_address.map(|(_, shown)| shown);
        (server_address.is_some() || email_address.is_some())
            .then_some(Self { server_address, email_address })
    }
}

/// The last check, test mail or delivery of the settings as they stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastCheck)]
pub struct LastCheckBody {
    /// ISO 8601. Of deliveries that succeed one after another, one a minute is kept.
    pub at: String,
    /// `put`, `verify-connection`, `send-test-email` or `delivery`.
    #[schema(example = "verify-connection")]
    pub operation: &'static str,
    pub success: bool,
    /// What it did not show: `sender_address`, `send_permission`, `delivery`.
    #[schema(example = json!(["delivery"]))]
    pub unproved: Vec<&'static str>,
    /// Why it failed. It does not name the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<DiagnosisBody>,
}

impl LastCheckBody {
    fn new(check: &LastCheck, language: Language) -> Self {
        let diagnosis = check.diagnosis.as_ref().and_then(|stored| stored.in_language(language));
        Self {
            at: check.at.to_iso(),
            operation: check.operation.as_str(),
            success: check.success,
            unproved: check.unproved.iter().copied().map(NotVerified::as_str).collect(),
            diagnosis: diagnosis.as_ref().map(DiagnosisBody::full),
        }
    }
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
    fn new(app: &'a Microsoft365) -> Self {
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
    fn new(advice: &Advice, language: Language) -> Self {
        Self {
            code: advice.code,
            title: advice.title.render(language),
            meaning: advice.meaning.render(language),
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
    pub(super) fn new(tenant: &'a TenantId, stored: Option<&'a EmailConfig>, language: Language) -> Self {
        let Some(stored) = stored else { return Self::default() };
        let flat = match &stored.settings {
            Settings::BasicAuth(basic) => BasicAuthBody::new(basic),
            Settings::Microsoft365(app) => {
                BasicAuthBody { email_address: Some(app.email_address.as_str()), ..BasicAuthBody::default() }
            }
        };
        let code = stored.error_code();
        let advice = advice(&stored.settings);
        let advice: Vec<_> = advice.iter().map(|advice| AdviceBody::new(advice, language)).collect();
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
                Settings::Microsoft365(app) => ProviderConfigBody::Microsoft365(Microsoft365Body::new(app)),
            }),
            unicode: UnicodeBody::new(&stored.settings),
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
            last_check: stored.last_check.as_ref().map(|check| LastCheckBody::new(check, language)),
        }
    }
}

impl<'a> BasicAuthBody<'a> {
    fn new(basic: &'a BasicAuth) -> Self {
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
