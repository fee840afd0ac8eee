//! Request bodies for the OpenAPI document; [`crate::email_config`] parses them, so that every fault is named.

use utoipa::ToSchema;

use crate::smtp::Security;

/// A PUT body: the provider, and its settings.
#[derive(ToSchema)]
#[schema(as = PutEmailConfig)]
#[serde(untagged)]
pub enum PutBody {
    BasicAuth(PutBasicAuthBody),
    Microsoft365(PutMicrosoft365Body),
}

#[derive(ToSchema)]
#[schema(as = PutBasicAuth, rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "declares the shape")]
pub struct PutBasicAuthBody {
    #[schema(inline)]
    service_provider: BasicAuthProvider,
    provider_config: PutBasicAuthConfigBody,
}

#[derive(ToSchema)]
pub enum BasicAuthProvider {
    BasicAuth,
}

#[derive(ToSchema)]
#[schema(as = PutMicrosoft365, rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "declares the shape")]
pub struct PutMicrosoft365Body {
    #[schema(inline)]
    service_provider: Microsoft365Provider,
    provider_config: PutMicrosoft365ConfigBody,
}

#[derive(ToSchema)]
pub enum Microsoft365Provider {
    Microsoft365,
}

/// An app of Microsoft 365 that signs in with a client secret.
#[derive(ToSchema)]
#[schema(as = PutMicrosoft365Config, rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "declares the shape")]
pub struct PutMicrosoft365ConfigBody {
    #[schema(example = "12345678-1234-1234-1234-123456789012", min_length = 1, max_length = 128)]
    client_id: String,
    /// The Value of the client secret, not its Secret ID. Left out, the stored one is kept where client and
    /// directory stay.
    #[schema(format = Password, write_only, min_length = 1)]
    client_secret: Option<String>,
    /// The Directory (tenant) ID, or a verified domain name.
    #[schema(example = "12345678-1234-1234-1234-123456789012", min_length = 1)]
    provider_tenant_id: String,
    /// The mailbox that the app sends from, and From.
    #[schema(example = "sender@example.com", min_length = 1)]
    email_address: String,
}

/// An SMTP server.
#[derive(ToSchema)]
#[schema(as = PutBasicAuthConfig, rename_all = "camelCase")]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "declares the shape")]
pub struct PutBasicAuthConfigBody {
    #[schema(example = "smtp.example.com", min_length = 1)]
    server_address: String,
    server_port: PortBody,
    security_type: Security,
    /// From and `MAIL FROM`.
    #[schema(example = "sender@example.com", min_length = 1)]
    email_address: String,
    /// Goes together with `emailPassword`; a relay without sign-in takes neither.
    #[schema(min_length = 1)]
    username: Option<String>,
    /// Left out, the stored one is kept where server, port and user name stay and the security does not weaken.
    #[schema(format = Password, write_only, min_length = 1)]
    email_password: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    sender_name: Option<String>,
}

/// An integer, or its digits.
#[derive(ToSchema)]
#[schema(as = ServerPort, example = 587)]
#[serde(untagged)]
pub enum PortBody {
    Number(#[schema(inline)] PortNumber),
    Digits(#[schema(inline)] PortDigits),
}

#[derive(ToSchema)]
#[schema(minimum = 1, maximum = 65535)]
#[expect(dead_code, reason = "declares the shape")]
pub struct PortNumber(u16);

#[derive(ToSchema)]
#[schema(pattern = "^[0-9]+$")]
#[expect(dead_code, reason = "declares the shape")]
pub struct PortDigits(String);

/// All of them are done, or none.
#[derive(ToSchema)]
#[schema(as = Patch, min_items = 1)]
#[expect(dead_code, reason = "declares the shape")]
pub struct PatchBody(Vec<PatchOperationBody>);

/// One operation of a patch.
#[derive(ToSchema)]
#[schema(as = PatchOperation)]
#[serde(untagged)]
pub enum PatchOperationBody {
    Set(SetBody),
    SetPort(SetPortBody),
    Remove(RemoveBody),
}

/// Sets a field; both words do, whether it was set or not.
#[derive(ToSchema)]
#[schema(as = SetField)]
#[expect(dead_code, reason = "declares the shape")]
pub struct SetBody {
    #[schema(inline)]
    op: SetOp,
    #[schema(inline, example = "/serverAddress")]
    path: TextPath,
    #[schema(example = "smtp.example.com", min_length = 1)]
    value: String,
}

#[derive(ToSchema)]
#[schema(as = SetServerPort)]
#[expect(dead_code, reason = "declares the shape")]
pub struct SetPortBody {
    #[schema(inline)]
    op: SetOp,
    #[schema(inline)]
    path: PortPath,
    value: PortBody,
}

/// Clears a field. A value is ignored.
#[derive(ToSchema)]
#[schema(as = RemoveField)]
#[expect(dead_code, reason = "declares the shape")]
pub struct RemoveBody {
    #[schema(inline)]
    op: RemoveOp,
    #[schema(inline)]
    path: AnyPath,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum SetOp {
    Add,
    Replace,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum RemoveOp {
    Remove,
}

#[derive(ToSchema)]
pub enum TextPath {
    #[serde(rename = "/serverAddress")]
    ServerAddress,
    #[serde(rename = "/securityType")]
    SecurityType,
    #[serde(rename = "/username")]
    Username,
    #[serde(rename = "/emailAddress")]
    EmailAddress,
    #[serde(rename = "/emailPassword")]
    EmailPassword,
    #[serde(rename = "/senderName")]
    SenderName,
}

#[derive(ToSchema)]
pub enum PortPath {
    #[serde(rename = "/serverPort")]
    ServerPort,
}

#[derive(ToSchema)]
pub enum AnyPath {
    #[serde(rename = "/serverAddress")]
    ServerAddress,
    #[serde(rename = "/serverPort")]
    ServerPort,
    #[serde(rename = "/securityType")]
    SecurityType,
    #[serde(rename = "/username")]
    Username,
    #[serde(rename = "/emailAddress")]
    EmailAddress,
    #[serde(rename = "/emailPassword")]
    EmailPassword,
    #[serde(rename = "/senderName")]
    SenderName,
}

/// A test mail.
#[derive(ToSchema)]
#[schema(as = TestMail)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "declares the shape; checks::send_test_email reads it, fault by fault")]
pub struct TestMailBody {
    /// Exactly one mail address.
    #[schema(example = "you@example.com", min_length = 1)]
    recipient: String,
    /// A short text of ours by default.
    #[schema(max_length = 255)]
    subject: Option<String>,
    /// A short text of ours by default.
    body: Option<String>,
}
