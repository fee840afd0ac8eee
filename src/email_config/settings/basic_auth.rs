//! The provider `BasicAuth`: an SMTP server, with or without a sign-in.

use std::sync::Arc;

use serde_json::Value;

use super::{Parsed, ProviderKind, ProviderSettings, RowError, Settings, SettingsRow, with_length};
use crate::egress::{Host, Policy, Refusal};
use crate::email_config::fields::{
    self, EMAIL_ADDRESS, EMAIL_PASSWORD, MemberReader, SECURITY_TYPE, SENDER_NAME, SERVER_ADDRESS,
    SERVER_PORT, USERNAME,
};
use crate::error::{InputFault, Reason};
use crate::mail::address::EmailAddress;
use crate::mail::message::HeaderText;
use crate::secret::Secret;
use crate::smtp::Security;

/// An SMTP server, with or without a sign-in.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct BasicAuth {
    pub server_address: Option<Host>,
    pub server_port: Option<u16>,
    pub security: Option<Security>,
    pub username: Option<String>,
    /// From and `MAIL FROM`; never a name to sign in with.
    pub email_address: Option<EmailAddress>,
    pub sender_name: Option<HeaderText>,
}

/// Reads the `providerConfig` of a PUT: every fault, in the documented order.
pub(super) fn parse(reader: &mut MemberReader<'_>, policy: &Policy) -> Parsed {
    let username_left_out = !reader.has(USERNAME);
    let basic = BasicAuth {
        server_address: reader.required(SERVER_ADDRESS, |value| server_address(value, policy)),
        server_port: reader.required(SERVER_PORT, |value| server_port(value, policy)),
        security: reader.required(SECURITY_TYPE, security_type),
        email_address: reader.required(EMAIL_ADDRESS, fields::email_address),
        username: reader.optional(USERNAME, username),
        sender_name: None,
    };
    let password = reader.secret(EMAIL_PASSWORD, email_password);
    if password.is_some() && username_left_out {
        reader.add(InputFault::required(USERNAME).with_words(" beside emailPassword"));
    }
    let sender_name = reader.optional(SENDER_NAME, sender_name);
    (Settings::BasicAuth(BasicAuth { sender_name, ..basic }), password.map(Arc::new))
}

impl ProviderSettings for BasicAuth {
    fn kind(&self) -> ProviderKind {
        ProviderKind::BasicAuth
    }

    fn secret_field(&self) -> &'static str {
        EMAIL_PASSWORD
    }

    fn email_address(&self) -> Option<&EmailAddress> {
        self.email_address.as_ref()
    }

    fn sender_name(&self) -> Option<&HeaderText> {
        self.sender_name.as_ref()
    }

    /// Complete is: server, port, security and sender address, and user name and password both or neither.
    fn missing(&self, password_exists: bool) -> Vec<&'static str> {
        let needed = [
            (self.server_address.is_none(), SERVER_ADDRESS),
            (self.server_port.is_none(), SERVER_PORT),
            (self.security.is_none(), SECURITY_TYPE),
            (self.email_address.is_none(), EMAIL_ADDRESS),
            (self.username.is_none() && password_exists, USERNAME),
            (self.username.is_some() && !password_exists, EMAIL_PASSWORD),
        ];
        needed.into_iter().filter_map(|(missing, field)| missing.then_some(field)).collect()
    }

    /// The security type counts as encrypted or not: StartTLS and SSL/TLS are equal, since neither falls back.
    fn destination(&self) -> String {
        let host = self.server_address.as_ref().map(Host::to_text);
        let port = self.server_port.map(|port| port.to_string());
        let channel = self.security.map(|security| match security {
            Security::None => "clear",
            Security::StartTls | Security::Tls => "tls",
        });
        let parts = [Some("smtp"), host.as_deref(), port.as_deref(), channel, self.username.as_deref()];
        parts.into_iter().map(with_length).collect()
    }

    fn to_row(&self) -> SettingsRow {
        SettingsRow {
            server_address: self.server_address.as_ref().map(ToString::to_string),
            server_port: self.server_port.map(i64::from),
            security_type: self.security.map(|security| security.as_str().to_owned()),
            username: self.username.clone(),
            email_address: self.email_address.as_ref().map(ToString::to_string),
            sender_name: self.sender_name.as_ref().map(|name| name.as_str().to_owned()),
            ..SettingsRow::default()
        }
    }

    fn secret_is_required(&self) -> InputFault {
        InputFault::required(EMAIL_PASSWORD).with_words(" beside username")
    }

    fn other_destination(&self) -> &'static str {
        "server or user name"
    }
}

impl BasicAuth {
    pub(super) fn from_row(row: SettingsRow) -> Result<Self, RowError> {
        fn parsed<T, E: ToString>(
            column: &'static str,
            text: Option<String>,
            parse: impl FnOnce(&str) -> Result<T, E>,
        ) -> Result<Option<T>, RowError> {
            text.map(|text| parse(&text).map_err(|error| RowError::new(column, &error))).transpose()
        }
        let security = |text: &str| Security::parse(text).ok_or("is not one of ours");
        let port = |port| u16::try_from(port).map_err(|_| RowError::new("server_port", &"is no port number"));
        Ok(Self {
            server_address: parsed("server_address", row.server_address, Host::parse)?,
            server_port: row.server_port.map(port).transpose()?,
            security: parsed("security_type", row.security_type, security)?,
            username: row.username,
            email_address: parsed("email_address", row.email_address, EmailAddress::parse)?,
            sender_name: parsed("sender_name", row.sender_name, HeaderText::parse)?,
        })
    }

    pub(super) fn keeps_password_of(&self, before: &Self) -> bool {
        kept(before.server_address.as_ref(), self.server_address.as_ref())
            && kept(before.server_port.as_ref(), self.server_port.as_ref())
            && kept(before.username.as_ref(), self.username.as_ref())
            && !is_weaker(before.security, self.security)
    }

    /// The fields that differ, in the order of the form; those that are set where there is nothing to compare with.
    pub(in crate::email_config) fn changed_fields(&self, before: Option<&Self>) -> Vec<&'static str> {
        let nothing = Self::default();
        let before = before.unwrap_or(&nothing);
        let fields = [
            (before.server_address != self.server_address, SERVER_ADDRESS),
            (before.server_port != self.server_port, SERVER_PORT),
            (before.security != self.security, SECURITY_TYPE),
            (before.email_address != self.email_address, EMAIL_ADDRESS),
            (before.username != self.username, USERNAME),
            (before.sender_name != self.sender_name, SENDER_NAME),
        ];
        fields.into_iter().filter_map(|(differs, field)| differs.then_some(field)).collect()
    }
}

fn kept<T: PartialEq>(before: Option<&T>, after: Option<&T>) -> bool {
    before.is_none() || before == after
}

/// Whether what was encrypted may no longer be.
fn is_weaker(before: Option<Security>, after: Option<Security>) -> bool {
    match (before, after) {
        (None, _) | (Some(Security::None), Some(_)) => false,
        (Some(Security::StartTls | Security::Tls), Some(after)) => after == Security::None,
        (Some(_), None) => true,
    }
}

/// # Errors
/// Not a string, empty, no host name, or a destination that this installation refuses.
pub fn server_address(value: &Value, policy: &Policy) -> Result<Host, InputFault> {
    let text = fields::text(SERVER_ADDRESS, value)?;
    let host = Host::parse(text).map_err(|error| InputFault::value(SERVER_ADDRESS, &error))?;
    policy.check_destination(Some(&host), None).map_err(|refusal| refused(&refusal))?;
    Ok(host)
}

/// An integer, or its digits as a string.
///
/// # Errors
/// Not a port, or not one that this installation allows.
pub fn server_port(value: &Value, policy: &Policy) -> Result<u16, InputFault> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) if is_digits(digits) => digits.parse().ok(),
        _ => None,
    };
    let port = number.and_then(|number| u16::try_from(number).ok()).filter(|port| *port != 0);
    let not_a_port = || InputFault::new(SERVER_PORT, Reason::OutOfRange, "is not a port number (1 to 65535)");
    let port = port.ok_or_else(not_a_port)?;
    policy.check_destination(None, Some(port)).map_err(|refusal| refused(&refusal))?;
    Ok(port)
}

/// # Errors
/// Not one of the three words.
pub fn security_type(value: &Value) -> Result<Security, InputFault> {
    fields::one_of(SECURITY_TYPE, value, &["none", "StartTLS", "SSL/TLS"], Security::parse)
}

/// # Errors
/// Not a string, empty, too long, or with a control character.
pub fn username(value: &Value) -> Result<String, InputFault> {
    let text = fields::text(USERNAME, value)?;
    if text.chars().any(char::is_control) {
        let statement = "contains a line break or another control character";
        return Err(InputFault::new(USERNAME, Reason::ControlCharacter, statement));
    }
    fields::check_length(USERNAME, text, fields::MAX_CREDENTIAL_BYTES)?;
    Ok(text.to_owned())
}

/// # Errors
/// Not a string, empty, too long, or with a character that breaks the line or changes the direction of the text.
pub fn sender_name(value: &Value) -> Result<HeaderText, InputFault> {
    let text = fields::text(SENDER_NAME, value)?;
    // They could make an address look like another one in the recipient's mail program.
    if text.chars().any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        let statement = "contains an invisible character that changes the direction of the text";
        return Err(InputFault::new(SENDER_NAME, Reason::InvisibleCharacter, statement));
    }
    HeaderText::parse(text).map_err(|error| InputFault::value(SENDER_NAME, &error))
}

/// A password is taken as it is, never trimmed.
///
/// # Errors
/// Not a string, empty, too long, made of mask characters, or with CR, LF or NUL, which no sign-in can carry.
pub fn email_password(value: Value) -> Result<Secret, InputFault> {
    fields::secret(EMAIL_PASSWORD, "password", value)
}

fn refused(refusal: &Refusal) -> InputFault {
    match refusal {
        Refusal::Address { .. } => InputFault::new(
            SERVER_ADDRESS,
            Reason::AddressNotAllowed,
            "is an address that this service does not connect to; its operator can allow it with egress.allow",
        ),
        Refusal::OwnGateway => InputFault::new(
            SERVER_ADDRESS,
            Reason::OwnGateway,
            "is the SMTP gateway of this service; enter the server of the mail account",
        ),
        Refusal::Name => InputFault::new(
            SERVER_ADDRESS,
            Reason::NameNotAllowed,
            "is a name that this service does not connect to; use a full domain name, or ask its operator to allow \
             it with egress.allow_hosts",
        ),
        Refusal::Port { allowed } => {
            let ports: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            let statement = format!(
                "is not an allowed mail port here ({}); the operator can add it to egress.ports",
                ports.join(", ")
            );
            InputFault::new(SERVER_PORT, Reason::PortNotAllowed, statement).with_allowed(ports)
        }
    }
}
