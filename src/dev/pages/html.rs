//! The pages of the inbox: plain HTML, without a script.

use std::fmt::{self, Display, Write as _};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::dev::mail::{MAX_TEXT, Mail};
use crate::dev::smtp::{UNKNOWN_USER, USER};

/// How much of a source is shown, in bytes.
const MAX_SOURCE: usize = 256 * 1024;

/// Text that a stranger wrote, for a place between tags or in an attribute with quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '\0' => formatter.write_char('\u{fffd}')?,
                _ => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// The page of all mails, the newest first.
pub(super) fn list(mails: &[Arc<Mail>]) -> String {
    let mut rows = String::new();
    for mail in mails {
        // Writing to a String cannot fail.
        let _ = writeln!(
            rows,
            "<tr><td><a href=\"/dev/inbox/{id}\">{subject}</a></td><td>{from}</td><td>{to}</td>\
             <td>{date}</td></tr>",
            id = mail.id,
            subject = Escaped(subject(mail)),
            from = Escaped(&mail.content.from),
            to = Escaped(&mail.content.to.join(", ")),
            date = date(mail.content.date.unwrap_or(mail.received)),
        );
    }
    let table = if mails.is_empty() {
        "<p>No mail yet. Send one and load this page again.</p>".to_owned()
    } else {
        format!(
            "<table><thead><tr><th scope=\"col\">Subject</th><th scope=\"col\">From</th>\
             <th scope=\"col\">To</th><th scope=\"col\">Date</th></tr></thead>\n<tbody>\n{rows}</tbody></table>"
        )
    };
    let about = format!(
        "<p><small>Every mail that arrives here stays here, until the program ends. Over TLS user \
         <code>{USER}</code> has to sign in, in the clear nobody has to. To see a failure, sign in with a \
         wrong password (535), or send to a recipient that begins with <code>{UNKNOWN_USER}</code> (550). \
         The same as JSON: <a href=\"/dev/inbox.json\">/dev/inbox.json</a>. <code>DELETE /dev/inbox</code> \
         empties it.</small></p>"
    );
    frame("Inbox", &format!("<h1>Inbox</h1>\n{table}\n{about}"))
}

/// The page of one mail.
pub(super) fn mail(mail: &Mail) -> String {
    let content = &mail.content;
    let mut headers = String::new();
    for (name, value) in &content.headers {
        let _ =
            writeln!(headers, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", Escaped(name), Escaped(value));
    }
    let envelope = format!(
        "from &lt;{}&gt; to &lt;{}&gt;, {}, {}",
        Escaped(&mail.envelope.sender),
        Escaped(&mail.envelope.recipients.join(">, <")),
        if mail.envelope.encrypted { "over TLS" } else { "in the clear" },
        if mail.envelope.signed_in { "signed in" } else { "not signed in" },
    );
    let body = format!(
        "<p><a href=\"/dev/inbox\">Inbox</a></p>\n<h1>{subject}</h1>\n\
         <table>\n<tr><th scope=\"row\">From</th><td>{from}</td></tr>\n\
         <tr><th scope=\"row\">To</th><td>{to}</td></tr>\n<tr><th scope=\"row\">Date</th><td>{date}</td></tr>\n\
         <tr><th scope=\"row\">Envelope</th><td>{envelope}</td></tr>\n</table>\n\
         <h2>Text</h2>\n<pre>{text}</pre>\n{cut_text}\
         <h2>Headers</h2>\n<table>\n{headers}</table>\n\
         <h2>Source</h2>\n<p><a href=\"/dev/inbox/{id}.eml\">{id}.eml</a>, {size} bytes</p>\n\
         <pre>{source}</pre>\n{cut_source}",
        subject = Escaped(subject(mail)),
        from = Escaped(&content.from),
        to = Escaped(&content.to.join(", ")),
        date = date(content.date.unwrap_or(mail.received)),
        text = Escaped(&content.text),
        // A text is cut between two characters, of which none has more than four bytes.
        cut_text = cut(content.text.len() + 3 >= MAX_TEXT),
        id = mail.id,
        size = mail.source.len(),
        source = Escaped(&String::from_utf8_lossy(&mail.source[..mail.source.len().min(MAX_SOURCE)])),
        cut_source = cut(mail.source.len() > MAX_SOURCE),
    );
    frame(subject(mail), &body)
}

fn subject(mail: &Mail) -> &str {
    if mail.content.subject.trim().is_empty() { "(no subject)" } else { &mail.content.subject }
}

fn date(moment: Timestamp) -> String {
    let iso = moment.to_iso();
    let shown = iso.get(..19).unwrap_or(&iso).replace('T', " ");
    format!("<time datetime=\"{iso}\">{shown} UTC</time>")
}

fn cut(is_cut: bool) -> &'static str {
    if is_cut { "<p><small>Cut off here; the source file has all of it.</small></p>\n" } else { "" }
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} – transports dev</title>\n<link rel=\"stylesheet\" href=\"/dev/inbox.css\">\n</head>\n\
         <body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        Escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::mail::{Content, Envelope};

    const ATTACK: &str = "\"'><script>alert(1)</script>&amp;\0";

    fn hostile() -> Mail {
        let text = || ATTACK.to_owned();
        Mail {
            id: 7,
            received: Timestamp(0),
            envelope: Envelope { sender: text(), recipients: vec![text()], ..Envelope::default() },
            content: Content {
                from: text(),
                to: vec![text()],
                subject: text(),
                date: None,
                headers: vec![(text(), text())],
                text: text(),
            },
            source: ATTACK.as_bytes().to_vec(),
        }
    }

    #[test]
    fn nothing_in_a_mail_becomes_markup() {
        let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;\u{fffd}";
        for (page, times) in [(list(&[Arc::new(hostile())]), 3), (mail(&hostile()), 10)] {
            assert_eq!(page.matches(escaped).count(), times, "{page}");
            assert!(!page.contains("<script"), "{page}");
            assert!(!page.contains(ATTACK), "{page}");
        }
    }

    #[test]
    fn what_was_cut_is_said() {
        let mut long = hostile();
        assert!(!mail(&long).contains("Cut off here"));
        long.source = vec![b'x'; MAX_SOURCE + 1];
        assert_eq!(mail(&long).matches("Cut off here").count(), 1);
        long.content.text = "x".repeat(MAX_TEXT);
        assert_eq!(mail(&long).matches("Cut off here").count(), 2);
    }

    #[test]
    fn a_mail_without_subject_can_be_opened() {
        let mut silent = hostile();
        silent.content.subject = " ".to_owned();
        assert!(list(&[Arc::new(silent)]).contains("<a href=\"/dev/inbox/7\">(no subject)</a>"));
    }
}
