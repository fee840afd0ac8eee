//! The content of a message: text, HTML and files, nested as RFC 2046 and 2387 want them.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use lettre::message::header::{ContentTransferEncoding, ContentType};

use super::BuildError;
use super::attachment::Attachment;
use super::{body, encode};

/// What a message consists of. Without any of it, the message is an empty text.
#[derive(Clone, Copy, Default)]
pub struct Content<'a> {
    pub text: Option<&'a str>,
    pub html: Option<&'a str>,
    pub attachments: &'a [Attachment],
}

/// A part of a message (RFC 2045 section 2.4 `entity`).
enum Entity<'a> {
    Text(ContentType, &'a str),
    File { attachment: &'a Attachment, disposition: &'static str },
    Multipart { kind: &'static str, parts: Vec<Entity<'a>> },
}

/// Makes the delimiters of multiparts out of the message's identifier: a message that is built again is the same.
struct Boundaries<'a> {
    seed: &'a str,
    count: usize,
}

impl<'a> Content<'a> {
    /// Writes the headers of the content, an empty line, and the content.
    pub(super) fn write(&self, out: &mut String, seed: &str) -> Result<(), BuildError> {
        self.entity().write(out, &mut Boundaries { seed, count: 0 })
    }

    /// Mixed around alternative around related, as far as each is needed.
    fn entity(&self) -> Entity<'a> {
        let (inline, attached): (Vec<_>, Vec<_>) = self
            .attachments
            .iter()
            .partition(|attachment| self.html.is_some() && attachment.content_id.is_some());
        let html = self.html.map(|html| {
            let files =
                inline.into_iter().map(|attachment| Entity::File { attachment, disposition: "inline" });
            multipart("related; type=\"text/html\"", Entity::Text(ContentType::TEXT_HTML, html), files)
        });
        let text = || Entity::Text(ContentType::TEXT_PLAIN, self.text.unwrap_or_default());
        let body = match (self.text, html) {
            (Some(_), Some(html)) => multipart("alternative", text(), [html]),
            (None, Some(html)) => html,
            (_, None) => text(),
        };
        let files =
            attached.into_iter().map(|attachment| Entity::File { attachment, disposition: "attachment" });
        multipart("mixed", body, files)
    }

    /// About as many octets as it takes when it is written.
    pub(super) fn size_hint(&self) -> usize {
        let files: usize =
            self.attachments.iter().map(|attachment| attachment.content.len() / 57 * 78 + 1024).sum();
        let texts = [self.text, self.html].into_iter().flatten().map(str::len).sum::<usize>();
        texts + texts / 8 + files + 2048
    }
}

fn multipart<'a>(
    kind: &'static str,
    first: Entity<'a>,
    others: impl IntoIterator<Item = Entity<'a>>,
) -> Entity<'a> {
    let mut parts = vec![first];
    parts.extend(others);
    if parts.len() > 1 { Entity::Multipart { kind, parts } } else { parts.remove(0) }
}

impl Entity<'_> {
    fn write(&self, out: &mut String, boundaries: &mut Boundaries<'_>) -> Result<(), BuildError> {
        match self {
            Self::Text(content_type, text) => write_text(out, content_type, text),
            Self::File { attachment, disposition } => {
                write_file(out, attachment, disposition);
                Ok(())
            }
            Self::Multipart { kind, parts } => {
                let boundary = boundaries.next();
                // Writing to a String cannot fail.
                let _ = write!(out, "Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n\r\n");
                for part in parts {
                    let _ = write!(out, "--{boundary}\r\n");
                    part.write(out, boundaries)?;
                }
                let _ = write!(out, "--{boundary}--\r\n");
                Ok(())
            }
        }
    }
}

fn write_text(out: &mut String, content_type: &ContentType, text: &str) -> Result<(), BuildError> {
    let body = body::encode(text)?;
    encode::typed(out, content_type.clone());
    encode::typed(out, body.encoding());
    out.push_str("\r\n");
    let encoded =
        std::str::from_utf8(body.as_ref()).map_err(|_| BuildError("the body is not ASCII".to_owned()))?;
    out.push_str(encoded);
    out.push_str("\r\n");
    Ok(())
}

/// Always in Base64, so that the octets arrive as they are, also those of a text.
fn write_file(out: &mut String, attachment: &Attachment, disposition: &str) {
    encode::folded(out, "Content-Type", attachment.content_type.as_str());
    encode::typed(out, ContentTransferEncoding::Base64);
    if let Some(id) = &attachment.content_id {
        encode::folded(out, "Content-ID", &format!("<{}>", id.as_str()));
    }
    encode::content_disposition(out, disposition, attachment.filename.as_ref());
    out.push_str("\r\n");
    // Writing to a String cannot fail.
    let _ = email_encoding::body::base64::encode(&attachment.content, out);
    out.push_str("\r\n");
}

impl Boundaries<'_> {
    /// No text that was written before the identifier was made holds one.
    fn next(&mut self) -> String {
        const OCTETS: usize = 16;
        self.count += 1;
        let hash = digest(&SHA256, format!("{} {}", self.seed, self.count).as_bytes());
        hash.as_ref().iter().take(OCTETS).fold(String::new(), |mut boundary, byte| {
            // Writing to a String cannot fail.
            let _ = write!(boundary, "{byte:02x}");
            boundary
        })
    }
}
