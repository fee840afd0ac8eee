//! An OpenID Connect provider on loopback: it checks what a client sends as a real one does, and can be told to
//! answer what no honest one would.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transports::config::Config;
use transports::http::server;

use super::app::START;
use super::tokens::{IssuerKey, encode, key_set};

pub const CLIENT_ID: &str = "transports-console";
pub const CLIENT_SECRET: &str = "a secret between the service & its provider";

type Parameters = HashMap<String, String>;

/// Changes the claims of the next ID tokens.
type Change = Box<dyn Fn(&mut Value) + Send>;

#[derive(Clone)]
pub struct OpenIdProvider {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    key: IssuerKey,
    /// What a code was given for.
    codes: Mutex<HashMap<String, Parameters>>,
    change: Mutex<Option<Change>>,
    /// The forms of the token requests, with the `Authorization` header.
    asked: Mutex<Vec<(Parameters, String)>>,
}

impl OpenIdProvider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let shared = Shared {
            key: IssuerKey::p256("provider"),
            codes: Mutex::default(),
            change: Mutex::default(),
            asked: Mutex::default(),
        };
        let provider = Self { url, shared: Arc::new(shared) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move {
            server::serve(listener, router, &Config::default().server, std::future::pending()).await
        });
        provider
    }

    /// The settings of a service that signs in here.
    pub fn configure(&self, config: &mut Config, public_url: &str) {
        use transports::secret::Secret;
        config.console.oidc_issuer = Some(self.url.clone());
        config.console.oidc_client_id = Some(CLIENT_ID.to_owned());
        config.console.oidc_client_secret = Some(Secret::new(CLIENT_SECRET.to_owned()));
        config.console.public_url = Some(public_url.to_owned());
        config.console.session_secret = Some(Secret::new("0123456789abcdef0123456789abcdef".to_owned()));
    }

    /// The ID tokens from now on.
    pub fn change_claims(&self, change: impl Fn(&mut Value) + Send + 'static) {
        *self.shared.change.lock().expect("not poisoned") = Some(Box::new(change));
    }

    pub fn asked(&self) -> Vec<(Parameters, String)> {
        self.shared.asked.lock().expect("not poisoned").clone()
    }

    /// What the browser does here: it signs in, and is sent back with a code. Gives the callback's query.
    pub fn sign_in(&self, location: &str) -> String {
        let (endpoint, query) = location.split_once('?').expect("a query");
        assert_eq!(endpoint, format!("{}/authorize", self.url));
        let Query(asked): Query<Parameters> =
            Query::try_from_uri(&format!("http://x/?{query}").parse().expect("a URI")).expect("a query");
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT_ID);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{}", asked["scope"]);
        let code = format!("code-{}", self.shared.codes.lock().expect("not poisoned").len());
        let state = asked["state"].clone();
        self.shared.codes.lock().expect("not poisoned").insert(code.clone(), asked);
        format!("code={code}&state={state}")
    }
}

async fn discovery(State(provider): State<OpenIdProvider>) -> Json<Value> {
    let url = &provider.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "end_session_endpoint": format!("{url}/end"),
        "response_types_supported": ["code"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State(provider): State<OpenIdProvider>) -> Json<Value> {
    Json(key_set(&[provider.shared.key.jwk()]))
}

async fn token(
    State(provider): State<OpenIdProvider>,
    headers: HeaderMap,
    Form(form): Form<Parameters>,
) -> Response {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    provider.shared.asked.lock().expect("not poisoned").push((form.clone(), header.to_owned()));
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    // RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined.
    let expected =
        STANDARD.encode(format!("{CLIENT_ID}:{}", CLIENT_SECRET.replace(' ', "+").replace('&', "%26")));
    if header != format!("Basic {expected}") {
        return refused("invalid_client");
    }
    // A code works once.
    let Some(asked) =
        form.get("code").and_then(|code| provider.shared.codes.lock().expect("alive").remove(code))
    else {
        return refused("invalid_grant");
    };
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let challenge = encode(digest(&SHA256, verifier.as_bytes()));
    if challenge != asked["code_challenge"] || form.get("redirect_uri") != asked.get("redirect_uri") {
        return refused("invalid_grant");
    }
    let now = START.seconds();
    let mut claims = json!({
        "iss": provider.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
        "sub": "ada", "tenantId": "acme", "roles": ["TenantAdmin"], "email": "ada@acme.example",
    });
    if let Some(change) = &*provider.shared.change.lock().expect("not poisoned") {
        change(&mut claims);
    }
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "provider"});
    let id_token = provider.shared.key.token_with(&header, &claims);
    Json(json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": id_token}))
        .into_response()
}
