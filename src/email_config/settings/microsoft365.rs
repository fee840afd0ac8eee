//! The provider `Microsoft365`: an app of the tenant's own that sends from one mailbox.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::{Parsed, ProviderKind, ProviderSettings, RowError, Settings, SettingsRow, with_length};
use crate::egress::Host;
use crate::email_config::fields::{
    self, CLIENT_ID, CLIENT_SECRET, EMAIL_ADDRESS, MemberReader, PROVIDER_TENANT_ID,
};
use crate::error::{InputFault, Reason};
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::secret::Secret;

/// The longest client ID, in bytes. Microsoft's have 36.
const MAX_CLIENT_ID_BYTES: usize = 128;

const EXAMPLE_GUID: &str = "12345678-1234-1234-1234-123456789012";

/// An app of Microsoft 365 that sends from one mailbox. It is only ever set as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Microsoft365 {
    pub client_id: String,
    /// The directory: a GUID, or a verified domain name; in lower case.
    pub provider_tenant: String,
    /// The mailbox, and From.
    pub email_address: EmailAddress,
}

/// Reads the `providerConfig` of a PUT: every fault, in the documented order.
pub(super) fn parse(reader: &mut MemberReader<'_>) -> Option<Parsed> {
    let secret_left_out = !reader.has(CLIENT_SECRET);
    let client_id = reader.required(CLIENT_ID, client_id);
    let secret = reader.secret(CLIENT_SECRET, client_secret);
    let position_of_secret = reader.fault_count();
    let provider_tenant = reader.required(PROVIDER_TENANT_ID, provider_tenant);
    let email_address = reader.required(EMAIL_ADDRESS, fields::email_address);
    if secret_left_out && (client_id.is_none() || provider_tenant.is_none()) {
        // Without a destination there is none that the stored one could have been entered for.
        reader.insert(position_of_secret, InputFault::required(CLIENT_SECRET));
    }
    let app = Microsoft365 {
        client_id: client_id?,
        provider_tenant: provider_tenant?,
        email_address: email_address?,
    };
    Some((Settings::Microsoft365(app), secret.map(Arc::new)))
}

impl ProviderSettings for Microsoft365 {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Microsoft365
    }

    fn secret_field(&self) -> &'static str {
        CLIENT_SECRET
    }

    fn email_address(&self) -> Option<&EmailAddress> {
        Some(&self.email_address)
    }

    /// Microsoft shows the mailbox's own name.
    fn sender_name(&self) -> Option<&HeaderText> {
        None
    }

    fn missing(&self, secret_exists: bool) -> Vec<&'static str> {
        if secret_exists { Vec::new() } else { vec![CLIENT_SECRET] }
    }

    fn destination(&self) -> String {
        let parts = ["microsoft365", &self.provider_tenant, &self.client_id];
        parts.into_iter().map(|part| with_length(Some(part))).collect()
    }

    fn to_row(&self) -> SettingsRow {
        SettingsRow {
            email_address: Some(self.email_address.to_string()),
            client_id: Some(self.client_id.clone()),
            provider_tenant_id: Some(self.provider_tenant.clone()),
            ..SettingsRow::default()
        }
    }

    fn secret_is_required(&self) -> InputFault {
        InputFault::required(CLIENT_SECRET)
    }

    fn other_destination(&self) -> &'static str {
        "app or directory"
    }
}

impl Microsoft365 {
    pub(super) fn from_row(row: SettingsRow) -> Result<Self, RowError> {
        let missing = |column| move || RowError::new(column, &"is missing");
        let email_address = row.email_address.ok_or_else(missing("email_address"))?;
        Ok(Self {
            client_id: row.client_id.ok_or_else(missing("client_id"))?,
            provider_tenant: row.provider_tenant_id.ok_or_else(missing("provider_tenant_id"))?,
            email_address: EmailAddress::parse(&email_address)
                .map_err(|error| RowError::new("email_address", &error))?,
        })
    }

    pub(super) fn keeps_client_secret_of(&self, before: &Self) -> bool {
        before.client_id == self.client_id && before.provider_tenant == self.provider_tenant
    }

    /// The fields that differ, in the order of the form; all where there is nothing to compare with.
    pub(super) fn changed_fields(&self, before: Option<&Self>) -> Vec<&'static str> {
        let differs = |same: fn(&Self, &Self) -> bool| before.is_none_or(|before| !same(before, self));
        let fields = [
            (differs(|before, after| before.client_id == after.client_id), CLIENT_ID),
            (differs(|before, after| before.provider_tenant == after.provider_tenant), PROVIDER_TENANT_ID),
            (differs(|before, after| before.email_address == after.email_address), EMAIL_ADDRESS),
        ];
        fields.into_iter().filter_map(|(differs, field)| differs.then_some(field)).collect()
    }
}

/// The ID of an app: a GUID, or one of its Application ID URIs.
///
/// # Errors
/// Anything else.
pub fn client_id(value: &Value) -> Result<String, InputFault> {
    let text = fields::text(CLIENT_ID, value)?;
    fields::check_length(CLIENT_ID, text, MAX_CLIENT_ID_BYTES)?;
    if is_guid(text) || is_application_uri(text) {
        return Ok(text.to_owned());
    }
    let statement = format!("is not an Application (client) ID, such as {EXAMPLE_GUID}");
    Err(InputFault::new(CLIENT_ID, Reason::NotAClientId, statement))
}

/// The directory of an app: a GUID, or a domain name of at least two labels.
///
/// # Errors
/// Anything else. Words that stand for every directory (`common`, `organizations`, `consumers`) are none.
pub fn provider_tenant(value: &Value) -> Result<String, InputFault> {
    let text = fields::text(PROVIDER_TENANT_ID, value)?;
    if is_guid(text) {
        return Ok(text.to_ascii_lowercase());
    }
    match Host::parse(text) {
        Ok(Host::Name(name)) if name.contains('.') => Ok(name),
        _ => Err(InputFault::new(
            PROVIDER_TENANT_ID,
            Reason::NotADirectory,
            format!("is neither a Directory (tenant) ID, such as {EXAMPLE_GUID}, nor a domain name"),
        )),
    }
}

/// # Errors
/// As those of a password, and the form of a GUID: then it is the secret's ID, which Microsoft shows beside it.
pub fn client_secret(value: Value) -> Result<Secret, InputFault> {
    let secret = fields::secret(CLIENT_SECRET, "client secret", value)?;
    if is_guid(secret.expose().trim()) {
        return Err(InputFault::new(
            CLIENT_SECRET,
            Reason::SecretId,
            "looks like the Secret ID; enter the Value of the client secret, which Microsoft shows once when it is made",
        ));
    }
    Ok(secret)
}

/// With hyphens, as Microsoft shows them: the parser takes other forms too.
fn is_guid(text: &str) -> bool {
    text.len() == EXAMPLE_GUID.len() && Uuid::try_parse(text).is_ok()
}

/// `api://…` or `https://…`. The characters are those that need no quoting in a link or a command.
fn is_application_uri(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        ["api", "https", "http"].contains(&scheme)
            && rest.starts_with(|first: char| first.is_ascii_alphanumeric())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_a_guid_or_a_uri() {
        for (text, good) in [
            (EXAMPLE_GUID, true),
            ("ABCDEF01-1234-1234-1234-123456789012", true),
            ("api://12345678-1234-1234-1234-123456789012", true),
            ("https://contoso.example/mail", true),
            ("mailer", false),
            ("mailer@contoso.example", false),
            ("12345678123412341234123456789012", false),
            ("{12345678-1234-1234-1234-123456789012}", false),
            ("12345678-1234-1234-1234-12345678901g", false),
            ("api://", false),
            ("api://x'; Remove-Mailbox", false),
            ("javascript://x", false),
        ] {
            let read = client_id(&Value::from(text));
            assert_eq!(read.is_ok(), good, "{text}");
            assert!(good || read.is_err_and(|fault| fault.reason == Reason::NotAClientId), "{text}");
        }
    }
}
