//! A plain HTTP client that sends exactly what a test says.

use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::leaks;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("an ASCII header"))
    }

    /// The first error's code and title.
    pub fn error(&self) -> (String, String) {
        let body = self.json();
        let error = &body["errors"][0];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("code"), text("title"))
    }

    /// Asserts the status, showing the body where it differs.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// One user of the service.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub token: Option<String>,
}

pub const CONFIG: &str = "/api/v1/transports/email-config";
pub const SEND_TEST: &str = "/api/v1/transports/email-config/actions/send-test-email";
pub const VALIDATE: &str = "/api/v1/transports/email-config/actions/validate";
pub const VERIFY: &str = "/api/v1/transports/email-config/actions/verify-connection";

impl Client {
    /// Sends a request with these headers and nothing of its own but `Host` and the token.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        self.try_send(method, path, headers, body).await.expect("an answer")
    }

    /// The same for a service that may end meanwhile: an error where no whole answer came.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> std::io::Result<Answer> {
        #[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
        let stream = TcpStream::connect(self.address).await?;
        let broken = std::io::Error::other::<hyper::Error>;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        if let Some(token) = &self.token {
            let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a header");
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).expect("a header name");
            request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        let response = sender.send_request(request).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(broken)?.to_bytes();
        drop(sender);
        connection.abort();
        leaks::assert_absent("an answer", &body);
        leaks::assert_absent("an answer's head", format!("{:?}", parts.headers).as_bytes());
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.send("POST", path, &[], Vec::new()).await
    }

    pub async fn delete(&self) -> Answer {
        self.send("DELETE", CONFIG, &[], Vec::new()).await
    }

    /// Sends JSON.
    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.json_with(method, path, &[], body).await
    }

    /// Sends JSON to a service that may end meanwhile.
    pub async fn try_json(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Answer> {
        let json = [(CONTENT_TYPE.as_str(), "application/json")];
        self.try_send(method, path, &json, body.to_string().into_bytes()).await
    }

    pub async fn json_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let mut all = vec![(CONTENT_TYPE.as_str(), "application/json")];
        all.extend_from_slice(headers);
        leaks::assert_marked(body);
        self.send(method, path, &all, body.to_string().into_bytes()).await
    }

    /// Sets fields by PATCH: one `replace` each.
    pub async fn patch(&self, fields: &Value) -> Answer {
        self.json("PATCH", CONFIG, &replace(fields)).await
    }

    pub async fn put(&self, provider_config: &Value) -> Answer {
        let body = serde_json::json!({"serviceProvider": "BasicAuth", "providerConfig": provider_config});
        self.json("PUT", CONFIG, &body).await
    }

    pub async fn config(&self) -> Value {
        self.get(CONFIG).await.expect(200).json()
    }

    pub async fn verify(&self) -> Value {
        self.post(VERIFY).await.expect(200).json()
    }

    pub async fn send_test(&self, recipient: &str) -> Value {
        self.json("POST", SEND_TEST, &serde_json::json!({ "recipient": recipient })).await.expect(200).json()
    }
}

/// A patch document that sets each field of an object.
pub fn replace(fields: &Value) -> Value {
    fields
        .as_object()
        .expect("an object")
        .iter()
        .map(|(field, value)| serde_json::json!({"op": "replace", "path": format!("/{field}"), "value": value}))
        .collect()
}

/// Requests that are under way at the same time. More would only wait for each other, on a slow machine for longer than
/// the service lets a request wait for its database.
const CROWD: usize = 8;

/// The outcomes of many requests, of which as many as a slow machine can answer in time are under way at once.
pub async fn in_a_crowd<T>(requests: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(requests).buffer_unordered(CROWD).collect().await
}
