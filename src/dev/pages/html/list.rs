//! The list of mails, the newest first.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Escaped, Query, subject};
use crate::clock::Timestamp;
use crate::dev::mail::Mail;

/// How much of a text is shown under a subject, in bytes.
const SNIPPET: usize = 120;

pub(super) fn list(mails: &[Arc<Mail>], total: usize, words: &str, open: Option<u64>) -> String {
    let mut out = String::new();
    let count = match (mails.len(), words.is_empty()) {
        (1, true) => "1 mail".to_owned(),
        (count, true) => format!("{count} mails"),
        (count, false) => format!("{count} of {total}"),
    };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "<p class=\"count\">{count}</p>");
    if mails.is_empty() {
        let word = if words.is_empty() { "No mail yet." } else { "No mail has these words." };
        let _ = writeln!(out, "<p class=\"none\">{word}</p>");
        return out;
    }
    out.push_str("<ol>\n");
    for mail in mails {
        let query = if words.is_empty() { String::new() } else { format!("?{}", Query(words)) };
        let content = &mail.content;
        let _ = writeln!(
            out,
            "<li><a href=\"/dev/inbox/{id}{query}\"{current}><span class=\"from\">{from}</span> {date} \
             <span class=\"subject\">{subject}</span>{clip} <span class=\"snippet\">{snippet}</span></a></li>",
            id = mail.id,
            current = if open == Some(mail.id) { " aria-current=\"page\"" } else { "" },
            from = Escaped(if content.from.is_empty() { "(no sender)" } else { &content.from }),
            date = date(mail.received),
            subject = Escaped(subject(mail)),
            clip = clip(content.attachments.len()),
            snippet = Escaped(&snippet(&content.text)),
        );
    }
    out.push_str("</ol>\n");
    out
}

/// To the minute, in UTC; the page of the mail has the whole.
fn date(moment: Timestamp) -> String {
    let iso = moment.to_iso();
    let shown = iso.get(..16).unwrap_or(&iso).replace('T', " ");
    format!("<time datetime=\"{iso}\" title=\"UTC\">{shown}</time>")
}

fn clip(attachments: usize) -> String {
    match attachments {
        0 => String::new(),
        1 => " <span class=\"clip\">1 attachment</span>".to_owned(),
        many => format!(" <span class=\"clip\">{many} attachments</span>"),
    }
}

/// The first words on one line.
fn snippet(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(4 * SNIPPET)];
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words[..words.floor_char_boundary(SNIPPET)].to_owned()
}
