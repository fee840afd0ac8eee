//! Serves the console: the modules of the element `<email-transport-settings>`, and the page that shows it.
//!
//! Everything is in the binary. A file's URL holds a hash of all files, so that it may be cached for ever, and its
//! relative imports lead to files of the same version. Only the URLs of the page, the session and the element itself
//! do not change from one version to the next.

mod files;

use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::json;

use crate::http::error::{Code, Error};
use files::{Asset, BUNDLE};

/// The URL of the element's module, which other pages name.
pub const ELEMENT: &str = "/console/email-transport-settings.js";

/// Only what is served here runs, no script in the page itself does, and no other site may frame it. Templates go
/// through the one Trusted Types policy of the template library.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
                      require-trusted-types-for 'script'; trusted-types lit-html";

const FRONT_PAGE: &str = include_str!("console/front.html");

/// Cached, but revalidated at each use.
const REVALIDATE: &str = "no-cache";

/// The URL changes with the content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// `/console/…`, and `/`. `title` is the operator's name for the service, `session` tells the page who is signed in, and
/// `has_sign_in` is whether anybody can be.
pub fn router(title: &str, session: MethodRouter, has_sign_in: bool) -> Router {
    let title = title.to_owned();
    // Built at the first request, as the files are.
    let built = Arc::new(LazyLock::new(move || BUNDLE.page(&title)));
    Router::new()
        .route("/", if has_sign_in { get(lead_to_page) } else { get(front_page) })
        .route("/console", get(redirect_to_page))
        .route("/console/", get(move |headers: HeaderMap| async move { page(&built, &headers) }))
        .route(ELEMENT, get(element))
        .route("/console/assets/{version}/{*path}", get(asset))
        .route("/console/session", session)
        .method_not_allowed_fallback(|| async { Error::new(Code::MethodNotAllowed) })
}

/// The session where the console has no sign-in.
pub fn session_without_sign_in() -> MethodRouter {
    get(|| async { Json(json!({ "mode": "none" })) })
}

async fn lead_to_page() -> impl IntoResponse {
    (StatusCode::FOUND, [(LOCATION, "/console/")])
}

/// What a person sees who types the service's address, where the console has no sign-in.
async fn front_page() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, FRONT_PAGE)
}

async fn redirect_to_page() -> impl IntoResponse {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "/console/")])
}

fn page(asset: &Asset, headers: &HeaderMap) -> Response {
    let mut response = respond(asset, REVALIDATE, headers);
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn element(headers: HeaderMap) -> Response {
    allow_all_origins(respond(&BUNDLE.entry, REVALIDATE, &headers))
}

async fn asset(Path((version, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let found =
        Some(&*BUNDLE).filter(|bundle| bundle.version == version).and_then(|bundle| bundle.asset(&path));
    match found {
        Some(asset) => allow_all_origins(respond(asset, IMMUTABLE, &headers)),
        None => Error::new(Code::NotFound).into_response(),
    }
}

/// The modules hold nothing secret, and any page may embed the element.
fn allow_all_origins(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    response
}

fn respond(asset: &Asset, cache: &'static str, request: &HeaderMap) -> Response {
    let cached = request.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let mut response = if cached.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if accepts_gzip(request) {
        ([(CONTENT_ENCODING, "gzip"), (CONTENT_TYPE, asset.media_type)], asset.compressed.clone())
            .into_response()
    } else {
        ([(CONTENT_TYPE, asset.media_type)], asset.bytes.clone()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&asset.tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Whether `gzip` is named and not ruled out (RFC 9110 section 12.5.3).
fn accepts_gzip(request: &HeaderMap) -> bool {
    let lists = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// The bytes that the page loads before its first request to the API, compressed: for the figures in the docs.
pub fn initial_load_bytes() -> usize {
    BUNDLE.page("Email transport").compressed.len()
        + BUNDLE.initial_assets().map(|asset| asset.compressed.len()).sum::<usize>()
}

#[cfg(test)]
mod tests;
