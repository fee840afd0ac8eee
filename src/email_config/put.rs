//! PUT: the whole configuration, read and checked at once.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::{self, MemberReader, PROVIDER_CONFIG, SERVICE_PROVIDER};
use super::settings::Parsed;
use super::{Change, EmailConfig, Health, ProviderKind, SecretChange, Settings};
use crate::egress::Policy;
use crate::error::{InputFault, Reason};
use crate::secret::Secret;

/// A PUT body, read and checked: complete, apart from a secret that is to be kept.
#[derive(Debug)]
pub struct Replacement {
    settings: Settings,
    secret: Option<Arc<Secret>>,
}

impl Replacement {
    /// Reads `{"serviceProvider": …, "providerConfig": {…}}`.
    ///
    /// # Errors
    /// Every fault, one for each field, in the documented order, then the unknown members by name.
    pub fn parse(document: Value, policy: &Policy) -> Result<Self, Vec<InputFault>> {
        let Value::Object(mut body) = document else {
            return Err(vec![InputFault::body(Reason::NotAnObject, "is not an object")]);
        };
        let kind = provider_kind(body.remove(SERVICE_PROVIDER).as_ref());
        let members = provider_config(body.remove(PROVIDER_CONFIG));
        let unknown = body.keys().map(|name| InputFault::unknown_field("", name)).collect();
        let (parsed, faults) = match (kind, members) {
            (Ok(kind), Ok(members)) => parse_settings(kind, members, policy),
            (kind, members) => (None, kind.err().into_iter().chain(members.err()).collect()),
        };
        let faults: Vec<InputFault> = [faults, unknown].concat();
        match parsed {
            Some((settings, secret)) if faults.is_empty() => Ok(Self { settings, secret }),
            _ => Err(faults),
        }
    }

    /// What is to be checked and stored in place of what is there.
    ///
    /// A success of the check is taken for granted in the health: nothing is stored before it.
    ///
    /// # Errors
    /// A secret that was left out and cannot be kept.
    pub fn apply(&self, stored: Option<&EmailConfig>) -> Result<Change, InputFault> {
        let secret_is_stored = stored.is_some_and(|stored| stored.secret.is_some());
        let secret = match &self.secret {
            Some(secret) => SecretChange::Set(Arc::clone(secret)),
            None if !self.needs_secret() => SecretChange::Drop,
            None => self.keep_secret(stored)?,
        };
        let mut fields = self.settings.changed_fields(stored.map(|stored| &stored.settings));
        let secret_changes = match secret {
            SecretChange::Set(_) => true,
            SecretChange::Drop => secret_is_stored,
            SecretChange::Keep => false,
        };
        if secret_changes {
            fields.push(self.settings.secret_field());
        }
        Ok(Change { settings: self.settings.clone(), secret, health: Health::unknown(), fields })
    }

    fn needs_secret(&self) -> bool {
        !self.settings.missing(false).is_empty()
    }

    /// Keeps the stored secret, where it was entered for this very destination.
    fn keep_secret(&self, stored: Option<&EmailConfig>) -> Result<SecretChange, InputFault> {
        let same_provider =
            stored.filter(|stored| stored.secret.is_some() && stored.settings.kind() == self.settings.kind());
        if same_provider.is_some_and(|stored| self.settings.keeps_secret_of(&stored.settings)) {
            return Ok(SecretChange::Keep);
        }
        Err(self.settings.secret_not_kept(same_provider.is_some()).within(PROVIDER_CONFIG))
    }
}

fn provider_kind(value: Option<&Value>) -> Result<ProviderKind, InputFault> {
    let Some(value) = value else { return Err(InputFault::required(SERVICE_PROVIDER)) };
    if !value.is_string() {
        return Err(InputFault::new(SERVICE_PROVIDER, Reason::NotAString, "is not a string"));
    }
    let words = ProviderKind::ALL.map(ProviderKind::as_str);
    fields::one_of(SERVICE_PROVIDER, value, &words, ProviderKind::parse)
}

fn provider_config(value: Option<Value>) -> Result<Map<String, Value>, InputFault> {
    match value {
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(InputFault::new(PROVIDER_CONFIG, Reason::NotAnObject, "is not an object")),
        None => Err(InputFault::required(PROVIDER_CONFIG)),
    }
}

fn parse_settings(
    kind: ProviderKind,
    mut members: Map<String, Value>,
    policy: &Policy,
) -> (Option<Parsed>, Vec<InputFault>) {
    let mut reader = MemberReader::new(&mut members);
    let parsed = Settings::parse(kind, &mut reader, policy);
    let faults = reader.into_faults().into_iter().map(|fault| fault.within(PROVIDER_CONFIG));
    let faults: Vec<InputFault> = faults.collect();
    let unknown = members.keys().map(|name| InputFault::unknown_field(PROVIDER_CONFIG, name));
    (parsed, faults.into_iter().chain(unknown).collect())
}
