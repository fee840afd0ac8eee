//! The fields of a configuration: their names in the API, and how a value is read from JSON.
//!
//! Every problem is told as a sentence that begins with the field's name.

use serde_json::Value;

use crate::egress::{Host, Policy, Refusal};
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::secret::Secret;
use crate::smtp::Security;

pub const SERVER_ADDRESS: &str = "serverAddress";
pub const SERVER_PORT: &str = "serverPort";
pub const SECURITY_TYPE: &str = "securityType";
pub const USERNAME: &str = "username";
pub const EMAIL_ADDRESS: &str = "emailAddress";
pub const EMAIL_PASSWORD: &str = "emailPassword";
pub const SENDER_NAME: &str = "senderName";
pub const SERVICE_PROVIDER: &str = "serviceProvider";
pub const CLIENT_ID: &str = "clientId";
pub const CLIENT_SECRET: &str = "clientSecret";
pub const PROVIDER_TENANT_ID: &str = "providerTenantId";

/// The longest client id, in bytes. Microsoft's have 36.
const MAX_CLIENT_ID_BYTES: usize = 128;

/// The longest user name and the longest password, in bytes. Servers cut off far below; access tokens that
/// stand in for a password are the longest that is seen.
pub const MAX_CREDENTIAL_BYTES: usize = 16 * 1024;

/// What is wrong with a field, as a whole sentence without its full stop.
pub type Problem = String;

/// # Errors
/// Not a string, empty, no host name, or a destination that this installation refuses.
pub fn server_address(value: &Value, policy: &Policy) -> Result<Host, Problem> {
    let text = trimmed(SERVER_ADDRESS, value)?;
    let host = Host::parse(text).map_err(|error| format!("{SERVER_ADDRESS} {error}"))?;
    policy.check_written(Some(&host), None).map_err(|refusal| refused(&refusal))?;
    Ok(host)
}

/// An integer, or its digits as a string.
///
/// # Errors
/// Not a port, or not one that this installation allows.
pub fn server_port(value: &Value, policy: &Policy) -> Result<u16, Problem> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) if is_digits(digits) => digits.parse().ok(),
        _ => None,
    };
    let port = number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|port| *port != 0)
        .ok_or_else(|| format!("{SERVER_PORT} is not a port number (1 to 65535)"))?;
    policy.check_written(None, Some(port)).map_err(|refusal| refused(&refusal))?;
    Ok(port)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// # Errors
/// Not one of the three words.
pub fn security_type(value: &Value) -> Result<Security, Problem> {
    let text = string(SECURITY_TYPE, value)?;
    Security::parse(text).ok_or_else(|| format!("{SECURITY_TYPE} is not one of none, StartTLS, SSL/TLS"))
}

/// # Errors
/// Not a string, empty, too long, or with a control character.
pub fn username(value: &Value) -> Result<String, Problem> {
    let text = trimmed(USERNAME, value)?;
    if text.chars().any(char::is_control) {
        return Err(format!("{USERNAME} contains a line break or another control character"));
    }
    short_enough(USERNAME, text)?;
    Ok(text.to_owned())
}

/// # Errors
/// Not exactly one mail address.
pub fn email_address(value: &Value) -> Result<EmailAddress, Problem> {
    mail_address(EMAIL_ADDRESS, value)
}

/// Any field that holds exactly one mail address.
///
/// # Errors
/// Not exactly one mail address.
pub fn mail_address(field: &str, value: &Value) -> Result<EmailAddress, Problem> {
    EmailAddress::parse(trimmed(field, value)?).map_err(|error| format!("{field} {error}"))
}

/// # Errors
/// Not a string, empty, too long, or with a control character.
pub fn sender_name(value: &Value) -> Result<HeaderText, Problem> {
    HeaderText::parse(trimmed(SENDER_NAME, value)?).map_err(|error| format!("{SENDER_NAME} {error}"))
}

/// A password is taken as it is, never trimmed.
///
/// # Errors
/// Not a string, empty, too long, made of mask characters, or with CR, LF or NUL, which no sign-in can carry.
pub fn email_password(value: Value) -> Result<Secret, Problem> {
    secret(EMAIL_PASSWORD, "password", value)
}

/// The secret of an app of Microsoft 365.
///
/// # Errors
/// As [`email_password`], and the form of a GUID: then it is the secret's id, which Microsoft shows beside it.
pub fn client_secret(value: Value) -> Result<Secret, Problem> {
    let secret = secret(CLIENT_SECRET, "client secret", value)?;
    if is_guid(secret.expose().trim()) {
        return Err(format!(
            "{CLIENT_SECRET} looks like the Secret ID; enter the Value of the client secret, which Microsoft shows \
             once when it is made"
        ));
    }
    Ok(secret)
}

fn secret(field: &str, kind: &str, value: Value) -> Result<Secret, Problem> {
    let Value::String(text) = value else {
        return Err(not_a_string(field, &value));
    };
    let secret = Secret::new(text);
    if secret.expose().is_empty() {
        return Err(is_empty(field));
    }
    if secret.is_mask() {
        return Err(format!("{field} is a mask, not a {kind}; enter the {kind} itself"));
    }
    if secret.expose().contains(['\r', '\n', '\0']) {
        return Err(format!("{field} contains a line break or a NUL"));
    }
    short_enough(field, secret.expose())?;
    Ok(secret)
}

/// The id of an app.
///
/// # Errors
/// Not a string, empty, too long, or with characters that no such id has.
pub fn client_id(value: &Value) -> Result<String, Problem> {
    let text = trimmed(CLIENT_ID, value)?;
    if text.len() > MAX_CLIENT_ID_BYTES {
        return Err(format!("{CLIENT_ID} is longer than {MAX_CLIENT_ID_BYTES} bytes"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
        return Err(format!("{CLIENT_ID} is not an Application (client) ID, such as {EXAMPLE_GUID}"));
    }
    Ok(text.to_owned())
}

/// The directory of an app: a GUID, or a domain name of at least two labels.
///
/// # Errors
/// Anything else. Words that stand for every directory (`common`, `organizations`, `consumers`) are none.
pub fn provider_tenant(value: &Value) -> Result<String, Problem> {
    let text = trimmed(PROVIDER_TENANT_ID, value)?;
    if is_guid(text) {
        return Ok(text.to_ascii_lowercase());
    }
    match Host::parse(text) {
        Ok(Host::Name(name)) if name.contains('.') => Ok(name),
        _ => Err(format!(
            "{PROVIDER_TENANT_ID} is neither a Directory (tenant) ID, such as {EXAMPLE_GUID}, nor a domain name"
        )),
    }
}

const EXAMPLE_GUID: &str = "12345678-1234-1234-1234-123456789012";

/// `8-4-4-4-12` hexadecimal digits.
fn is_guid(text: &str) -> bool {
    text.len() == EXAMPLE_GUID.len()
        && text.bytes().zip(EXAMPLE_GUID.bytes()).all(|(byte, example)| match example {
            b'-' => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// # Errors
/// Not a string.
pub fn string<'a>(field: &str, value: &'a Value) -> Result<&'a str, Problem> {
    value.as_str().ok_or_else(|| not_a_string(field, value))
}

/// A member that this API does not know.
#[must_use]
pub fn unknown(name: &str) -> Problem {
    // A member's name is the client's text: shown short, and without what could garble a log or a terminal.
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("{shown} is not a known field")
}

fn trimmed<'a>(field: &str, value: &'a Value) -> Result<&'a str, Problem> {
    // Only what a paste leaves behind: a line break is no slip, and is told.
    let text = string(field, value)?.trim_matches([' ', '\t']);
    if text.is_empty() { Err(is_empty(field)) } else { Ok(text) }
}

fn not_a_string(field: &str, value: &Value) -> Problem {
    if value.is_null() {
        format!("{field} is null; use remove, or leave it out of a PUT, to clear it")
    } else {
        format!("{field} is not a string")
    }
}

fn is_empty(field: &str) -> Problem {
    format!("{field} is empty; use remove, or leave it out of a PUT, to clear it")
}

fn short_enough(field: &str, text: &str) -> Result<(), Problem> {
    if text.len() > MAX_CREDENTIAL_BYTES {
        return Err(format!("{field} is longer than {MAX_CREDENTIAL_BYTES} bytes"));
    }
    Ok(())
}

fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Address { .. } => {
            format!("{SERVER_ADDRESS} is an address that this installation does not connect to")
        }
        Refusal::Name => {
            format!(
                "{SERVER_ADDRESS} is a name that this installation does not connect to; use a full domain name"
            )
        }
        Refusal::Port { allowed } => {
            let ports: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            format!("{SERVER_PORT} is not an allowed mail port here ({})", ports.join(", "))
        }
    }
}
