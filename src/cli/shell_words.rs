//! Quotes words for a shell, in commands and files that people paste or load.

/// In quotes where a shell would read it as more than one word.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-:@+".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_one_word() {
        for (text, expected) in [
            ("/srv/transports.toml", "/srv/transports.toml"),
            ("", "''"),
            ("my folder", "'my folder'"),
            ("it's", r"'it'\''s'"),
            ("$(rm)", "'$(rm)'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
