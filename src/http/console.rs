//! The console: the modules of the element `<email-transport-settings>`, and the page that shows it.
//!
//! Everything is in the binary. A file's address holds a hash of all of them, so that it may be kept for good and
//! its imports, which are relative, lead to files of the same version. Only the page, the session and the element's
//! own address stay what they are from one version to the next.

mod files;

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
use files::{Asset, BUNDLE, Bundle};

/// The address of the element's module: the one that other pages name.
pub const ELEMENT: &str = "/console/email-transport-settings.js";

/// Only what is served here runs, nothing in the page itself does, and nobody else may frame it. Templates go
/// through the one policy for trusted markup that the template library makes.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
                      require-trusted-types-for 'script'; trusted-types lit-html";

/// May be asked for again, but not used without.
const CHECKED: &str = "no-cache";

/// The address changes with the content.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// `/console/…`. `session` tells the page who is signed in.
pub fn router(session: MethodRouter) -> Router {
    Router::new()
        .route("/console", get(to_page))
        .route("/console/", get(page))
        .route(ELEMENT, get(element))
        .route("/console/assets/{version}/{*path}", get(asset))
        .route("/console/session", session)
        .method_not_allowed_fallback(|| async { Error::new(Code::MethodNotAllowed) })
}

/// The session of an installation where nobody can sign in to the console.
pub fn nobody() -> MethodRouter {
    get(|| async { Json(json!({ "mode": "none" })) })
}

async fn to_page() -> impl IntoResponse {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "/console/")])
}

async fn page(headers: HeaderMap) -> Response {
    let mut response = served(&BUNDLE.page, CHECKED, &headers);
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
    for_everybody(served(&BUNDLE.entry, CHECKED, &headers))
}

async fn asset(Path((version, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let found =
        Some(&*BUNDLE).filter(|bundle| bundle.version == version).and_then(|bundle| bundle.asset(&path));
    match found {
        Some(asset) => for_everybody(served(asset, FOR_GOOD, &headers)),
        None => Error::new(Code::NotFound).into_response(),
    }
}

/// The modules hold nothing secret, and any page may embed the element.
fn for_everybody(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    response
}

fn served(asset: &'static Asset, cache: &'static str, request: &HeaderMap) -> Response {
    let kept = request.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let mut response = if kept.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if accepts_gzip(request) {
        ([(CONTENT_ENCODING, "gzip"), (CONTENT_TYPE, asset.media_type)], &*asset.compressed).into_response()
    } else {
        ([(CONTENT_TYPE, asset.media_type)], &*asset.bytes).into_response()
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

/// What the page loads before anything is asked of the API, over the wire in bytes: for the figures in the docs.
#[must_use]
pub fn first_view_bytes() -> usize {
    let Bundle { page, .. } = &*BUNDLE;
    page.compressed.len() + BUNDLE.first_view().map(|asset| asset.compressed.len()).sum::<usize>()
}

#[cfg(test)]
mod tests;
