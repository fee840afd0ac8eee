//! Request bodies and preconditions, with this API's errors in place of the framework's.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde_json::Value;

use crate::account::{Precondition, VersionCheck};
use crate::app::App;
use crate::error::{InputFault, Reason, ValueError as _};
use crate::http::error::{Code, Error};
use crate::json;

/// The largest request body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// How much is read and dropped of a request that is refused, in bytes: more than the largest request that is taken, and no
/// stream without end.
pub const MAX_DROPPED: usize = 48 * 1024 * 1024;

/// A body of `application/json`.
pub struct JsonBody(pub Value);

/// A body of `application/json` or `application/json-patch+json` (RFC 6902).
pub struct JsonPatchBody(pub Value);

/// A body of `application/json`, where there is one.
pub struct OptionalJsonBody(pub Option<Value>);

/// A body of `application/json` that may hold a message: base64 makes a third more of it, and JSON may escape each line end.
pub struct MessageBody(pub Value);

impl FromRequest<Arc<App>> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        read(app, request, &["application/json"], MAX_BODY).await.map(Self)
    }
}

impl FromRequest<Arc<App>> for OptionalJsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        if request.body().is_end_stream() {
            return Ok(Self(None));
        }
        read(app, request, &["application/json"], MAX_BODY).await.map(|document| Self(Some(document)))
    }
}

impl FromRequest<Arc<App>> for MessageBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        let max = app.delivery.max_message_bytes() / 2 * 3 + MAX_BODY;
        let read = read(app, request, &["application/json"], max).await.map(Self);
        read.map_err(|error| {
            if !error.has(Code::BodyTooLarge) {
                return error;
            }
            let message = app.delivery.max_message_bytes();
            error.detail(format!(
                "A request may have {max} bytes, and the message in it {message}: delivery.max_message_bytes, which the \
                 operator of this service sets."
            ))
        })
    }
}

impl FromRequest<Arc<App>> for JsonPatchBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        read(app, request, &["application/json", "application/json-patch+json"], MAX_BODY).await.map(Self)
    }
}

async fn read(app: &App, request: Request, types: &[&str], max: usize) -> Result<Value, Error> {
    // Without a body there is no type to judge: official clients then send none.
    if request.body().is_end_stream() && !request.headers().contains_key(CONTENT_TYPE) {
        return Err(Error::input(InputFault::body(Reason::Required, "is missing")));
    }
    check_type(request.headers(), types)?;
    let limit = Duration::from_secs(app.config.server.body_timeout_seconds);
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(length) = declared.filter(|length: &u64| *length > max as u64) {
        // With `Expect: 100-continue` the client has sent nothing yet, and will not.
        if length <= MAX_DROPPED as u64 && !request.headers().contains_key(EXPECT) {
            // A proxy that is still sending when the answer comes may lose the answer: those written in Go do.
            let _ = tokio::time::timeout(limit, drop_all(request.into_body())).await;
        }
        return Err(too_large(max));
    }
    let body = Limited::new(request.into_body(), max);
    let collected = tokio::time::timeout(limit, body.collect())
        .await
        .map_err(|_| incomplete("did not arrive in time"))?;
    let bytes = collected
        .map_err(
            |error| if error.is::<LengthLimitError>() { too_large(max) } else { incomplete("broke off") },
        )?
        .to_bytes();
    if bytes.is_empty() {
        return Err(Error::input(InputFault::body(Reason::Empty, "is empty")));
    }
    json::parse(&bytes).map_err(|error| Error::input(InputFault::body(error.reason(), error)))
}

async fn drop_all(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

fn incomplete(statement: &str) -> Error {
    Error::input(InputFault::body(Reason::IncompleteBody, statement))
}

fn too_large(max: usize) -> Error {
    Error::new(Code::BodyTooLarge).detail(format!("At most {max} bytes are taken."))
}

fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), Error> {
    let unsupported = |detail: String| Err(Error::new(Code::UnsupportedMediaType).detail(detail));
    if headers.contains_key(CONTENT_ENCODING) {
        return unsupported("Send the body without a Content-Encoding.".to_owned());
    }
    let wanted = || format!("Send the body with Content-Type: {}.", types.join(" or "));
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return unsupported(wanted());
    };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !types.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        return unsupported(wanted());
    }
    // JSON is UTF-8 (RFC 8259 section 8.1); a client that says otherwise means other bytes.
    let foreign = parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, charset)| {
        name.trim().eq_ignore_ascii_case("charset")
            && !charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if foreign { unsupported("Send the body in UTF-8.".to_owned()) } else { Ok(()) }
}

/// `If-Match` and `If-None-Match` (RFC 9110 section 13).
impl<S: Sync> FromRequestParts<S> for Precondition {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(precondition(&parts.headers))
    }
}

fn precondition(headers: &HeaderMap) -> Precondition {
    let values = headers.get_all(IF_MATCH).iter().map(|value| value.to_str().unwrap_or_default());
    let tags: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let version = if tags.is_empty() {
        VersionCheck::Unchecked
    } else if tags.contains(&"*") {
        VersionCheck::Exists
    } else {
        VersionCheck::OneOf(tags.into_iter().filter_map(config_version).map(str::to_owned).collect())
    };
    let creates_only = headers.get_all(IF_NONE_MATCH).iter().any(|value| value == "*");
    Precondition { version, creates_only }
}

/// The configuration's version in an entity tag; a check of the connection changes only the part after the dot.
/// A weak tag never matches (RFC 9110 section 8.8.3.2).
fn config_version(tag: &str) -> Option<&str> {
    let opaque = tag.strip_prefix('"')?.strip_suffix('"')?;
    opaque.split_once('.').map(|(config, _health)| config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_compared_by_the_part_of_the_configuration() {
        let cases = [
            ("\"abc.0\"", true),
            ("\"abc.7\"", true),
            ("*", true),
            ("\"abd.0\"", false),
            ("W/\"abc.0\"", false),
            ("abc.0", false),
            ("\"abc\"", false),
            ("\"\"", false),
            ("", false),
        ];
        for (tag, expected) in cases {
            let headers = HeaderMap::from_iter([(IF_MATCH, tag.parse().expect("a header"))]);
            assert_eq!(precondition(&headers).is_met_by(Some("abc")), expected, "{tag}");
            assert!(!precondition(&headers).is_met_by(None), "{tag}");
        }
    }

    /// Security case G7.
    #[test]
    fn the_content_type_is_checked_as_documented() {
        let cases = [
            (Some("application/json"), None, true),
            (Some("application/json; charset=utf-8"), None, true),
            (Some("Application/JSON;charset=\"UTF-8\""), None, true),
            (Some("application/json; charset=utf-16"), None, false),
            (Some("application/json"), Some("gzip"), false),
            (Some("text/plain"), None, false),
            (Some("application/json-patch+json"), None, false),
            (None, None, false),
        ];
        for (kind, encoding, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(CONTENT_TYPE, kind.parse().expect("a header"));
            }
            if let Some(encoding) = encoding {
                headers.insert(CONTENT_ENCODING, encoding.parse().expect("a header"));
            }
            assert_eq!(
                check_type(&headers, &["application/json"]).is_ok(),
                expected,
                "{kind:?} {encoding:?}"
            );
        }
    }
}
