//! Calls the API: sends the request, retries, and reads JSON or a stream of events.

use std::ops::ControlFlow;
use std::time::Duration;

use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, RETRY_AFTER};
use serde_json::Value;

use super::answer::Answer;
use super::events::{Event, Events};
use super::failure::Failure;
use super::progress::Progress;
use crate::cli::output;
use crate::egress::http_client::{Head, HttpClient, HttpError, OtherProtocol, Request, Response};
use crate::secret::Secret;

/// The largest answer that is read, in bytes. The service's are far smaller.
const MAX_ANSWER: usize = 1024 * 1024;

/// A longer Retry-After ends the retries.
const MAX_WAIT: Duration = Duration::from_mins(5);

const EVENT_STREAM: &str = "text/event-stream";

/// A client of one server.
pub(super) struct Api {
    pub client: HttpClient,
    /// The URL before the API's path, without a slash at its end.
    pub base: String,
    pub token: Secret,
    /// For one attempt.
    pub time_limit: Duration,
    pub retries: u32,
    pub interval: Duration,
    pub verbose: bool,
}

/// One operation.
pub(super) struct Call<'a> {
    pub method: Method,
    /// Below `/api/v1/transports/email-config`.
    pub path: &'static str,
    pub body: Option<&'a Value>,
    pub if_match: Option<&'a str>,
    /// Idempotent: may be retried where the outcome is unknown.
    pub repeatable: bool,
    /// Accepts a stream with the stages of the check.
    pub live: bool,
}

impl<'a> Call<'a> {
    pub fn new(method: Method, path: &'static str) -> Self {
        Self { repeatable: method != Method::POST, method, path, body: None, if_match: None, live: false }
    }

    pub fn with_body(self, body: &'a Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub fn live(self) -> Self {
        Self { live: true, ..self }
    }

    pub fn repeatable(self, repeatable: bool) -> Self {
        Self { repeatable, ..self }
    }

    pub fn if_match(self, tag: Option<&'a str>) -> Self {
        Self { if_match: tag, ..self }
    }
}

impl Api {
    /// Sends the request, with retries.
    ///
    /// # Errors
    /// No response came. A refusal is a response.
    pub async fn call(&self, call: &Call<'_>, progress: &mut Progress) -> Result<Answer, Failure> {
        let mut outcome_unknown = false;
        let mut retries = 0;
        loop {
            let outcome = self.attempt(call, progress).await;
            let retry = retry_reason(call, &outcome).filter(|retry| retry.wait <= MAX_WAIT);
            let Some(retry) = retry.filter(|_| retries < self.retries) else {
                return outcome
                    .map(|answer| Answer { outcome_unknown, ..answer })
                    .map_err(|error| self.no_answer(&error));
            };
            outcome_unknown |= retry.outcome_unknown;
            retries += 1;
            let wait = retry.wait.max(self.interval);
            output::note(&format!(
                "{}; trying again in {} s ({retries} of {})",
                retry.why,
                wait.as_secs(),
                self.retries
            ));
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, call: &Call<'_>, progress: &mut Progress) -> Result<Answer, HttpError> {
        let url = format!("{}/api/v1/transports/email-config{}", self.base, call.path);
        let (headers, body) = (self.headers(call)?, call.body.map(Value::to_string).unwrap_or_default());
        if self.verbose {
            output::note(&format!("> {} {url}", call.method));
        }
        let request = Request {
            method: call.method.clone(),
            url: &url,
            headers,
            body: body.into_bytes(),
            time_limit: self.time_limit,
            max_response_bytes: MAX_ANSWER,
        };
        let mut stream = Stream::default();
        let mut on_data = |head: &Head, data: &[u8]| stream.take(head, data, progress);
        let response = self.client.send_for_user(request, &mut on_data).await?;
        if self.verbose {
            print_head(&response);
        }
        self.answer(response, stream.last)
    }

    fn headers(&self, call: &Call<'_>) -> Result<HeaderMap, HttpError> {
        // The token's characters were checked when it was read.
        let unfit = |_| HttpError::Url("a header cannot carry the token or --if-match".to_owned());
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token.expose())).map_err(unfit)?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        let accept = if call.live { "text/event-stream, application/json" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(tag) = call.if_match {
            headers.insert(IF_MATCH, HeaderValue::try_from(tag).map_err(unfit)?);
        }
        Ok(headers)
    }

    fn answer(&self, response: Response, last: Option<Event>) -> Result<Answer, HttpError> {
        let seconds = |value: &HeaderValue| value.to_str().ok()?.trim().parse().ok();
        let retry_after = response.headers.get(RETRY_AFTER).and_then(seconds).map(Duration::from_secs);
        let header =
            |name| response.headers.get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let plain = Answer {
            status: response.status,
            etag: header("etag"),
            is_web_page: header("content-type").is_some_and(|essence| essence.starts_with("text/html")),
            location: header("location"),
            retry_after,
            body: without_token(response.body, &self.token),
            outcome_unknown: false,
        };
        if !is_event_stream(&response.headers) {
            return Ok(plain);
        }
        let broke_off =
            || HttpError::Broken { sent: true, reason: "the answer ended before its result".to_owned() };
        let event = last.ok_or_else(broke_off)?;
        let body = without_token(event.data.into_bytes(), &self.token);
        Ok(Answer { body, ..plain }.with_event(&event.name))
    }

    fn no_answer(&self, error: &HttpError) -> Failure {
        let base = &self.base;
        let failure = Failure::no_answer(format!("{base}: {error}"));
        match error {
            HttpError::Url(reason) => Failure::usage(format!("--server {base}: {reason}")),
            HttpError::Tls(_) => failure.hint("--ca-file names a certificate authority of your own"),
            HttpError::Dial(_) => {
                failure.hint("--server or TRANSPORTS_SERVER names the server; --retry tries again")
            }
            HttpError::Timeout { .. } => failure.hint("--timeout allows more time"),
            HttpError::OtherProtocol(OtherProtocol::Smtp) => failure.hint(
                "--server is the address of the API and the console, such as https://mail.example.com, not that of the \
                 SMTP gateway",
            ),
            HttpError::OtherProtocol(OtherProtocol::WithoutTls) => {
                failure.hint(format!("use {}", base.replacen("https://", "http://", 1)))
            }
            HttpError::OtherProtocol(OtherProtocol::Tls) => {
                failure.hint(format!("use {}", base.replacen("http://", "https://", 1)))
            }
            _ => failure,
        }
    }
}

/// The events of one response: shows stages at once, and keeps the result.
#[derive(Default)]
struct Stream {
    events: Events,
    last: Option<Event>,
}

impl Stream {
    fn take(&mut self, head: &Head, data: &[u8], progress: &mut Progress) -> ControlFlow<()> {
        if !is_event_stream(&head.headers) {
            return ControlFlow::Continue(());
        }
        for event in self.events.push(data) {
            match event.name.as_str() {
                "stage" => progress.stage(&event.data),
                "result" | "error" => {
                    self.last = Some(event);
                    return ControlFlow::Break(());
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

struct Retry {
    why: String,
    wait: Duration,
    outcome_unknown: bool,
}

/// After 429 or a failed connect nothing was executed: every call may be retried. After 503 or a lost response it may
/// have been executed: only idempotent calls are retried.
fn retry_reason(call: &Call<'_>, outcome: &Result<Answer, HttpError>) -> Option<Retry> {
    let (why, wait, may_have_happened) = match outcome {
        Ok(answer) => {
            let wait = answer.retry_after.unwrap_or_default();
            match answer.status {
                429 => ("the server is busy (429)".to_owned(), wait, false),
                503 => ("the server is not available (503)".to_owned(), wait, true),
                _ => return None,
            }
        }
        Err(error) => {
            let sent = match error {
                HttpError::Dial(_) => false,
                HttpError::Timeout { sent } | HttpError::Broken { sent, .. } => *sent,
                _ => return None,
            };
            (error.to_string(), Duration::ZERO, sent)
        }
    };
    let may_repeat = call.repeatable || !may_have_happened;
    may_repeat.then_some(Retry { why, wait, outcome_unknown: may_have_happened })
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(EVENT_STREAM))
}

/// Removes the token from a response: the server may be a wrong one that echoes requests.
fn without_token(body: Vec<u8>, token: &Secret) -> Vec<u8> {
    let text = String::from_utf8_lossy(&body);
    if text.contains(token.expose()) { text.replace(token.expose(), "***").into_bytes() } else { body }
}

fn print_head(response: &Response) {
    output::note(&format!("< {}", response.status));
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        output::note(&super::style::shown(&format!("< {name}: {value}")));
    }
}
