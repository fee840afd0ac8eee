//! The pages of the inbox: HTML that is whole without the script, which only keeps it up to date.

mod list;
mod mail;

use std::fmt::{self, Display, Write as _};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::dev::mail::Mail;
use crate::dev::smtp::{UNKNOWN_USER, USER};

pub(super) use mail::View;

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

/// What is looked for, for the query of a link; nothing where nothing is.
struct Query<'a>(&'a str);

impl Display for Query<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        formatter.write_str("q=")?;
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                formatter.write_char(char::from(byte))?;
            } else {
                write!(formatter, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// A page: the list, and beside it one mail or a word about the inbox.
///
/// `mails` are those that are shown, the newest first, of `total`; `words` what was looked for.
pub(super) fn page(mails: &[Arc<Mail>], total: usize, words: &str, open: Option<(&Mail, View)>) -> String {
    let (title, main, kind) = match open {
        Some((mail, view)) => (subject(mail), mail::page(mail, view, words), "reading"),
        None => ("Inbox", about(total), "browsing"),
    };
    let open_id = open.map(|(mail, _)| mail.id);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – transports dev</title>\n<link rel=\"stylesheet\" href=\"/dev/inbox.css\">\n\
         <script type=\"module\" src=\"/dev/inbox.js\"></script>\n</head>\n<body class=\"{kind}\">\n\
         <header>\n<h1><a href=\"/dev/inbox\">Inbox</a></h1>\n\
         <form role=\"search\" action=\"/dev/inbox\"><input type=\"search\" name=\"q\" value=\"{words}\" \
         aria-label=\"Search the mails\" placeholder=\"Search\" autocomplete=\"off\">\
         <button>Search</button></form>\n\
         <button id=\"clear\" type=\"button\" hidden>Delete all</button>\n\
         <p id=\"state\" role=\"status\"></p>\n</header>\n<div class=\"panes\">\n\
         <nav id=\"list\" aria-label=\"Mails\">\n{list}</nav>\n<main>\n{main}</main>\n</div>\n</body>\n</html>\n",
        title = Escaped(title),
        words = Escaped(words),
        list = list::list(mails, total, words, open_id),
    )
}

fn about(total: usize) -> String {
    let first =
        if total == 0 { "No mail yet. It appears here as soon as it arrives." } else { "Choose a mail." };
    format!(
        "<p class=\"hint\">{first}</p>\n\
         <p class=\"note\">Every mail that arrives here stays here, until the program ends. Over TLS user \
         <code>{USER}</code> has to sign in, in the clear nobody has to. To see a failure, sign in with a \
         wrong password (535), or send to a recipient that begins with <code>{UNKNOWN_USER}</code> (550). \
         The same as JSON: <a href=\"/dev/inbox.json\">/dev/inbox.json</a>. <code>DELETE /dev/inbox</code> \
         empties it, <code>DELETE /dev/inbox/1</code> removes one.</p>\n\
         <p class=\"note\">Keys: <kbd>j</kbd> and <kbd>k</kbd> or the arrows go through the list, \
         <kbd>/</kbd> searches, <kbd>Delete</kbd> removes the mail that is open or chosen.</p>\n"
    )
}

fn subject(mail: &Mail) -> &str {
    if mail.content.subject.trim().is_empty() { "(no subject)" } else { &mail.content.subject }
}

fn date(moment: Timestamp) -> String {
    let iso = moment.to_iso();
    let shown = iso.get(..19).unwrap_or(&iso).replace('T', " ");
    format!("<time datetime=\"{iso}\">{shown} UTC</time>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::mail::{Attachment, Content, Envelope, MAX_TEXT};
    use mail::MAX_SOURCE;

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
                cc: vec![text()],
                subject: text(),
                date: None,
                headers: vec![(text(), text())],
                text: text(),
                has_html: true,
                attachments: vec![Attachment {
                    name: Some(text()),
                    content_type: text(),
                    size: 1,
                    content_id: Some(text()),
                }],
            },
            source: ATTACK.as_bytes().to_vec(),
        }
    }

    fn shown(mail: &Mail, view: View) -> String {
        page(&[], 0, "", Some((mail, view)))
    }

    #[test]
    fn nothing_in_a_mail_becomes_markup() {
        let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;\u{fffd}";
        let mail = hostile();
        let list = page(&[Arc::new(hostile())], 1, ATTACK, None);
        // In each of them: title, heading, From, To, Cc and both sides of the envelope.
        for (page, times) in [
            (list, 4),
            (shown(&mail, View::Html), 7),
            (shown(&mail, View::Text), 8),
            (shown(&mail, View::Headers), 9),
            (shown(&mail, View::Attachments), 9),
            (shown(&mail, View::Source), 8),
        ] {
            assert_eq!(page.matches(escaped).count(), times, "{page}");
            assert_eq!(page.matches("<script").count(), 1, "{page}");
            assert!(!page.contains(ATTACK), "{page}");
        }
    }

    #[test]
    fn what_was_cut_is_said() {
        let mut long = hostile();
        let cut = |mail: &Mail, view| shown(mail, view).contains("Cut off here");
        assert!(!cut(&long, View::Text) && !cut(&long, View::Source));
        long.source = vec![b'x'; MAX_SOURCE + 1];
        long.content.text = "x".repeat(MAX_TEXT);
        assert!(cut(&long, View::Text) && cut(&long, View::Source));
    }

    #[test]
    fn a_mail_without_subject_can_be_opened_and_a_search_goes_along() {
        let mut silent = hostile();
        silent.content.subject = " ".to_owned();
        let page = page(&[Arc::new(silent)], 1, "ü &", None);
        assert!(page.contains("<a href=\"/dev/inbox/7?q=%C3%BC%20%26\">"), "{page}");
        assert!(page.contains("(no subject)"), "{page}");
    }

    #[test]
    fn a_view_is_chosen_by_what_the_mail_has() {
        let mut mail = hostile();
        assert_eq!(View::of(&mail, None), View::Html);
        assert_eq!(View::of(&mail, Some("source")), View::Source);
        assert_eq!(View::of(&mail, Some("nonsense")), View::Html);
        mail.content.has_html = false;
        assert_eq!(View::of(&mail, None), View::Text);
        assert_eq!(View::of(&mail, Some("html")), View::Text);
    }
}
