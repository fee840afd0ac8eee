//! The tenant's account as a sender: whether it sends, how fast and from which addresses, and what waits.

mod settings;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::Timestamp;
use crate::delivery::AccountView;
use crate::http::caller::{FullSender, SendAdmin, SendTier};
use crate::http::error::{Error, ErrorBody};
use crate::http::extract::JsonBody;
use crate::outgoing::breaker::{AccountState, Pauser};
pub use settings::SettingsBody;
pub(super) use settings::senders;

/// The account as a sender.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendingAccount)]
pub struct AccountBody {
    #[schema(example = "account")]
    object: &'static str,
    /// Whether the tenant has a mail account.
    configured: bool,
    /// `open`, `paused` by a person, or `stopped` by a failure.
    #[schema(example = "open")]
    state: &'static str,
    /// Who has paused it: an `administrator` of the tenant, or the `operator` of this service, who alone resumes it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "operator")]
    paused_by: Option<&'static str>,
    /// The code of the diagnosis that stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// When one mail tries again; absent where somebody has to change something first.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    /// The senders besides the account's address: an address, or `*@domain`.
    #[schema(example = json!(["billing@example.com", "*@mail.example.com"]))]
    allowed_senders: Vec<String>,
    /// What the tenant has set; absent where it has set nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 60)]
    max_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    max_connections: Option<u32>,
    pace: PaceBody,
    waiting: WaitingBody,
}

/// How fast the account sends: what its provider allows, lowered by what the tenant has set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendingPace)]
pub struct PaceBody {
    /// Mails per minute; absent where there is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 60)]
    per_minute: Option<u32>,
    /// Mails that go at once after a pause.
    #[schema(example = 1)]
    burst: u32,
    /// Sessions at the same time.
    #[schema(example = 1)]
    connections: usize,
}

/// What waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WaitingMail)]
pub struct WaitingBody {
    emails: i64,
    bytes: i64,
}

impl AccountBody {
    fn new(view: &AccountView) -> Self {
        let stop = match &view.state {
            Some(AccountState::Stopped(stop)) => Some(stop.clone()),
            _ => None,
        };
        Self {
            object: "account",
            configured: view.is_configured,
            state: view.state.as_ref().unwrap_or(&AccountState::Open).as_str(),
            paused_by: paused_by(view.state.as_ref()),
            code: stop.as_ref().map(|stop| stop.code.clone()),
            since: stop.as_ref().map(|stop| stop.since.to_iso()),
            next_attempt_at: stop.and_then(|stop| stop.probe_at).map(Timestamp::to_iso),
            allowed_senders: view.settings.allowed_senders.iter().map(ToString::to_string).collect(),
            max_per_minute: view.settings.max_per_minute,
            max_connections: view.settings.max_connections,
            pace: PaceBody {
                per_minute: view.pace.per_minute,
                burst: view.pace.burst,
                connections: view.pace.connections,
            },
            waiting: WaitingBody { emails: view.waiting, bytes: view.octets },
        }
    }
}

/// Where both have paused it, the operator is named: an administrator cannot resume it.
fn paused_by(state: Option<&AccountState>) -> Option<&'static str> {
    let Some(AccountState::Paused(pauser)) = state else { return None };
    let named = if pauser.includes_operator() { Pauser::Operator } else { Pauser::Administrator };
    Some(named.as_str())
}

/// Shows whether the account sends, why not, and what waits.
///
/// For tenant administrators and roles that may send. A stopped account tries one mail at `next_attempt_at`; without it
/// somebody has to change something first.
#[utoipa::path(
    get, path = "/account", tag = "emails", operation_id = "getSendingAccount",
    responses((status = 200, description = "The account.", body = AccountBody))
)]
pub async fn get(
    sender: FullSender<SendTier>,
    State(app): State<Arc<App>>,
) -> Result<Json<AccountBody>, Error> {
    Ok(Json(AccountBody::new(&app.delivery.account(&sender.tenant).await?)))
}

/// Sets other senders than the account's address, and a slower pace.
///
/// For tenant administrators and API keys with full access. What is left out stays; null removes a bound. A mail's sender is judged when it is taken, and
/// once more when it is handed over.
#[utoipa::path(
    patch, path = "/account", tag = "emails", operation_id = "updateSendingAccount",
    request_body = SettingsBody,
    responses(
        (status = 200, description = "The account.", body = AccountBody),
        (status = 400, description = "The body is not JSON.", body = ErrorBody),
        (status = 422, description = "The input is wrong, or a bound is above that of the installation.", body = ErrorBody),
    )
)]
pub async fn change(
    admin: SendAdmin<SendTier>,
    State(app): State<Arc<App>>,
    JsonBody(document): JsonBody,
) -> Result<Json<AccountBody>, Error> {
    let (change, mut faults) = settings::parse(document);
    if !faults.is_empty() {
        faults.extend(app.delivery.bound_faults(&admin.tenant, &change).await?);
        return Err(Error::send_inputs(faults, "validation_error"));
    }
    Ok(Json(AccountBody::new(&app.delivery.change_settings(&admin, &change).await?)))
}

/// Stops sending until it is resumed.
///
/// For tenant administrators and API keys with full access. Mail is still taken, and waits. A mail in hand is finished.
#[utoipa::path(
    post, path = "/account/pause", tag = "emails", operation_id = "pauseSendingAccount",
    responses((status = 200, description = "The account.", body = AccountBody))
)]
pub async fn pause(
    admin: SendAdmin<SendTier>,
    State(app): State<Arc<App>>,
) -> Result<Json<AccountBody>, Error> {
    Ok(Json(AccountBody::new(&app.delivery.pause(&admin).await?)))
}

/// Sends again, whether a person or a failure has stopped the account.
///
/// For tenant administrators and API keys with full access. What is held is queued again.
#[utoipa::path(
    post, path = "/account/resume", tag = "emails", operation_id = "resumeSendingAccount",
    responses(
        (status = 200, description = "The account.", body = AccountBody),
        (status = 409, description = "The operator of this service has paused the account, and will resume it.", body = ErrorBody),
    )
)]
pub async fn resume(
    admin: SendAdmin<SendTier>,
    State(app): State<Arc<App>>,
) -> Result<Json<AccountBody>, Error> {
    Ok(Json(AccountBody::new(&app.delivery.resume(&admin).await?)))
}
