//! PATCH: three operations on seven paths (a subset of RFC 6902), judged by the document's end state.

use std::sync::Arc;

use serde_json::Value;

use super::fields::{
    EMAIL_ADDRESS, EMAIL_PASSWORD, SECURITY_TYPE, SENDER_NAME, SERVER_ADDRESS, SERVER_PORT, SERVICE_PROVIDER,
    USERNAME, email_address,
};
use super::settings::basic_auth::{
    email_password, security_type, sender_name, server_address, server_port, username,
};
use super::{BasicAuth, Change, EmailConfig, Health, SecretChange, Settings};
use crate::egress::{Host, Policy};
use crate::error::{InputFault, Reason};
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::secret::Secret;
use crate::smtp::Security;

/// What a document does to one field, after all its operations: `None` leaves it, `Some(None)` clears it.
type Edit<T> = Option<Option<T>>;

/// A patch document, read and checked.
#[derive(Debug, Default)]
pub struct Patch {
    server_address: Edit<Host>,
    server_port: Edit<u16>,
    security: Edit<Security>,
    username: Edit<String>,
    email_address: Edit<EmailAddress>,
    sender_name: Edit<HeaderText>,
    password: Edit<Arc<Secret>>,
}

impl Patch {
    /// Reads a document: an array of `{op, path, value}` with at least one operation.
    ///
    /// `add` and `replace` both set a field, also one that was not set; `remove` clears it.
    ///
    /// # Errors
    /// The first bad operation: its index, counted from 0, and its field.
    pub fn parse(document: Value, policy: &Policy) -> Result<Self, InputFault> {
        let Value::Array(operations) = document else {
            return Err(InputFault::body(Reason::NotAnArray, "is not an array of patch operations"));
        };
        if operations.is_empty() {
            return Err(InputFault::body(Reason::Empty, "is an array without an operation"));
        }
        let mut patch = Self::default();
        for (index, operation) in operations.into_iter().enumerate() {
            patch.add(operation, policy).map_err(|fault| {
                fault.within(&index.to_string()).with_words(format_args!(" (operation {index})"))
            })?;
        }
        Ok(patch)
    }

    /// A fault's pointer leads to a member of the operation, or to the operation itself.
    fn add(&mut self, operation: Value, policy: &Policy) -> Result<(), InputFault> {
        let Value::Object(mut members) = operation else {
            let fault = InputFault::new("The operation", Reason::NotAnObject, "is not an object");
            return Err(fault.at(String::new()));
        };
        let path = match members.get("path") {
            Some(Value::String(path)) => path.clone(),
            Some(_) => return Err(InputFault::new("path", Reason::NotAString, "is not a string")),
            None => return Err(missing("path", "")),
        };
        let sets = match members.get("op").map(Value::as_str) {
            Some(Some("add" | "replace")) => true,
            Some(Some("remove")) => false,
            Some(_) => return Err(unknown_operation(&path)),
            None => return Err(missing("op", &path)),
        };
        let value =
            if sets { Some(members.remove("value").ok_or_else(|| missing("value", &path))?) } else { None };
        if !PATHS.contains(&path.as_str()) {
            return Err(unknown_path());
        }
        self.edit(&path, value, policy).map_err(|fault| fault.at("/value".to_owned()))
    }

    /// `path` is one of [`PATHS`].
    fn edit(&mut self, path: &str, value: Option<Value>, policy: &Policy) -> Result<(), InputFault> {
        let given = value.as_ref();
        match path.trim_start_matches('/') {
            SERVER_ADDRESS => {
                self.server_address = Some(given.map(|value| server_address(value, policy)).transpose()?);
            }
            SERVER_PORT => {
                self.server_port = Some(given.map(|value| server_port(value, policy)).transpose()?);
            }
            SECURITY_TYPE => self.security = Some(given.map(security_type).transpose()?),
            USERNAME => self.username = Some(given.map(username).transpose()?),
            EMAIL_ADDRESS => self.email_address = Some(given.map(email_address).transpose()?),
            SENDER_NAME => self.sender_name = Some(given.map(sender_name).transpose()?),
            _ => {
                self.password = Some(value.map(email_password).transpose()?.map(Arc::new));
            }
        }
        Ok(())
    }

    /// What the patch makes of what is stored; `None` where nothing changes.
    ///
    /// # Errors
    /// Another provider is stored, and the patch alone is no complete configuration: nothing is inherited.
    pub fn apply(&self, stored: Option<&EmailConfig>) -> Result<Option<Change>, InputFault> {
        match stored.map(|stored| &stored.settings) {
            None => Ok(self.edit_basic_auth(&BasicAuth::default(), None)),
            Some(Settings::BasicAuth(basic)) => Ok(self.edit_basic_auth(basic, stored)),
            Some(Settings::Microsoft365(_)) => self.switch_to_basic_auth().map(Some),
        }
    }

    fn switch_to_basic_auth(&self) -> Result<Change, InputFault> {
        let change = self.edit_basic_auth(&BasicAuth::default(), None);
        let missing = match &change {
            Some(change) => change.settings.missing(matches!(change.secret, SecretChange::Set(_))),
            None => Settings::BasicAuth(BasicAuth::default()).missing(false),
        };
        match change {
            Some(change) if missing.is_empty() => {
                // The secret of the other provider goes, whatever the patch says.
                let secret = match change.secret {
                    SecretChange::Set(secret) => SecretChange::Set(secret),
                    SecretChange::Keep | SecretChange::Drop => SecretChange::Drop,
                };
                let fields = [&[SERVICE_PROVIDER], &change.fields[..]].concat();
                Ok(Change { secret, fields, ..change })
            }
            _ => Err(incomplete_switch(&missing)),
        }
    }

    fn edit_basic_auth(&self, before: &BasicAuth, stored: Option<&EmailConfig>) -> Option<Change> {
        let after = BasicAuth {
            server_address: patched(self.server_address.as_ref(), before.server_address.as_ref()),
            server_port: patched(self.server_port.as_ref(), before.server_port.as_ref()),
            security: patched(self.security.as_ref(), before.security.as_ref()),
            username: patched(self.username.as_ref(), before.username.as_ref()),
            email_address: patched(self.email_address.as_ref(), before.email_address.as_ref()),
            sender_name: patched(self.sender_name.as_ref(), before.sender_name.as_ref()),
        };
        let secret_exists = stored.is_some_and(|stored| stored.secret.is_some());
        let mut fields = after.changed_fields(Some(before));
        let (before, after) = (Settings::BasicAuth(before.clone()), Settings::BasicAuth(after));
        let secret = match &self.password {
            Some(Some(password)) => SecretChange::Set(Arc::clone(password)),
            None if after.keeps_secret_of(&before) => SecretChange::Keep,
            Some(None) | None => SecretChange::Drop,
        };
        let secret_changes = match secret {
            SecretChange::Set(_) => true,
            SecretChange::Drop => secret_exists,
            SecretChange::Keep => false,
        };
        if secret_changes {
            fields.push(EMAIL_PASSWORD);
        }
        if fields.is_empty() {
            return None;
        }
        let sign_in_changes = fields.iter().any(|field| ![EMAIL_ADDRESS, SENDER_NAME].contains(field));
        let health =
            stored.map_or_else(Health::unknown, |stored| stored.health.after_change(sign_in_changes));
        Some(Change { settings: after, secret, health, fields })
    }
}

const PATHS: [&str; 7] = [
    "/username",
    "/serverAddress",
    "/serverPort",
    "/securityType",
    "/emailAddress",
    "/emailPassword",
    "/senderName",
];

fn missing(member: &str, path: &str) -> InputFault {
    InputFault::new(member, Reason::Required, format!("is missing{}", for_field(path)))
}

fn unknown_operation(path: &str) -> InputFault {
    let operations = ["add", "replace", "remove"];
    let statement = format!("is not one of {}{}", operations.join(", "), for_field(path));
    InputFault::new("op", Reason::NotOneOf, statement).with_allowed(operations)
}

fn unknown_path() -> InputFault {
    let statement = format!("is not one of {}", PATHS.join(", "));
    InputFault::new("path", Reason::NotOneOf, statement).with_allowed(PATHS)
}

fn incomplete_switch(missing: &[&str]) -> InputFault {
    let statement = format!(
        "uses Microsoft365; a patch switches it to BasicAuth only where it sets a complete configuration, and {} is \
         missing",
        missing.join(", ")
    );
    InputFault::new("The tenant", Reason::IncompleteSwitch, statement).at(String::new())
}

/// Names the field in a fault of the operation itself, where the path is one of ours.
fn for_field(path: &str) -> String {
    if PATHS.contains(&path) { format!(" for {}", path.trim_start_matches('/')) } else { String::new() }
}

fn patched<T: Clone>(edit: Option<&Option<T>>, before: Option<&T>) -> Option<T> {
    edit.map_or(before, Option::as_ref).cloned()
}
