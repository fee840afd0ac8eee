//! Renders the pages of the inbox. They work without the script, which only keeps them up to date.

mod list;
mod mail;

use std::sync::Arc;

use maud::{DOCTYPE, Markup, html};

use super::words;
use crate::clock::Timestamp;
use crate::dev::mail::Mail;
use crate::dev::smtp::{Outcome, USER};
use crate::language::{Language, fill};
use crate::percent::percent_encode;

pub(super) use mail::View;

/// What every page needs to know of its reader and its inbox.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub language: Language,
    /// Of the inbox's SMTP server.
    pub password: &'a str,
    /// The search; empty without one.
    pub search: &'a str,
}

impl Frame<'_> {
    fn text(self, english: &'static str) -> &'static str {
        self.language.text(english)
    }
}

/// A page: the list of mails, and beside it the open mail or an explanation of the inbox.
///
/// `mails` are those that match the search, the newest first; `total` is the number of all mails.
pub(super) fn page(
    frame: Frame<'_>,
    mails: &[Arc<Mail>],
    total: usize,
    open: Option<(&Mail, View)>,
) -> String {
    let (title, main, class) = match open {
        Some((mail, view)) => (subject(frame, mail), mail::render(frame, mail, view), "reading"),
        None => (frame.text(words::INBOX), introduction(frame, total), "browsing"),
    };
    let open_id = open.map(|(mail, _)| mail.id);
    let page = html! {
        (DOCTYPE)
        html lang=(frame.language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – transports dev" }
                link rel="stylesheet" href="/dev/inbox.css";
                script type="module" src="/dev/inbox.js" {}
            }
            body class=(class) {
                header {
                    h1 { a href="/dev/inbox" { (frame.text(words::INBOX)) } }
                    " "
                    form role="search" action="/dev/inbox" {
                        input type="search" name="q" value=(frame.search) aria-label=(frame.text(words::SEARCH_LABEL))
                            placeholder=(frame.text(words::SEARCH)) autocomplete="off";
                        button { (frame.text(words::SEARCH)) }
                    }
                    " "
                    button id="clear" type="button" data-question=(frame.text(words::DELETE_ALL_QUESTION)) hidden {
                        (frame.text(words::DELETE_ALL))
                    }
                    " "
                    a href="/console/" { (frame.text(words::CONSOLE)) }
                    " "
                    (state(frame))
                }
                div class="panes" {
                    nav id="list" aria-label=(frame.text(words::EMAILS)) { (list::render(frame, mails, total, open_id)) }
                    main { (main) }
                }
            }
        }
    };
    page.into_string() + "\n"
}

/// Where the script says what happens, with its words.
fn state(frame: Frame<'_>) -> Markup {
    html! {
        p id="state" role="status" data-new-one=(frame.text(words::NEW_ONE)) data-new-many=(frame.text(words::NEW_MANY))
            data-deleted=(frame.text(words::DELETED)) data-not-deleted=(frame.text(words::NOT_DELETED))
            data-not-all-deleted=(frame.text(words::NOT_ALL_DELETED)) data-no-answer=(frame.text(words::NO_ANSWER))
            data-not-connected=(frame.text(words::NOT_CONNECTED)) {}
    }
}

fn introduction(frame: Frame<'_>, total: usize) -> Markup {
    html! {
        p class="hint" { (frame.text(if total == 0 { words::NONE_YET } else { words::CHOOSE })) }
        p class="note" {
            (frame.text(words::KEPT)) " " (with_code(frame.text(words::SIGN_IN), |name| match name {
                "user" => USER.to_owned(),
                _ => frame.password.to_owned(),
            }))
        }
        p class="note" { (with_code(frame.text(words::FAILURES), |name| match name {
            "unknown" => Outcome::Unknown.prefix().to_owned(),
            "later" => Outcome::Later.prefix().to_owned(),
            "slow" => Outcome::Slow.prefix().to_owned(),
            _ => Outcome::Lost.prefix().to_owned(),
        })) }
        p class="note" { (with_code(frame.text(words::AS_JSON), |name| match name {
            "json" => "/dev/inbox.json".to_owned(),
            "delete_all" => "DELETE /dev/inbox".to_owned(),
            _ => "DELETE /dev/inbox/1".to_owned(),
        })) }
        p class="note" { (frame.text(words::KEYS)) }
    }
}

/// The text with its values as code.
fn with_code(template: &str, value: impl Fn(&str) -> String) -> Markup {
    // The mark stands in no text.
    let marked = fill(template, |name| format!("\u{1}{}\u{1}", value(name)));
    let parts: Vec<&str> = marked.split('\u{1}').collect();
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

fn subject<'a>(frame: Frame<'_>, mail: &'a Mail) -> &'a str {
    if mail.content.subject.trim().is_empty() { frame.text(words::NO_SUBJECT) } else { &mail.content.subject }
}

/// `?q=…`, so that a link keeps the search; empty without a search.
fn search_query(search: &str) -> String {
    if search.is_empty() { String::new() } else { format!("?{}", search_parameter(search)) }
}

fn search_parameter(search: &str) -> String {
    format!("q={}", percent_encode(search))
}

fn date(moment: Timestamp) -> Markup {
    let iso = moment.to_iso();
    let shown = iso.get(..19).unwrap_or(&iso).replace('T', " ");
    // The script puts the reader's own time in its place.
    html! { time datetime=(iso) data-style="medium" { (shown) " UTC" } }
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

    fn frame(search: &str) -> Frame<'_> {
        Frame { language: Language::English, password: "PASSWORD", search }
    }

    fn shown(mail: &Mail, view: View) -> String {
        page(frame(""), &[], 0, Some((mail, view)))
    }

    #[test]
    fn nothing_in_a_mail_becomes_markup() {
        let escaped = "&quot;'&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;\0";
        let mail = hostile();
        let list = page(frame(ATTACK), &[Arc::new(hostile())], 1, None);
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
        let page = page(frame("ü &"), &[Arc::new(silent)], 1, None);
        assert!(page.contains("<a href=\"/dev/inbox/7?q=%C3%BC%20%26\">"), "{page}");
        assert!(page.contains("(no subject)"), "{page}");
    }

    #[test]
    fn a_list_names_the_recipients_and_a_mail_without_a_date_shows_none() {
        let mut mail = hostile();
        mail.envelope.recipients = vec!["ada@example.org".to_owned(), "bob@example.org".to_owned()];
        let list = page(frame(""), &[Arc::new(mail.clone())], 1, None);
        assert!(list.contains("ada@example.org, bob@example.org"), "{list}");
        assert!(!shown(&mail, View::Text).contains("<dt>Date</dt>"), "it has none");
        mail.content.date = Some(Timestamp(0));
        assert!(shown(&mail, View::Text).contains("<dt>Date</dt>"));
    }

    #[test]
    fn pages_are_in_the_readers_language_and_lead_back_to_the_console() {
        let german = Frame { language: Language::German, ..frame("") };
        let page = page(german, &[], 0, None);
        for part in [
            "<html lang=\"de\">",
            "Testpostfach",
            "href=\"/console/\"",
            "<code>PASSWORD</code>",
            "<code>dev</code>",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn a_view_is_chosen_by_what_the_mail_has() {
        let mut mail = hostile();
        assert_eq!(View::choose(&mail, None), View::Html);
        assert_eq!(View::choose(&mail, Some("source")), View::Source);
        assert_eq!(View::choose(&mail, Some("nonsense")), View::Html);
        mail.content.has_html = false;
        assert_eq!(View::choose(&mail, None), View::Text);
        assert_eq!(View::choose(&mail, Some("html")), View::Text);
    }
}
