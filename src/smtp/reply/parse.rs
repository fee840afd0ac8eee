//! Parses replies from bytes that arrive in any pieces. Pure, in linear time and bounded memory, whatever a hostile
//! server sends.

use super::{EnhancedCode, Reply, decode};

/// The longest line, CR LF included. RFC 5321 section 4.5.3.1.5 says 512; real servers send more.
pub(in crate::smtp) const MAX_LINE: usize = 2_048;

/// The most lines of one reply.
pub(in crate::smtp) const MAX_LINES: usize = 128;

/// The largest reply in octets, all its lines with their line ends.
pub(in crate::smtp) const MAX_REPLY: usize = 64 * 1_024;

/// How a reply breaks RFC 5321 or a limit. It holds nothing of what the server sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::smtp) enum Malformed {
    LineTooLong,
    TooManyLines,
    TooLarge,
    BareLineFeed,
    NoCode,
    CodesDiffer,
}

impl Malformed {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LineTooLong => "a line of the reply is longer than 2,048 octets",
            Self::TooManyLines => "the reply has more than 128 lines",
            Self::TooLarge => "the reply is larger than 64 KiB",
            Self::BareLineFeed => "a line of the reply ends without a carriage return",
            Self::NoCode => "a line of the reply does not begin with a reply code",
            Self::CodesDiffer => "the lines of the reply have different codes",
        }
    }
}

/// The bytes that have arrived and are not parsed yet.
#[derive(Default)]
pub(in crate::smtp) struct Replies {
    bytes: Vec<u8>,
    /// Where the first unparsed line begins.
    start: usize,
    /// Up to where there is no line feed, so that no byte is searched twice.
    searched: usize,
    partial: Option<Partial>,
}

/// A reply of which more lines will come.
struct Partial {
    code: u16,
    enhanced: Option<EnhancedCode>,
    /// The raw lines without codes: their encoding is decided on the whole reply.
    lines: Vec<Vec<u8>>,
    octets: usize,
}

impl Replies {
    /// Adds what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes after the last reply.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Whether nothing has arrived after the last reply.
    pub fn is_empty(&self) -> bool {
        self.pending().is_empty() && self.partial.is_none()
    }

    /// The next whole reply, or `None` until more has arrived.
    pub fn next(&mut self) -> Result<Option<Reply>, Malformed> {
        while let Some(end) = self.line_end()? {
            let line = &self.bytes[self.start..end];
            let octets = line.len() + 2;
            let Line { code, last, text } = Line::parse(line)?;
            let partial = self.partial.get_or_insert_with(|| Partial {
                code,
                enhanced: None,
                lines: Vec::new(),
                octets: 0,
            });
            partial.add(code, text, octets)?;
            self.start = end + 2;
            self.searched = self.start;
            if last {
                return Ok(self.partial.take().map(Partial::finish));
            }
        }
        Ok(None)
    }

    /// Where the next line's CR LF stands.
    fn line_end(&mut self) -> Result<Option<usize>, Malformed> {
        let found = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
        let line_feed = found.map_or(self.bytes.len(), |offset| self.searched + offset);
        self.searched = line_feed;
        let length = line_feed - self.start + usize::from(found.is_some());
        if length > MAX_LINE || (found.is_none() && length == MAX_LINE) {
            return Err(Malformed::LineTooLong);
        }
        match found {
            None => Ok(None),
            Some(_) if line_feed > self.start && self.bytes[line_feed - 1] == b'\r' => {
                Ok(Some(line_feed - 1))
            }
            Some(_) => Err(Malformed::BareLineFeed),
        }
    }
}

impl Partial {
    fn add(&mut self, code: u16, text: &[u8], octets: usize) -> Result<(), Malformed> {
        self.octets += octets;
        if code != self.code {
            return Err(Malformed::CodesDiffer);
        }
        if self.lines.len() == MAX_LINES {
            return Err(Malformed::TooManyLines);
        }
        if self.octets > MAX_REPLY {
            return Err(Malformed::TooLarge);
        }
        let (enhanced, text) = split_enhanced(code, text);
        self.enhanced = self.enhanced.or(enhanced);
        self.lines.push(text.to_vec());
        Ok(())
    }

    fn finish(self) -> Reply {
        Reply { code: self.code, enhanced: self.enhanced, lines: decode::lines(&self.lines) }
    }
}

/// One line, as `250-text`.
struct Line<'a> {
    code: u16,
    last: bool,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    /// RFC 5321 section 4.2: three digits. Of a refusal the first decides (section 4.3.2), so that a second one
    /// beyond the grammar's 5 is taken too. A code alone is a last line without text.
    fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let (code, rest) = match line {
            [first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9', rest @ ..]
                if *second <= b'5' || *first >= b'4' =>
            {
                let digit = |byte: &u8| u16::from(byte - b'0');
                (digit(first) * 100 + digit(second) * 10 + digit(third), rest)
            }
            _ => return Err(Malformed::NoCode),
        };
        match rest {
            [] => Ok(Self { code, last: true, text: rest }),
            [b' ', text @ ..] => Ok(Self { code, last: true, text }),
            [b'-', text @ ..] => Ok(Self { code, last: false, text }),
            _ => Err(Malformed::NoCode),
        }
    }
}

/// RFC 3463: `class "." subject "." detail`, the numbers of one to three digits; RFC 2034: before the text, and
/// of the same class as the reply's code.
fn split_enhanced(code: u16, text: &[u8]) -> (Option<EnhancedCode>, &[u8]) {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let mut numbers = text[..end].split(|byte| *byte == b'.').map(number);
    match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Some(class)), Some(Some(subject)), Some(Some(detail)), None)
            if class == code / 100 && class != 3 =>
        {
            let class = u8::try_from(class).unwrap_or_default();
            let rest = text.get(end + 1..).unwrap_or_default();
            (Some(EnhancedCode(class, subject, detail)), rest)
        }
        _ => (None, text),
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    let short = (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    short.then(|| digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests;
