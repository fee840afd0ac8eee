//! The transit engine of `HashiCorp` Vault, and of `OpenBao`, whose API is the same: a key service over HTTP.
//!
//! Its `rewrap` accepts no associated data, so a data key is rewrapped by `decrypt` and `encrypt`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use zeroize::{Zeroize, Zeroizing};

use super::key_file;
use super::key_service::{Answer, KeyService, WrapError, Wrapped};
use crate::config::Encryption;
use crate::config::check_operator_url;
use crate::egress::http_client::{HttpClient, Request, Response};
use crate::json;
use crate::mail::transcript::printable;

/// Each call; a request of a client's makes two at most.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Calls at the same time; further ones wait within their time.
const MAX_CONCURRENT_CALLS: usize = 32;

/// An answer is some hundred bytes.
const MAX_BYTES: usize = 64 * 1024;

/// A wrapped key has about a hundred bytes.
const MAX_WRAPPED: usize = 4096;

/// The longest text of an answer that is logged, in characters.
const MAX_REASON: usize = 200;

/// Answers with 400 that speak of what was to be opened, and of nothing else.
const DOES_NOT_OPEN: [&str; 3] = ["message authentication failed", "invalid ciphertext", "(too old)"];

pub(super) struct Transit {
    client: HttpClient,
    /// `https://vault.example.com:8200/v1/transit`.
    mount_url: String,
    key: String,
    name: String,
    token_file: PathBuf,
    namespace: Option<HeaderValue>,
    calls: Semaphore,
}

impl Transit {
    /// None where `encryption.vault_url` is not set.
    ///
    /// # Errors
    /// Names the setting.
    pub fn configured(settings: &Encryption, client: &HttpClient) -> anyhow::Result<Option<Self>> {
        let Some(url) = &settings.vault_url else { return Ok(None) };
        check_operator_url(url).with_context(|| format!("encryption.vault_url: {url}"))?;
        let key = settings.vault_key.clone().context("encryption.vault_key: names no key of the engine")?;
        let mount = settings.vault_mount.trim_matches('/').to_owned();
        if !is_name(&key) {
            bail!("encryption.vault_key: {NAME_RULE}");
        }
        if !mount.split('/').all(is_name) {
            bail!("encryption.vault_mount: {NAME_RULE}, and slashes between");
        }
        let token_file = settings.vault_token_file.clone();
        let token_file = token_file.context("encryption.vault_token_file: names no file with a token")?;
        let namespace = settings.vault_namespace.as_deref().map(HeaderValue::from_str).transpose();
        let namespace =
            namespace.map_err(|_| anyhow::anyhow!("encryption.vault_namespace: cannot stand in a header"))?;
        Ok(Some(Self {
            client: client.clone(),
            mount_url: format!("{}/v1/{mount}", url.trim_end_matches('/')),
            name: format!("vault:{mount}/{key}"),
            key,
            token_file,
            namespace,
            calls: Semaphore::new(MAX_CONCURRENT_CALLS),
        }))
    }

    /// One call; `path` is below the mount. The members of the answer's `data`, if it has any.
    async fn call(&self, path: &str, body: Zeroizing<String>) -> Result<Map<String, Value>, WrapError> {
        let answered = tokio::time::timeout(TIME_LIMIT, self.exchange(path, body)).await;
        answered.unwrap_or_else(|_| Err(WrapError::unavailable("no answer in time")))
    }

    async fn exchange(&self, path: &str, body: Zeroizing<String>) -> Result<Map<String, Value>, WrapError> {
        let _call = self.calls.acquire().await.map_err(|_| WrapError::unavailable("it was closed"))?;
        let url = format!("{}/{path}", self.mount_url);
        let request = Request {
            method: Method::POST,
            url: &url,
            headers: self.headers().map_err(|error| WrapError::unavailable(format!("{error:#}")))?,
            body: body.as_bytes().to_vec(),
            time_limit: TIME_LIMIT,
            max_response_bytes: MAX_BYTES,
        };
        let mut response =
            self.client.send(request).await.map_err(|error| WrapError::unavailable(error.to_string()))?;
        let read = read(&response);
        response.body.zeroize();
        read
    }

    /// The token's file is read for each call, since an agent replaces it when it renews the token.
    fn headers(&self) -> anyhow::Result<HeaderMap> {
        let place = || format!("encryption.vault_token_file ({})", self.token_file.display());
        let token = key_file::read(&self.token_file).with_context(place)?.text;
        let mut token = HeaderValue::from_str(token.trim())
            .ok()
            .filter(|token| !token.is_empty())
            .with_context(|| format!("{}: holds no token", place()))?;
        token.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-vault-token"), token);
        // An agent in between may ask for it, as a guard against requests that a browser was made to send.
        headers.insert(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(namespace) = &self.namespace {
            headers.insert(HeaderName::from_static("x-vault-namespace"), namespace.clone());
        }
        Ok(headers)
    }

    async fn encrypt(&self, data_key: &[u8], associated_data: &[u8]) -> Result<Wrapped, WrapError> {
        let plain = Zeroizing::new(STANDARD.encode(data_key));
        let body = Zeroizing::new(format!(
            r#"{{"plaintext":"{}","associated_data":"{}"}}"#,
            plain.as_str(),
            STANDARD.encode(associated_data)
        ));
        let answer = self.call(&format!("encrypt/{}", self.key), body).await?;
        let text = answer.get("ciphertext").and_then(Value::as_str).unwrap_or_default();
        let version = version(text).filter(|_| text.len() <= MAX_WRAPPED);
        let version = version.ok_or_else(|| WrapError::unavailable("an answer without a ciphertext"))?;
        Ok(Wrapped { key_id: format!("{}:v{version}", self.name), bytes: text.as_bytes().to_vec() })
    }

    async fn decrypt(
        &self,
        key_id: &str,
        wrapped: &[u8],
        associated_data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, WrapError> {
        let text = std::str::from_utf8(wrapped).ok();
        let text = text.filter(|text| version(text).is_some_and(|v| key_id == format!("{}:v{v}", self.name)));
        let text = text.ok_or_else(|| WrapError::refused("its wrapped key is not of that version"))?;
        let body = json!({ "ciphertext": text, "associated_data": STANDARD.encode(associated_data) });
        let body = Zeroizing::new(body.to_string());
        let mut answer = self.call(&format!("decrypt/{}", self.key), body).await?;
        let Some(Value::String(plain)) = answer.remove("plaintext") else {
            return Err(WrapError::unavailable("an answer without a plaintext"));
        };
        let bytes = STANDARD.decode(Zeroizing::new(plain).as_str()).map(Zeroizing::new);
        bytes.map_err(|_| WrapError::unavailable("an answer whose plaintext is not Base64"))
    }
}

impl KeyService for Transit {
    fn name(&self) -> &str {
        &self.name
    }

    fn wrap<'a>(&'a self, data_key: &'a [u8], associated_data: &'a [u8]) -> Answer<'a, Wrapped> {
        Box::pin(self.encrypt(data_key, associated_data))
    }

    fn unwrap<'a>(
        &'a self,
        key_id: &'a str,
        wrapped: &'a [u8],
        associated_data: &'a [u8],
    ) -> Answer<'a, Zeroizing<Vec<u8>>> {
        Box::pin(self.decrypt(key_id, wrapped, associated_data))
    }

    fn rotate(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let path = format!("keys/{}/rotate", self.key);
            self.call(&path, Zeroizing::new("{}".to_owned())).await.map(drop)
        })
    }
}

/// The version in `vault:v3:…`.
fn version(ciphertext: &str) -> Option<u32> {
    let (version, rest) = ciphertext.strip_prefix("vault:v")?.split_once(':')?;
    let digits = version.bytes().all(|byte| byte.is_ascii_digit()) && !version.starts_with('0');
    version.parse().ok().filter(|_| digits && !rest.is_empty())
}

fn read(response: &Response) -> Result<Map<String, Value>, WrapError> {
    let answer = json::object(&response.body);
    match response.status {
        204 => return Ok(Map::new()),
        200 => {
            let data = answer.and_then(|mut answer| match answer.remove("data") {
                Some(Value::Object(data)) => Some(data),
                // Where there is nothing to tell.
                Some(Value::Null) => Some(Map::new()),
                _ => None,
            });
            return data.ok_or_else(|| WrapError::unavailable("an answer that is not Vault's"));
        }
        _ => {}
    }
    let said: Vec<String> = match answer.and_then(|mut answer| answer.remove("errors")) {
        Some(Value::Array(errors)) => errors.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let said: String = printable(&said.join("; ")).chars().take(MAX_REASON).collect();
    if response.status == 400 && DOES_NOT_OPEN.iter().any(|text| said.contains(text)) {
        return Err(WrapError::refused(said));
    }
    let advice = match response.status {
        301 | 302 | 307 | 308 => "; it points to another node: name the active one, or a load balancer",
        403 => "; renew the token in encryption.vault_token_file, and look at its policy",
        404 => "; look at encryption.vault_mount and encryption.vault_namespace",
        _ => "",
    };
    Err(WrapError::unavailable(format!("status {} {said}{advice}", response.status)))
}

const NAME_RULE: &str = "it has to be letters, digits, dots, hyphens or underscores";

fn is_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !text.is_empty() && text.bytes().all(good) && !text.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_version_is_read_from_a_ciphertext() {
        for (text, expected) in [
            ("vault:v1:abc", Some(1)),
            ("vault:v12:abc", Some(12)),
            ("vault:v0:abc", None),
            ("vault:v01:abc", None),
            ("vault:v+1:abc", None),
            ("vault:v1:", None),
            ("vault:v1", None),
            ("vault:v99999999999:abc", None),
            ("v1:abc", None),
            ("", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }

    /// Security case L8.
    #[test]
    fn only_a_word_about_the_ciphertext_says_that_it_does_not_open() {
        for (status, body, refused) in [
            (400, r#"{"errors":["cipher: message authentication failed"]}"#, true),
            (400, r#"{"errors":["invalid ciphertext: no prefix"]}"#, true),
            (
                400,
                r#"{"errors":["ciphertext or signature version is disallowed by policy (too old)"]}"#,
                true,
            ),
            (400, r#"{"errors":["encryption key not found"]}"#, false),
            (400, r#"{"errors":["missing client token"]}"#, false),
            (400, "<html>", false),
            (403, r#"{"errors":["permission denied"]}"#, false),
            (403, r#"{"errors":["invalid ciphertext"]}"#, false),
            (404, r#"{"errors":[]}"#, false),
            (307, "", false),
            (429, r#"{"errors":["rate limit quota exceeded"]}"#, false),
            (500, r#"{"errors":["internal error"]}"#, false),
            (503, r#"{"errors":["Vault is sealed"]}"#, false),
            (200, "<html>sign in to the airport's network</html>", false),
            (200, r#"{"data":7}"#, false),
        ] {
            let error = read(&response(status, body)).expect_err(body);
            assert_eq!(matches!(error, WrapError::Refused(_)), refused, "{status} {body}: {error}");
        }
        let sealed = read(&response(503, r#"{"errors":["Vault is sealed"]}"#)).expect_err("sealed");
        assert_eq!(sealed.to_string(), "status 503 Vault is sealed");
        for (status, advice) in [
            (307, "name the active one"),
            (403, "encryption.vault_token_file"),
            (404, "encryption.vault_mount"),
        ] {
            let error = read(&response(status, "{}")).expect_err("a refusal").to_string();
            assert!(error.contains(advice), "{error}");
        }
        assert!(read(&response(204, "")).is_ok() && read(&response(200, r#"{"data":null}"#)).is_ok());
    }

    #[test]
    fn names_that_would_lead_elsewhere_are_refused() {
        for (name, good) in
            [("mail", true), ("mail-2.x_y", true), ("", false), ("..", false), ("a/b", false), ("a?b", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
