//! What the inbox shows over HTTP: pages, the same as JSON, and what each mail holds.
//!
//! Everything in a mail was written by a stranger: it is escaped, or shown in a frame in which no script runs and
//! nothing is loaded, and no page of another host can read the inbox.

mod download;
mod events;
mod html;
mod list;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
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

use self::html::View;
use super::inbox::Inbox;
use super::mail::Mail;
use crate::http::error::{Code, Error};

const STYLE: &str = include_str!("pages/style.css");
const SCRIPT: &str = include_str!("pages/inbox.js");

/// For the pages. Nothing that a mail holds is a script, a style or a page of this origin.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// `/dev/inbox` and what is below it.
pub fn router(inbox: Inbox) -> Router {
    Router::new()
        .route("/dev/inbox", get(page).delete(clear))
        .route("/dev/inbox.json", get(json).delete(clear))
        .route("/dev/inbox.css", get(style))
        .route("/dev/inbox.js", get(script))
        .route("/dev/inbox/events", get(events::events))
        .route("/dev/inbox/{mail}", get(mail).delete(remove))
        .route("/dev/inbox/{mail}/html", get(mail_html))
        .route("/dev/inbox/{mail}/attachments/{place}", get(attachment))
        .method_not_allowed_fallback(|| async { Error::new(Code::MethodNotAllowed) })
        .with_state(inbox)
        .route_layer(from_fn(guard))
}

/// What a page is asked to show.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// Words to look for.
    q: String,
    /// A view of the mail by its name.
    view: Option<String>,
}

/// The mails that have the words, and how many there are at all.
fn found(inbox: &Inbox, words: &str) -> (Vec<Arc<Mail>>, usize) {
    let mut mails = inbox.newest_first();
    let total = mails.len();
    mails.retain(|mail| mail.content.has(words));
    (mails, total)
}

async fn page(State(inbox): State<Inbox>, Query(asked): Query<Asked>) -> Html<String> {
    let (mails, total) = found(&inbox, &asked.q);
    Html(html::page(&mails, total, &asked.q, None))
}

async fn json(State(inbox): State<Inbox>, Query(asked): Query<Asked>) -> Json<list::Mails> {
    Json(list::Mails::of(&found(&inbox, &asked.q).0))
}

async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

/// `{id}` is the page of a mail, `{id}.eml` its source.
async fn mail(
    State(inbox): State<Inbox>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    if let Some(id) = name.strip_suffix(".eml") {
        return Ok(download::source(&*find(&inbox, id)?));
    }
    let mail = find(&inbox, &name)?;
    let (mails, total) = found(&inbox, &asked.q);
    let view = View::of(&mail, asked.view.as_deref());
    Ok(Html(html::page(&mails, total, &asked.q, Some((&mail, view)))).into_response())
}

async fn mail_html(State(inbox): State<Inbox>, Path(id): Path<String>) -> Result<Response, Error> {
    download::html(&*find(&inbox, &id)?).ok_or_else(|| Error::new(Code::NotFound))
}

async fn attachment(
    State(inbox): State<Inbox>,
    Path((id, place)): Path<(String, String)>,
) -> Result<Response, Error> {
    let mail = find(&inbox, &id)?;
    let found = place.parse().ok().and_then(|place| download::attachment(&mail, place));
    found.ok_or_else(|| Error::new(Code::NotFound))
}

fn find(inbox: &Inbox, id: &str) -> Result<Arc<Mail>, Error> {
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

/// Answers nobody who came by another name than this machine's own, and forbids what a mail could try.
async fn guard(request: Request, next: Next) -> Response {
    if !names_loopback(request.headers()) {
        let text = "The inbox is shown under localhost, 127.0.0.1 and [::1] only.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let mut response = next.run(request).await;
    // The HTML of a mail has a stricter one.
    response.headers_mut().entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    let fixed: [(HeaderName, &'static str); 5] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // A window that a mail's link opened knows nothing of the one that it came from.
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A name that a stranger's DNS leads here would make their page one with the inbox for a browser.
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
