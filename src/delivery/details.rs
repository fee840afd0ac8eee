//! What an email says about itself besides its message: sealed in the row, shown by the API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::given_text::GivenText;

/// The parts of a request that come back in answers and events.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The sender as it was given, or the account's address and sender name when the mail was taken.
    pub from: String,
    /// The sender is whatever the account's address and sender name are when the mail is handed over.
    pub is_from_account: bool,
    /// The sender of the envelope, where it is another one.
    pub envelope_from: Option<String>,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub bcc: Vec<String>,
    pub reply_to: Vec<String>,
    pub subject: String,
    /// Names and values, in the order of the request.
    pub tags: Vec<(String, String)>,
    pub metadata: BTreeMap<String, String>,
    /// The message came whole, with its own From line.
    pub is_raw: bool,
    /// How text and HTML stood in the request; none in a message that came whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<GivenText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<GivenText>,
}
