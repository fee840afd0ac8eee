//! Renders the pages of the inbox. They work without the script, which only keeps them up to date.

mod list;
mod mail;

use std::sync::Arc;

use maud::{DOCTYPE, Markup, html};

use crate::clock::Timestamp;
use crate::dev::mail::Mail;
use crate::dev::smtp::{Outcome, USER};
use crate::percent::percent_encode;

pub(super) use mail::View;

/// A page: the list of mails, and beside it the open mail or an explanation of the inbox.
///
/// `mails` are those that match `search`, the newest first; `total` is the number of all mails.
pub(super) fn page(mails: &[Arc<Mail>], total: usize, search: &str, open: Option<(&Mail, View)>) -> String {
    let (title, main, class) = match open {
        Some((mail, view)) => (subject(mail), mail::render(mail, view, search), "reading"),
        None => ("Inbox", introduction(total), "browsing"),
    };
    let open_id = open.map(|(mail, _)| mail.id);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – transports dev" }
                link rel="stylesheet" href="/dev/inbox.css";
                script type="module" src="/dev/inbox.js" {}
            }
            body class=(class) {
                header {
                    h1 { a href="/dev/inbox" { "Inbox" } }
                    " "
                    form role="search" action="/dev/inbox" {
                        input type="search" name="q" value=(search) aria-label="Search the mails"
                            placeholder="Search" autocomplete="off";
                        button { "Search" }
                    }
                    " "
                    button id="clear" type="button" hidden { "Delete all" }
                    " "
                    p id="state" role="status" {}
                }
                div class="panes" {
                    nav id="list" aria-label="Mails" { (list::render(mails, total, search, open_id)) }
                    main { (main) }
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn introduction(total: usize) -> Markup {
    html! {
        p class="hint" {
            @if total == 0 { "No mail yet. It appears here as soon as it arrives." } @else { "Choose a mail." }
        }
        p class="note" {
            "Every mail that arrives here stays here until the program ends. Over TLS, user " code { (USER) }
            " has to sign in; without TLS nobody has to. To see a failure, sign in with a wrong password (535), \
             or send to a recipient that begins with " code { (Outcome::Unknown.prefix()) } " (550), "
             code { (Outcome::Later.prefix()) } " (450 twice), " code { (Outcome::Slow.prefix()) } " (a late answer) or "
             code { (Outcome::Lost.prefix()) } " (no answer). The same mails as JSON: "
            a href="/dev/inbox.json" { "/dev/inbox.json" } ". " code { "DELETE /dev/inbox" } " deletes all of \
             them, " code { "DELETE /dev/inbox/1" } " deletes one."
        }
        p class="note" {
            "Keys: " kbd { "j" } " and " kbd { "k" } " or the arrows move through the list, " kbd { "/" }
            " searches, " kbd { "Delete" } " deletes the open or focused mail."
        }
    }
}

fn subject(mail: &Mail) -> &str {
    if mail.content.subject.trim().is_empty() { "(no subject)" } else { &mail.content.subject }
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
    html! { time datetime=(iso) { (shown) " UTC" } }
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
        let escaped = "&quot;'&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;\0";
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
        assert_eq!(View::choose(&mail, None), View::Html);
        assert_eq!(View::choose(&mail, Some("source")), View::Source);
        assert_eq!(View::choose(&mail, Some("nonsense")), View::Html);
        mail.content.has_html = false;
        assert_eq!(View::choose(&mail, None), View::Text);
        assert_eq!(View::choose(&mail, Some("html")), View::Text);
    }
}
