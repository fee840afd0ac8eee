//! Answers requests that no operation takes. A client of the send API with a wrong base URL shows its user no more than the
//! `message`, so it leads to the right one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::extract::MatchedPath;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::error::{Code, Error};
use super::routes::{PREFIXES, Route, routes, send_resources};

/// The first words of the paths of the send API, such as `emails`.
static SEND_RESOURCES: LazyLock<BTreeSet<String>> = LazyLock::new(send_resources);

/// The methods of each path that is served.
static METHODS: LazyLock<BTreeMap<String, Vec<&'static str>>> = LazyLock::new(|| {
    let mut methods: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Route { method, path, .. } in routes() {
        methods.entry(path).or_default().push(method);
    }
    methods
});

/// The path names no operation.
pub(super) async fn not_found(uri: Uri) -> Error {
    let prefix = PREFIXES[0];
    let detail = match send_resource(uri.path()) {
        Some(resource) => {
            format!(
                "The path is {prefix}/{resource}: a client's base URL ends with {prefix}, without a slash."
            )
        }
        None => format!("The API is below {prefix}, and /openapi.json describes it."),
    };
    Error::new(Code::NotFound).detail(detail).in_send_api()
}

/// OPTIONS is answered with the methods in `Allow`, which the router adds; any other method is refused.
pub(super) async fn method_not_allowed(method: Method, path: Option<MatchedPath>, uri: Uri) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let refusal = Error::new(Code::MethodNotAllowed);
    let refusal = match path.and_then(|path| METHODS.get(path.as_str())) {
        Some(methods) => refusal.detail(format!("This path takes {}.", methods.join(", "))),
        None => refusal,
    };
    match send_resource(uri.path()) {
        None => refusal,
        Some(resource) if is_doubled(uri.path(), resource) => {
            let prefix = PREFIXES[0];
            let detail =
                format!("{resource} stands twice in the path: a client's base URL ends with {prefix}.");
            refusal.detail(detail).in_send_api()
        }
        Some(_) => refusal.in_send_api(),
    }
    .into_response()
}

/// The resource of the send API that the path is about, if any.
fn send_resource(path: &str) -> Option<&'static str> {
    path.split('/').rev().find_map(|segment| SEND_RESOURCES.get(segment)).map(String::as_str)
}

/// Whether the base URL of a client had the resource at its end.
fn is_doubled(path: &str, resource: &str) -> bool {
    path.split('/').filter(|segment| *segment == resource).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TraceId;

    #[tokio::test]
    async fn a_wrong_base_url_of_a_send_client_is_corrected_in_the_message() {
        for (path, resource) in [
            ("/v1/emails", "emails"),
            ("/emails", "emails"),
            ("/emails/batch", "emails"),
            ("/api/v1/transports/emails/", "emails"),
            ("/api/v1/transports//emails", "emails"),
            ("/api/v1/transports/api/v1/transports/emails", "emails"),
            ("/api/v1/transports/emails/emails/batch", "emails"),
            ("/api-keys", "api-keys"),
            ("/events", "events"),
        ] {
            let body = not_found(Uri::from_static(path)).await.body(TraceId::random());
            assert_eq!((body.status_code, body.name), (Some(404), Some("not_found")), "{path}");
            let expected = format!(
                "Not found. The path is /api/v1/transports/{resource}: a client's base URL ends with /api/v1/transports, \
                 without a slash."
            );
            assert_eq!(body.message, Some(expected), "{path}");
        }
        let body = not_found(Uri::from_static("/consoles")).await.body(TraceId::random());
        assert_eq!(body.name, Some("not_found"));
        assert!(body.message.unwrap().contains("The API is below /api/v1/transports"));
    }

    #[tokio::test]
    async fn a_wrong_method_has_the_members_in_the_send_api_alone() {
        for (path, name, message) in [
            ("/api/v1/transports/email-config", None, None),
            ("/api/v1/transports/emails", Some("method_not_allowed"), Some("Method not allowed")),
            (
                "/api/v1/transports/emails/emails",
                Some("method_not_allowed"),
                Some(
                    "Method not allowed. emails stands twice in the path: a client's base URL ends with \
                     /api/v1/transports.",
                ),
            ),
        ] {
            let mut response = method_not_allowed(Method::POST, None, Uri::from_static(path)).await;
            let error = response.extensions_mut().remove::<Error>().expect("a refusal");
            let body = error.body(TraceId::random());
            assert_eq!((body.name, body.message.as_deref()), (name, message), "{path}");
        }
    }
}
