//! Takes a token apart: the compact form of RFC 7515 section 3.1 and its header. Nothing here is verified yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::TokenError;
use super::algorithm::Algorithm;
use crate::json;

/// The longest token, in bytes. A request line and its headers are bounded too; this is less.
pub(super) const MAX_BYTES: usize = 8 * 1024;
/// The longest key id, in bytes.
const KEY_ID_MAX_BYTES: usize = 512;

/// Members by which a token would bring or name its own key (RFC 7515 section 4.1), or ask for rules that are
/// not known here: `crit`, the unencoded payload of RFC 7797, and a payload that is compressed, encrypted or a token
/// itself (RFC 7516 section 4.1).
const REFUSED_MEMBERS: [&str; 9] = ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"];

pub(super) struct Compact<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// What is signed: header and payload as they came, with the dot between.
    pub(super) message: &'t [u8],
    payload: &'t str,
    pub(super) signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::Invalid("too long"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Invalid("not three parts"));
        };
        let message = &token.as_bytes()[..header.len() + 1 + payload.len()];
        let signature = decode(signature)?;
        if signature.is_empty() {
            return Err(TokenError::Invalid("no signature"));
        }
        let header =
            json::object(&decode(header)?).ok_or(TokenError::Invalid("the header is no JSON object"))?;
        let (algorithm, key_id) = read_header(&header)?;
        Ok(Self { algorithm, key_id, message, payload, signature })
    }

    /// The claims. Call this only after the signature was verified.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, TokenError> {
        json::object(&decode(self.payload)?).ok_or(TokenError::Invalid("the claims are no JSON object"))
    }
}

/// Base64url without padding; bits that are left over must be zero, so that a text has one spelling.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid("a part is not base64url"))
}

fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), TokenError> {
    if REFUSED_MEMBERS.iter().any(|name| header.contains_key(*name)) {
        return Err(TokenError::Invalid("the header has a member that is refused"));
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
    let algorithm = algorithm.ok_or(TokenError::Invalid("the algorithm is not known"))?;
    match header.get("typ") {
        None => {}
        Some(Value::String(kind)) if is_access_token(kind) => {}
        Some(_) => return Err(TokenError::Invalid("typ is not that of an access token")),
    }
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(id)) if id.len() <= KEY_ID_MAX_BYTES && !id.chars().any(char::is_control) => {
            Some(id.clone())
        }
        Some(_) => return Err(TokenError::Invalid("kid is not a plain string")),
    };
    Ok((algorithm, key_id))
}

/// `JWT` (RFC 7519 section 5.1) or `at+jwt` (RFC 9068 section 2.1), which are media types and so know no case.
fn is_access_token(kind: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| kind.eq_ignore_ascii_case(known))
}
