//! Request bodies and preconditions, with this API's errors in place of the framework's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde_json::Value;

use crate::app::App;
use crate::email_config::EmailConfig;
use crate::http::error::{Code, Error};
use crate::json;

/// The largest request body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// A body of `application/json`.
pub struct JsonBody(pub Value);

/// A body of `application/json` or `application/json-patch+json` (RFC 6902).
pub struct JsonPatchBody(pub Value);

impl FromRequest<Arc<App>> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        read(app, request, &["application/json"]).await.map(Self)
    }
}

impl FromRequest<Arc<App>> for JsonPatchBody {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Error> {
        read(app, request, &["application/json", "application/json-patch+json"]).await.map(Self)
    }
}

async fn read(app: &App, request: Request, types: &[&str]) -> Result<Value, Error> {
    // Without a body there is no type to judge: official clients then send none.
    if request.body().is_end_stream() && !request.headers().contains_key(CONTENT_TYPE) {
        return Err(Error::input("The body is missing"));
    }
    check_type(request.headers(), types)?;
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), MAX_BODY);
    let limit = Duration::from_secs(app.config.server.body_timeout_seconds);
    let collected = tokio::time::timeout(limit, body.collect())
        .await
        .map_err(|_| Error::input("The body did not arrive in time"))?;
    let bytes = collected
        .map_err(|error| {
            if error.is::<LengthLimitError>() { too_large() } else { Error::input("The body broke off") }
        })?
        .to_bytes();
    if bytes.is_empty() {
        return Err(Error::input("The body is empty"));
    }
    json::parse(&bytes).map_err(|problem| Error::input(format!("The body {problem}")))
}

fn too_large() -> Error {
    Error::new(Code::BodyTooLarge).detail(format!("At most {MAX_BODY} bytes are taken."))
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

/// `If-Match` and `If-None-Match` (RFC 9110 section 13), compared with the configuration's part of the `ETag`.
#[derive(Clone, Default, Debug)]
pub struct Preconditions {
    if_match: Option<Vec<String>>,
    creates_only: bool,
}

impl<S: Sync> FromRequestParts<S> for Preconditions {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

impl Preconditions {
    fn of(headers: &HeaderMap) -> Self {
        let tags = |value: &axum::http::HeaderValue| -> Vec<String> {
            value.to_str().unwrap_or_default().split(',').map(|tag| tag.trim().to_owned()).collect()
        };
        let if_match =
            headers.contains_key(IF_MATCH).then(|| headers.get_all(IF_MATCH).iter().flat_map(tags).collect());
        let creates_only = headers.get_all(IF_NONE_MATCH).iter().any(|value| value == "*");
        Self { if_match, creates_only }
    }

    /// Whether the client named the version that it means to change.
    #[must_use]
    pub fn names_a_version(&self) -> bool {
        self.if_match.is_some()
    }

    /// For PUT and PATCH: a tag or `*` means that there must be a configuration.
    ///
    /// # Errors
    /// 412.
    pub fn check(&self, stored: Option<&EmailConfig>) -> Result<(), Error> {
        let matches = match (&self.if_match, stored) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(tags), Some(stored)) => tags.iter().any(|tag| names(tag, &stored.version.config)),
        };
        if matches && !(self.creates_only && stored.is_some()) {
            return Ok(());
        }
        Err(Error::new(Code::PreconditionFailed)
            .detail("Read the configuration again and repeat the change."))
    }
}

/// Whether an entity tag names this version; a check of the connection changes only the part after the dot.
/// A weak tag never matches (RFC 9110 section 8.8.3.2).
fn names(tag: &str, config_version: &str) -> bool {
    if tag == "*" {
        return true;
    }
    tag.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|opaque| opaque.split_once('.'))
        .is_some_and(|(config, _health)| config == config_version)
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
            assert_eq!(names(tag, "abc"), expected, "{tag}");
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
