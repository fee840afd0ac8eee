//! The Postfix of `tests/peers/postfix-dovecot`: its ports, users and mailboxes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use mail_parser::{Message, MessageParser};
use serde_json::{Value, json};

use crate::service::peers;

/// STARTTLS and sign-in; judges the sender at MAIL FROM.
pub const STARTTLS: u16 = 2587;
/// TLS from the first byte and sign-in; judges the sender at RCPT TO.
pub const IMPLICIT_TLS: u16 = 2465;
/// Neither: a relay for clients that it knows by their address.
pub const RELAY: u16 = 2525;

/// A complete configuration with alice's account.
pub fn alice(port: u16, security: &str) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": port, "securityType": security,
        "username": "alice", "emailPassword": "secret", "emailAddress": "alice@example.com"
    })
}

/// `settings` with one field changed.
pub fn with(mut settings: Value, field: &str, value: impl Into<Value>) -> Value {
    settings[field] = value.into();
    settings
}

/// `settings` without some fields.
pub fn without(mut settings: Value, fields: &[&str]) -> Value {
    let members = settings.as_object_mut().expect("an object");
    for field in fields {
        members.remove(*field);
    }
    settings
}

/// One mailbox. Each test reads another one, since tests run beside each other.
pub struct Mailbox {
    folder: PathBuf,
    seen: BTreeSet<OsString>,
}

/// How long Postfix may take to deliver what it has accepted.
const DELIVERY: Duration = Duration::from_secs(30);

impl Mailbox {
    /// The mailbox of NAME@example.com; what lies in it already is none of the test's mail.
    pub fn open(name: &str) -> Self {
        let mut mailbox =
            Self { folder: peers().join("mail/mailboxes").join(name).join("new"), seen: BTreeSet::new() };
        mailbox.seen = mailbox.files();
        mailbox
    }

    // Postfix makes the folder when the first mail arrives.
    fn files(&self) -> BTreeSet<OsString> {
        let Ok(folder) = std::fs::read_dir(&self.folder) else { return BTreeSet::new() };
        folder.map(|entry| entry.expect("a readable folder").file_name()).collect()
    }

    /// The next mail, byte by byte as it was stored: Postfix's own headers first, lines ending with LF.
    pub async fn next(&mut self) -> Vec<u8> {
        let arrival = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            loop {
                look.tick().await;
                let files = self.files();
                if let Some(new) = files.difference(&self.seen).next() {
                    return new.clone();
                }
            }
        };
        let new =
            tokio::time::timeout(DELIVERY, arrival).await.expect("Postfix delivers what it has accepted");
        let bytes = std::fs::read(self.folder.join(&new)).expect("a readable mail");
        self.seen.insert(new);
        bytes
    }
}

/// The mail as a mail program reads it.
pub fn read(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).expect("a mail")
}

/// The text that the mail holds, with LF at the line ends.
pub fn text(mail: &Message<'_>) -> String {
    mail.body_text(0).expect("a text part").replace("\r\n", "\n")
}

/// The lines that the server added or the mail begins with, unfolded: `(name, value)`.
pub fn headers(bytes: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(bytes).expect("headers in ASCII");
    let (head, _) = text.split_once("\n\n").expect("an empty line after the headers");
    let unfolded = head.replace("\n\t", " ").replace("\n ", " ");
    let split = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a header");
        (name.to_owned(), value.to_owned())
    };
    unfolded.lines().map(split).collect()
}

/// The value of the only header of that name.
#[track_caller]
pub fn header(bytes: &[u8], name: &str) -> String {
    let mut found: Vec<String> =
        headers(bytes).into_iter().filter(|(found, _)| found == name).map(|(_, value)| value).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found.remove(0)
}
