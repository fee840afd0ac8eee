//! PUT: the whole configuration, read and checked at once.

use serde_json::{Map, Value};

use super::fields::{self, Problem};
use super::patch::changed_fields;
use super::{BasicAuth, Change, EmailConfig, Health, SecretChange, Settings, keeps_secret};
use crate::egress::Policy;
use crate::secret::Secret;

/// A PUT body, read and checked: complete, apart from a password that is to be kept.
#[derive(Debug)]
pub struct Replacement {
    settings: Settings,
    password: Option<Secret>,
}

impl Replacement {
    /// Reads `{"serviceProvider": …, "providerConfig": {…}}`.
    ///
    /// # Errors
    /// Every fault, one for each field, in the documented order, then the unknown members by name.
    pub fn parse(document: Value, policy: &Policy) -> Result<Self, Vec<Problem>> {
        let Value::Object(mut body) = document else {
            return Err(vec!["The body is not an object".to_owned()]);
        };
        let mut problems = Vec::new();
        match body.remove("serviceProvider") {
            Some(Value::String(name)) if name == "BasicAuth" => {}
            Some(Value::String(name)) if name == "Microsoft365" => {
                problems.push(
                    "serviceProvider Microsoft365 is not available in this version; use BasicAuth".to_owned(),
                );
            }
            Some(Value::String(_)) => {
                problems.push("serviceProvider is not one of BasicAuth, Microsoft365".to_owned());
            }
            Some(_) => problems.push("serviceProvider is not a string".to_owned()),
            None => problems.push("serviceProvider is required".to_owned()),
        }
        let provider_config = match body.remove("providerConfig") {
            Some(Value::Object(members)) => Some(members),
            Some(_) => {
                problems.push("providerConfig is not an object".to_owned());
                None
            }
            None => {
                problems.push("providerConfig is required".to_owned());
                None
            }
        };
        if let Some(provider_config) = provider_config.filter(|_| problems.is_empty()) {
            let replacement = Self::basic_auth(provider_config, policy, &mut problems);
            problems.extend(body.keys().map(|name| fields::unknown(name)));
            if problems.is_empty() {
                return Ok(replacement);
            }
        } else {
            problems.extend(body.keys().map(|name| fields::unknown(name)));
        }
        Err(problems)
    }

    fn basic_auth(mut members: Map<String, Value>, policy: &Policy, problems: &mut Vec<Problem>) -> Self {
        let username_left_out = !members.contains_key(fields::USERNAME);
        let mut reader = Reader { members: &mut members, problems };
        let basic = BasicAuth {
            server_address: reader.required(fields::SERVER_ADDRESS, |v| fields::server_address(v, policy)),
            server_port: reader.required(fields::SERVER_PORT, |v| fields::server_port(v, policy)),
            security: reader.required(fields::SECURITY_TYPE, fields::security_type),
            email_address: reader.required(fields::EMAIL_ADDRESS, fields::email_address),
            username: reader.optional(fields::USERNAME, fields::username),
            sender_name: None,
        };
        let password = reader.secret(fields::EMAIL_PASSWORD, fields::email_password);
        if password.is_some() && username_left_out {
            reader.problems.push(format!("{} is required beside emailPassword", fields::USERNAME));
        }
        let sender_name = reader.optional(fields::SENDER_NAME, fields::sender_name);
        problems.extend(members.keys().map(|name| fields::unknown(&format!("providerConfig.{name}"))));
        Self { settings: Settings::BasicAuth(BasicAuth { sender_name, ..basic }), password }
    }

    /// What is to be checked and stored in place of what is there.
    ///
    /// A success of the check is taken for granted in the health: nothing is stored before it.
    ///
    /// # Errors
    /// A password that was left out and cannot be kept.
    pub fn apply(&self, stored: Option<&EmailConfig>) -> Result<Change<'_>, Problem> {
        let Settings::BasicAuth(after) = &self.settings;
        let before = stored.map(|stored| &stored.settings);
        let stored_secret = stored.and_then(|stored| stored.secret.as_ref());
        let secret = match (&after.username, &self.password) {
            (_, Some(password)) => SecretChange::Set(password),
            (None, None) => SecretChange::Drop,
            (Some(_), None) => {
                if stored_secret.is_none() {
                    return Err(format!("{} is required beside username", fields::EMAIL_PASSWORD));
                }
                if !before.is_some_and(|before| keeps_secret(before, &self.settings)) {
                    return Err(format!(
                        "{} must be entered again: the stored one belongs to another server or user name",
                        fields::EMAIL_PASSWORD
                    ));
                }
                SecretChange::Keep
            }
        };
        let mut fields = match before {
            Some(Settings::BasicAuth(before)) => changed_fields(before, after),
            None => changed_fields(&BasicAuth::default(), after),
        };
        let secret_changes = match secret {
            SecretChange::Set(_) => true,
            SecretChange::Drop => stored_secret.is_some(),
            SecretChange::Keep => false,
        };
        if secret_changes {
            fields.push(fields::EMAIL_PASSWORD);
        }
        Ok(Change { settings: self.settings.clone(), secret, health: Health::unknown(), fields })
    }
}

/// Takes fields out of an object and gathers what is wrong with them.
struct Reader<'a> {
    members: &'a mut Map<String, Value>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn required<T>(&mut self, field: &str, read: impl Fn(&Value) -> Result<T, Problem>) -> Option<T> {
        if !self.members.contains_key(field) {
            self.problems.push(format!("{field} is required"));
            return None;
        }
        self.optional(field, read)
    }

    fn optional<T>(&mut self, field: &str, read: impl Fn(&Value) -> Result<T, Problem>) -> Option<T> {
        let value = self.members.remove(field)?;
        self.keep(read(&value))
    }

    fn secret(&mut self, field: &str, read: impl Fn(Value) -> Result<Secret, Problem>) -> Option<Secret> {
        let value = self.members.remove(field)?;
        self.keep(read(value))
    }

    fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }
}
