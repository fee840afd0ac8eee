//! What a client sends is what the front door gets, for any octets and however they are cut.

use proptest::prelude::*;

use super::fuzz::{is_good, stuffed};
use super::*;

fn run(input: &[u8]) -> (Vec<String>, Vec<Vec<u8>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let limits =
            Limits { max_bad_commands: usize::MAX, max_idle_commands: usize::MAX, ..Limits::default() };
        let server = server(limits);
        let output = exchange(&server, input).await;
        (codes(&output), server.door.messages())
    })
}

const BEGIN: &[u8] = b"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";

/// Mostly what is at issue: dots, line ends, NUL, and some text.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\r\n".to_vec()),
        3 => Just(b".".to_vec()),
        1 => prop::sample::select(vec![b"\r".to_vec(), b"\n".to_vec(), b"\0".to_vec()]),
        4 => Just(b"text".to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => (990..1_003_usize).prop_map(|length| vec![b'x'; length]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Security cases C13, N1, N2.
    #[test]
    fn octets_of_data_arrive_as_they_were_sent_or_not_at_all(message in octets()) {
        let message = [&message[..], b"\r\n"].concat();
        let input = [BEGIN, b"DATA\r\n", &stuffed(&message), b".\r\nNOOP\r\n"].concat();
        let (codes, accepted) = run(&input);
        prop_assert_eq!(codes.len(), 6);
        prop_assert_eq!(&codes[5], "250 2.0.0", "the session goes on");
        if is_good(&message) {
            prop_assert_eq!(&codes[4], "250 2.0.0");
            prop_assert_eq!(accepted, [message]);
        } else {
            prop_assert_eq!(&codes[4], "550 5.6.0");
            prop_assert!(accepted.is_empty());
        }
    }

    /// Security cases C13, N1, N2, N6.
    #[test]
    fn octets_of_chunks_arrive_as_they_were_sent_or_not_at_all(
        message in octets(),
        sizes in prop::collection::vec(0..40_usize, 0..6),
    ) {
        let mut input = BEGIN.to_vec();
        let mut rest = &message[..];
        for size in sizes {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            input.extend(format!("BDAT {}\r\n", chunk.len()).as_bytes());
            input.extend(chunk);
            rest = after;
        }
        input.extend(format!("BDAT {} LAST\r\n", rest.len()).as_bytes());
        input.extend(rest);
        input.extend(b"NOOP\r\n");
        let (codes, accepted) = run(&input);
        prop_assert_eq!(codes.last().map(String::as_str), Some("250 2.0.0"), "the session goes on");
        prop_assert_eq!(accepted, if is_good(&message) { vec![message] } else { Vec::new() });
    }
}
