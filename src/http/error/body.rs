//! The body of a refusal.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Code;
use crate::error::{InputFault, Reason, Source};

/// One entry of `errors`.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Fault {
    /// The error code.
    #[schema(example = "INPUTCHECK-1")]
    pub code: &'static str,
    /// Summary of the problem.
    #[schema(example = "serverAddress is not a string")]
    pub title: String,
    /// What to do about it, or more about what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where wrong input stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceBody>,
    /// Machine-readable context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<MetaBody>,
}

/// One of the three.
#[derive(Clone, Default, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = FaultSource)]
pub struct SourceBody {
    /// A JSON Pointer (RFC 6901) into the body; the empty one means the whole of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/providerConfig/serverPort")]
    pub pointer: Option<String>,
    /// A parameter of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// A header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<&'static str>,
}

#[derive(Clone, Default, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = FaultMeta)]
pub struct MetaBody {
    /// Why input is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The values that would be taken, where they are few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Which limit a 429 has met: `requests`, `running_check`, or the name of a quota as in the metrics, such as
    /// `test_mails_per_tenant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "test_mails_per_tenant")]
    pub limit: Option<&'static str>,
    /// Where a connection check failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Value>,
}

impl From<InputFault> for Fault {
    fn from(fault: InputFault) -> Self {
        let (_, code, _) = Code::Input.parts();
        let title = fault.to_string();
        let none = SourceBody::default();
        let source = match fault.source {
            Source::Pointer(pointer) => Some(SourceBody { pointer: Some(pointer), ..none }),
            Source::Parameter(name) => Some(SourceBody { parameter: Some(name), ..none }),
            Source::Header(name) => Some(SourceBody { header: Some(name), ..none }),
            Source::Request => None,
        };
        let meta = MetaBody { reason: Some(fault.reason), allowed: fault.allowed, ..MetaBody::default() };
        Self { code, title, detail: None, source, meta: Some(meta) }
    }
}

/// The body of every refusal.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    pub errors: Vec<Fault>,
    /// Finds the request in the service's log: 32 hexadecimal digits.
    #[serde(rename = "traceId")]
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: String,
    /// Of the send API, and of 404 for a path without an operation, as clients of Resend's API read it: the status.
    #[serde(rename = "statusCode", skip_serializing_if = "Option::is_none")]
    #[schema(example = 422)]
    pub status_code: Option<u16>,
    /// Beside `statusCode`: a word for the kind of error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "validation_error")]
    pub name: Option<&'static str>,
    /// Beside `statusCode`: the first fault as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "to[0] is not an email address: there is no @")]
    pub message: Option<String>,
    /// `CSRF-TOKEN-2`, and only with it: browser clients look for it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}
