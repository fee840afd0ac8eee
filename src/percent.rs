//! Percent-encoding of text for the segment of a path, a query or a form (RFC 3986 section 2.1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Everything but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub fn percent_encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::percent_encode;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(percent_encode("a b&c=d/é~-._").to_string(), "a%20b%26c%3Dd%2F%C3%A9~-._");
        assert_eq!(percent_encode("../evil?x#y").to_string(), "..%2Fevil%3Fx%23y");
    }
}
