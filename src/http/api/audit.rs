//! Lists a tenant's audit entries for its administrators: who did what, when and from where.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::api::checks::bodies::DiagnosisBody;
use crate::http::api::paging::{LinksBody, Page};
use crate::http::caller::{TenantAdmin, Tier1};
use crate::http::error::{Error, ErrorBody};
use crate::http::language::Localised;
use crate::language::Language;
use crate::store::audit::{self, StoredEntry};

/// A page of the audit, newest entries first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
pub struct AuditBody {
    pub data: Vec<AuditEntryBody>,
    pub links: LinksBody,
}

/// One change of the configuration, or one use of its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub struct AuditEntryBody {
    /// Stable and unique.
    #[schema(example = "019b77d2-51b3-7c1a-9c4e-5d7a1e0b2f63")]
    pub id: String,
    /// ISO 8601, with milliseconds and `Z`.
    #[schema(example = "2026-01-01T00:00:00.000Z")]
    pub at: String,
    /// The user that the token named; `api-key:` and its id for an API key; `operator`, without an address, for a command of
    /// the operator.
    #[schema(example = "auth0|5f2a")]
    pub user_id: String,
    /// The person's name, as the token had it at that time. Absent where it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Anna Müller")]
    pub user_name: Option<String>,
    /// `put`, `patch`, `delete`, `verify-connection` or `send-test-email`; `sign-in` for one that the SMTP gateway refused; of
    /// the account as a sender `pause-account`, `resume-account` or `change-account`; of API keys `create-api-key`,
    /// `update-api-key` or `revoke-api-key`; of the operator also `retry-emails`, `cancel-emails` or `purge-emails`.
    #[schema(example = "put")]
    pub action: String,
    /// `OK`; the code of the diagnosis where a check or a sending failed; `NOT_STORED` where the check of a PUT
    /// succeeded and the change was refused after it.
    #[schema(example = "OK")]
    pub outcome: String,
    /// The names of the fields that changed; a secret only by its name.
    #[schema(example = json!(["serverAddress", "emailPassword"]))]
    pub changed: Vec<String>,
    /// The client's IP address. Absent in entries of the operator, and from before it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "192.0.2.7")]
    pub remote_address: Option<String>,
    /// The request's, as in the service's log.
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: String,
    /// To whom a test mail was sent; a hash of the address where `audit.recipients` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "bob@example.org")]
    pub recipient: Option<String>,
    /// The API key that was made, changed or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a")]
    pub api_key_id: Option<String>,
    /// What the check or the sending showed, in the request's language and without the steps of the session. Only where it
    /// failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<DiagnosisBody>,
    /// How often it happened: like checks of one user within a minute are one entry.
    #[schema(example = 1)]
    pub count: i64,
}

impl AuditEntryBody {
    fn new(row: StoredEntry, language: Language) -> Self {
        // The operator may have the audit store a hash in place of the address.
        let address = row.recipient.as_deref().filter(|recipient| recipient.contains('@'));
        let diagnosis = row.diagnosis.and_then(|stored| match address {
            Some(address) => stored.with_recipient(address).in_language(language),
            None => stored.in_language(language),
        });
        Self {
            diagnosis: diagnosis.as_ref().map(DiagnosisBody::full),
            id: row.position.id,
            at: row.position.at.to_iso(),
            user_id: row.user,
            user_name: row.user_name,
            action: row.action,
            outcome: row.outcome,
            changed: row.changed,
            remote_address: row.remote,
            trace_id: row.trace_id,
            recipient: row.recipient,
            api_key_id: row.api_key,
            count: row.count,
        }
    }
}

/// Returns the audit of the token's tenant.
///
/// For tenant administrators. Every change of the configuration and every use of its secret, newest first, also after
/// the configuration was deleted. Like checks of plain users within a minute are one entry with a count. `traceId` is
/// the one of the request's `traceparent`, if it had one: it finds the request in logs and traces, and proves nothing.
/// User, address and time are the service's own.
#[utoipa::path(
    get, path = "/email-config/audit", tag = "email-config", operation_id = "getEmailConfigAudit",
    params(
        ("limit" = Option<u8>, Query, description = "Entries of a page, 20 by default.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "Where the page before has ended: from its `links.next.href`."),
    ),
    responses(
        (status = 200, description = "A page. Entries that arrive between two pages change nothing in those to come.", body = AuditBody),
        (status = 400, description = "A parameter is wrong or unknown, an entry for each.", body = ErrorBody),
    )
)]
pub async fn get(
    admin: TenantAdmin<Tier1>,
    State(app): State<Arc<App>>,
    page: Page,
    language: Language,
) -> Result<Localised<Json<AuditBody>>, Error> {
    // One row more than the page holds shows whether there is a next page.
    let count = i64::try_from(page.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = audit::page(&app.db, &admin.tenant, page.after.as_ref(), count).await?;
    let has_next = rows.len() > page.limit;
    rows.truncate(page.limit);
    let last = rows.last().filter(|_| has_next).map(|row| row.position.clone());
    let data = rows.into_iter().map(|row| AuditEntryBody::new(row, language)).collect();
    Ok(Localised(language, Json(AuditBody { data, links: page.links(last.as_ref()) })))
}
