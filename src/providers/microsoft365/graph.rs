//! Sending through Graph: `POST /users/{mailbox}/sendMail` with the mail in MIME.
//!
//! See <https://learn.microsoft.com/graph/api/user-sendmail>.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::token::{Credentials, no_answer_kind, redact, retry_after, short};
use super::{Error, ErrorKind};
use crate::egress::http_client::{HttpClient, HttpError, Request, Response};
use crate::json;
use crate::mail::address::EmailAddress;
use crate::mail::message::Message;
use crate::mail::transcript::Stage;
use crate::percent::percent_encode;
use crate::secret::Secret;

/// The largest request that Graph takes in one call, in octets: 4 MB.
pub const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// An error answer is some kilobytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Hands over one mail. A success means that Microsoft has accepted it, not that it was delivered.
///
/// # Errors
/// See [`Error`]; the stage is `graph`. After an [`ErrorKind::OutcomeUnknown`] the mail may be on its way.
pub async fn send_mail(
    client: &HttpClient,
    graph: &str,
    mailbox: &EmailAddress,
    credentials: &Credentials<'_>,
    token: &Secret,
    message: &Message,
    time_limit: Duration,
) -> Result<(), Error> {
    let body = STANDARD.encode(&message.bytes).into_bytes();
    if body.len() > MAX_REQUEST {
        let kind = ErrorKind::TooLarge { limit: MAX_REQUEST as u64, size: body.len() as u64 };
        return Err(Error::without_answer(Stage::Graph, kind));
    }
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose())).map(|mut value| {
        value.set_sensitive(true);
        value
    });
    let malformed = |_| {
        let kind = ErrorKind::Malformed("a token that does not fit into a header".to_owned());
        Error::without_answer(Stage::Graph, kind)
    };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer.map_err(malformed)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let request = Request {
        method: hyper::Method::POST,
        url: &format!("{graph}/v1.0/users/{}/sendMail", percent_encode(mailbox.as_str())),
        headers,
        body,
        time_limit,
        max_response_bytes: MAX_ANSWER,
    };
    match client.send(request).await {
        Ok(response) => read(&response).map_err(|error| redact(error, &response, credentials, Some(token))),
        Err(
            HttpError::Broken { sent: true, .. }
            | HttpError::Timeout { sent: true }
            | HttpError::TooLarge(_)
            | HttpError::Compressed,
        ) => Err(Error::without_answer(Stage::Graph, ErrorKind::OutcomeUnknown)),
        Err(error) => Err(Error::without_answer(Stage::Graph, no_answer_kind(&error))),
    }
}

/// Error codes with which Graph refuses a mail that it has not taken, whatever the status.
const REFUSALS: [&str; 11] = [
    "ErrorQuotaExceeded",
    "QuotaExceededException",
    "ErrorMessageSubmissionBlocked",
    "ErrorMissingEmailAddress",
    "ErrorInvalidUser",
    "ErrorRecipientNotFound",
    "ErrorSendAsDenied",
    "ErrorAccessDenied",
    "ErrorMessageSizeExceeded",
    "ErrorInvalidRecipients",
    "MailboxNotEnabledForRESTAPI",
];

/// Error codes with which Graph asks for a pause.
const THROTTLING: [&str; 5] = [
    "ApplicationThrottled",
    "ErrorExceededMessageLimit",
    "ActivityLimitReached",
    "TooManyRequests",
    "ErrorApiQuarantined",
];

/// Understands Graph's answer.
#[expect(clippy::result_large_err, reason = "once for each call over the network; boxed where it is kept")]
pub(super) fn read(response: &Response) -> Result<(), Error> {
    if response.status == 202 {
        return Ok(());
    }
    let answer = json::object(&response.body).unwrap_or_default();
    let error = answer.get("error");
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(short);
    let code = text(error.and_then(|error| error.get("code")));
    let is_one_of = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
    let kind = match response.status {
        // The code says more than the status: Graph gives the same one with different statuses.
        400.. if is_one_of(&REFUSALS) => ErrorKind::Refused,
        400.. if is_one_of(&THROTTLING) => ErrorKind::Busy,
        429 | 503 => ErrorKind::Busy,
        // Graph had the whole mail: what it did before it failed is not known.
        500..=599 => ErrorKind::OutcomeUnknown,
        400..=499 => ErrorKind::Refused,
        // A redirect, or a success of another kind, is no answer of this call.
        status => ErrorKind::Unreachable(format!("an answer with status {status} that is not Graph's")),
    };
    let inner = error.and_then(|error| error.get("innerError").or_else(|| error.get("innererror")));
    Err(Error {
        stage: Stage::Graph,
        kind,
        status: Some(response.status),
        code,
        numbers: Vec::new(),
        message: text(error.and_then(|error| error.get("message"))).unwrap_or_default(),
        correlation_id: text(inner.and_then(|inner| inner.get("request-id"))),
        retry_after: retry_after(&response.headers),
        is_held: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn only_202_is_a_success() {
        assert_eq!(read(&response(202, "")), Ok(()));
        for (status, expected) in [
            (400, ErrorKind::Refused),
            (401, ErrorKind::Refused),
            (403, ErrorKind::Refused),
            (404, ErrorKind::Refused),
            (413, ErrorKind::Refused),
            (429, ErrorKind::Busy),
            (503, ErrorKind::Busy),
            (500, ErrorKind::OutcomeUnknown),
            (502, ErrorKind::OutcomeUnknown),
            (504, ErrorKind::OutcomeUnknown),
        ] {
            let error = read(&response(status, "")).expect_err("no success");
            assert_eq!((error.kind, error.status), (expected, Some(status)));
        }
        for status in [200, 204, 302, 307] {
            let error = read(&response(status, "")).expect_err("no success");
            assert!(matches!(error.kind, ErrorKind::Unreachable(_)), "{status}");
        }
    }

    #[test]
    fn an_error_is_read_as_graph_writes_it() {
        let body = r#"{"error":{"code":"ErrorAccessDenied","message":"Access is denied. Check credentials and try again.","innerError":{"date":"2026-01-01T00:00:00","request-id":"aaaa0000-bb11-2222-33cc-444444dddddd"}}}"#;
        let error = read(&response(403, body)).expect_err("a refusal");
        assert_eq!(error.code.as_deref(), Some("ErrorAccessDenied"));
        assert_eq!(error.message, "Access is denied. Check credentials and try again.");
        assert_eq!(error.correlation_id.as_deref(), Some("aaaa0000-bb11-2222-33cc-444444dddddd"));
    }
}
