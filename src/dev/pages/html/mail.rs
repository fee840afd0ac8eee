//! Renders one mail: its sender and recipients, and one of its views.

use maud::{Markup, html};

use super::{date, search_parameter, search_query, subject};
use crate::dev::mail::{Attachment, MAX_TEXT, Mail};

/// Bytes of the source that are shown.
pub(super) const MAX_SOURCE: usize = 256 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum View {
    Html,
    Text,
    Headers,
    Attachments,
    Source,
}

impl View {
    const ALL: [(Self, &str, &str); 5] = [
        (Self::Html, "html", "HTML"),
        (Self::Text, "text", "Text"),
        (Self::Headers, "headers", "Headers"),
        (Self::Attachments, "attachments", "Attachments"),
        (Self::Source, "source", "Source"),
    ];

    /// The view with this name where the mail has it; otherwise the body that a mail client would show.
    pub fn choose(mail: &Mail, name: Option<&str>) -> Self {
        let named = Self::ALL.iter().find(|(_, known, _)| Some(*known) == name).map(|(view, _, _)| *view);
        let default = if mail.content.has_html { Self::Html } else { Self::Text };
        named.filter(|view| view.is_available(mail)).unwrap_or(default)
    }

    fn is_available(self, mail: &Mail) -> bool {
        self != Self::Html || mail.content.has_html
    }
}

pub(super) fn render(mail: &Mail, view: View, search: &str) -> Markup {
    let content = &mail.content;
    let people = [("From", &content.from), ("To", &content.to.join(", ")), ("Cc", &content.cc.join(", "))];
    html! {
        p class="back" { a href={ "/dev/inbox" (search_query(search)) } { "All mails" } }
        div class="title" {
            h2 { (subject(mail)) }
            button type="button" id="delete" data-mail=(mail.id) hidden { "Delete" }
        }
        dl {
            @for (label, value) in people {
                @if !value.is_empty() { dt { (label) } dd { (value) } }
            }
            dt { "Date" }
            dd { (date(content.date.unwrap_or(mail.received))) }
            dt { "Envelope" }
            dd { (envelope(mail)) }
        }
        (tabs(mail, view, search))
        (body(mail, view))
    }
}

fn envelope(mail: &Mail) -> String {
    let envelope = &mail.envelope;
    format!(
        "from <{}> to <{}>, {}, {}",
        envelope.sender,
        envelope.recipients.join(">, <"),
        if envelope.encrypted { "over TLS" } else { "without TLS" },
        if envelope.signed_in { "signed in" } else { "not signed in" },
    )
}

fn tabs(mail: &Mail, open: View, search: &str) -> Markup {
    let search = if search.is_empty() { String::new() } else { format!("&{}", search_parameter(search)) };
    html! {
        nav class="tabs" aria-label="Views of the mail" {
            @for (view, name, label) in View::ALL.into_iter().filter(|(view, _, _)| view.is_available(mail)) {
                a href={ "/dev/inbox/" (mail.id) "?view=" (name) (search) }
                    aria-current=[(view == open).then_some("page")] {
                    (label)
                    @if view == View::Attachments { " (" (mail.content.attachments.len()) ")" }
                }
                " "
            }
        }
    }
}

fn body(mail: &Mail, view: View) -> Markup {
    let content = &mail.content;
    match view {
        View::Html => frame(mail.id),
        View::Text => html! {
            pre tabindex="0" { (content.text) }
            // The text is cut between two characters, of which none has more than four bytes.
            @if content.text.len() + 3 >= MAX_TEXT { (truncation_note()) }
        },
        View::Headers => html! {
            table class="headers" {
                @for (name, value) in &content.headers { tr { th scope="row" { (name) } td { (value) } } }
            }
        },
        View::Attachments => attachments(mail.id, &content.attachments),
        View::Source => source(mail),
    }
}

/// The sandbox allows no script, no form and no origin: a link that is clicked opens a window of its own.
fn frame(id: u64) -> Markup {
    html! {
        iframe src={ "/dev/inbox/" (id) "/html" } title="The HTML of the mail" referrerpolicy="no-referrer"
            sandbox="allow-popups allow-popups-to-escape-sandbox" {}
        p class="note" { "Nothing is loaded from elsewhere: images that are not in the mail stay empty." }
    }
}

fn attachments(id: u64, attachments: &[Attachment]) -> Markup {
    if attachments.is_empty() {
        return html! { p class="none" { "This mail has none." } };
    }
    html! {
        ul class="attachments" {
            @for (index, attachment) in attachments.iter().enumerate() {
                li {
                    a href={ "/dev/inbox/" (id) "/attachments/" (index) } download {
                        (attachment.name.as_deref().unwrap_or("(without a name)"))
                    }
                    " " span { (attachment.content_type) ", " (attachment.size) " bytes" }
                }
            }
        }
    }
}

fn source(mail: &Mail) -> Markup {
    let shown = &mail.source[..mail.source.len().min(MAX_SOURCE)];
    let file = format!("{}.eml", mail.id);
    html! {
        p { a href={ "/dev/inbox/" (file) } { (file) } ", " (mail.source.len()) " bytes" }
        pre tabindex="0" { (String::from_utf8_lossy(shown)) }
        @if mail.source.len() > MAX_SOURCE { (truncation_note()) }
    }
}

fn truncation_note() -> Markup {
    html! { p class="note" { "Cut off here; the source file has all of it." } }
}
