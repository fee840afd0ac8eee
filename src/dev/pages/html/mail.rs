//! Renders one mail: its sender and recipients, and one of its views.

use maud::{Markup, html};

use super::{Frame, date, search_parameter, search_query, subject};
use crate::dev::mail::{Attachment, MAX_TEXT, Mail};
use crate::dev::pages::words;
use crate::language::Text;

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
    const ALL: [(Self, &str, &'static str); 5] = [
        (Self::Html, "html", "HTML"),
        (Self::Text, "text", words::VIEW_TEXT),
        (Self::Headers, "headers", words::VIEW_HEADERS),
        (Self::Attachments, "attachments", words::VIEW_ATTACHMENTS),
        (Self::Source, "source", words::VIEW_SOURCE),
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

pub(super) fn render(frame: Frame<'_>, mail: &Mail, view: View) -> Markup {
    let content = &mail.content;
    let people = [
        (words::FROM, &content.from),
        (words::TO, &content.to.join(", ")),
        (words::CC, &content.cc.join(", ")),
    ];
    html! {
        p class="back" { a href={ "/dev/inbox" (search_query(frame.search)) } { (frame.text(words::ALL)) } }
        div class="title" {
            h2 { (subject(frame, mail)) }
            a href={ "/dev/inbox/" (mail.id) ".eml" } download { (frame.text(words::DOWNLOAD)) }
            button type="button" id="delete" data-mail=(mail.id) hidden { (frame.text(words::DELETE)) }
        }
        dl {
            @for (label, value) in people {
                @if !value.is_empty() { dt { (frame.text(label)) } dd { (value) } }
            }
            @if let Some(moment) = content.date {
                dt { (frame.text(words::DATE)) }
                dd { (date(moment)) }
            }
            dt { (frame.text(words::RECEIVED)) }
            dd { (date(mail.received)) }
            dt { (frame.text(words::ENVELOPE)) }
            dd { (envelope(frame, mail)) }
        }
        (tabs(frame, mail, view))
        (body(frame, mail, view))
    }
}

fn envelope(frame: Frame<'_>, mail: &Mail) -> String {
    let envelope = &mail.envelope;
    Text::new(words::ENVELOPE_TEXT)
        .with("from", &envelope.sender)
        .with("to", envelope.recipients.join(">, <"))
        .with("encryption", frame.text(if envelope.encrypted { words::OVER_TLS } else { words::WITHOUT_TLS }))
        .with("sign_in", frame.text(if envelope.signed_in { words::SIGNED_IN } else { words::NOT_SIGNED_IN }))
        .render(frame.language)
}

fn tabs(frame: Frame<'_>, mail: &Mail, open: View) -> Markup {
    let search = match frame.search {
        "" => String::new(),
        search => format!("&{}", search_parameter(search)),
    };
    html! {
        nav class="tabs" aria-label=(frame.text(words::VIEWS)) {
            @for (view, name, label) in View::ALL.into_iter().filter(|(view, _, _)| view.is_available(mail)) {
                a href={ "/dev/inbox/" (mail.id) "?view=" (name) (search) }
                    aria-current=[(view == open).then_some("page")] {
                    (frame.text(label))
                    @if view == View::Attachments { " (" (mail.content.attachments.len()) ")" }
                }
                " "
            }
        }
    }
}

fn body(frame: Frame<'_>, mail: &Mail, view: View) -> Markup {
    let content = &mail.content;
    match view {
        View::Html => html_frame(frame, mail.id),
        View::Text => html! {
            pre tabindex="0" { (content.text) }
            // The text is cut between two characters, of which none has more than four bytes.
            @if content.text.len() + 3 >= MAX_TEXT { (truncation_note(frame)) }
        },
        View::Headers => html! {
            table class="headers" {
                @for (name, value) in &content.headers { tr { th scope="row" { (name) } td { (value) } } }
            }
        },
        View::Attachments => attachments(frame, mail.id, &content.attachments),
        View::Source => source(frame, mail),
    }
}

/// The sandbox allows no script, no form and no origin: a link that is clicked opens a window of its own.
fn html_frame(frame: Frame<'_>, id: u64) -> Markup {
    html! {
        iframe src={ "/dev/inbox/" (id) "/html" } title=(frame.text(words::HTML_TITLE)) referrerpolicy="no-referrer"
            sandbox="allow-popups allow-popups-to-escape-sandbox" {}
        p class="note" { (frame.text(words::HTML_NOTE)) }
    }
}

fn attachments(frame: Frame<'_>, id: u64, attachments: &[Attachment]) -> Markup {
    if attachments.is_empty() {
        return html! { p class="none" { (frame.text(words::NO_ATTACHMENTS)) } };
    }
    html! {
        ul class="attachments" {
            @for (index, attachment) in attachments.iter().enumerate() {
                li {
                    a href={ "/dev/inbox/" (id) "/attachments/" (index) } download {
                        (attachment.name.as_deref().unwrap_or(frame.text(words::UNNAMED)))
                    }
                    " " span { (attachment.content_type) ", " (bytes(frame, attachment.size)) }
                }
            }
        }
    }
}

fn source(frame: Frame<'_>, mail: &Mail) -> Markup {
    let shown = &mail.source[..mail.source.len().min(MAX_SOURCE)];
    let file = format!("{}.eml", mail.id);
    html! {
        p { a href={ "/dev/inbox/" (file) } { (file) } ", " (bytes(frame, mail.source.len())) }
        pre tabindex="0" { (String::from_utf8_lossy(shown)) }
        @if mail.source.len() > MAX_SOURCE { (truncation_note(frame)) }
    }
}

fn bytes(frame: Frame<'_>, count: usize) -> String {
    Text::new(words::BYTES).with("count", count.to_string()).render(frame.language)
}

fn truncation_note(frame: Frame<'_>) -> Markup {
    html! { p class="note" { (frame.text(words::CUT_OFF)) } }
}
