//! Names the recipients of a hand-over in the message's header, for a service that reads them there.

use crate::delivery::Details;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::raw::remove_headers;
use crate::mail::message::recipient_lines;
use crate::outgoing::{Email, Recipient, RecipientKind};

/// Graph knows no envelope: it sends to those whom the header names. Hidden recipients stand in a header that it removes.
/// Where only some recipients are due, the headers name only these, so that the others get no second copy.
pub(super) fn address_in_header(message: &mut Vec<u8>, email: &Email, positions: &[i64], details: &Details) {
    let is_due = |recipient: &&Recipient| positions.contains(&recipient.position);
    let due_of_kind = |kind: RecipientKind, shown: &[String]| -> Vec<Mailbox> {
        let due = email.recipients.iter().filter(is_due).filter(|recipient| recipient.kind == kind);
        let shown: Vec<Mailbox> = shown.iter().filter_map(|text| Mailbox::parse(text).ok()).collect();
        let with_name = |address: &EmailAddress| {
            let mailbox = shown.iter().find(|mailbox| mailbox.address() == address);
            mailbox.cloned().unwrap_or_else(|| address.clone().into())
        };
        due.filter_map(|recipient| recipient.address.as_ref().map(with_name)).collect()
    };
    let mut lines = String::new();
    let mut visible = email.recipients.iter().filter(|recipient| recipient.kind != RecipientKind::Bcc);
    if !visible.all(|recipient| is_due(&recipient)) {
        remove_headers(message, &["To", "Cc"]);
        lines.push_str(&recipient_lines("To", &due_of_kind(RecipientKind::To, &details.to)));
        lines.push_str(&recipient_lines("Cc", &due_of_kind(RecipientKind::Cc, &details.cc)));
    }
    lines.push_str(&recipient_lines("Bcc", &due_of_kind(RecipientKind::Bcc, &[])));
    message.splice(0..0, lines.into_bytes());
}
