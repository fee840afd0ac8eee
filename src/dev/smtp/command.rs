//! Parses the arguments of MAIL and RCPT (RFC 5321 section 4.1.2).

/// `<address>` and its parameters.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Path<'a> {
    /// Without the brackets; empty for `<>`.
    pub address: &'a str,
    pub parameters: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Path<'a> {
    /// `keyword` is `FROM` or `TO`. None where the syntax is wrong.
    pub(super) fn parse(arguments: &'a str, keyword: &str) -> Option<Self> {
        let (name, rest) = arguments.split_once(':')?;
        if !name.trim_end().eq_ignore_ascii_case(keyword) {
            return None;
        }
        // Many clients send a space here, although the RFC has none.
        let rest = rest.trim_start().strip_prefix('<')?;
        let end = end_of_path(rest)?;
        let (address, rest) = (&rest[..end], &rest[end + 1..]);
        if address.chars().any(char::is_control) || !(rest.is_empty() || rest.starts_with(' ')) {
            return None;
        }
        let parameters = rest
            .split_ascii_whitespace()
            .map(|parameter| match parameter.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (parameter, None),
            })
            .collect();
        Some(Self { address, parameters })
    }
}

/// The index of the closing bracket, outside of quoted strings. A space is allowed in quoted strings only.
fn end_of_path(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            b' ' | b'<' if !quoted => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parsed_with_their_parameters() {
        for (arguments, address, parameters) in [
            ("FROM:<a@b>", "a@b", &[][..]),
            ("from:<>", "", &[]),
            ("FROM: <a@b>", "a@b", &[]),
            ("FROM:<a@b> SIZE=10  SMTPUTF8", "a@b", &[("SIZE", Some("10")), ("SMTPUTF8", None)]),
            (r#"FROM:<"a> b"@c> BODY=8BITMIME"#, r#""a> b"@c"#, &[("BODY", Some("8BITMIME"))]),
            (r#"FROM:<"a\">"@c>"#, r#""a\">"@c"#, &[]),
            ("FROM:<ü@例え.jp> AUTH=<>", "ü@例え.jp", &[("AUTH", Some("<>"))]),
        ] {
            let expected = Path { address, parameters: parameters.to_vec() };
            assert_eq!(Path::parse(arguments, "FROM"), Some(expected), "{arguments}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for arguments in [
            "",
            "FROM",
            "FROM:",
            "FROM:a@b",
            "FROM:<a@b",
            "TO:<a@b>",
            "FROM:<a@b>SIZE=1",
            "FROM:<a b@c>",
            "FROM:<<a@b>>",
            "FROM:<a\u{7}@b>",
            "FROM:<\"a@b>",
        ] {
            assert_eq!(Path::parse(arguments, "FROM"), None, "{arguments}");
        }
    }
}
