//! The refusals of the API: a closed set of codes, and one body shape.

mod body;

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::error::{InputFault, Reason};
use crate::id::TraceId;
use crate::store::DbError;
pub use body::{ErrorBody, Fault, MetaBody, SourceBody};

/// Every refusal that a client can get.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Code {
    Unauthorized,
    NotAdmin,
    NotSender,
    /// A tenant's credential, below `/tenants/`.
    NotPlatform,
    /// The platform's credential, not below `/tenants/`.
    TenantNotNamed,
    /// A browser's session without the token that proves where the request comes from.
    CsrfToken,
    /// The input is wrong; the title names the field.
    Input,
    /// PUT's live check failed.
    ConnectionCheck,
    NothingToDelete,
    NothingToSendWith,
    NothingToVerify,
    NotFound,
    MethodNotAllowed,
    BodyTooLarge,
    UnsupportedMediaType,
    PreconditionFailed,
    /// The input of a request to send is wrong; the title names the field.
    SendInput,
    NotConfigured,
    SenderNotAllowed,
    SenderNotAllowedByKey,
    MessageTooLarge,
    QueueFull,
    KeyReused,
    NothingToChange,
    ContentGone,
    /// The same, because there is nothing left to send.
    AcceptedContentGone,
    EmailNotFound,
    /// The text is no API key, or one that was revoked or has expired.
    InvalidApiKey,
    /// An API key that may send, and read what it has sent, and nothing else.
    RestrictedApiKey,
    /// An API key, outside of the send API.
    NotForApiKeys,
    TooManyApiKeys,
    ApiKeyNotFound,
    RateLimited,
    Internal,
    /// The database or the keys are not available.
    Unavailable,
}

impl Code {
    /// Status, code and title as they go over the wire.
    pub fn parts(self) -> (StatusCode, &'static str, &'static str) {
        const NONE: &str = "No email config for tenant";
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "HTTP-401", "Unauthorized"),
            Self::NotAdmin => (StatusCode::FORBIDDEN, "ROLECHECK-1", "Must be a tenant admin"),
            Self::NotSender => {
                (StatusCode::FORBIDDEN, "ROLECHECK-2", "Must be a tenant admin or have a role that may send")
            }
            Self::NotPlatform => {
                (StatusCode::FORBIDDEN, "ROLECHECK-3", "Only the platform may name a tenant in the path")
            }
            Self::TenantNotNamed => (
                StatusCode::FORBIDDEN,
                "ROLECHECK-4",
                "The platform sends and reads below /tenants/{tenantId} alone",
            ),
            Self::CsrfToken => {
                (StatusCode::FORBIDDEN, CSRF_TOKEN, "The header qlik-csrf-token is missing or wrong")
            }
            Self::Input => (StatusCode::BAD_REQUEST, "INPUTCHECK-1", "The input is wrong"),
            Self::ConnectionCheck => {
                (StatusCode::BAD_REQUEST, "CONNECTIONCHECK-1", "The connection check failed")
            }
            Self::NothingToDelete => (StatusCode::NOT_FOUND, "DELETE-1", NONE),
            Self::NothingToSendWith => (StatusCode::NOT_FOUND, "SENDTESTEMAIL-1", NONE),
            Self::NothingToVerify => (StatusCode::NOT_FOUND, "VERIFYCONNECTION-1", NONE),
            Self::NotFound => (StatusCode::NOT_FOUND, "HTTP-404", "Not found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "HTTP-405", "Method not allowed"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "HTTP-413", "Request body too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "HTTP-415", "Unsupported media type")
            }
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "HTTP-412", "The configuration changed meanwhile")
            }
            Self::SendInput => (StatusCode::UNPROCESSABLE_ENTITY, "SEND-1", "The input is wrong"),
            Self::NotConfigured => (
                StatusCode::CONFLICT,
                "SEND-2",
                "The tenant has no mail account: set one up, then send again",
            ),
            Self::SenderNotAllowed => {
                (StatusCode::UNPROCESSABLE_ENTITY, "SEND-3", "The account may not send from this address")
            }
            Self::SenderNotAllowedByKey => {
                (StatusCode::UNPROCESSABLE_ENTITY, "SEND-3", "The API key may not send from this address")
            }
            Self::MessageTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "SEND-4", "The message is too large"),
            Self::QueueFull => (StatusCode::TOO_MANY_REQUESTS, "SEND-5", "The tenant's queue is full"),
            Self::KeyReused => {
                (StatusCode::CONFLICT, "SEND-6", "The Idempotency-Key came with another request before")
            }
            Self::NothingToChange => (
                StatusCode::CONFLICT,
                "SEND-7",
                "The email or the account is not in a state that allows this",
            ),
            Self::ContentGone => (StatusCode::GONE, "SEND-8", "The content of the email was removed"),
            Self::AcceptedContentGone => (
                StatusCode::GONE,
                "SEND-8",
                "The email was accepted for every recipient, and its content was removed",
            ),
            Self::EmailNotFound => (StatusCode::NOT_FOUND, "SEND-404", "Email not found"),
            Self::InvalidApiKey => (StatusCode::UNAUTHORIZED, "APIKEY-1", "The API key is not valid"),
            Self::RestrictedApiKey => (StatusCode::FORBIDDEN, "APIKEY-2", "The API key may not do this"),
            Self::NotForApiKeys => (
                StatusCode::FORBIDDEN,
                "APIKEY-3",
                "An API key is for the send API: this takes a user's token",
            ),
            Self::TooManyApiKeys => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "APIKEY-4",
                "There are as many API keys as there may be: revoke one first",
            ),
            Self::ApiKeyNotFound => (StatusCode::NOT_FOUND, "APIKEY-404", "API key not found"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "HTTP-429", "API rate limit reached"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "HTTP-500", "Internal error"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "HTTP-503", "Service unavailable"),
        }
    }
}

/// The code by which the public API's browser clients know that they have to fetch a new token.
const CSRF_TOKEN: &str = "CSRF-TOKEN-2";

/// A refusal on its way to the client. It becomes a body where the trace id is known, in
/// [`crate::http::observe`].
#[derive(Clone, Debug)]
pub struct Error {
    status: StatusCode,
    faults: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The word for it in the send API.
    name: Option<&'static str>,
    lacks_credential: bool,
}

impl Error {
    pub fn new(code: Code) -> Self {
        let (status, text, title) = code.parts();
        let fault = Fault { code: text, title: title.to_owned(), detail: None, source: None, meta: None };
        let mut error =
            Self { status, faults: vec![fault], headers: Vec::new(), name: None, lacks_credential: false };
        if matches!(code, Code::Unauthorized | Code::InvalidApiKey) {
            error.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        error
    }

    /// 400.
    pub fn input(fault: InputFault) -> Self {
        Self::inputs(vec![fault])
    }

    /// 400 with one entry for each fault. There must be at least one.
    pub fn inputs(faults: Vec<InputFault>) -> Self {
        let (status, _, _) = Code::Input.parts();
        Self {
            status,
            faults: faults.into_iter().map(Fault::from).collect(),
            headers: Vec::new(),
            name: None,
            lacks_credential: false,
        }
    }

    /// 429; the client may come again after so many whole seconds.
    pub fn rate_limited(seconds: u64) -> Self {
        let unit = if seconds == 1 { "second" } else { "seconds" };
        Self::new(Code::RateLimited)
            .detail(format!("Try again in {seconds} {unit}."))
            .header(RETRY_AFTER, HeaderValue::from(seconds))
            .limit("requests")
    }

    /// 429 by a quota of the operator; the title says by which.
    pub fn quota_reached(title: &str, limit: &'static str, seconds: u64) -> Self {
        let mut error = Self::rate_limited(seconds).limit(limit);
        for fault in &mut error.faults {
            title.clone_into(&mut fault.title);
        }
        error
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        if let Some(fault) = self.faults.first_mut() {
            fault.detail = Some(detail.into());
        }
        self
    }

    /// Where in the body the fault is, and why the value is refused.
    pub fn at(mut self, pointer: &str, reason: Reason) -> Self {
        if let Some(fault) = self.faults.first_mut() {
            fault.source = Some(SourceBody { pointer: Some(pointer.to_owned()), ..SourceBody::default() });
            fault.meta = Some(MetaBody { reason: Some(reason), ..MetaBody::default() });
        }
        self
    }

    /// The same error of an item of the body, which is an array.
    pub fn in_item(mut self, items: &str, index: usize) -> Self {
        if let Some(fault) = self.faults.first_mut() {
            let pointer = fault.source.as_mut().and_then(|source| source.pointer.as_mut());
            if let Some(pointer) = pointer {
                *pointer = format!("/{index}{pointer}");
            }
            let detail = fault.detail.take().unwrap_or_default();
            fault.detail = Some(format!("This is {items}[{index}]. {detail}").trim_end().to_owned());
        }
        self
    }

    /// The diagnosis of the check that failed.
    pub fn diagnosis(mut self, diagnosis: Value) -> Self {
        if let Some(fault) = self.faults.first_mut() {
            fault.meta.get_or_insert_default().diagnosis = Some(diagnosis);
        }
        self
    }

    /// Which limit was reached.
    pub fn limit(mut self, limit: &'static str) -> Self {
        if let Some(fault) = self.faults.first_mut() {
            fault.meta.get_or_insert_default().limit = Some(limit);
        }
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// 422 with one entry for each fault of a request to send. There must be at least one.
    pub fn send_inputs(faults: Vec<InputFault>, name: &'static str) -> Self {
        let (status, code, _) = Code::SendInput.parts();
        let faults = faults.into_iter().map(|fault| Fault { code, ..Fault::from(fault) }).collect();
        Self { status, faults, headers: Vec::new(), name: Some(name), lacks_credential: false }
    }

    /// The same error, with the members that clients of Resend's API read.
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// The same error, of a request without a credential.
    pub fn without_credential(mut self) -> Self {
        self.lacks_credential = true;
        self
    }

    /// The same error, with the name that its status has in the send API, unless it has one.
    pub fn in_send_api(self) -> Self {
        if self.name.is_some() {
            return self;
        }
        let name = match self.status.as_u16() {
            401 if self.lacks_credential => "missing_api_key",
            401 => "invalid_api_key",
            403 => "restricted_api_key",
            404 => "not_found",
            405 => "method_not_allowed",
            413 => "message_too_large",
            429 => "rate_limit_exceeded",
            500 => "internal_server_error",
            503 => "unavailable",
            _ => "validation_error",
        };
        self.named(name)
    }

    /// Whether this is what it reports first.
    pub fn has(&self, code: Code) -> bool {
        let (_, text, _) = code.parts();
        self.faults.first().is_some_and(|fault| fault.code == text)
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// For clients that show nothing else of an error: what is wrong, and what to change. Of a refused credential the detail
    /// says both.
    fn message(&self, fault: &Fault) -> String {
        match &fault.detail {
            None => fault.title.clone(),
            Some(detail) if self.status == StatusCode::UNAUTHORIZED => detail.clone(),
            Some(detail) => format!("{}. {detail}", fault.title),
        }
    }

    /// The body, once the trace id is known.
    pub fn body(&self, trace_id: TraceId) -> ErrorBody {
        let code = self.faults.first().map(|fault| fault.code).filter(|code| *code == CSRF_TOKEN);
        ErrorBody {
            errors: self.faults.clone(),
            trace_id: trace_id.to_string(),
            status_code: self.name.map(|_| self.status.as_u16()),
            name: self.name,
            message: self.name.and_then(|_| self.faults.first()).map(|fault| self.message(fault)),
            code,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DbError> for Error {
    fn from(cause: DbError) -> Self {
        match cause {
            DbError::Unavailable(reason) => {
                tracing::error!(reason, "the database is not available");
                Self::unavailable()
            }
            DbError::Statement(reason) => {
                tracing::error!(reason, "the database refused a statement");
                Self::new(Code::Internal)
            }
        }
    }
}

impl Error {
    /// 503 with a word when to come again.
    pub fn unavailable() -> Self {
        Self::new(Code::Unavailable).header(RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// 500; the cause goes to the log only, where the trace id finds it.
    pub fn internal(cause: &anyhow::Error) -> Self {
        tracing::error!(cause = format!("{cause:#}"), "internal error");
        Self::new(Code::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_code_title_and_trace_id_and_leaves_out_what_is_unset() {
        let trace_id = TraceId::random();
        let body = serde_json::to_value(Error::new(Code::NotAdmin).body(trace_id)).expect("serialises");
        let expected = serde_json::json!({
            "errors": [{"code": "ROLECHECK-1", "title": "Must be a tenant admin"}],
            "traceId": trace_id.to_string(),
        });
        assert_eq!(body, expected);
    }

    /// Security case I4.
    #[test]
    fn an_internal_error_shows_nothing_of_its_cause() {
        let cause = anyhow::anyhow!("/var/lib/secret.db: disk I/O error");
        let body = Error::internal(&cause).body(TraceId::random());
        let text = serde_json::to_string(&body).expect("serialises");
        assert!(!text.contains("disk"), "{text}");
    }

    #[test]
    fn a_rate_limit_names_the_seconds_in_words_and_header() {
        let error = Error::rate_limited(17);
        assert_eq!(
            error.body(TraceId::random()).errors[0].detail.as_deref(),
            Some("Try again in 17 seconds.")
        );
        let response = error.into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "17");
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    }
}
