//! Loads the keys that the settings name: a shared secret, a public key in a file.

use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::Key;
use crate::config::Auth;

/// # Errors
/// A text for the operator that names the setting, and the file where there is one.
pub(super) fn keys(settings: &Auth) -> anyhow::Result<Vec<Key>> {
    let mut keys = Vec::new();
    if let Some(secret) = &settings.hs256_secret {
        match Key::hmac(secret.expose().as_bytes()) {
            Ok(key) => keys.push(key),
            Err(reason) => bail!("auth.hs256_secret {reason}"),
        }
    }
    if let Some(path) = &settings.public_key_file {
        keys.push(public_key_file(path)?);
    }
    Ok(keys)
}

fn public_key_file(path: &Path) -> anyhow::Result<Key> {
    let place = format!("auth.public_key_file {}", path.display());
    let text = std::fs::read_to_string(path).with_context(|| format!("{place} cannot be read"))?;
    public_key(&text).map_err(|reason| anyhow::anyhow!("{place}: {reason}"))
}

/// The one public key of a PEM file (RFC 7468). Nothing of the file's contents gets into the error text.
fn public_key(text: &str) -> Result<Key, String> {
    // First of all, and whatever else the file holds: a private key must not lie where a public one will do.
    if text.contains("PRIVATE KEY-----") {
        return Err("holds a private key; put the public key alone into this file \
                    (openssl pkey -in PRIVATE -pubout)"
            .to_owned());
    }
    let mut found = None;
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or("is not PEM")?;
        let (body, after) =
            after.split_once(&format!("-----END {label}-----")).ok_or("is not PEM: a block has no end")?;
        rest = after;
        match label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
            "CERTIFICATE" => {
                return Err("holds a certificate; put its public key into this file \
                            (openssl x509 -in CERTIFICATE -pubkey -noout)"
                    .to_owned());
            }
            _ => return Err("holds a PEM block that is no public key".to_owned()),
        }
        if found.is_some() {
            return Err("holds more than one key; use auth.jwks_url for several".to_owned());
        }
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| "is not PEM: the base64 is broken")?;
        found = Some(Key::from_der(&der).map_err(|reason| format!("holds {reason}"))?);
    }
    found.ok_or_else(|| "holds no PEM block \"PUBLIC KEY\"".to_owned())
}
