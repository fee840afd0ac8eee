//! Names the recipients of a hand-over in the message's header, for a service that reads them there.

use crate::delivery::Details;
use crate::mail::address::EmailAddress;
use crate::mail::mailbox::Mailbox;
use crate::mail::message::raw::{mailboxes, remove_headers};
use crate::mail::message::recipient_lines;
use crate::outgoing::{Email, RecipientKind};

/// Graph knows no envelope: it sends to those whom the header names. Hidden recipients stand in a header that it removes.
/// Where the header names others than those who are due, it is rewritten, so that only they get a copy.
pub(super) fn address_in_header(message: &mut Vec<u8>, email: &Email, positions: &[i64], details: &Details) {
    let due: Vec<(RecipientKind, &EmailAddress)> = email
        .recipients
        .iter()
        .filter(|recipient| positions.contains(&recipient.position))
        .filter_map(|recipient| Some((recipient.kind, recipient.address.as_ref()?)))
        .collect();
    let is_due = |named: &Mailbox| due.iter().any(|(_, address)| address.is_same_mailbox(named.address()));
    let named = ["To", "Cc"].map(|name| mailboxes(message, name));
    let named: Option<Vec<Mailbox>> =
        named.into_iter().collect::<Option<Vec<_>>>().map(|lists| lists.concat());
    let mut lines = String::new();
    let named = if let Some(named) = named.filter(|named| named.iter().all(is_due)) {
        named
    } else {
        remove_headers(message, &["To", "Cc"]);
        let mut named = Vec::new();
        for (name, kind, shown) in
            [("To", RecipientKind::To, &details.to), ("Cc", RecipientKind::Cc, &details.cc)]
        {
            let list = with_names(due.iter().filter(|due| due.0 == kind).map(|due| due.1), shown);
            lines.push_str(&recipient_lines(name, &list));
            named.extend(list);
        }
        named
    };
    let is_named =
        |address: &EmailAddress| named.iter().any(|named| named.address().is_same_mailbox(address));
    let hidden = due.iter().map(|due| due.1).filter(|address| !is_named(address));
    lines.push_str(&recipient_lines("Bcc", &with_names(hidden, &[])));
    message.splice(0..0, lines.into_bytes());
}

/// The addresses, each with the name that it was shown with.
fn with_names<'a>(addresses: impl Iterator<Item = &'a EmailAddress>, shown: &[String]) -> Vec<Mailbox> {
    let shown: Vec<Mailbox> = shown.iter().filter_map(|text| Mailbox::parse(text).ok()).collect();
    let with_name = |address: &EmailAddress| {
        let mailbox = shown.iter().find(|mailbox| mailbox.address() == address);
        mailbox.cloned().unwrap_or_else(|| address.clone().into())
    };
    addresses.map(with_name).collect()
}
