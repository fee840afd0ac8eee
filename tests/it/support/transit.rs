//! A fake of `HashiCorp` Vault's transit engine: its paths, its bodies, its errors, and what it does not do.
//!
//! As in the real one, `rewrap` knows no associated data, the ciphertext names the version, an unknown key is only
//! made by a token that may create it, and a sealed Vault answers 503.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use transports::config::Encryption;

pub const MOUNT: &str = "team/transit";
pub const KEY: &str = "mail";
pub const NAMESPACE: &str = "ns1";
pub const TOKEN: &str = "hvs.a-token-of-the-tests";

/// How it behaves towards every call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Up,
    /// Connections are closed as soon as they are made.
    Down,
    Sealed,
    /// A call waits for [`Transit::let_go`].
    Slow,
    /// Something else answers in its place.
    Strange,
}

/// Ends with the test's runtime.
pub struct Transit {
    pub address: SocketAddr,
    folder: TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    engine: Mutex<Engine>,
    let_go: Notify,
}

struct Engine {
    way: Way,
    keys: HashMap<String, Key>,
    token: String,
    /// `encrypt mail`, in the order in which they came.
    calls: Vec<String>,
    /// The data keys that it was given, or gave back: in Base64.
    plaintexts: Vec<String>,
    /// The associated data that came with them.
    associated_data: Vec<Vec<u8>>,
    /// So many calls of `encrypt` find a version that was made a moment ago.
    rotations: usize,
    /// The call that finds it sealed, counted down to 1.
    failing_call: usize,
}

struct Key {
    /// The first one is version 1.
    versions: Vec<RandomizedNonceKey>,
    min_decryption_version: usize,
}

fn random_key() -> RandomizedNonceKey {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    RandomizedNonceKey::new(&AES_256_GCM, &bytes).expect("32 bytes")
}

impl Key {
    fn new() -> Self {
        Self { versions: vec![random_key()], min_decryption_version: 1 }
    }

    fn encrypt(&self, plain: &[u8], associated_data: &[u8]) -> String {
        let mut bytes = plain.to_vec();
        let key = self.versions.last().expect("a version");
        let nonce = key.seal_in_place_append_tag(Aad::from(associated_data), &mut bytes).expect("randomness");
        let bytes = [nonce.as_ref().as_slice(), &bytes].concat();
        format!("vault:v{}:{}", self.versions.len(), STANDARD.encode(bytes))
    }

    fn decrypt(&self, ciphertext: &str, associated_data: &[u8]) -> Result<Vec<u8>, &'static str> {
        let rest = ciphertext.strip_prefix("vault:v").ok_or("invalid ciphertext: no prefix")?;
        let (version, text) = rest.split_once(':').ok_or("invalid ciphertext: wrong number of fields")?;
        let version: usize =
            version.parse().map_err(|_| "invalid ciphertext: version number could not be decoded")?;
        if version > self.versions.len() {
            return Err("invalid ciphertext: version is too new");
        }
        if version < self.min_decryption_version {
            return Err("ciphertext or signature version is disallowed by policy (too old)");
        }
        let mut bytes = STANDARD.decode(text).map_err(|_| "invalid ciphertext: could not decode base64")?;
        if bytes.len() < 12 {
            return Err("invalid ciphertext length");
        }
        let mut sealed = bytes.split_off(12);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).expect("12 bytes");
        let plain =
            self.versions[version.max(1) - 1].open_in_place(nonce, Aad::from(associated_data), &mut sealed);
        plain.map(|plain| plain.to_vec()).map_err(|_| "cipher: message authentication failed")
    }
}

impl Transit {
    /// With the key [`KEY`] in version 1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let engine = Engine {
            way: Way::Up,
            keys: HashMap::from([(KEY.to_owned(), Key::new())]),
            token: TOKEN.to_owned(),
            calls: Vec::new(),
            plaintexts: Vec::new(),
            associated_data: Vec::new(),
            rotations: 0,
            failing_call: 0,
        };
        let shared = Arc::new(Shared { engine: Mutex::new(engine), let_go: Notify::new() });
        let transit =
            Self { address, folder: TempDir::new().expect("a folder"), shared: Arc::clone(&shared) };
        transit.write_token(TOKEN);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                if shared.engine.lock().unwrap().way == Way::Down {
                    continue;
                }
                let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        transit
    }

    fn token_file(&self) -> std::path::PathBuf {
        self.folder.path().join("token")
    }

    /// What the service under test finds in its token file.
    pub fn write_token(&self, token: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.token_file(), format!("{token}\n")).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.token_file(), mode).expect("our own file");
    }

    /// The token that it takes from now on.
    pub fn take_token(&self, token: &str) {
        self.engine(|engine| token.clone_into(&mut engine.token));
    }

    /// Lets these settings use it.
    pub fn settle(&self, settings: &mut Encryption) {
        settings.vault_url = Some(format!("http://{}", self.address));
        MOUNT.clone_into(&mut settings.vault_mount);
        settings.vault_key = Some(KEY.to_owned());
        settings.vault_namespace = Some(NAMESPACE.to_owned());
        settings.vault_token_file = Some(self.token_file());
    }

    /// The same as variables of a process.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("URL", format!("http://{}", self.address)),
            ("MOUNT", MOUNT.to_owned()),
            ("KEY", KEY.to_owned()),
            ("NAMESPACE", NAMESPACE.to_owned()),
            ("TOKEN_FILE", self.token_file().display().to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (format!("TRANSPORTS_ENCRYPTION__VAULT_{name}"), value))
        .collect()
    }

    pub fn set(&self, way: Way) {
        self.engine(|engine| engine.way = way);
    }

    /// Answers one call that waits, or the next that will.
    pub fn let_go(&self) {
        self.shared.let_go.notify_one();
    }

    /// Makes a new version, as its own operator or its `auto_rotate_period` does.
    pub fn rotate(&self) {
        self.engine(|engine| engine.keys.get_mut(KEY).expect("the key").versions.push(random_key()));
    }

    /// Makes a new version before each of the next calls of `encrypt`.
    pub fn rotate_before_calls(&self, calls: usize) {
        self.engine(|engine| engine.rotations = calls);
    }

    /// Is sealed for one moment: at the call of this number from now on, beginning with 1.
    pub fn fail_call(&self, number: usize) {
        self.engine(|engine| engine.failing_call = number);
    }

    /// Whether that call has not come yet.
    pub fn has_not_failed(&self) -> bool {
        self.engine(|engine| engine.failing_call > 0)
    }

    /// Another key of the same name, as after a loss.
    pub fn replace_key(&self) {
        self.engine(|engine| engine.keys.insert(KEY.to_owned(), Key::new()));
    }

    pub fn set_min_decryption_version(&self, version: usize) {
        self.engine(|engine| engine.keys.get_mut(KEY).expect("the key").min_decryption_version = version);
    }

    pub fn versions(&self) -> usize {
        self.engine(|engine| engine.keys[KEY].versions.len())
    }

    /// How many calls of this kind have come in: `encrypt`, `decrypt`, `keys`.
    pub fn calls(&self, kind: &str) -> usize {
        self.engine(|engine| engine.calls.iter().filter(|call| call.starts_with(kind)).count())
    }

    pub fn plaintexts(&self) -> Vec<String> {
        self.engine(|engine| engine.plaintexts.clone())
    }

    /// What the data keys were bound to, each kind once.
    pub fn associated_data(&self) -> Vec<Vec<u8>> {
        let mut kinds = self.engine(|engine| engine.associated_data.clone());
        kinds.sort();
        kinds.dedup();
        kinds
    }

    fn engine<T>(&self, with: impl FnOnce(&mut Engine) -> T) -> T {
        with(&mut self.shared.engine.lock().expect("not poisoned"))
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let way = shared.engine.lock().unwrap().way;
    if way == Way::Slow {
        shared.let_go.notified().await;
    }
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, document) = if way == Way::Strange {
        (200, json!("<html>Sign in to the airport's network</html>"))
    } else if way == Way::Sealed {
        (503, errors("Vault is sealed"))
    } else {
        let mut engine = shared.engine.lock().unwrap();
        if header("x-vault-token") != engine.token || header("x-vault-namespace") != NAMESPACE {
            (403, errors("2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"))
        } else if header("content-type") != "application/json" || header("x-vault-request") != "true" {
            (400, errors("missing 'X-Vault-Request' header"))
        } else if engine.fails_now() {
            (503, errors("Vault is sealed"))
        } else {
            engine.operate(&head.method, head.uri.path(), &body)
        }
    };
    let body = if document.is_null() { String::new() } else { document.to_string() };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body))).expect("an answer"))
}

fn errors(text: &str) -> Value {
    json!({ "errors": [text] })
}

fn data(data: &Value) -> (u16, Value) {
    let document = json!({
        "request_id": "5ae4e1b6-4d9f-4e3c-8b0c-000000000000", "lease_id": "", "renewable": false,
        "lease_duration": 0, "data": data, "wrap_info": null, "warnings": null, "auth": null,
        "mount_type": "transit",
    });
    (200, document)
}

impl Engine {
    fn fails_now(&mut self) -> bool {
        let now = self.failing_call == 1;
        self.failing_call = self.failing_call.saturating_sub(1);
        now
    }

    fn operate(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let below = path.strip_prefix("/v1/").and_then(|path| path.strip_prefix(MOUNT));
        let Some(below) = below.and_then(|below| below.strip_prefix('/')) else {
            return (404, errors(&format!("no handler for route \"{path}\". route entry not found.")));
        };
        if *method != Method::POST && *method != Method::PUT {
            return (405, errors("unsupported operation"));
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return (400, errors("failed to parse JSON input"));
        };
        let parts: Vec<&str> = below.split('/').collect();
        self.calls.push(parts.join(" "));
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let Ok(associated_data) = STANDARD.decode(text("associated_data")) else {
            return (400, errors("illegal base64 data at input byte 0"));
        };
        self.associated_data.push(associated_data.clone());
        match parts.as_slice() {
            ["encrypt", name] => {
                let Ok(plain) = STANDARD.decode(text("plaintext")) else {
                    return (400, errors("illegal base64 data at input byte 0"));
                };
                // Without the right to create, a name that is not there is no key to be made.
                let Some(key) = self.keys.get_mut(*name) else {
                    return (403, errors("1 error occurred:\n\t* permission denied\n\n"));
                };
                if self.rotations > 0 {
                    self.rotations -= 1;
                    key.versions.push(random_key());
                }
                let ciphertext = key.encrypt(&plain, &associated_data);
                self.plaintexts.push(text("plaintext"));
                data(&json!({ "ciphertext": ciphertext, "key_version": key.versions.len() }))
            }
            ["decrypt", name] => {
                let Some(key) = self.keys.get(*name) else {
                    return (400, errors("encryption key not found"));
                };
                match key.decrypt(&text("ciphertext"), &associated_data) {
                    Ok(plain) => {
                        self.plaintexts.push(STANDARD.encode(&plain));
                        data(&json!({ "plaintext": STANDARD.encode(plain) }))
                    }
                    Err(reason) => (400, errors(reason)),
                }
            }
            // It takes no associated data, so that what was sealed with some does not open here.
            ["rewrap", name] => match self.keys.get(*name) {
                None => (400, errors("encryption key not found")),
                Some(key) => match key.decrypt(&text("ciphertext"), &[]) {
                    Ok(plain) => data(&json!({ "ciphertext": key.encrypt(&plain, &[]) })),
                    Err(reason) => (400, errors(reason)),
                },
            },
            ["keys", name, "rotate"] => match self.keys.get_mut(*name) {
                None => (404, errors("key not found")),
                Some(key) => {
                    key.versions.push(random_key());
                    // Vault tells about the key, with the time of each of its versions.
                    let times = (1..=key.versions.len()).map(|version| (version.to_string(), 1_767_225_600));
                    let data = json!({
                        "name": name, "latest_version": key.versions.len(), "type": "aes256-gcm96",
                        "keys": times.collect::<HashMap<_, _>>(),
                    });
                    (200, json!({ "data": data }))
                }
            },
            _ => (404, errors("unsupported path")),
        }
    }
}
