//! Instructions for the administrator of Microsoft 365, with the tenant's values filled in.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::email_config::settings::microsoft365;
use crate::email_config::{EmailConfig, Settings, fields};
use crate::error::{InputFault, Reason};
use crate::http::caller::{TenantAdmin, Tier1};
use crate::http::error::{Error, ErrorBody};
use crate::http::language::Localised;
use crate::language::Language;
use crate::providers::microsoft365::setup::{self, SetupOption, Step, Values};

/// What has to be done at Microsoft so that the app may send.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Microsoft365Setup)]
pub struct SetupBody {
    /// The values that were filled in; what is not known stands in the texts as a placeholder in capitals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_address: Option<String>,
    /// With which an administrator approves the app for the whole organisation.
    pub admin_consent_link: String,
    /// `graph` or `smtp`: how this installation hands mail over to Microsoft.
    #[schema(example = "graph")]
    pub transport: String,
    /// Choose one of `organisation` and `mailbox`: the wide grant would cancel the narrow one. `smtp` takes their
    /// place where `transport` is `smtp`.
    pub ways: Vec<SetupOptionBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Microsoft365SetupWay)]
pub struct SetupOptionBody {
    /// `organisation`, `mailbox` or `smtp`.
    pub id: &'static str,
    pub title: String,
    pub meaning: String,
    /// The permission that the app gets, and its kind.
    pub permission: String,
    pub steps: Vec<StepBody>,
    /// All of it as plain text, to be sent to the administrator of Microsoft 365.
    pub text: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Microsoft365SetupStep)]
pub struct StepBody {
    pub title: String,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Exchange Online PowerShell, ready to paste.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

impl SetupOptionBody {
    fn new(option: SetupOption, language: Language) -> Self {
        let text = setup::as_text(&option, language);
        let step = |Step { title, text, link, commands }: Step| StepBody {
            title: title.render(language),
            text: text.render(language),
            link,
            commands,
        };
        Self {
            id: option.id,
            title: option.title.render(language),
            meaning: option.meaning.render(language),
            permission: option.permission.render(language),
            steps: option.steps.into_iter().map(step).collect(),
            text,
        }
    }
}

/// The values to fill in, checked as PUT checks them.
#[derive(Default)]
struct SetupQuery {
    client_id: Option<String>,
    provider_tenant: Option<String>,
    mailbox: Option<String>,
}

impl SetupQuery {
    fn parse(parameters: Vec<(String, String)>) -> Result<Self, Vec<InputFault>> {
        let (mut query, mut faults) = (Self::default(), Vec::new());
        for (name, text) in parameters {
            let value = Value::String(text);
            let (place, read) = match name.as_str() {
                fields::CLIENT_ID => (&mut query.client_id, microsoft365::client_id(&value)),
                fields::PROVIDER_TENANT_ID => {
                    (&mut query.provider_tenant, microsoft365::provider_tenant(&value))
                }
                fields::EMAIL_ADDRESS => {
                    let address = fields::email_address(&value).map(|address| address.to_string());
                    (&mut query.mailbox, address)
                }
                _ => {
                    faults.push(InputFault::parameter(&name, Reason::UnknownField, "is not a known field"));
                    continue;
                }
            };
            match read {
                Ok(_) if place.is_some() => {
                    faults.push(InputFault::parameter(&name, Reason::Duplicate, "stands twice"));
                }
                Ok(text) => *place = Some(text),
                Err(fault) => faults.push(fault.in_query()),
            }
        }
        if faults.is_empty() { Ok(query) } else { Err(faults) }
    }

    /// Takes from the stored settings what the query does not name.
    fn with_defaults_from(self, stored: Option<&EmailConfig>) -> Self {
        let Some(Settings::Microsoft365(app)) = stored.map(|stored| &stored.settings) else { return self };
        Self {
            client_id: self.client_id.or_else(|| Some(app.client_id.clone())),
            provider_tenant: self.provider_tenant.or_else(|| Some(app.provider_tenant.clone())),
            mailbox: self.mailbox.or_else(|| Some(app.email_address.to_string())),
        }
    }
}

fn malformed_query() -> InputFault {
    InputFault::request("The query", Reason::MalformedQuery, "is not well formed")
}

/// Says what the administrator of Microsoft 365 has to do.
///
/// Steps and commands, filled in with the values of the query or, without them, the stored ones. Nothing is connected to.
#[utoipa::path(
    get, path = "/email-config/microsoft365-setup", tag = "email-config",
    operation_id = "getMicrosoft365Setup",
    params(
        ("clientId" = Option<String>, Query, min_length = 1, description = "The Application (client) ID; the stored one by default."),
        ("providerTenantId" = Option<String>, Query, min_length = 1, description = "The Directory (tenant) ID or a domain name; the stored one by default."),
        ("emailAddress" = Option<String>, Query, min_length = 1, description = "The mailbox; the stored one by default."),
        ("Accept-Language" = Option<String>, Header, description = "The language of titles and texts: `en` or `de`. Commands are the same in each."),
    ),
    responses(
        (status = 200, description = "The ways, of which one is to be chosen.", body = SetupBody),
        (status = 400, description = "A parameter is wrong.", body = ErrorBody),
    )
)]
pub async fn get(
    admin: TenantAdmin<Tier1>,
    State(app): State<Arc<App>>,
    language: Language,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Localised<Json<SetupBody>>, Error> {
    let Query(parameters) = parameters.map_err(|_| Error::input(malformed_query()))?;
    let query = SetupQuery::parse(parameters).map_err(Error::inputs)?;
    let stored = app.accounts.find(&admin.tenant).await?;
    let query = query.with_defaults_from(stored.as_ref());
    let values = Values {
        client_id: query.client_id.as_deref(),
        provider_tenant: query.provider_tenant.as_deref(),
        mailbox: query.mailbox.as_deref(),
    };
    let endpoints = &app.accounts.outbound.microsoft365.endpoints;
    let options = setup::options(endpoints, &values);
    let body = SetupBody {
        admin_consent_link: setup::admin_consent_link(endpoints, &values),
        ways: options.into_iter().map(|option| SetupOptionBody::new(option, language)).collect(),
        transport: app.config.microsoft365.transport.as_str().to_owned(),
        client_id: query.client_id,
        provider_tenant_id: query.provider_tenant,
        email_address: query.mailbox,
    };
    Ok(Localised(language, Json(body)))
}
