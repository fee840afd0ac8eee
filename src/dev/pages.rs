//! Serves the inbox over HTTP: pages, JSON, and the source, HTML and attachments of each mail.
//!
//! A mail's content is untrusted. It is escaped, or shown in a frame in which no script runs and nothing is loaded,
//! and no page of another host can read the inbox.

mod download;
mod events;
mod html;
mod list;
mod words;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRef, Path, Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use self::html::{Frame, View};
use super::inbox::Inbox;
use super::mail::Mail;
use crate::http::error::{Code, Error};
use crate::language::Language;
use crate::secret::Secret;

const STYLE: &str = include_str!("pages/style.css");
const SCRIPT: &str = include_str!("pages/inbox.js");

/// The policy of the pages: no part of a mail runs as a script, style or page of this origin.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The inbox, and how one signs in to its SMTP server.
#[derive(Clone)]
struct Shown {
    inbox: Inbox,
    password: Arc<Secret>,
}

impl FromRef<Shown> for Inbox {
    fn from_ref(shown: &Shown) -> Self {
        shown.inbox.clone()
    }
}

/// Every text of the pages.
#[cfg(test)]
pub(crate) fn texts() -> &'static [&'static str] {
    words::TEXTS
}

/// `/dev/inbox` and what is below it. The pages name the password of the inbox's SMTP server.
pub fn router(inbox: Inbox, password: Secret) -> Router {
    let shown = Shown { inbox, password: Arc::new(password) };
    Router::new()
        .route("/dev/inbox", get(page).delete(clear))
        .route("/dev/inbox.json", get(json).delete(clear))
        .route("/dev/inbox.css", get(style))
        .route("/dev/inbox.js", get(script))
        .route("/dev/inbox/events", get(events::events))
        .route("/dev/inbox/{mail}", get(mail).delete(remove))
        .route("/dev/inbox/{mail}/html", get(mail_html))
        .route("/dev/inbox/{mail}/attachments/{index}", get(attachment))
        .method_not_allowed_fallback(|| async { Error::new(Code::MethodNotAllowed) })
        .with_state(shown)
        .route_layer(from_fn(guard))
}

/// The same guard round other pages of the development mode.
pub fn guarded(router: Router) -> Router {
    router.route_layer(from_fn(guard))
}

/// A page of plain text, behind the same guard.
pub fn text(path: &str, text: String) -> Router {
    let text: Arc<str> = text.into();
    let page = move || async move { ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text.to_string()) };
    let router = Router::new().route(path, get(page));
    guarded(router.method_not_allowed_fallback(|| async { Error::new(Code::MethodNotAllowed) }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageQuery {
    /// The search.
    q: String,
    /// The name of a view.
    view: Option<String>,
}

/// The mails that match the search, and the number of all mails.
fn find_mails(inbox: &Inbox, search: &str) -> (Vec<Arc<Mail>>, usize) {
    let mut mails = inbox.newest_first();
    let total = mails.len();
    mails.retain(|mail| mail.content.matches(search));
    (mails, total)
}

async fn page(
    State(shown): State<Shown>,
    language: Language,
    Query(query): Query<PageQuery>,
) -> Html<String> {
    let (mails, total) = find_mails(&shown.inbox, &query.q);
    Html(html::page(shown.frame(language, &query), &mails, total, None))
}

impl Shown {
    fn frame<'a>(&'a self, language: Language, query: &'a PageQuery) -> Frame<'a> {
        Frame { language, password: self.password.expose(), search: &query.q }
    }
}

async fn json(State(inbox): State<Inbox>, Query(query): Query<PageQuery>) -> Json<list::Mails> {
    Json(list::Mails::new(&find_mails(&inbox, &query.q).0))
}

async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

/// `{id}` is the page of a mail, `{id}.eml` its source.
async fn mail(
    State(shown): State<Shown>,
    Path(name): Path<String>,
    language: Language,
    Query(query): Query<PageQuery>,
) -> Result<Response, Error> {
    let inbox = &shown.inbox;
    if let Some(id) = name.strip_suffix(".eml") {
        return Ok(download::source(&*find_mail(inbox, id)?));
    }
    let mail = find_mail(inbox, &name)?;
    let (mails, total) = find_mails(inbox, &query.q);
    let view = View::choose(&mail, query.view.as_deref());
    Ok(Html(html::page(shown.frame(language, &query), &mails, total, Some((&mail, view)))).into_response())
}

async fn mail_html(State(inbox): State<Inbox>, Path(id): Path<String>) -> Result<Response, Error> {
    download::html(&*find_mail(&inbox, &id)?).ok_or_else(|| Error::new(Code::NotFound))
}

async fn attachment(
    State(inbox): State<Inbox>,
    Path((id, index)): Path<(String, String)>,
) -> Result<Response, Error> {
    let mail = find_mail(&inbox, &id)?;
    let found = index.parse().ok().and_then(|index| download::attachment(&mail, index));
    found.ok_or_else(|| Error::new(Code::NotFound))
}

fn find_mail(inbox: &Inbox, id: &str) -> Result<Arc<Mail>, Error> {
    id.parse().ok().and_then(|id| inbox.find(id)).ok_or_else(|| Error::new(Code::NotFound))
}

async fn remove(State(inbox): State<Inbox>, Path(id): Path<String>) -> Result<StatusCode, Error> {
    if id.parse().is_ok_and(|id| inbox.remove(id)) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::new(Code::NotFound))
    }
}

async fn clear(State(inbox): State<Inbox>) -> StatusCode {
    inbox.clear();
    StatusCode::NO_CONTENT
}

/// Refuses a request for another host than this machine, and adds the headers that confine a mail's content.
async fn guard(request: Request, next: Next) -> Response {
    if !names_loopback(request.headers()) {
        let text = "The inbox is shown under localhost, 127.0.0.1 and [::1] only.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let mut response = next.run(request).await;
    // The HTML of a mail comes with a stricter policy.
    response.headers_mut().entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    let fixed: [(HeaderName, &'static str); 5] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // A window that a mail's link opens cannot reach the page that opened it.
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the Host header names this machine. Against DNS rebinding: with a name whose DNS points to loopback, a
/// foreign page would share the inbox's origin.
pub(super) fn names_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some(authority) = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok()) else {
        return false;
    };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for (host, good) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("127.5.6.7:1", true),
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("[::1]:8080", true),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:8080", false),
            ("192.0.2.1:8080", false),
            ("[2001:db8::1]:8080", false),
            ("localhost@evil.example", false),
            ("evil@localhost", false),
            ("", false),
            ("local host", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            assert_eq!(names_loopback(&headers), good, "{host:?}");
            headers.append(HOST, HeaderValue::from_static("localhost"));
            assert!(!names_loopback(&headers), "two names: {host:?}");
        }
        assert!(!names_loopback(&HeaderMap::new()));
    }
}
