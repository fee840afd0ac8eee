//! `GET /providers`: what to enter for known mail services.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::email_config::ProviderKind;
use crate::http::caller::{StaticTier1, Tenant};
use crate::http::language::Localised;
use crate::language::Language;
use crate::mail_services::{self, PasswordKind, Preset, UsernameForm};
use crate::smtp::Security;

/// All known services, in the order in which to show them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Providers)]
pub struct MailServicesBody {
    pub providers: Vec<MailServiceBody>,
}

/// What to enter for one service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Provider)]
pub struct MailServiceBody {
    /// Stable.
    #[schema(example = "amazon-ses")]
    pub id: &'static str,
    #[schema(example = "Amazon SES")]
    pub name: &'static str,
    /// `BasicAuth` or `Microsoft365`.
    pub service_provider: &'static str,
    /// By region, where there is more than one.
    pub servers: Vec<ServerBody>,
    #[schema(example = 587)]
    pub server_port: u16,
    pub security_type: Security,
    /// `email_address`: the account's address; `fixed`: the word in `username`; `issued`: a name that the service
    /// issues.
    pub username_form: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "apikey")]
    pub username: Option<&'static str>,
    /// `account_password`, `app_password`, `api_key`, `smtp_credentials` or `none`.
    pub password_kind: &'static str,
    /// One or two sentences for an administrator.
    pub note: &'static str,
    pub help_link: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderServer)]
pub struct ServerBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "eu-west-1")]
    pub region: Option<&'static str>,
    #[schema(example = "email-smtp.eu-west-1.amazonaws.com")]
    pub server_address: &'static str,
}

impl MailServiceBody {
    fn new(preset: &'static Preset, language: Language) -> Self {
        let server = |(region, server_address): &(&'static str, &'static str)| ServerBody {
            region: Some(*region).filter(|region| !region.is_empty()),
            server_address,
        };
        Self {
            id: preset.id,
            name: language.text(preset.name),
            service_provider: match preset.password {
                PasswordKind::None => ProviderKind::Microsoft365,
                _ => ProviderKind::BasicAuth,
            }
            .as_str(),
            servers: preset.servers.iter().map(server).collect(),
            server_port: preset.port,
            security_type: preset.security,
            username_form: preset.username.as_str(),
            username: match preset.username {
                UsernameForm::Fixed(word) => Some(word),
                UsernameForm::EmailAddress | UsernameForm::Issued => None,
            },
            password_kind: preset.password.as_str(),
            note: language.text(preset.note),
            help_link: preset.help,
        }
    }
}

/// Lists known mail services.
///
/// For any user. Each with its server, port and security, and what kind of user name and password it wants.
#[utoipa::path(
    get, path = "/providers", tag = "providers", operation_id = "listProviders",
    params(("Accept-Language" = Option<String>, Header, description = "The language of names and notes: `en` or `de`.")),
    responses(
        (status = 200, description = "All known services.", body = MailServicesBody),
    )
)]
pub async fn list(_user: Tenant<StaticTier1>, language: Language) -> Localised<Json<MailServicesBody>> {
    let providers = mail_services::presets().map(|preset| MailServiceBody::new(preset, language)).collect();
    Localised(language, Json(MailServicesBody { providers }))
}
