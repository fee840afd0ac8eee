//! The console's session in `transports dev`: an administrator, without a sign-in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::Json;
use serde_json::json;

use super::pages::names_loopback;
use crate::secret::Secret;

/// Makes a token of an administrator.
pub type Issue = Arc<dyn Fn() -> anyhow::Result<Secret> + Send + Sync>;

/// `GET /console/session`, for a page of this very service alone: a token is told to nobody who came by another
/// name than this machine's own, nor to a page of another origin.
pub fn session(issue: Issue) -> MethodRouter {
    get(tell).with_state(issue)
}

async fn tell(State(issue): State<Issue>, headers: HeaderMap) -> Response {
    if !names_loopback(&headers) {
        let text = "The console of `transports dev` is shown under localhost, 127.0.0.1 and [::1] only.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    if !is_same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "Only the console's own page is told its session.\n").into_response();
    }
    match issue() {
        Ok(token) => Json(json!({ "mode": "dev", "token": token.expose() })).into_response(),
        Err(cause) => crate::error::Error::internal(&cause).into_response(),
    }
}

/// What a browser says about where a request comes from (Fetch Metadata); other clients say nothing.
fn is_same_origin(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin")
}
