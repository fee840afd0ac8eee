//! Fuzz targets: what a caller puts into a message, and a message that a caller brings whole.

use mail_parser::MessageParser;

use super::raw::RawMessage;
use super::{
    Attachment, Content, ContentId, ContentType, CustomHeader, Draft, Filename, HeaderText, MessageId, build,
};
use crate::clock::Timestamp;
use crate::fuzz_targets::Input;
use crate::mail::mailbox::Mailbox;

/// A message of parts that the API takes has the headers that were asked for and no others, and nothing that two
/// readers could read differently.
pub fn message(data: &[u8]) {
    let mut input = Input::new(data);
    let mut next = || String::from_utf8_lossy(input.line()).into_owned();
    let plain = || Mailbox::parse("ada@example.com").expect("an address");
    let from = Mailbox::parse(&next()).unwrap_or_else(|_| plain());
    let to = Mailbox::parse(&next()).unwrap_or_else(|_| plain());
    let subject =
        HeaderText::parse_subject(&next()).unwrap_or(HeaderText::parse("Hello").expect("plain text"));
    let header = CustomHeader::parse(&next(), &next()).ok();
    let attachment = Filename::parse(&next()).ok().map(|filename| Attachment {
        content_type: ContentType::parse(&next()).unwrap_or_else(|_| ContentType::guess(Some(&filename))),
        content_id: ContentId::parse(&next()).ok(),
        content: next().into_bytes(),
        filename: Some(filename),
    });
    let html = attachment.is_some().then(&mut next);
    let text = String::from_utf8_lossy(input.rest()).into_owned();
    let draft = Draft {
        message_id: &MessageId::parse("<1@example.com>").expect("an identifier"),
        from: Some(&from),
        reply_to: &[],
        to: &[to.clone(), from.clone()],
        cc: std::slice::from_ref(&to),
        subject: &subject,
        date: Timestamp(0),
        headers: header.as_slice(),
        content: Content { text: Some(&text), html: html.as_deref(), attachments: attachment.as_slice() },
    };
    let message = build(&draft).expect("these parts can be built");
    let is_utf8 = [&from, &to].iter().any(|mailbox| mailbox.address().needs_smtputf8());
    assert_eq!(message.needs_smtputf8(), is_utf8);
    assert!(is_utf8 || message.bytes.is_ascii());
    assert_eq!(build(&draft).expect("as before").bytes, message.bytes);

    let raw = RawMessage::parse(message.bytes.clone()).expect("it would be taken as a whole");
    assert_eq!(raw.from().as_ref(), Ok(&from));
    assert_eq!(raw.subject(), subject.as_str());
    let parsed = MessageParser::default().parse(&message.bytes).expect("a message");
    let names: Vec<_> = parsed.headers().iter().map(|header| header.name().to_ascii_lowercase()).collect();
    let mut expected = vec!["from", "to", "cc", "subject", "date", "message-id"];
    let own = header.as_ref().map(|header| header.name().to_ascii_lowercase());
    expected.extend(own.as_deref());
    expected.extend(["mime-version", "content-type"]);
    if attachment.is_none() {
        expected.push("content-transfer-encoding");
    }
    assert_eq!(names, expected);
    let files = parsed.attachments().map(mail_parser::MessagePart::contents).map(<[u8]>::len);
    assert_eq!(files.count(), attachment.iter().len());
}

/// A message that is taken keeps its octets; what is read out of it is what another reader reads; without its hidden
/// recipients and with what it lacks it is still good.
pub fn raw_message(data: &[u8]) {
    let Ok(mut message) = RawMessage::parse(data.to_vec()) else { return };
    assert_eq!(message.as_bytes(), data);
    let from = message.from().expect("it has been read");
    let (subject, message_id) = (message.subject(), message.message_id());
    let senders = |bytes: &[u8]| {
        let parsed = MessageParser::default().parse(bytes).expect("a message");
        let senders = parsed.from().expect("a sender");
        senders.iter().filter_map(|sender| sender.address().map(str::to_owned)).collect::<Vec<_>>()
    };
    let theirs = senders(data);
    let [sender] = &theirs[..] else { panic!("one sender: {theirs:?}") };
    assert_eq!(Mailbox::parse(sender).map(|mailbox| mailbox.address().clone()).as_ref(), Ok(from.address()));

    message.remove_bcc();
    message.add_missing(Timestamp(0), &MessageId::parse("<1@example.com>").expect("an identifier"));
    let again = RawMessage::parse(message.into_bytes()).expect("still good");
    assert_eq!((again.from(), again.subject()), (Ok(from), subject));
    assert_eq!(again.message_id(), message_id.or(Some("<1@example.com>".to_owned())));
    let lines = super::head(again.as_bytes()).split(|byte| *byte == b'\n');
    assert!(lines.into_iter().all(|line| !line.to_ascii_lowercase().starts_with(b"bcc:")));
}
