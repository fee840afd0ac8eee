//! Bodies of the operations on API keys, in the shape of Resend's with members of ours.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::api_keys::ApiKey;

/// An API key to make.
#[derive(Debug, ToSchema)]
#[schema(as = ApiKeyRequest, example = json!({"name": "Billing", "permission": "sending_access"}))]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct KeyRequestBody {
    /// What the key is for: 1 to 50 characters.
    name: String,
    /// `full_access` (default): everything of the send API. `sending_access`: send, and read what was sent with the key.
    #[schema(nullable = false)]
    permission: Option<String>,
    /// The senders that the key may use: an address, or `*@domain`. The account has to allow them as well. Without them, or
    /// null: every sender of the account.
    allowed_senders: Option<Vec<String>>,
    /// When the key expires, RFC 3339. Null, or without it: never.
    expires_at: Option<String>,
    /// Mail of a test key is never sent: its outcome is played, by the beginning of the recipient's address (`nouser`, `later`,
    /// `slow`, `lost`; any other is accepted).
    #[schema(nullable = false)]
    test: Option<bool>,
}

/// What changes of an API key; what is left out stays.
#[derive(Debug, ToSchema)]
#[schema(as = ApiKeyUpdate, example = json!({"name": "Billing", "expires_at": "2027-01-01T00:00:00Z"}))]
#[expect(dead_code, reason = "for the OpenAPI document alone")]
pub struct KeyChangeBody {
    #[schema(nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    permission: Option<String>,
    /// Null: every sender of the account.
    allowed_senders: Option<Vec<String>>,
    /// Null: no end.
    expires_at: Option<String>,
}

/// An API key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyBody {
    #[schema(example = "api_key")]
    object: &'static str,
    #[schema(example = "0190b8a0-3c7e-7a54-8f3a-1f2e3d4c5b6a")]
    id: String,
    #[schema(example = "Billing")]
    name: String,
    /// `full_access` or `sending_access`.
    #[schema(example = "sending_access")]
    permission: &'static str,
    /// Null: every sender of the account.
    allowed_senders: Option<Vec<String>>,
    test: bool,
    created_at: String,
    expires_at: Option<String>,
    /// To the minute.
    last_used_at: Option<String>,
}

impl KeyBody {
    pub(super) fn new(key: &ApiKey) -> Self {
        Self {
            object: "api_key",
            id: key.id.to_string(),
            name: key.name.clone(),
            permission: key.permission.as_str(),
            allowed_senders: key.allowed_senders.is_some().then(|| key.shown_senders()),
            test: key.is_test,
            created_at: key.created_at.to_iso(),
            expires_at: key.expires_at.map(Timestamp::to_iso),
            last_used_at: key.last_used_at.map(Timestamp::to_iso),
        }
    }
}

/// A new API key.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApiKey)]
pub struct NewKeyBody {
    #[serde(flatten)]
    key: KeyBody,
    /// The key itself. It is shown now and never again.
    #[schema(example = "tsk_…")]
    token: String,
}

impl NewKeyBody {
    pub(super) fn new(key: &ApiKey, token: &Secret) -> Self {
        Self { key: KeyBody::new(key), token: token.expose().to_owned() }
    }
}

/// One page of API keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKeyList)]
pub struct KeyList {
    #[schema(example = "list")]
    object: &'static str,
    has_more: bool,
    data: Vec<KeyBody>,
}

impl KeyList {
    pub(super) fn new(keys: &[ApiKey], has_more: bool) -> Self {
        Self { object: "list", has_more, data: keys.iter().map(KeyBody::new).collect() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeletedApiKey)]
pub struct DeletedKeyBody {
    #[schema(example = "api_key")]
    object: &'static str,
    id: String,
    deleted: bool,
}

impl DeletedKeyBody {
    pub(super) fn new(id: Uuid) -> Self {
        Self { object: "api_key", id: id.to_string(), deleted: true }
    }
}
