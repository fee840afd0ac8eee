//! Responses with a mail's source, its HTML for the frame, and its attachments.
//!
//! The bytes are untrusted: none of them may act as a page, script or style of this origin.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::dev::mail::{self, Mail};
use crate::percent::percent_encode;

/// The policy of a mail's HTML, in the frame and outside of it: no script, nothing loaded, an opaque origin.
const FRAME_POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; \
                            form-action 'none'; frame-ancestors 'self'; \
                            sandbox allow-popups allow-popups-to-escape-sandbox";

/// Content types that are passed on; any other becomes `application/octet-stream`.
const HARMLESS_TYPES: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "text/plain",
    "text/csv",
    "text/calendar",
    "application/pdf",
];

pub(super) fn source(mail: &Mail) -> Response {
    let headers = [
        (CONTENT_TYPE, "message/rfc822".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}.eml\"", mail.id)),
    ];
    (headers, mail.source.clone()).into_response()
}

/// None where the mail has no HTML. Links open in a new window.
pub(super) fn html(mail: &Mail) -> Option<Response> {
    let html = format!(
        "<!doctype html><meta charset=\"utf-8\"><base target=\"_blank\">{}",
        mail::html(&mail.source)?
    );
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, FRAME_POLICY)];
    Some((headers, html).into_response())
}

/// None where there is no such attachment.
pub(super) fn attachment(mail: &Mail, index: usize) -> Option<Response> {
    let (attachment, bytes) = mail::attachment(&mail.source, index)?;
    let kind = HARMLESS_TYPES.into_iter().find(|known| *known == attachment.content_type);
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.unwrap_or("application/octet-stream")));
    let disposition = disposition(attachment.name.as_deref().unwrap_or("attachment"));
    // The disposition is ASCII without control characters.
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).ok()?);
    Some(response)
}

/// A Content-Disposition (RFC 6266) with the file name in ASCII for old clients and in UTF-8. Folders are cut off.
fn disposition(name: &str) -> String {
    let name: String = name
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|character| !character.is_control())
        .take(120)
        .collect();
    let name = match name.trim_matches(['.', ' ']) {
        "" => "attachment",
        name => name,
    };
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_. ".contains(character);
    let ascii: String =
        name.chars().map(|character| if plain(character) { character } else { '_' }).collect();
    let encoded = percent_encode(name);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn a_name_cannot_leave_its_place() {
        for (name, ascii, encoded) in [
            ("report.pdf", "report.pdf", "report.pdf"),
            ("Übung 1.txt", "_bung 1.txt", "%C3%9Cbung%201.txt"),
            ("../../etc/passwd", "passwd", "passwd"),
            ("C:\\evil.exe", "evil.exe", "evil.exe"),
            ("a\"; filename=\"b.exe", "a__ filename__b.exe", "a%22%3B%20filename%3D%22b.exe"),
            ("a\r\nSet-Cookie: b", "aSet-Cookie_ b", "aSet-Cookie%3A%20b"),
            ("..", "attachment", "attachment"),
            ("", "attachment", "attachment"),
        ] {
            let expected = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}");
            assert_eq!(disposition(name), expected, "{name:?}");
        }
    }
}
