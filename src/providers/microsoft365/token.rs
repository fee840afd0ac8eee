//! Access tokens by client credentials (RFC 6749 section 4.4.2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value};

use super::{Error, ErrorKind};
use crate::egress::http_client::{HttpClient, HttpError, Request, Response};
use crate::json;
use crate::mail::transcript::{Stage, printable};
use crate::percent::percent_encode;
use crate::secret::{NOT_SHOWN, Redactor, Secret};

/// A token answer is some kilobytes; a token has to fit into a header or a line of SMTP.
const MAX_BYTES: usize = 64 * 1024;

/// The longest text of an answer that is kept, in characters.
const MAX_MESSAGE: usize = 300;

/// Numbers that ask for a pause, whatever the HTTP status: trouble that passes, a loop of requests, throttling.
const ASKS_TO_WAIT: [u32; 4] = [90_033, REQUEST_LOOP, 90_055, 90_006];

/// Too many requests of one app in a short time.
pub(super) const REQUEST_LOOP: u32 = 50_196;

/// The permission to send mail, as it stands in a token's `roles`.
const MAIL_SEND: &str = "Mail.Send";

/// How an app signs in.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The directory: a GUID or a domain name.
    pub provider_tenant: &'a str,
    pub client_id: &'a str,
    pub client_secret: &'a Secret,
}

/// An access token.
#[derive(Debug)]
pub struct AccessToken {
    pub text: Secret,
    /// As the issuer says; at least 0.
    pub expires_in: Duration,
    /// Whether its `roles` hold `Mail.Send`; `None` where the token cannot be read, which is the issuer's right.
    pub mail_send_role: Option<bool>,
}

/// Asks the token endpoint once.
///
/// # Errors
/// See [`Error`]; the stage is `token`.
pub async fn fetch(
    client: &HttpClient,
    login: &str,
    credentials: &Credentials<'_>,
    scope: &str,
    time_limit: Duration,
) -> Result<AccessToken, Error> {
    let url = format!("{login}/{}/oauth2/v2.0/token", percent_encode(credentials.provider_tenant));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", credentials.client_id),
        ("client_secret", credentials.client_secret.expose()),
        ("scope", scope),
    ];
    let body: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let request = Request {
        method: hyper::Method::POST,
        url: &url,
        headers,
        body: body.join("&").into_bytes(),
        time_limit,
        max_response_bytes: MAX_BYTES,
    };
    match client.send(request).await {
        Ok(response) => read(&response).map_err(|error| redact(error, &response, credentials, None)),
        Err(error) => Err(Error::without_answer(Stage::Token, no_answer_kind(&error))),
    }
}

/// The error without what the answer says, where it holds a part of the client secret or of the token. Microsoft
/// repeats neither; a gateway in front of it may.
pub(super) fn redact(
    error: Error,
    response: &Response,
    credentials: &Credentials<'_>,
    token: Option<&Secret>,
) -> Error {
    let public = [credentials.client_id, credentials.provider_tenant];
    let mut redactor = Redactor::new(credentials.client_secret, &public);
    if let Some(token) = token {
        redactor.add(token, &public);
    }
    let clean = |text: &Option<String>| text.as_ref().is_none_or(|text| !redactor.finds(text));
    // What is read of the body may be the secret only once its JSON is decoded, and may be cut off.
    let is_clean = clean(&error.code)
        && clean(&error.correlation_id)
        && !redactor.finds(&error.message)
        && !redactor.finds(&String::from_utf8_lossy(&response.body));
    if is_clean {
        return error;
    }
    Error {
        code: error.code.filter(|code| !redactor.finds(code)),
        message: NOT_SHOWN.to_owned(),
        correlation_id: None,
        ..error
    }
}

/// What a call that got no answer means, where nothing can have been done by it.
pub(super) fn no_answer_kind(error: &HttpError) -> ErrorKind {
    match error {
        HttpError::Timeout { .. } => ErrorKind::Timeout,
        HttpError::TooLarge(_) => ErrorKind::Malformed("the answer is too large".to_owned()),
        HttpError::Url(_)
        | HttpError::Dial(_)
        | HttpError::Tls(_)
        | HttpError::Compressed
        | HttpError::Broken { .. }
        | HttpError::OtherProtocol(_) => ErrorKind::Unreachable(printable(&error.to_string())),
    }
}

/// Understands an answer of the token endpoint.
#[expect(clippy::result_large_err, reason = "once for each call over the network; boxed where it is kept")]
pub(super) fn read(response: &Response) -> Result<AccessToken, Error> {
    let answer = json::object(&response.body);
    let refused = answer.as_ref().is_some_and(|answer| answer.contains_key("error"));
    if response.status == 200 && !refused {
        let malformed = |problem: &str| Error {
            status: Some(200),
            ..Error::without_answer(Stage::Token, ErrorKind::Malformed(problem.to_owned()))
        };
        let answer = answer.ok_or_else(|| malformed("an answer that is not JSON"))?;
        return token(&answer).map_err(malformed);
    }
    let answer = answer.unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let numbers = match answer.get("error_codes") {
        Some(Value::Array(numbers)) => {
            numbers.iter().filter_map(|number| u32::try_from(number.as_u64()?).ok()).take(8).collect()
        }
        _ => Vec::new(),
    };
    let asks_to_wait = text("error")
        .is_some_and(|error| error == "temporarily_unavailable" || error == "server_error")
        || numbers.iter().any(|number| ASKS_TO_WAIT.contains(number));
    let kind = match response.status {
        429 | 500..=599 => ErrorKind::Busy,
        200 | 400 | 401 | 403 if asks_to_wait => ErrorKind::Busy,
        200 | 400 | 401 | 403 if refused => ErrorKind::Refused,
        status => ErrorKind::Unreachable(format!("an answer with status {status} that is not Microsoft's")),
    };
    Err(Error {
        stage: Stage::Token,
        kind,
        status: Some(response.status),
        code: text("error").map(short),
        numbers,
        message: text("error_description").map(description).unwrap_or_default(),
        correlation_id: text("correlation_id").map(short),
        retry_after: retry_after(&response.headers),
        is_held: false,
    })
}

fn token(answer: &Map<String, Value>) -> Result<AccessToken, &'static str> {
    let text = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    // It goes into a header and into a line of SMTP.
    if text.is_empty() || text.len() > MAX_BYTES / 2 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("an answer without a usable token");
    }
    let bearer = answer.get("token_type").and_then(Value::as_str).unwrap_or_default();
    if !bearer.eq_ignore_ascii_case("Bearer") {
        return Err("a token of another type than Bearer");
    }
    let seconds = match answer.get("expires_in") {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(0),
        Some(Value::String(digits)) => digits.parse().unwrap_or(0),
        _ => 0,
    };
    Ok(AccessToken {
        mail_send_role: roles(text).map(|roles| roles.iter().any(|role| role == MAIL_SEND)),
        expires_in: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        text: Secret::new(text.to_owned()),
    })
}

/// The `roles` of a token, read without checking it: whoever issued it decides, this only informs.
fn roles(token: &str) -> Option<Vec<String>> {
    let claims = token.split('.').nth(1)?;
    let claims = json::object(&URL_SAFE_NO_PAD.decode(claims).ok()?)?;
    match claims.get("roles") {
        None => Some(Vec::new()),
        Some(Value::Array(roles)) => {
            Some(roles.iter().filter_map(|role| role.as_str().map(str::to_owned)).collect())
        }
        Some(_) => None,
    }
}

/// What a `Retry-After` may say at most, in seconds: a day. More is no wait that anybody means.
const MAX_RETRY_AFTER: u64 = 86_400;

/// The seconds of `Retry-After`; a date is not used by Microsoft, and counts as none.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.min(MAX_RETRY_AFTER))
}

/// Entra's text without its ids, which go on for lines.
fn description(text: &str) -> String {
    let text = text.split(" Trace ID:").next().unwrap_or_default();
    let text = text
        .split_once(": ")
        .filter(|(number, _)| number.starts_with("AADSTS"))
        .map_or(text, |(_, rest)| rest);
    short(text.lines().next().unwrap_or_default())
}

pub(super) fn short(text: &str) -> String {
    printable(text).chars().take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    fn jwt(claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_tells_its_roles_and_its_time() {
        let answer =
            |token: &str| format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#);
        for (token, expected) in [
            (jwt(r#"{"roles":["Mail.Send"]}"#), Some(true)),
            (jwt(r#"{"roles":["Mail.Read","User.Read.All"]}"#), Some(false)),
            (jwt(r"{}"), Some(false)),
            (jwt(r#"{"roles":"Mail.Send"}"#), None),
            ("opaque".to_owned(), None),
        ] {
            let token = read(&response(200, &answer(&token))).expect(&token);
            assert_eq!((token.mail_send_role, token.expires_in.as_secs()), (expected, 3599));
        }
    }

    #[test]
    fn no_wait_is_longer_than_a_day() {
        for (header, expected) in [
            (Some("0"), Some(0)),
            (Some(" 30 "), Some(30)),
            (Some("86400"), Some(86_400)),
            (Some("86401"), Some(86_400)),
            (Some("18446744073709551615"), Some(86_400)),
            (Some("18446744073709551616"), None),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
            (Some("-1"), None),
            (None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(header.map(|header| (RETRY_AFTER, HeaderValue::from_static(header))));
            assert_eq!(retry_after(&headers), expected, "{header:?}");
        }
    }

    /// Security case J4.
    #[test]
    fn answers_that_are_no_token_are_refused() {
        let huge = format!(r#"{{"token_type":"Bearer","access_token":"{}"}}"#, "a".repeat(MAX_BYTES / 2 + 1));
        let cases = [
            "<html><body>Sign in to the airport's network</body></html>",
            "",
            "[]",
            r#"{"token_type":"Bearer","expires_in":3599}"#,
            r#"{"token_type":"Bearer","access_token":""}"#,
            r#"{"token_type":"Bearer","access_token":"a\r\nb"}"#,
            r#"{"token_type":"Bearer","access_token":7}"#,
            r#"{"token_type":"mac","access_token":"a"}"#,
            r#"{"access_token":"a"}"#,
            &huge,
        ];
        for body in cases {
            let error = read(&response(200, body)).expect_err(&body[..body.len().min(60)]);
            assert!(matches!(error.kind, ErrorKind::Malformed(_)), "{error:?}");
        }
        for (seconds, expected) in
            [("-1", 0), ("1000000000000", 1_000_000_000_000), ("\"3599\"", 3599), ("null", 0), ("1e99", 0)]
        {
            let body = format!(r#"{{"token_type":"bearer","access_token":"a","expires_in":{seconds}}}"#);
            let token = read(&response(200, &body)).expect(seconds);
            assert_eq!(token.expires_in.as_secs(), expected, "{seconds}");
        }
    }

    #[test]
    fn a_refusal_keeps_numbers_code_and_a_short_text() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the value. Trace ID: 0000aaaa-11bb-cccc-dd22-eeeeee333333 Correlation ID: aaaa0000-bb11-2222-33cc-444444dddddd Timestamp: 2026-01-01 00:00:00Z","error_codes":[7000215],"correlation_id":"aaaa0000-bb11-2222-33cc-444444dddddd"}"#;
        let error = read(&response(401, body)).expect_err("a refusal");
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(
            (error.numbers.as_slice(), error.code.as_deref()),
            (&[7_000_215][..], Some("invalid_client"))
        );
        assert_eq!(
            error.message,
            "Invalid client secret provided. Ensure the secret being sent is the value."
        );
        assert_eq!(error.correlation_id.as_deref(), Some("aaaa0000-bb11-2222-33cc-444444dddddd"));
    }

    #[test]
    fn trouble_on_the_way_says_nothing_about_the_secret() {
        for (status, body, busy) in [
            (429, r#"{"error":"invalid_client","error_codes":[90055]}"#, true),
            (500, "", true),
            (503, "<html>", true),
            (302, "", false),
            (407, "<html>proxy</html>", false),
            (404, "<html>", false),
            (400, "<html>", false),
        ] {
            let error = read(&response(status, body)).expect_err("no token");
            let kind = matches!(error.kind, ErrorKind::Busy);
            assert!(
                kind == busy && (kind || matches!(error.kind, ErrorKind::Unreachable(_))),
                "{status}: {error:?}"
            );
            assert!(error.is_transient());
        }
    }
}
