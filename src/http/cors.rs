//! Cross-origin requests, from the origins that the operator names.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::CorsLayer;

use crate::app::App;

/// `None` where no origin is named.
pub fn layer(app: &App) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        app.config.server.cors_origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let requested = ["qlik-api-version", "qlik-csrf-token", "qlik-web-integration-id", "traceparent"];
    let readable = ["deprecation", "qlik-csrf-token"];
    let named = |names: &[&'static str]| -> Vec<HeaderName> {
        names.iter().copied().map(HeaderName::from_static).collect()
    };
    let mut allow = vec![AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH];
    allow.extend(named(&requested));
    let mut expose = vec![ETAG, RETRY_AFTER, LINK];
    expose.extend(named(&readable));
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::POST];
    Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(methods)
            .allow_headers(allow)
            .expose_headers(expose)
            .allow_credentials(true)
            .max_age(Duration::from_mins(10)),
    )
}
