//! PATCH: three operations on seven paths (a subset of RFC 6902), judged by the document's end state.

use std::sync::Arc;

use serde_json::Value;

use super::fields::{self, Problem};
use super::{BasicAuth, Change, EmailConfig, Health, SecretChange, Settings, keeps_secret};
use crate::egress::{Host, Policy};
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
    pub fn parse(document: Value, policy: &Policy) -> Result<Self, Problem> {
        let Value::Array(operations) = document else {
            return Err("The body is not an array of patch operations".to_owned());
        };
        if operations.is_empty() {
            return Err("The body is an array without an operation".to_owned());
        }
        let mut patch = Self::default();
        for (index, operation) in operations.into_iter().enumerate() {
            patch.add(operation, policy).map_err(|problem| format!("{problem} (operation {index})"))?;
        }
        Ok(patch)
    }

    fn add(&mut self, operation: Value, policy: &Policy) -> Result<(), Problem> {
        let Value::Object(mut members) = operation else {
            return Err("The operation is not an object".to_owned());
        };
        let path = match members.get("path") {
            Some(Value::String(path)) => path.clone(),
            Some(_) => return Err("path is not a string".to_owned()),
            None => return Err("path is missing".to_owned()),
        };
        let sets = match members.get("op").map(Value::as_str) {
            Some(Some("add" | "replace")) => true,
            Some(Some("remove")) => false,
            Some(_) => return Err(format!("op is not one of add, replace, remove{}", at(&path))),
            None => return Err(format!("op is missing{}", at(&path))),
        };
        let value = if sets {
            let missing = || format!("value is missing{}", at(&path));
            Some(members.remove("value").ok_or_else(missing)?)
        } else {
            None
        };
        self.edit(&path, value, policy)
    }

    fn edit(&mut self, path: &str, value: Option<Value>, policy: &Policy) -> Result<(), Problem> {
        let given = value.as_ref();
        match path {
            "/serverAddress" => {
                self.server_address = Some(given.map(|v| fields::server_address(v, policy)).transpose()?);
            }
            "/serverPort" => {
                self.server_port = Some(given.map(|v| fields::server_port(v, policy)).transpose()?);
            }
            "/securityType" => self.security = Some(given.map(fields::security_type).transpose()?),
            "/username" => self.username = Some(given.map(fields::username).transpose()?),
            "/emailAddress" => self.email_address = Some(given.map(fields::email_address).transpose()?),
            "/senderName" => self.sender_name = Some(given.map(fields::sender_name).transpose()?),
            "/emailPassword" => {
                self.password = Some(value.map(fields::email_password).transpose()?.map(Arc::new));
            }
            _ => return Err(UNKNOWN_PATH.to_owned()),
        }
        Ok(())
    }

    /// What the patch makes of what is stored; `None` where nothing changes.
    ///
    /// # Errors
    /// Another provider is stored, and the patch alone is no complete configuration: nothing is inherited.
    pub fn apply(&self, stored: Option<&EmailConfig>) -> Result<Option<Change>, Problem> {
        match stored.map(|stored| &stored.settings) {
            None => Ok(self.edit_basic_auth(&BasicAuth::default(), None)),
            Some(Settings::BasicAuth(basic)) => Ok(self.edit_basic_auth(basic, stored)),
            Some(Settings::Microsoft365(_)) => self.switch_to_basic_auth().map(Some),
        }
    }

    fn switch_to_basic_auth(&self) -> Result<Change, Problem> {
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
                let fields = [&[fields::SERVICE_PROVIDER], &change.fields[..]].concat();
                Ok(Change { secret, fields, ..change })
            }
            _ => Err(format!(
                "The tenant uses Microsoft365; a patch switches it to BasicAuth only where it sets a complete \
                 configuration, and {} is missing",
                missing.join(", ")
            )),
        }
    }

    fn edit_basic_auth(&self, before: &BasicAuth, stored: Option<&EmailConfig>) -> Option<Change> {
        let after = BasicAuth {
            server_address: edited(self.server_address.as_ref(), before.server_address.as_ref()),
            server_port: edited(self.server_port.as_ref(), before.server_port.as_ref()),
            security: edited(self.security.as_ref(), before.security.as_ref()),
            username: edited(self.username.as_ref(), before.username.as_ref()),
            email_address: edited(self.email_address.as_ref(), before.email_address.as_ref()),
            sender_name: edited(self.sender_name.as_ref(), before.sender_name.as_ref()),
        };
        let secret_exists = stored.is_some_and(|stored| stored.secret.is_some());
        let mut fields = changed_fields(before, &after);
        let (before, after) = (Settings::BasicAuth(before.clone()), Settings::BasicAuth(after));
        let secret = match &self.password {
            Some(Some(password)) => SecretChange::Set(Arc::clone(password)),
            None if keeps_secret(&before, &after) => SecretChange::Keep,
            Some(None) | None => SecretChange::Drop,
        };
        let secret_changes = match secret {
            SecretChange::Set(_) => true,
            SecretChange::Drop => secret_exists,
            SecretChange::Keep => false,
        };
        if secret_changes {
            fields.push(fields::EMAIL_PASSWORD);
        }
        if fields.is_empty() {
            return None;
        }
        let harmless = [fields::EMAIL_ADDRESS, fields::SENDER_NAME];
        let judged_anew = fields.iter().any(|field| !harmless.contains(field));
        let health = stored.map_or_else(Health::unknown, |stored| stored.health.after_change(judged_anew));
        Some(Change { settings: after, secret, health, fields })
    }
}

const UNKNOWN_PATH: &str = "path is not one of /username, /serverAddress, /serverPort, /securityType, \
                            /emailAddress, /emailPassword, /senderName";

/// Names the field in a problem with the operation itself, where the path is one of ours.
fn at(path: &str) -> String {
    let known = [
        fields::SERVER_ADDRESS,
        fields::SERVER_PORT,
        fields::SECURITY_TYPE,
        fields::USERNAME,
        fields::EMAIL_ADDRESS,
        fields::EMAIL_PASSWORD,
        fields::SENDER_NAME,
    ];
    path.strip_prefix('/')
        .filter(|name| known.contains(name))
        .map_or_else(String::new, |name| format!(" for {name}"))
}

fn edited<T: Clone>(edit: Option<&Option<T>>, before: Option<&T>) -> Option<T> {
    edit.map_or(before, Option::as_ref).cloned()
}

/// The fields that differ, in the order of the form.
pub(super) fn changed_fields(before: &BasicAuth, after: &BasicAuth) -> Vec<&'static str> {
    let fields = [
        (before.server_address != after.server_address, fields::SERVER_ADDRESS),
        (before.server_port != after.server_port, fields::SERVER_PORT),
        (before.security != after.security, fields::SECURITY_TYPE),
        (before.email_address != after.email_address, fields::EMAIL_ADDRESS),
        (before.username != after.username, fields::USERNAME),
        (before.sender_name != after.sender_name, fields::SENDER_NAME),
    ];
    fields.into_iter().filter_map(|(differs, field)| differs.then_some(field)).collect()
}
