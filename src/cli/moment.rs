//! Writes times for people: to the second, and in UTC. Programs get RFC 3339.

use crate::clock::Timestamp;

/// `2026-11-28 21:09:17 UTC`.
pub(super) fn utc(at: Timestamp) -> String {
    from_iso(&at.to_iso()).unwrap_or_default()
}

/// The same; a hyphen where there is none.
pub(super) fn utc_or_hyphen(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), utc)
}

/// Converts a time as the API writes it. None where the text is not in that form.
pub(super) fn from_iso(text: &str) -> Option<String> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let time = time.split_once('.').map_or(time, |(seconds, _)| seconds);
    let has_shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                _ => byte == wanted,
            })
    };
    (has_shape(date, "0000-00-00") && has_shape(time, "00:00:00")).then(|| format!("{date} {time} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_seconds_and_the_zone() {
        assert_eq!(utc(Timestamp(1_656_583_060_954)), "2022-06-30 09:57:40 UTC");
        assert_eq!(utc_or_hyphen(None), "-");
        assert_eq!(from_iso("2022-06-30T09:57:40Z").as_deref(), Some("2022-06-30 09:57:40 UTC"));
        for other in ["", "yesterday", "2022-06-30", "2022-06-30T09:57Z", "2022-06-30T09:57:40+02:00"] {
            assert_eq!(from_iso(other), None, "{other}");
        }
    }
}
