//! Gives the console of `transports dev` a session as an administrator, without a sign-in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};

use super::pages::names_loopback;
use super::smtp::USER as USER_OF_THE_INBOX;
use crate::secret::Secret;

/// The tenant of `transports dev`.
pub const TENANT: &str = "dev";
/// Its administrator.
pub const USER: &str = "admin";

/// Issues a token for [`USER`].
pub type IssueToken = Arc<dyn Fn() -> anyhow::Result<Secret> + Send + Sync>;

/// The inbox as a mail account, which the console fills into its form.
pub struct TestInbox {
    pub port: u16,
    pub password: Secret,
}

impl TestInbox {
    fn body(&self) -> Value {
        json!({
            "serverAddress": "localhost",
            "serverPort": self.port,
            "username": USER_OF_THE_INBOX,
            "emailPassword": self.password.expose(),
            "emailAddress": "platform@example.com",
        })
    }
}

#[derive(Clone)]
struct Console {
    issue: IssueToken,
    inbox: Arc<TestInbox>,
}

/// `GET /console/session`. Refuses requests for another host than this machine, and pages of another origin.
pub fn route(issue: IssueToken, inbox: TestInbox) -> MethodRouter {
    get(session).with_state(Console { issue, inbox: Arc::new(inbox) })
}

async fn session(State(console): State<Console>, headers: HeaderMap) -> Response {
    if !names_loopback(&headers) {
        let text = "The console of `transports dev` is shown under localhost, 127.0.0.1 and [::1] only.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    if !is_same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "Only the console's own page can read its session.\n")
            .into_response();
    }
    match (console.issue)() {
        Ok(token) => {
            let (token, inbox) = (token.expose(), console.inbox.body());
            let body = json!({
                "mode": "dev", "user": USER, "tenant": TENANT, "token": token, "testInbox": inbox,
            });
            Json(body).into_response()
        }
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
        let inbox = TestInbox { port: 2525, password: Secret::new("THE PASSWORD".to_owned()) };
        let service: Router = Router::new().route("/console/session", route(issue, inbox));
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
        for headers in
            [vec![("host", "127.0.0.1:8080")], vec![("host", "localhost"), ("sec-fetch-site", "same-origin")]]
        {
            let (status, body) = ask(&headers).await;
            let body: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(
                (status, &body["mode"], &body["token"]),
                (StatusCode::OK, &json!("dev"), &json!("THE.TOKEN"))
            );
            assert_eq!((&body["user"], &body["tenant"]), (&json!("admin"), &json!("dev")));
            let inbox = json!({
                "serverAddress": "localhost", "serverPort": 2525, "username": "dev",
                "emailPassword": "THE PASSWORD", "emailAddress": "platform@example.com",
            });
            assert_eq!(body["testInbox"], inbox);
        }
        for (headers, status) in [
            (vec![("host", "evil.example")], StatusCode::MISDIRECTED_REQUEST),
            (vec![], StatusCode::MISDIRECTED_REQUEST),
            (vec![("host", "localhost"), ("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN),
            (vec![("host", "localhost"), ("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN),
            (vec![("host", "localhost"), ("sec-fetch-site", "none")], StatusCode::FORBIDDEN),
        ] {
            let (found, body) = ask(&headers).await;
            assert_eq!(found, status, "{headers:?}");
            assert!(!body.contains("TOKEN") && !body.contains("PASSWORD"), "{headers:?}: {body}");
        }
    }
}
