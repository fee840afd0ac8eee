//! What the platform asks: is the process alive, can it serve, and how does it do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::metrics;

/// The process runs and answers. It asks nothing else, so that a database in trouble restarts nobody.
pub async fn live() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// The database answers and the keys have been tried: requests can be served.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.db.ping().await {
        Ok(()) => Json(json!({ "status": "ok", "database": "ok", "keys": "ok" })).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let body = json!({ "status": "unavailable", "database": "unavailable", "keys": "ok" });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

/// Prometheus metrics.
pub async fn prometheus(State(app): State<Arc<App>>) -> Response {
    app.metrics.observe_outgoing_connections(app.places.taken());
    for (state, count) in app.db.connections() {
        app.metrics.observe_database_connections(state, count);
    }
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], app.metrics.encode()).into_response()
}
