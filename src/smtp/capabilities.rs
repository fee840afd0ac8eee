//! The extensions that a server offers in its reply to EHLO (RFC 5321 section 4.1.1.1).

use std::collections::HashSet;

use super::{Mechanism, Reply};
use crate::secret::{NOT_SHOWN, Redactor};

#[expect(clippy::struct_excessive_bools, reason = "each is a keyword of its own")]
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Capabilities {
    pub starttls: bool,
    pub pipelining: bool,
    pub eight_bit_mime: bool,
    pub smtputf8: bool,
    pub chunking: bool,
    /// Microsoft Exchange as its own host runs it: some versions never answer a BDAT.
    pub is_exchange_on_premises: bool,
    pub enhanced_status_codes: bool,
    /// Upper-case names, as offered; empty where AUTH was not offered.
    pub auth: Vec<String>,
    /// The largest message in octets; `None` where SIZE was not offered or is 0.
    pub size: Option<u64>,
}

impl Capabilities {
    /// Reads the reply to EHLO. Its first line is the server's name; unknown keywords are passed over.
    pub(crate) fn parse(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            offers.add(line);
        }
        // Once, and by a set: a hostile list has twenty thousand names.
        let mut seen = HashSet::new();
        offers.auth.retain(|name| seen.insert(name.clone()));
        offers
    }

    /// With [`NOT_SHOWN`] for the names that hold a part of a secret. Ours say nothing, and are needed.
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        let is_ours = |name: &str| Mechanism::ALL.iter().any(|ours| ours.as_str() == name);
        let other = |names: &[String]| -> String {
            names.iter().filter(|name| !is_ours(name)).map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        if redactor.finds(&other(&self.auth)) {
            self.auth.retain(|name| is_ours(name) || !redactor.finds(name));
            // The secret may be cut into several names.
            if redactor.finds(&other(&self.auth)) {
                self.auth.retain(|name| is_ours(name));
            }
            self.auth.push(NOT_SHOWN.to_owned());
        }
        self
    }

    fn add(&mut self, line: &str) {
        // `AUTH=LOGIN PLAIN` is how servers wrote it before RFC 2554, and some still send it beside the other.
        let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else { return };
        match keyword.to_ascii_uppercase().as_str() {
            "STARTTLS" => self.starttls = true,
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "X-EXPS" | "XEXCH50" => self.is_exchange_on_premises = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            // RFC 1870: a number of at most 20 digits; none, and 0, are no limit.
            "SIZE" => self.size = words.next().and_then(|size| size.parse().ok()).filter(|size| *size != 0),
            "AUTH" => self.auth.extend(words.map(str::to_ascii_uppercase)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(lines: &[&str]) -> Capabilities {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Capabilities::parse(&Reply { code: 250, enhanced: None, lines })
    }

    #[test]
    fn every_keyword_that_is_used_is_read_in_any_case() {
        let offers = parse(&[
            "mail.example.com at your service",
            "SIZE 35882577",
            "8bitMIME",
            "StartTLS",
            "ENHANCEDSTATUSCODES",
            "PIPELINING",
            "CHUNKING",
            "X-EXPS GSSAPI NTLM",
            "SMTPUTF8",
            "AUTH plain LOGIN XOAUTH2",
            "X-UNKNOWN 1 2 3",
        ]);
        let auth = ["PLAIN", "LOGIN", "XOAUTH2"].map(str::to_owned).to_vec();
        let expected = Capabilities {
            starttls: true,
            pipelining: true,
            eight_bit_mime: true,
            smtputf8: true,
            chunking: true,
            is_exchange_on_premises: true,
            enhanced_status_codes: true,
            auth,
            size: Some(35_882_577),
        };
        assert_eq!(offers, expected);
    }

    #[test]
    fn the_first_line_is_a_name_and_offers_nothing() {
        assert_eq!(parse(&["STARTTLS", "PIPELINING"]), Capabilities { pipelining: true, ..parse(&[]) });
    }

    #[test]
    fn the_old_syntax_of_auth_adds_to_the_new() {
        for lines in [
            ["x", "AUTH LOGIN", "AUTH=PLAIN LOGIN"],
            ["x", "AUTH=LOGIN", "AUTH PLAIN"],
            ["x", "AUTH=LOGIN PLAIN", ""],
        ] {
            let mut offered = parse(&lines).auth;
            offered.sort();
            assert_eq!(offered, ["LOGIN", "PLAIN"], "{lines:?}");
        }
    }

    #[test]
    fn a_size_that_is_no_limit_is_none() {
        for (line, size) in [
            ("SIZE", None),
            ("SIZE 0", None),
            ("SIZE -1", None),
            ("SIZE many", None),
            ("SIZE 99999999999999999999999", None),
            ("SIZE 1000", Some(1_000)),
            ("SIZE=1000", Some(1_000)),
        ] {
            assert_eq!(parse(&["x", line]).size, size, "{line}");
        }
    }

    /// Security case E2.
    #[test]
    fn a_hostile_list_has_each_name_once() {
        let names: Vec<String> = (0..10_000).map(|number| format!("X{number}")).collect();
        let line = format!("AUTH {}", names.join(" "));
        assert_eq!(parse(&["x", &line, &line, "AUTH=x7"]).auth, names);
    }

    proptest! {
        /// Security case E15.
        #[test]
        fn no_line_makes_the_parser_panic(lines in prop::collection::vec("[ -~]{0,200}", 0..20)) {
            let offers = Capabilities::parse(&Reply { code: 250, enhanced: None, lines });
            prop_assert!(offers.auth.iter().all(|name| !name.contains(' ')));
        }
    }
}
