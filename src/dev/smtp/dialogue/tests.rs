use super::*;

/// `AUTH PLAIN` with the right password.
const SIGN_IN: &str = "AUTH PLAIN AGRldgBodW50ZXIy";

/// Runs lines through a session and returns the first word of every reply, with the enhanced code.
fn codes(encrypted: bool, lines: &[&str]) -> Vec<String> {
    let password = Secret::new("hunter2".to_owned());
    let later = LaterAttempts::default();
    let mut dialogue = Dialogue::new(&password, &later, encrypted);
    lines
        .iter()
        .map(|line| {
            let (reply, _) = dialogue.handle(line.as_bytes());
            reply
                .split(' ')
                .take(2)
                .filter(|word| word.starts_with(char::is_numeric))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn commands_are_accepted_in_order_only() {
    let mail = "MAIL FROM:<a@b>";
    let rcpt = "RCPT TO:<c@d>";
    for (encrypted, lines, expected) in [
        (false, &["MAIL FROM:<a@b>"][..], "503 5.5.1"),
        (false, &["EHLO"], "501 5.5.4"),
        (false, &["EHLO me", rcpt], "503 5.5.1"),
        (false, &["EHLO me", "DATA"], "503 5.5.1"),
        (false, &["EHLO me", mail, "DATA"], "554 5.5.1"),
        (false, &["EHLO me", mail, mail], "503 5.5.1"),
        (false, &["EHLO me", mail, rcpt], "250 2.1.5"),
        (false, &["EHLO me", mail, rcpt, "RSET", rcpt], "503 5.5.1"),
        (false, &["EHLO me", mail, rcpt, "EHLO me", "DATA"], "503 5.5.1"),
        (false, &["EHLO me", mail, SIGN_IN], "503 5.5.1"),
        (false, &["EHLO me", SIGN_IN, SIGN_IN], "503 5.5.1"),
        (false, &["EHLO me", SIGN_IN, mail], "250 2.1.0"),
        (false, &["helo me", "mail from:<>"], "250 2.1.0"),
        (false, &["STARTTLS"], "503 5.5.1"),
        (false, &["EHLO me", "STARTTLS now"], "501 5.5.4"),
        (false, &["EHLO me", "STARTTLS"], "220 2.0.0"),
        (true, &["EHLO me", "STARTTLS"], "503 5.5.1"),
        (true, &["EHLO me", mail], "530 5.7.0"),
        (true, &["EHLO me", SIGN_IN, mail], "250 2.1.0"),
        (true, &["EHLO me", "AUTH PLAIN AGRldgBodW50ZXIz", mail], "530 5.7.0"),
        (true, &["EHLO me", "AUTH PLAIN AGRldgBodW50ZXIz"], "535 5.7.8"),
        (true, &["EHLO me", "AUTH LOGIN", "ZGV2", "aHVudGVyMg=="], "235 2.7.0"),
        (false, &["BDAT 10"], "500 5.5.1"),
        (false, &[""], "500 5.5.1"),
        (false, &["QUIT"], "221 2.0.0"),
    ] {
        let last = codes(encrypted, lines).pop();
        assert_eq!(last.as_deref(), Some(expected), "{lines:?}");
    }
}

#[test]
fn envelopes_are_checked_for_size_script_and_recipient() {
    for (line, expected) in [
        ("MAIL FROM:<a@b> SIZE=26214400", "250 2.1.0"),
        ("MAIL FROM:<a@b> SIZE=26214401", "552 5.3.4"),
        ("MAIL FROM:<a@b> SIZE=99999999999999999999999", "501 5.5.4"),
        ("MAIL FROM:<a@b> BODY=8BITMIME SMTPUTF8 AUTH=<>", "250 2.1.0"),
        ("MAIL FROM:<a@b> BODY=BINARYMIME", "555 5.5.4"),
        ("MAIL FROM:<a@b> RET=FULL", "555 5.5.4"),
        ("MAIL FROM:<\u{fc}@b>", "553 5.6.7"),
        ("MAIL FROM:<\u{fc}@b> SMTPUTF8", "250 2.1.0"),
        ("MAIL FROM:a@b", "501 5.5.4"),
    ] {
        assert_eq!(codes(false, &["EHLO me", line])[1], expected, "{line}");
    }
    for (line, expected) in [
        ("RCPT TO:<c@d>", "250 2.1.5"),
        ("RCPT TO:<nouser@d>", "550 5.1.1"),
        ("RCPT TO:<NoUser.at.all@d>", "550 5.1.1"),
        ("RCPT TO:<nouse@d>", "250 2.1.5"),
        ("RCPT TO:<a.nouser@d>", "250 2.1.5"),
        ("RCPT TO:<\u{fc}@d>", "553 5.6.7"),
        ("RCPT TO:<>", "501 5.5.4"),
        ("RCPT TO:<c@d> NOTIFY=NEVER", "555 5.5.4"),
    ] {
        assert_eq!(codes(false, &["EHLO me", "MAIL FROM:<a@b>", line])[2], expected, "{line}");
    }
}

#[test]
fn a_line_that_is_not_utf8_is_refused() {
    let password = Secret::new("hunter2".to_owned());
    let (reply, next) = Dialogue::new(&password, &LaterAttempts::default(), false).handle(b"EHLO \xff");
    assert_eq!((reply.as_ref(), next), (reply::NOT_UTF8, NextInput::Command));
}

#[test]
fn recipients_are_bounded() {
    let mut lines = vec!["EHLO me", "MAIL FROM:<a@b>"];
    lines.extend(vec!["RCPT TO:<c@d>"; MAX_RECIPIENTS + 1]);
    let codes = codes(false, &lines);
    assert_eq!(codes[MAX_RECIPIENTS + 1], "250 2.1.5");
    assert_eq!(codes[MAX_RECIPIENTS + 2], "452 4.5.3");
}

#[test]
fn starttls_is_offered_until_it_is_used() {
    let password = Secret::new("hunter2".to_owned());
    for (encrypted, offered) in [(false, true), (true, false)] {
        let (reply, _) = Dialogue::new(&password, &LaterAttempts::default(), encrypted).handle(b"EHLO me");
        assert_eq!(reply.lines().any(|line| line == "250-STARTTLS"), offered);
        for line in
            ["250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8", "250-SIZE 26214400", "250-AUTH PLAIN LOGIN"]
        {
            assert!(reply.lines().any(|found| found == line), "{line} in {reply}");
        }
    }
}
