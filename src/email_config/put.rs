//! PUT: the whole configuration, read and checked at once.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::{self, Problem};
use super::patch::changed_fields;
use super::{BasicAuth, Change, EmailConfig, Health, Microsoft365, SecretChange, Settings, keeps_secret};
use crate::egress::Policy;
use crate::secret::Secret;

/// A PUT body, read and checked: complete, apart from a secret that is to be kept.
#[derive(Debug)]
pub struct Replacement {
    settings: Settings,
    secret: Option<Arc<Secret>>,
}

/// What a PUT body may name as its `serviceProvider`.
#[derive(Clone, Copy)]
enum Provider {
    BasicAuth,
    Microsoft365,
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
        let provider = keep(provider(body.remove(fields::SERVICE_PROVIDER)), &mut problems);
        let members = match body.remove("providerConfig") {
            Some(Value::Object(members)) => Ok(members),
            Some(_) => Err("providerConfig is not an object".to_owned()),
            None => Err("providerConfig is required".to_owned()),
        };
        let members = keep(members, &mut problems);
        let replacement = provider.zip(members).map(|(provider, members)| match provider {
            Provider::BasicAuth => Some(Self::basic_auth(members, policy, &mut problems)),
            Provider::Microsoft365 => Self::microsoft365(members, &mut problems),
        });
        problems.extend(body.keys().map(|name| fields::unknown(name)));
        replacement.flatten().filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn microsoft365(mut members: Map<String, Value>, problems: &mut Vec<Problem>) -> Option<Self> {
        let secret_left_out = !members.contains_key(fields::CLIENT_SECRET);
        let mut later = Vec::new();
        let client_id =
            Reader { members: &mut members, problems }.required(fields::CLIENT_ID, fields::client_id);
        let mut reader = Reader { members: &mut members, problems: &mut later };
        let secret = reader.secret(fields::CLIENT_SECRET, fields::client_secret);
        let provider_tenant = reader.required(fields::PROVIDER_TENANT_ID, fields::provider_tenant);
        let email_address = reader.required(fields::EMAIL_ADDRESS, fields::email_address);
        if secret_left_out && (client_id.is_none() || provider_tenant.is_none()) {
            // Without a destination there is none that the stored one could have been entered for.
            problems.push(format!("{} is required", fields::CLIENT_SECRET));
        }
        problems.append(&mut later);
        problems.extend(members.keys().map(|name| fields::unknown(&format!("providerConfig.{name}"))));
        let app = Microsoft365 {
            client_id: client_id?,
            provider_tenant: provider_tenant?,
            email_address: email_address?,
        };
        Some(Self { settings: Settings::Microsoft365(app), secret })
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
        Self { settings: Settings::BasicAuth(BasicAuth { sender_name, ..basic }), secret: password }
    }

    /// What is to be checked and stored in place of what is there.
    ///
    /// A success of the check is taken for granted in the health: nothing is stored before it.
    ///
    /// # Errors
    /// A secret that was left out and cannot be kept.
    pub fn apply(&self, stored: Option<&EmailConfig>) -> Result<Change, Problem> {
        let secret_is_stored = stored.is_some_and(|stored| stored.secret.is_some());
        let secret = match &self.secret {
            Some(secret) => SecretChange::Set(Arc::clone(secret)),
            None if !self.needs_secret() => SecretChange::Drop,
            None => self.kept_secret(stored)?,
        };
        let mut changed = match (stored.map(|stored| &stored.settings), &self.settings) {
            (Some(before), after) => changed_settings(before, after),
            (None, after) => all_fields(after),
        };
        let secret_changes = match secret {
            SecretChange::Set(_) => true,
            SecretChange::Drop => secret_is_stored,
            SecretChange::Keep => false,
        };
        if secret_changes {
            changed.push(self.settings.secret_field());
        }
        Ok(Change { settings: self.settings.clone(), secret, health: Health::unknown(), fields: changed })
    }

    fn needs_secret(&self) -> bool {
        !self.settings.missing(false).is_empty()
    }

    /// The stored secret, where it was entered for this very destination.
    fn kept_secret(&self, stored: Option<&EmailConfig>) -> Result<SecretChange, Problem> {
        let field = self.settings.secret_field();
        let same_provider = stored.filter(|stored| {
            stored.secret.is_some() && stored.settings.provider_name() == self.settings.provider_name()
        });
        match (same_provider, &self.settings) {
            (Some(stored), _) if keeps_secret(&stored.settings, &self.settings) => Ok(SecretChange::Keep),
            (Some(_), Settings::BasicAuth(_)) => Err(format!(
                "{field} must be entered again: the stored one belongs to another server or user name"
            )),
            (Some(_), Settings::Microsoft365(_)) => Err(format!(
                "{field} must be entered again: the stored one belongs to another app or directory"
            )),
            (None, Settings::BasicAuth(_)) => Err(format!("{field} is required beside username")),
            (None, Settings::Microsoft365(_)) => Err(format!("{field} is required")),
        }
    }
}

fn provider(value: Option<Value>) -> Result<Provider, Problem> {
    match value {
        Some(Value::String(name)) => match name.as_str() {
            "BasicAuth" => Ok(Provider::BasicAuth),
            "Microsoft365" => Ok(Provider::Microsoft365),
            _ => Err("serviceProvider is not one of BasicAuth, Microsoft365".to_owned()),
        },
        Some(_) => Err("serviceProvider is not a string".to_owned()),
        None => Err("serviceProvider is required".to_owned()),
    }
}

/// The fields that differ, in the order of the form; all of them where the provider is another one.
fn changed_settings(before: &Settings, after: &Settings) -> Vec<&'static str> {
    match (before, after) {
        (Settings::BasicAuth(before), Settings::BasicAuth(after)) => changed_fields(before, after),
        (Settings::Microsoft365(before), Settings::Microsoft365(after)) => {
            let fields = [
                (before.client_id != after.client_id, fields::CLIENT_ID),
                (before.provider_tenant != after.provider_tenant, fields::PROVIDER_TENANT_ID),
                (before.email_address != after.email_address, fields::EMAIL_ADDRESS),
            ];
            fields.into_iter().filter_map(|(differs, field)| differs.then_some(field)).collect()
        }
        (_, after) => [vec![fields::SERVICE_PROVIDER], all_fields(after)].concat(),
    }
}

fn all_fields(settings: &Settings) -> Vec<&'static str> {
    match settings {
        Settings::BasicAuth(basic) => changed_fields(&BasicAuth::default(), basic),
        Settings::Microsoft365(_) => {
            vec![fields::CLIENT_ID, fields::PROVIDER_TENANT_ID, fields::EMAIL_ADDRESS]
        }
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
        keep(read(&value), self.problems)
    }

    fn secret(
        &mut self,
        field: &str,
        read: impl Fn(Value) -> Result<Secret, Problem>,
    ) -> Option<Arc<Secret>> {
        let value = self.members.remove(field)?;
        keep(read(value), self.problems).map(Arc::new)
    }
}

fn keep<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}
