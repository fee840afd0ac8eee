//! The last attempt to use the settings as they stand.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::diagnosis::StoredDiagnosis;

/// How the last check, test mail or delivery of these settings ended. It is stored as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastCheck {
    pub at: Timestamp,
    pub operation: CheckOperation,
    pub success: bool,
    pub unproved: Vec<NotVerified>,
    /// None where it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<StoredDiagnosis>,
}

impl LastCheck {
    /// Whether the other one says the same, at whatever time.
    pub fn ended_as(&self, other: &Self) -> bool {
        let code = |check: &Self| check.diagnosis.as_ref().map(|diagnosis| diagnosis.code().to_owned());
        (self.operation, self.success, code(self)) == (other.operation, other.success, code(other))
    }
}

/// What used the account, in the words of the audit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOperation {
    Put,
    VerifyConnection,
    #[serde(rename = "send-test-email")]
    SendTestMail,
    Delivery,
}

impl CheckOperation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::VerifyConnection => "verify-connection",
            Self::SendTestMail => "send-test-email",
            Self::Delivery => "delivery",
        }
    }
}

/// What a check did not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotVerified {
    SenderAddress,
    /// Whether the app may send: its token does not say so.
    SendPermission,
    Delivery,
}

impl NotVerified {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SenderAddress => "sender_address",
            Self::SendPermission => "send_permission",
            Self::Delivery => "delivery",
        }
    }
}
