//! Reads the HTML body of a mail and embeds its inline images (RFC 2392), so that showing it loads nothing.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Message, MessageParser, PartType};
use percent_encoding::percent_decode_str;

use super::Attachment;

/// Bytes that embedded images may add: a mail may refer to one large image a thousand times.
const MAX_IMAGES: usize = 48 * 1024 * 1024;

/// The HTML body; none where the mail has none.
///
/// Only `cid:` URLs of images in the mail are replaced, by `data:` URLs. The rest is untrusted and unchanged: show it
/// where no script runs and nothing is loaded.
pub fn html(source: &[u8]) -> Option<String> {
    let message = MessageParser::default().parse(source)?;
    let body = message.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html),
        _ => None,
    })?;
    let images = message
        .attachments()
        .filter_map(|part| {
            let Attachment { content_type, content_id, .. } = Attachment::new(part);
            let is_image = content_type.starts_with("image/");
            content_id.filter(|_| is_image).map(|id| (id, (content_type, part.contents())))
        })
        .collect();
    Some(embed_images(body, &images))
}

pub(super) fn has_html(message: &Message<'_>) -> bool {
    message.html_bodies().any(|part| matches!(part.body, PartType::Html(_)))
}

type Images<'a> = HashMap<String, (String, &'a [u8])>;

/// Replaces `cid:` URLs of known images. A `data:` URL has no character that could end an attribute.
fn embed_images(html: &str, images: &Images<'_>) -> String {
    let mut out = String::with_capacity(html.len());
    let (mut rest, mut left) = (html, MAX_IMAGES);
    while let Some(start) = find_cid(rest) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let name = &from["cid:".len()..];
        let end = name.find(['"', '\'', ')', '>', '<', ' ', '\t', '\r', '\n']).unwrap_or(name.len());
        let begins_a_url = before.trim_end().ends_with(['"', '\'', '(', '=']);
        let image = images.get(&*decode_content_id(&name[..end])).filter(|_| begins_a_url);
        let length = image.map_or(0, |(kind, bytes)| kind.len() + bytes.len().div_ceil(3) * 4 + 16);
        if let Some((kind, bytes)) = image
            && length <= left
        {
            left -= length;
            out.push_str("data:");
            out.push_str(kind);
            out.push_str(";base64,");
            STANDARD.encode_string(bytes, &mut out);
        } else {
            out.push_str(&from[.."cid:".len() + end]);
        }
        rest = &name[end..];
    }
    out.push_str(rest);
    out
}

fn find_cid(text: &str) -> Option<usize> {
    text.as_bytes().windows(4).position(|window| window.eq_ignore_ascii_case(b"cid:"))
}

/// Decodes a Content-ID from a URL in an attribute: percent-encoded, `&` as `&amp;`.
fn decode_content_id(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '&']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("&amp;", "&");
    Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str, images: &[(&str, &str, &[u8])]) -> String {
        let images =
            images.iter().map(|(id, kind, bytes)| ((*id).to_owned(), ((*kind).to_owned(), *bytes))).collect();
        embed_images(html, &images)
    }

    #[test]
    fn content_ids_become_data_urls() {
        let images: &[(&str, &str, &[u8])] = &[("a@b", "image/png", b"abc"), ("c&d", "image/gif", b"x")];
        let (a, c) = ("data:image/png;base64,YWJj", "data:image/gif;base64,eA==");
        for (html, expected) in [
            ("<img src=\"cid:a@b\">", format!("<img src=\"{a}\">")),
            ("<img src='CID:a@b'><p>", format!("<img src='{a}'><p>")),
            ("<img src=cid:a@b>", format!("<img src={a}>")),
            ("<td style=\"background:url( cid:a@b )\">", format!("<td style=\"background:url( {a} )\">")),
            (
                "<img src=\"cid:a%40b\"><img src=\"cid:c&amp;d\">",
                format!("<img src=\"{a}\"><img src=\"{c}\">"),
            ),
        ] {
            assert_eq!(shown(html, images), expected);
        }
        for unchanged in [
            "<img src=\"cid:unknown\">",
            "the text cid:a@b in words",
            "<img src=\"https://example.com/cid:a@b\">",
            "<img src=\"cid:",
            "cid:",
            "<img src=\"cid:%zz%\">",
            "ü\"cid:ü",
            "",
        ] {
            assert_eq!(shown(unchanged, images), unchanged);
        }
    }

    #[test]
    fn an_image_that_is_used_often_does_not_fill_memory() {
        let large = vec![b'x'; MAX_IMAGES / 4];
        let html = "<img src=\"cid:a\">".repeat(1000);
        let out = shown(&html, &[("a", "image/png", &large)]);
        assert!(out.len() < MAX_IMAGES + html.len() + 1000, "{}", out.len());
        assert_eq!(out.matches("data:image/png;base64,").count(), 2);
        assert_eq!(out.matches("\"cid:a\"").count(), 998);
    }

    #[test]
    fn a_mail_of_text_alone_has_no_html() {
        assert_eq!(html(b"Content-Type: text/plain\r\n\r\n<p>one"), None);
        assert_eq!(html(b"Content-Type: text/html\r\n\r\n<p>one").as_deref(), Some("<p>one"));
        assert_eq!(html(b""), None);
    }

    #[test]
    fn only_images_are_embedded() {
        let mail = |kind: &str| {
            format!(
                "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n\
                 <img src=\"cid:x\">\r\n--b\r\nContent-Type: {kind}\r\nContent-ID: <x>\r\n\r\nAAA\r\n--b--\r\n"
            )
        };
        let shown = |kind| html(mail(kind).as_bytes()).expect("HTML");
        assert!(shown("image/png").contains("src=\"data:image/png;base64,QUFB"), "{}", shown("image/png"));
        for kind in ["application/javascript", "application/octet-stream", "image/\"><script>", "image/png/x"]
        {
            assert!(shown(kind).contains("src=\"cid:x\""), "{kind}: {}", shown(kind));
        }
    }
}
