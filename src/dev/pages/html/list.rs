//! Renders the list of mails, the newest first.

use std::sync::Arc;

use maud::{Markup, html};

use super::{Frame, search_query, subject};
use crate::clock::Timestamp;
use crate::dev::mail::Mail;
use crate::dev::pages::words;
use crate::language::Text;

/// Bytes of the text that are shown under a subject.
const MAX_SNIPPET: usize = 120;

pub(super) fn render(frame: Frame<'_>, mails: &[Arc<Mail>], total: usize, open: Option<u64>) -> Markup {
    let shown = mails.len().to_string();
    let count = match (mails.len(), frame.search.is_empty()) {
        (1, true) => Text::new(words::ONE),
        (_, true) => Text::new(words::COUNT).with("count", shown),
        (_, false) => Text::new(words::COUNT_OF).with("count", shown).with("total", total.to_string()),
    };
    html! {
        p class="count" { (count.render(frame.language)) }
        @if !mails.is_empty() {
            ol { @for mail in mails { (item(frame, mail, open == Some(mail.id))) } }
        } @else {
            p class="none" { (frame.text(if frame.search.is_empty() { words::NONE_IN_LIST } else { words::NO_MATCH })) }
        }
    }
}

fn item(frame: Frame<'_>, mail: &Mail, is_open: bool) -> Markup {
    let content = &mail.content;
    let link = format!("/dev/inbox/{}{}", mail.id, search_query(frame.search));
    html! {
        li {
            a href=(link) aria-current=[is_open.then_some("page")] {
                span class="to" { (recipients(frame, mail)) }
                " " (date(mail.received))
                " " span class="subject" { (subject(frame, mail)) }
                (attachment_count(frame, content.attachments.len()))
                " " span class="snippet" { (snippet(&content.text)) }
            }
        }
    }
}

/// Those of the envelope, who got the mail; those of its headers where there was none.
fn recipients(frame: Frame<'_>, mail: &Mail) -> String {
    let content = &mail.content;
    match (&mail.envelope.recipients[..], content.to.is_empty() && content.cc.is_empty()) {
        ([], true) => frame.text(words::NO_RECIPIENT).to_owned(),
        ([], false) => [&content.to[..], &content.cc[..]].concat().join(", "),
        (recipients, _) => recipients.join(", "),
    }
}

/// To the minute; the page of the mail shows the seconds. The script puts the reader's own time in its place.
fn date(moment: Timestamp) -> Markup {
    let iso = moment.to_iso();
    let shown = iso.get(..16).unwrap_or(&iso).replace('T', " ");
    html! { time datetime=(iso) data-style="short" { (shown) " UTC" } }
}

fn attachment_count(frame: Frame<'_>, count: usize) -> Markup {
    let shown = match count {
        0 => return html! {},
        1 => Text::new(words::ONE_ATTACHMENT),
        many => Text::new(words::ATTACHMENTS_COUNT).with("count", many.to_string()),
    };
    html! { " " span class="clip" { (shown.render(frame.language)) } }
}

/// The first words, on one line.
fn snippet(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(4 * MAX_SNIPPET)];
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words[..words.floor_char_boundary(MAX_SNIPPET)].to_owned()
}
