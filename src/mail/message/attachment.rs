//! Files that go with a message: attached, or shown within its HTML.

use std::path::Path;

use crate::error::{Reason, ValueError};
use crate::json::is_deceptive;

/// A file of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    pub filename: Option<Filename>,
    pub content_type: ContentType,
    /// By which the HTML names it (`<img src="cid:logo">`).
    pub content_id: Option<ContentId>,
    pub content: Vec<u8>,
}

/// The name of a file, without a folder and without characters that deceive its reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filename(String);

/// A media type of RFC 2045 section 5.1, with its parameters. Neither `multipart` nor `message`: their content may not
/// be encoded, so that not every file could be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentType(String);

/// The identifier of a part (RFC 2392), without angle brackets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentId(String);

/// Each text ends a sentence that begins with the field's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AttachmentError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {0} characters")]
    TooLong(usize),
    #[error("contains a line break or another invisible character")]
    Invisible,
    #[error("contains `{0}`, which cannot stand there")]
    Character(char),
    #[error("is in encoded form; enter the name itself")]
    EncodedWord,
    #[error("is not a media type such as application/pdf")]
    NotAContentType,
    #[error("is a type that cannot be attached; leave it out, or use application/octet-stream")]
    Composite,
}

impl ValueError for AttachmentError {
    fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::Empty,
            Self::TooLong(_) => Reason::TooLong,
            Self::Invisible => Reason::ControlCharacter,
            Self::Character(_) | Self::EncodedWord => Reason::InvalidCharacter,
            Self::NotAContentType | Self::Composite => Reason::NotAContentType,
        }
    }
}

impl Filename {
    const MAX_CHARACTERS: usize = 255;

    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, AttachmentError> {
        if text.trim().is_empty() {
            return Err(AttachmentError::Empty);
        }
        if text.chars().any(is_deceptive) {
            return Err(AttachmentError::Invisible);
        }
        if let Some(c) = text.chars().find(|c| matches!(c, '/' | '\\')) {
            return Err(AttachmentError::Character(c));
        }
        // Many readers would decode it, wherever it stands.
        if text.contains("=?") {
            return Err(AttachmentError::EncodedWord);
        }
        if text.chars().count() > Self::MAX_CHARACTERS {
            return Err(AttachmentError::TooLong(Self::MAX_CHARACTERS));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn extension(&self) -> Option<String> {
        Path::new(&self.0).extension()?.to_str().map(str::to_ascii_lowercase)
    }
}

impl ContentType {
    const MAX_CHARACTERS: usize = 255;
    const DEFAULT: &str = "application/octet-stream";

    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, AttachmentError> {
        let text = text.trim_matches(' ');
        if text.len() > Self::MAX_CHARACTERS {
            return Err(AttachmentError::TooLong(Self::MAX_CHARACTERS));
        }
        let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_printable || lettre::message::header::ContentType::parse(text).is_err() {
            return Err(AttachmentError::NotAContentType);
        }
        let (main, sub) = text.split_once('/').ok_or(AttachmentError::NotAContentType)?;
        // The library takes a type of one half.
        if main.is_empty() || sub.is_empty() || sub.starts_with([';', ' ']) {
            return Err(AttachmentError::NotAContentType);
        }
        if ["multipart", "message"].iter().any(|composite| main.eq_ignore_ascii_case(composite)) {
            return Err(AttachmentError::Composite);
        }
        Ok(Self(text.to_owned()))
    }

    /// What the end of a file's name says.
    pub fn guess(filename: Option<&Filename>) -> Self {
        let extension = filename.and_then(Filename::extension).unwrap_or_default();
        let known = BY_EXTENSION.iter().find(|(extensions, _)| extensions.contains(&extension.as_str()));
        Self(known.map_or(Self::DEFAULT, |(_, content_type)| content_type).to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What people attach. A reader decides by the name's end anyway; the type matters to images and calendars, which are
/// shown at once.
const BY_EXTENSION: [(&[&str], &str); 30] = [
    (&["pdf"], "application/pdf"),
    (&["png"], "image/png"),
    (&["jpg", "jpeg"], "image/jpeg"),
    (&["gif"], "image/gif"),
    (&["webp"], "image/webp"),
    (&["svg"], "image/svg+xml"),
    (&["bmp"], "image/bmp"),
    (&["tif", "tiff"], "image/tiff"),
    (&["heic"], "image/heic"),
    (&["ico"], "image/vnd.microsoft.icon"),
    (&["txt", "log"], "text/plain"),
    (&["csv"], "text/csv"),
    (&["htm", "html"], "text/html"),
    (&["md"], "text/markdown"),
    (&["ics"], "text/calendar"),
    (&["vcf"], "text/vcard"),
    (&["json"], "application/json"),
    (&["xml"], "application/xml"),
    (&["zip"], "application/zip"),
    (&["gz"], "application/gzip"),
    (&["doc"], "application/msword"),
    (&["docx"], "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (&["xls"], "application/vnd.ms-excel"),
    (&["xlsx"], "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (&["ppt"], "application/vnd.ms-powerpoint"),
    (&["pptx"], "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (&["odt"], "application/vnd.oasis.opendocument.text"),
    (&["ods"], "application/vnd.oasis.opendocument.spreadsheet"),
    (&["mp3"], "audio/mpeg"),
    (&["mp4"], "video/mp4"),
];

impl ContentId {
    const MAX_CHARACTERS: usize = 128;

    /// # Errors
    /// Names what is wrong, as the end of a sentence that begins with the field's name.
    pub fn parse(text: &str) -> Result<Self, AttachmentError> {
        let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        if text.is_empty() {
            return Err(AttachmentError::Empty);
        }
        if text.chars().any(is_deceptive) {
            return Err(AttachmentError::Invisible);
        }
        // Those of an identifier (RFC 5322 section 3.6.4) that mean nothing in a URL.
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || "!$*+-.=@_~".contains(*c);
        if let Some(c) = text.chars().find(|c| !is_plain(c)) {
            return Err(AttachmentError::Character(c));
        }
        if text.len() > Self::MAX_CHARACTERS {
            return Err(AttachmentError::TooLong(Self::MAX_CHARACTERS));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_plain_name() {
        for name in ["8841.pdf", "Rechnung März.pdf", "a \"b\".txt", "x", ".env", "a;b=c.txt", "报告.docx"]
        {
            assert_eq!(Filename::parse(name).map(|name| name.0), Ok(name.to_owned()));
        }
        for (name, expected) in [
            ("", AttachmentError::Empty),
            (" ", AttachmentError::Empty),
            ("a\r\nb.pdf", AttachmentError::Invisible),
            ("a\0.pdf", AttachmentError::Invisible),
            ("fdp\u{202e}exe.pdf", AttachmentError::Invisible),
            ("../a.pdf", AttachmentError::Character('/')),
            ("=?utf-8?q?x?=.txt", AttachmentError::EncodedWord),
            ("C:\\a.pdf", AttachmentError::Character('\\')),
        ] {
            assert_eq!(Filename::parse(name), Err(expected), "{name:?}");
        }
        assert_eq!(Filename::parse(&"a".repeat(256)), Err(AttachmentError::TooLong(255)));
    }

    #[test]
    fn a_content_type_is_a_media_type() {
        for text in ["application/pdf", "text/plain; charset=utf-8", "image/svg+xml", "text/x; a=\"b c\""] {
            assert_eq!(ContentType::parse(text).map(|found| found.0), Ok(text.to_owned()));
        }
        for text in [
            "",
            "pdf",
            "application/",
            "application/; a=b",
            "/pdf",
            "a/b\r\nBcc: x@y.org",
            "a/b; c",
            "a/b; c=\"\r\n\"",
            "text/ü",
        ] {
            assert_eq!(ContentType::parse(text), Err(AttachmentError::NotAContentType), "{text:?}");
        }
        for text in ["multipart/mixed; boundary=x", "message/rfc822", "Message/RFC822"] {
            assert_eq!(ContentType::parse(text), Err(AttachmentError::Composite), "{text:?}");
        }
    }

    #[test]
    fn a_content_type_follows_from_the_name() {
        for (name, expected) in [
            ("a.pdf", "application/pdf"),
            ("a.PDF", "application/pdf"),
            ("photo.JPeg", "image/jpeg"),
            ("a.tar.gz", "application/gzip"),
            ("a.eml", "application/octet-stream"),
            ("pdf", "application/octet-stream"),
            (".pdf", "application/octet-stream"),
        ] {
            let name = Filename::parse(name).unwrap();
            assert_eq!(ContentType::guess(Some(&name)).as_str(), expected);
        }
        assert_eq!(ContentType::guess(None).as_str(), "application/octet-stream");
        for (_, content_type) in BY_EXTENSION {
            assert!(ContentType::parse(content_type).is_ok(), "{content_type}");
        }
    }

    #[test]
    fn a_content_id_can_stand_in_a_url() {
        for (text, expected) in [
            ("logo", Ok("logo")),
            ("<logo@example.com>", Ok("logo@example.com")),
            ("image001.png@01D", Ok("image001.png@01D")),
            ("", Err(AttachmentError::Empty)),
            ("<>", Err(AttachmentError::Empty)),
            ("a b", Err(AttachmentError::Character(' '))),
            ("a>b", Err(AttachmentError::Character('>'))),
            ("a%41", Err(AttachmentError::Character('%'))),
            ("ä", Err(AttachmentError::Character('ä'))),
            ("a\r\nb", Err(AttachmentError::Invisible)),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(ContentId::parse(text).map(|id| id.0), expected, "{text:?}");
        }
    }
}
