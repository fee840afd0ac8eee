//! Liveness, readiness and metrics endpoints.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::telemetry::metrics;
use crate::vault::KeysState;

/// The process runs and answers. The check does not depend on the database, whose trouble a restart would not fix.
pub async fn live() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// The database answers and the keys have been tried: requests can be served.
///
/// A key service that fails later does not make the process unready: what needs no secret still works, and the other
/// replicas miss it too.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let database = app.db.ping().await;
    if let Err(error) = &database {
        tracing::warn!(%error, "not ready");
    }
    let keys = app.vault.state();
    let is_ready = database.is_ok() && keys != KeysState::Unavailable;
    let word = |is_good| if is_good { "ok" } else { "unavailable" };
    let body = json!({
        "status": word(is_ready), "database": word(database.is_ok()), "keys": keys.as_str(),
    });
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

/// Prometheus metrics.
pub async fn prometheus(State(app): State<Arc<App>>) -> Response {
    app.metrics.observe_outgoing_connections(app.accounts.connections.in_use());
    for (state, count) in app.db.connections() {
        app.metrics.observe_database_connections(state, count);
    }
    app.metrics.observe_failing_writes(app.db.fails_to_write());
    app.delivery.observe_backlog().await;
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], app.metrics.encode()).into_response()
}
