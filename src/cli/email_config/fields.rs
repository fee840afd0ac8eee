//! The fields of a configuration as options, named as in the API.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::input;
use super::server_options::{SecretArgument, warn_of_visible_secret};
use crate::cli::values::whole_number;
use crate::email_config::fields;
use crate::secret::Secret;
use crate::smtp::Security;

/// Fields of an SMTP account. Each is also accepted as `--providerConfig-NAME`, as the public command line writes it.
#[derive(Debug, Args)]
#[command(next_help_heading = "SMTP account")]
pub(super) struct Smtp {
    /// Domain name or IP address of the SMTP server.
    #[arg(long = "serverAddress", alias = "providerConfig-serverAddress", value_name = "HOST")]
    server_address: Option<String>,

    /// Port of the SMTP server.
    #[arg(long = "serverPort", alias = "providerConfig-serverPort", value_name = "PORT",
          value_parser = whole_number::<u16>(1..=65_535))]
    server_port: Option<u16>,

    /// How the connection is secured.
    #[arg(long = "securityType", alias = "providerConfig-securityType", value_name = "TYPE", value_enum)]
    security_type: Option<Security>,

    /// User name; needs a password.
    #[arg(long, alias = "providerConfig-username", value_name = "NAME")]
    username: Option<String>,

    /// File with the password; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "email_password")]
    pub email_password_file: Option<PathBuf>,

    /// The password. Other users of this machine can see it: prefer --email-password-file.
    #[arg(long = "emailPassword", alias = "providerConfig-emailPassword", value_name = "PASSWORD")]
    email_password: Option<SecretArgument>,

    /// Display name in From.
    #[arg(long = "senderName", alias = "providerConfig-senderName", value_name = "NAME")]
    sender_name: Option<String>,

    /// Address that mail is sent from.
    #[arg(long = "emailAddress", alias = "providerConfig-emailAddress", value_name = "ADDRESS")]
    email_address: Option<String>,
}

/// Fields of a Microsoft 365 app, beside the sender address.
#[derive(Debug, Args)]
#[command(next_help_heading = "Microsoft 365")]
pub(super) struct Microsoft365 {
    /// Application (client) ID.
    #[arg(long = "clientId", alias = "providerConfig-clientId", value_name = "ID")]
    client_id: Option<String>,

    /// Directory (tenant) ID.
    #[arg(long = "providerTenantId", alias = "providerConfig-providerTenantId", value_name = "ID")]
    provider_tenant_id: Option<String>,

    /// File with the client secret; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret")]
    pub client_secret_file: Option<PathBuf>,

    /// The client secret. Other users of this machine can see it: prefer --client-secret-file.
    #[arg(long = "clientSecret", alias = "providerConfig-clientSecret", value_name = "SECRET")]
    client_secret: Option<SecretArgument>,
}

impl ValueEnum for Security {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

/// Fields and their values, in the order of the form.
pub(super) type Set = Vec<(&'static str, Value)>;

impl Smtp {
    /// The given fields. Reads the password's file.
    pub fn set(self) -> Result<Set, Failure> {
        let password = secret(
            ("--email-password-file", self.email_password_file),
            ("--emailPassword", self.email_password),
        )?;
        let mut set = Set::new();
        add(&mut set, fields::SERVER_ADDRESS, self.server_address);
        set.extend(self.server_port.map(|port| (fields::SERVER_PORT, Value::from(port))));
        add(&mut set, fields::SECURITY_TYPE, self.security_type.map(Security::as_str));
        add(&mut set, fields::USERNAME, self.username);
        add(&mut set, fields::EMAIL_PASSWORD, password.as_ref().map(Secret::expose));
        add(&mut set, fields::EMAIL_ADDRESS, self.email_address);
        add(&mut set, fields::SENDER_NAME, self.sender_name);
        Ok(set)
    }
}

impl Microsoft365 {
    /// The given fields. Reads the secret's file.
    pub fn set(self) -> Result<Set, Failure> {
        let secret = secret(
            ("--client-secret-file", self.client_secret_file),
            ("--clientSecret", self.client_secret),
        )?;
        let mut set = Set::new();
        add(&mut set, fields::CLIENT_ID, self.client_id);
        add(&mut set, fields::CLIENT_SECRET, secret.as_ref().map(Secret::expose));
        add(&mut set, fields::PROVIDER_TENANT_ID, self.provider_tenant_id);
        Ok(set)
    }
}

fn secret(
    (file_option, file): (&str, Option<PathBuf>),
    (option, typed): (&str, Option<SecretArgument>),
) -> Result<Option<Secret>, Failure> {
    if let Some(typed) = typed {
        warn_of_visible_secret(option, &format!("use {file_option}"));
        return Ok(Some(typed.into_secret()));
    }
    file.map(|path| input::secret_file(file_option, &path)).transpose()
}

fn add(set: &mut Set, field: &'static str, value: Option<impl Into<String>>) {
    set.extend(value.map(|value| (field, Value::String(value.into()))));
}

/// The members of an object that a document holds; a new one where there is no document.
pub(super) fn object(document: Option<Value>) -> Result<Map<String, Value>, Failure> {
    match document {
        None => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(Failure::usage("-f: the document is not a JSON object")),
    }
}
