//! The trace line of a message that came by SMTP (RFC 5321 section 4.4).

use uuid::Uuid;

use super::encode;
use crate::clock::Timestamp;

/// Names the software in each line, so that a message that comes back is recognised.
const MARK: &str = "(transports)";

/// Where and how a message came in. The client's address is not part of it: recipients would read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The name of this host.
    pub by: String,
    /// Whether the client asked for SMTPUTF8 (RFC 6531 section 4.3).
    pub smtputf8: bool,
}

impl Received {
    /// The line for a message that is known by this id.
    pub fn line(&self, id: Uuid, at: Timestamp) -> String {
        let with = if self.smtputf8 { "UTF8SMTPSA" } else { "ESMTPSA" };
        let date = encode::date_text(at);
        format!("Received: by {by} {MARK} with {with} id {id};\r\n\t{date}\r\n", by = self.by)
    }
}

/// Whether the value of such a line was written by this software.
pub(super) fn is_ours(value: &str) -> bool {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    words.next() == Some("by") && words.nth(1) == Some(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_recognised_and_says_nothing_of_the_client() {
        let received = Received { by: "mail.example.com".to_owned(), smtputf8: false };
        let line = received.line(Uuid::nil(), Timestamp(1_767_225_600_000));
        assert_eq!(
            line,
            "Received: by mail.example.com (transports) with ESMTPSA id 00000000-0000-0000-0000-000000000000;\r\n\t\
             Thu, 01 Jan 2026 00:00:00 +0000\r\n"
        );
        assert!(is_ours("by mail.example.com (transports) with ESMTPSA id x; now"));
        for other in
            ["from (transports) by x", "by mail.example.com (Postfix) with ESMTPSA", "by (transports)", ""]
        {
            assert!(!is_ours(other), "{other}");
        }
    }
}
