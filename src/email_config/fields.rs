//! The fields of a configuration: their names in the API, and how a value is read from JSON.

use serde_json::{Map, Value};

use crate::error::{InputFault, Reason};
use crate::mail::address::{AddressError, EmailAddress};
use crate::secret::Secret;

pub const SERVER_ADDRESS: &str = "serverAddress";
pub const SERVER_PORT: &str = "serverPort";
pub const SECURITY_TYPE: &str = "securityType";
pub const USERNAME: &str = "username";
pub const EMAIL_ADDRESS: &str = "emailAddress";
pub const EMAIL_PASSWORD: &str = "emailPassword";
pub const SENDER_NAME: &str = "senderName";
pub const SERVICE_PROVIDER: &str = "serviceProvider";
pub const PROVIDER_CONFIG: &str = "providerConfig";
pub const CLIENT_ID: &str = "clientId";
pub const CLIENT_SECRET: &str = "clientSecret";
pub const PROVIDER_TENANT_ID: &str = "providerTenantId";

/// The longest user name and the longest password, in bytes. Servers cut off far below; access tokens that
/// stand in for a password are the longest that is seen.
pub const MAX_CREDENTIAL_BYTES: usize = 16 * 1024;

/// Takes members out of an object and gathers what is wrong with them.
pub struct MemberReader<'a> {
    members: &'a mut Map<String, Value>,
    faults: Vec<InputFault>,
}

impl<'a> MemberReader<'a> {
    pub fn new(members: &'a mut Map<String, Value>) -> Self {
        Self { members, faults: Vec::new() }
    }

    pub fn has(&self, field: &str) -> bool {
        self.members.contains_key(field)
    }

    pub fn required<T>(&mut self, field: &str, read: impl Fn(&Value) -> Result<T, InputFault>) -> Option<T> {
        if !self.has(field) {
            self.add(InputFault::required(field));
            return None;
        }
        self.optional(field, read)
    }

    pub fn optional<T>(&mut self, field: &str, read: impl Fn(&Value) -> Result<T, InputFault>) -> Option<T> {
        let value = self.members.remove(field)?;
        read(&value).map_err(|fault| self.add(fault)).ok()
    }

    /// A secret, whose text is not copied.
    pub fn secret(
        &mut self,
        field: &str,
        read: impl Fn(Value) -> Result<Secret, InputFault>,
    ) -> Option<Secret> {
        let value = self.members.remove(field)?;
        read(value).map_err(|fault| self.add(fault)).ok()
    }

    pub fn add(&mut self, fault: InputFault) {
        self.faults.push(fault);
    }

    pub fn fault_count(&self) -> usize {
        self.faults.len()
    }

    pub fn insert(&mut self, position: usize, fault: InputFault) {
        self.faults.insert(position, fault);
    }

    pub fn into_faults(self) -> Vec<InputFault> {
        self.faults
    }
}

/// The sender address.
///
/// # Errors
/// Not exactly one mail address.
pub fn email_address(value: &Value) -> Result<EmailAddress, InputFault> {
    mail_address(EMAIL_ADDRESS, value)
}

/// Any field that holds exactly one mail address.
///
/// # Errors
/// Not exactly one mail address.
pub fn mail_address(field: &str, value: &Value) -> Result<EmailAddress, InputFault> {
    EmailAddress::parse(text(field, value)?).map_err(|error| {
        let fault = InputFault::value(field, &error);
        match error {
            AddressError::DisplayName if field == EMAIL_ADDRESS => {
                fault.with_words("; the name goes into senderName")
            }
            _ => fault,
        }
    })
}

/// One of a few words.
///
/// # Errors
/// Not a string, or another word.
pub fn one_of<T>(
    field: &str,
    value: &Value,
    words: &[&str],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, InputFault> {
    parse(string(field, value)?).ok_or_else(|| {
        let statement = format!("is not one of {}", words.join(", "));
        InputFault::new(field, Reason::NotOneOf, statement).with_allowed(words)
    })
}

/// A secret is taken as it is, never trimmed. `kind` is what the sentence calls it.
///
/// # Errors
/// Not a string, empty, too long, made of mask characters, or with CR, LF or NUL, which no sign-in can carry.
pub fn secret(field: &str, kind: &str, value: Value) -> Result<Secret, InputFault> {
    let Value::String(text) = value else {
        return Err(not_a_string(field, &value));
    };
    let secret = Secret::new(text);
    if secret.expose().is_empty() {
        return Err(is_empty(field));
    }
    if secret.is_mask() {
        let statement = format!("is a mask, not a {kind}; enter the {kind} itself");
        return Err(InputFault::new(field, Reason::Mask, statement));
    }
    if secret.expose().contains(['\r', '\n', '\0']) {
        return Err(InputFault::new(field, Reason::ControlCharacter, "contains a line break or a NUL"));
    }
    check_length(field, secret.expose(), MAX_CREDENTIAL_BYTES)?;
    Ok(secret)
}

/// # Errors
/// Not a string.
pub fn string<'a>(field: &str, value: &'a Value) -> Result<&'a str, InputFault> {
    value.as_str().ok_or_else(|| not_a_string(field, value))
}

/// A string without the blanks around it, which a paste leaves behind. A line break is no slip, and is refused later.
///
/// # Errors
/// Not a string, or empty.
pub fn text<'a>(field: &str, value: &'a Value) -> Result<&'a str, InputFault> {
    let text = string(field, value)?.trim_matches([' ', '\t']);
    if text.is_empty() { Err(is_empty(field)) } else { Ok(text) }
}

/// # Errors
/// Too long.
pub fn check_length(field: &str, text: &str, max_bytes: usize) -> Result<(), InputFault> {
    if text.len() > max_bytes {
        let statement = format!("is longer than {max_bytes} bytes");
        return Err(InputFault::new(field, Reason::TooLong, statement));
    }
    Ok(())
}

fn not_a_string(field: &str, value: &Value) -> InputFault {
    if value.is_null() {
        let statement = "is null; use remove, or leave it out of a PUT, to clear it";
        InputFault::new(field, Reason::Null, statement)
    } else {
        InputFault::new(field, Reason::NotAString, "is not a string")
    }
}

fn is_empty(field: &str) -> InputFault {
    InputFault::new(field, Reason::Empty, "is empty; use remove, or leave it out of a PUT, to clear it")
}
