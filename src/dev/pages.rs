//! What the inbox shows over HTTP: a page, the same as JSON, and the source of each mail.
//!
//! Everything in a mail was written by a stranger: it is escaped, no script runs, and no page of another host
//! can read the inbox.

mod html;
mod list;

use std::net::IpAddr;

use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::inbox::Inbox;
use crate::error::{Code, Error};

const STYLE: &str = include_str!("pages/style.css");

/// `/dev/inbox` and what is below it.
pub fn router(inbox: Inbox) -> Router {
    Router::new()
        .route("/dev/inbox", get(page).delete(clear))
        .route("/dev/inbox.json", get(json).delete(clear))
        .route("/dev/inbox.css", get(style))
        .route("/dev/inbox/{mail}", get(mail))
        .method_not_allowed_fallback(|| async { Error::new(Code::MethodNotAllowed) })
        .with_state(inbox)
        .route_layer(from_fn(guard))
}

async fn page(State(inbox): State<Inbox>) -> Html<String> {
    Html(html::list(&inbox.newest_first()))
}

async fn json(State(inbox): State<Inbox>) -> Json<list::Mails> {
    Json(list::Mails::of(&inbox.newest_first()))
}

async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// `{id}` is the page of a mail, `{id}.eml` its source.
async fn mail(State(inbox): State<Inbox>, Path(name): Path<String>) -> Result<Response, Error> {
    let (id, is_source) = match name.strip_suffix(".eml") {
        Some(id) => (id, true),
        None => (name.as_str(), false),
    };
    let mail = id.parse().ok().and_then(|id| inbox.find(id)).ok_or_else(|| Error::new(Code::NotFound))?;
    if !is_source {
        return Ok(Html(html::mail(&mail)).into_response());
    }
    let headers = [
        (CONTENT_TYPE, "message/rfc822".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}.eml\"", mail.id)),
    ];
    Ok((headers, mail.source.clone()).into_response())
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
    let fixed: [(HeaderName, &'static str); 5] = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
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
