//! One mail: who, to whom, and one of its views.

use std::fmt::Write as _;

use super::{Escaped, Query, date, subject};
use crate::dev::mail::{MAX_TEXT, Mail};

/// How much of a source is shown, in bytes.
pub(super) const MAX_SOURCE: usize = 256 * 1024;

/// How a mail is looked at.
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

    /// The view that was asked for, where the mail has it; otherwise what a reader of mail would show.
    pub fn of(mail: &Mail, name: Option<&str>) -> Self {
        let asked = Self::ALL.iter().find(|(_, known, _)| Some(*known) == name).map(|(view, _, _)| *view);
        let usual = if mail.content.has_html { Self::Html } else { Self::Text };
        asked.filter(|view| view.is_of(mail)).unwrap_or(usual)
    }

    fn is_of(self, mail: &Mail) -> bool {
        self != Self::Html || mail.content.has_html
    }
}

pub(super) fn page(mail: &Mail, view: View, words: &str) -> String {
    let back = if words.is_empty() { String::new() } else { format!("?{}", Query(words)) };
    let content = &mail.content;
    let mut people = String::new();
    for (label, value) in
        [("From", &content.from), ("To", &content.to.join(", ")), ("Cc", &content.cc.join(", "))]
    {
        if !value.is_empty() {
            let _ = writeln!(people, "<dt>{label}</dt><dd>{}</dd>", Escaped(value));
        }
    }
    format!(
        "<p class=\"back\"><a href=\"/dev/inbox{back}\">All mails</a></p>\n\
         <div class=\"title\"><h2>{subject}</h2>\
         <button type=\"button\" id=\"delete\" data-mail=\"{id}\" hidden>Delete</button></div>\n\
         <dl>\n{people}<dt>Date</dt><dd>{date}</dd>\n<dt>Envelope</dt><dd>{envelope}</dd>\n</dl>\n\
         {tabs}{body}",
        subject = Escaped(subject(mail)),
        id = mail.id,
        date = date(content.date.unwrap_or(mail.received)),
        envelope = envelope(mail),
        tabs = tabs(mail, view, words),
        body = body(mail, view),
    )
}

fn envelope(mail: &Mail) -> String {
    format!(
        "from &lt;{}&gt; to &lt;{}&gt;, {}, {}",
        Escaped(&mail.envelope.sender),
        Escaped(&mail.envelope.recipients.join(">, <")),
        if mail.envelope.encrypted { "over TLS" } else { "in the clear" },
        if mail.envelope.signed_in { "signed in" } else { "not signed in" },
    )
}

fn tabs(mail: &Mail, open: View, words: &str) -> String {
    let and = if words.is_empty() { "" } else { "&amp;" };
    let mut out = "<nav class=\"tabs\" aria-label=\"Views of the mail\">\n".to_owned();
    for (view, name, label) in View::ALL.into_iter().filter(|(view, _, _)| view.is_of(mail)) {
        let current = if view == open { " aria-current=\"page\"" } else { "" };
        let count = match (view, mail.content.attachments.len()) {
            (View::Attachments, count) => format!(" ({count})"),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "<a href=\"/dev/inbox/{}?view={name}{and}{}\"{current}>{label}{count}</a>",
            mail.id,
            Query(words),
        );
    }
    out.push_str("</nav>\n");
    out
}

fn body(mail: &Mail, view: View) -> String {
    let id = mail.id;
    match view {
        // No script, no origin of its own, no form: what the frame may do beyond showing is to open a link that
        // was clicked, in a window of its own.
        View::Html => format!(
            "<iframe src=\"/dev/inbox/{id}/html\" title=\"The HTML of the mail\" referrerpolicy=\"no-referrer\" \
             sandbox=\"allow-popups allow-popups-to-escape-sandbox\"></iframe>\n\
             <p class=\"note\">Nothing is loaded from elsewhere: images that are not in the mail stay empty.</p>\n"
        ),
        View::Text => format!(
            "<pre tabindex=\"0\">{}</pre>\n{}",
            Escaped(&mail.content.text),
            // A text is cut between two characters, of which none has more than four bytes.
            cut(mail.content.text.len() + 3 >= MAX_TEXT),
        ),
        View::Headers => headers(mail),
        View::Attachments => attachments(mail),
        View::Source => format!(
            "<p><a href=\"/dev/inbox/{id}.eml\">{id}.eml</a>, {} bytes</p>\n<pre tabindex=\"0\">{}</pre>\n{}",
            mail.source.len(),
            Escaped(&String::from_utf8_lossy(&mail.source[..mail.source.len().min(MAX_SOURCE)])),
            cut(mail.source.len() > MAX_SOURCE),
        ),
    }
}

fn headers(mail: &Mail) -> String {
    let mut out = "<table class=\"headers\">\n".to_owned();
    for (name, value) in &mail.content.headers {
        let _ = writeln!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", Escaped(name), Escaped(value));
    }
    out.push_str("</table>\n");
    out
}

fn attachments(mail: &Mail) -> String {
    if mail.content.attachments.is_empty() {
        return "<p class=\"none\">This mail has none.</p>\n".to_owned();
    }
    let mut out = "<ul class=\"attachments\">\n".to_owned();
    for (place, attachment) in mail.content.attachments.iter().enumerate() {
        let _ = writeln!(
            out,
            "<li><a href=\"/dev/inbox/{}/attachments/{place}\" download>{}</a> <span>{}, {} bytes</span></li>",
            mail.id,
            Escaped(attachment.name.as_deref().unwrap_or("(without a name)")),
            Escaped(&attachment.content_type),
            attachment.size,
        );
    }
    out.push_str("</ul>\n");
    out
}

fn cut(is_cut: bool) -> &'static str {
    if is_cut { "<p class=\"note\">Cut off here; the source file has all of it.</p>\n" } else { "" }
}
