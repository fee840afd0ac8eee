//! Reads a JSON Web Key Set (RFC 7517): those of its keys that can verify a token.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::key::Key;

/// The usable keys of a set; a key that cannot be used is skipped with a line in the debug log, as RFC 7517
/// section 5 says. Keys that share an id are all left out: the id does not identify one.
///
/// # Errors
/// The document is no key set at all.
pub(super) fn parse_set(document: &[u8]) -> Result<Vec<Key>, String> {
    let document: Value = serde_json::from_slice(document).map_err(|_| "not JSON")?;
    let members = document.get("keys").and_then(Value::as_array).ok_or("no array \"keys\"")?;
    let mut keys = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let parsed = member.as_object().ok_or_else(|| "not an object".to_owned()).and_then(parse_key);
        match parsed {
            Ok(key) => keys.push(key),
            Err(reason) => tracing::debug!(index, reason, "a key of the key set is not usable"),
        }
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for id in keys.iter().filter_map(|key: &Key| key.id.clone()) {
        *counts.entry(id).or_default() += 1;
    }
    counts.retain(|_, count| *count > 1);
    // One line for the set, however many keys the issuer puts into it.
    if let Some(kid) = counts.keys().next() {
        tracing::warn!(
            kid,
            ids = counts.len(),
            "the key set has several keys with one id; none of them is used"
        );
    }
    keys.retain(|key| key.id.as_ref().is_none_or(|id| !counts.contains_key(id)));
    Ok(keys)
}

fn parse_key(member: &Map<String, Value>) -> Result<Key, String> {
    match member.get("use") {
        None => {}
        Some(Value::String(purpose)) if purpose == "sig" => {}
        Some(_) => return Err("its use is not \"sig\"".to_owned()),
    }
    if let Some(operations) = member.get("key_ops") {
        let operations = operations.as_array().ok_or("its key_ops is no array")?;
        if !operations.iter().any(|operation| operation == "verify") {
            return Err("its key_ops have no \"verify\"".to_owned());
        }
    }
    // Readers of the set could sign tokens.
    if member.contains_key("d") {
        return Err("it is a private key".to_owned());
    }
    let named = match member.get("alg") {
        None => None,
        Some(Value::String(name)) => Some(Algorithm::from_name(name).ok_or("its alg is not known")?),
        Some(_) => return Err("its alg is no string".to_owned()),
    };
    let mut key = match text(member, "kty")? {
        // Without an algorithm of its own an RSA key is for the one that every issuer has.
        "RSA" => Key::rsa(named.unwrap_or(Algorithm::Rs256), &bytes(member, "n")?, &bytes(member, "e")?)?,
        "EC" => elliptic(member)?,
        "OKP" if text(member, "crv")? == "Ed25519" => {
            let x = bytes(member, "x")?;
            if x.len() != 32 {
                return Err("its x has not 32 bytes".to_owned());
            }
            Key::ed25519(&x)?
        }
        // `oct` too: a secret that stands in a public document is none.
        _ => return Err("its kty is not usable".to_owned()),
    };
    if named.is_some_and(|named| named != key.algorithm) {
        return Err("its alg does not belong to its kty".to_owned());
    }
    key.id = match member.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err("its kid is no string".to_owned()),
    };
    Ok(key)
}

fn elliptic(member: &Map<String, Value>) -> Result<Key, String> {
    let (algorithm, length) = match text(member, "crv")? {
        "P-256" => (Algorithm::Es256, 32),
        "P-384" => (Algorithm::Es384, 48),
        _ => return Err("its curve is not known".to_owned()),
    };
    let (x, y) = (bytes(member, "x")?, bytes(member, "y")?);
    // RFC 7518 section 6.2.1.2: the full size, with zeros in front.
    if x.len() != length || y.len() != length {
        return Err("its coordinates are not as long as its curve asks".to_owned());
    }
    Key::elliptic(algorithm, &[&[4], x.as_slice(), y.as_slice()].concat())
}

fn text<'m>(member: &'m Map<String, Value>, name: &str) -> Result<&'m str, String> {
    member.get(name).and_then(Value::as_str).ok_or_else(|| format!("its {name} is missing or no string"))
}

fn bytes(member: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text(member, name)?).map_err(|_| format!("its {name} is not base64url"))
}
