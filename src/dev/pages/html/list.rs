//! Renders the list of mails, the newest first.

use std::sync::Arc;

use maud::{Markup, html};

use super::{search_query, subject};
use crate::clock::Timestamp;
use crate::dev::mail::Mail;

/// Bytes of the text that are shown under a subject.
const MAX_SNIPPET: usize = 120;

pub(super) fn render(mails: &[Arc<Mail>], total: usize, search: &str, open: Option<u64>) -> Markup {
    let count = match (mails.len(), search.is_empty()) {
        (1, true) => "1 mail".to_owned(),
        (count, true) => format!("{count} mails"),
        (count, false) => format!("{count} of {total}"),
    };
    html! {
        p class="count" { (count) }
        @if !mails.is_empty() {
            ol { @for mail in mails { (item(mail, search, open == Some(mail.id))) } }
        } @else if search.is_empty() {
            p class="none" { "No mail yet." }
        } @else {
            p class="none" { "No mail has these words." }
        }
    }
}

fn item(mail: &Mail, search: &str, is_open: bool) -> Markup {
    let content = &mail.content;
    let from = if content.from.is_empty() { "(no sender)" } else { &content.from };
    let link = format!("/dev/inbox/{}{}", mail.id, search_query(search));
    html! {
        li {
            a href=(link) aria-current=[is_open.then_some("page")] {
                span class="from" { (from) }
                " " (date(mail.received))
                " " span class="subject" { (subject(mail)) }
                (attachment_count(content.attachments.len()))
                " " span class="snippet" { (snippet(&content.text)) }
            }
        }
    }
}

/// To the minute, in UTC; the page of the mail shows the seconds.
fn date(moment: Timestamp) -> Markup {
    let iso = moment.to_iso();
    let shown = iso.get(..16).unwrap_or(&iso).replace('T', " ");
    html! { time datetime=(iso) title="UTC" { (shown) } }
}

fn attachment_count(count: usize) -> Markup {
    html! {
        @match count {
            0 => {}
            1 => { " " span class="clip" { "1 attachment" } }
            many => { " " span class="clip" { (many) " attachments" } }
        }
    }
}

/// The first words, on one line.
fn snippet(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(4 * MAX_SNIPPET)];
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words[..words.floor_char_boundary(MAX_SNIPPET)].to_owned()
}
