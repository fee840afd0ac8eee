//! The server's response, and what a refusal means for the caller.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::failure::Failure;

/// An answer of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    /// By its content type.
    pub is_web_page: bool,
    /// The target of a redirect, which is not followed, since it would receive the token.
    pub location: Option<String>,
    pub retry_after: Option<Duration>,
    /// Unchanged, except that the token is removed.
    pub body: Vec<u8>,
    /// Whether an earlier attempt of the same call may have been executed.
    pub outcome_unknown: bool,
}

impl Answer {
    /// Converts the last event of a stream. Its `status` replaces that of the stream, which was sent before the result
    /// was known.
    pub fn with_event(self, name: &str) -> Self {
        let body = self.json();
        let inner = body.as_ref().and_then(|body| body.get("status")?.as_u64());
        let inner = inner.and_then(|status| u16::try_from(status).ok());
        let status = if name == "error" { inner.unwrap_or(500) } else { inner.unwrap_or(200) };
        let etag = body.as_ref().and_then(|body| Some(body.get("etag")?.as_str()?.to_owned()));
        Self { status, etag: etag.or(self.etag), ..self }
    }

    /// Puts the tag of a 2xx into its body, for programs that read nothing else.
    pub fn add_etag(&mut self) {
        let (Some(etag), 200..=299, Some(Value::Object(mut body))) = (&self.etag, self.status, self.json())
        else {
            return;
        };
        body.insert("etag".to_owned(), etag.as_str().into());
        self.body = Value::Object(body).to_string().into_bytes();
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body of a 2xx.
    ///
    /// # Errors
    /// Every other status, and a body that is no JSON object.
    pub fn object(&self) -> Result<Value, Failure> {
        self.check()?;
        self.json().filter(Value::is_object).ok_or_else(|| self.not_this_api())
    }

    /// # Errors
    /// Every status but 2xx.
    pub fn check(&self) -> Result<(), Failure> {
        match self.status {
            200..=299 => Ok(()),
            300..=399 => {
                let to = self.location.as_deref().unwrap_or("another place");
                Err(Failure::no_answer(format!("the server answers {} and points to {to}", self.status))
                    .hint(
                        "set that server with --server; redirects are not followed, since they would send the token along",
                    ))
            }
            _ => Err(self.refusal()),
        }
    }

    /// The diagnosis of a PUT whose check failed.
    pub fn failed_check(&self) -> Option<Value> {
        let body = self.json().filter(|_| self.status == 400)?;
        let error = body.get("errors")?.get(0)?;
        (error.get("code")? == "CONNECTIONCHECK-1").then(|| error.clone())
    }

    /// Whether this API knows the caller, a person who lacks the role.
    pub fn is_refused_role(&self) -> bool {
        let error = self.error().filter(|_| self.status == 403);
        error.is_some_and(|error| error["code"] != FOR_NO_API_KEY)
    }

    /// The first error of a body of this API.
    fn error(&self) -> Option<Value> {
        self.json()?.get("errors")?.get(0).filter(|error| error.is_object()).cloned()
    }

    fn refusal(&self) -> Failure {
        // Proxies in front of the service refuse with a page of their own; these statuses come from a server without
        // this API.
        if matches!(self.status, 404 | 405 | 410) && self.error().is_none() {
            return self.not_this_api();
        }
        let text = self.errors_text().unwrap_or_else(|| format!("the server answers {}", self.status));
        let error = self.error().unwrap_or_default();
        if matches!(error["code"].as_str(), Some("HTTP-404" | "HTTP-405")) {
            return Failure::no_answer(text).hint(WRONG_PATH);
        }
        let failure = match self.status {
            400..=499 => Failure::refused(text),
            _ => Failure::no_answer(text),
        };
        match (self.status, error["code"].as_str()) {
            (_, Some(FOR_NO_API_KEY | "APIKEY-1")) => failure.hint(API_KEY_GIVEN),
            (401, _) => failure.hint("the token is missing, expired, or not for this server"),
            (403, _) => failure.hint("the token is valid, but not of a tenant admin"),
            (404, Some("VERIFYCONNECTION-1" | "SENDTESTEMAIL-1")) => {
                failure.hint("create a configuration with `transports email-config update`")
            }
            // The service says the same in the detail.
            (412, _) if error["detail"].is_string() => failure,
            (412, _) => {
                failure.hint("read the configuration again (ls), and repeat the change with its ETag")
            }
            (429 | 503, _) => failure.hint("--retry tries again"),
            _ => failure,
        }
    }

    /// Something else answered.
    fn not_this_api(&self) -> Failure {
        let what = if self.is_web_page { "a web page" } else { "something" };
        let text = format!("the server answers {} with {what} that is not of this API", self.status);
        Failure::no_answer(text).hint(WRONG_SERVER)
    }

    /// The errors of the body, a line each, and the trace id.
    fn errors_text(&self) -> Option<String> {
        let body = self.json()?;
        let errors = body.get("errors")?.as_array().filter(|errors| !errors.is_empty())?;
        let mut text = String::new();
        for error in errors {
            let part = |name: &str| error.get(name).and_then(Value::as_str);
            let title = part("title").unwrap_or("an error without a title");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{title} ({} {})", self.status, part("code").unwrap_or("without a code"));
            if let Some(detail) = part("detail") {
                let _ = writeln!(text, "{detail}");
            }
        }
        if let Some(id) = body.get("traceId").and_then(Value::as_str) {
            let _ = writeln!(text, "trace id {id}");
        }
        Some(text)
    }
}

/// The code of a refusal that an API key gets outside of the send API.
const FOR_NO_API_KEY: &str = "APIKEY-3";

const API_KEY_GIVEN: &str = "an API key (tsk_…) sends emails; the configuration of the mail account takes the token of a tenant admin: docs/tokens.md says how to get one";

const WRONG_SERVER: &str = "--server must be the URL of a transports service, such as https://mail.example.com, without the path of a page";

/// A transports service has answered.
const WRONG_PATH: &str = "a transports service answers there, but not at this path: --server is the part before /api/v1 or /console";
