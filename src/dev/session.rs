//! Gives the console of `transports dev` a session as an administrator, without a sign-in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::json;

use super::pages::names_loopback;
use crate::secret::Secret;

/// Issues a token for an administrator.
pub type IssueToken = Arc<dyn Fn() -> anyhow::Result<Secret> + Send + Sync>;

/// `GET /console/session`. Refuses requests for another host than this machine, and pages of another origin.
pub fn route(issue: IssueToken) -> MethodRouter {
    get(session).with_state(issue)
}

async fn session(State(issue): State<IssueToken>, headers: HeaderMap) -> Response {
    if !names_loopback(&headers) {
        let text = "The console of `transports dev` is shown under localhost, 127.0.0.1 and [::1] only.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    if !is_same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "Only the console's own page can read its session.\n")
            .into_response();
    }
    match issue() {
        Ok(token) => Json(json!({ "mode": "dev", "token": token.expose() })).into_response(),
        Err(cause) => crate::http::error::Error::internal(&cause).into_response(),
    }
}

/// By Fetch Metadata, which browsers send and other clients do not.
fn is_same_origin(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(headers: &[(&str, &str)]) -> (StatusCode, String) {
        let issue: IssueToken = Arc::new(|| Ok(Secret::new("THE.TOKEN".to_owned())));
        let service: Router = Router::new().route("/console/session", route(issue));
        let mut request = Request::get("/console/session");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer =
            service.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn only_pages_of_this_machine_get_a_token() {
        let token = (StatusCode::OK, r#"{"mode":"dev","token":"THE.TOKEN"}"#.to_owned());
        assert_eq!(ask(&[("host", "127.0.0.1:8080")]).await, token);
        assert_eq!(ask(&[("host", "localhost"), ("sec-fetch-site", "same-origin")]).await, token);
        for (headers, status) in [
            (vec![("host", "evil.example")], StatusCode::MISDIRECTED_REQUEST),
            (vec![], StatusCode::MISDIRECTED_REQUEST),
            (vec![("host", "localhost"), ("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
            (vec![("host", "localhost"), ("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN),
            (vec![("host", "localhost"), ("sec-fetch-site", "none")], StatusCode::FORBIDDEN),
        ] {
            let (found, body) = ask(&headers).await;
            assert_eq!(found, status, "{headers:?}");
            assert!(!body.contains("TOKEN"), "{headers:?}: {body}");
        }
    }
}
