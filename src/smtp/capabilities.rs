//! What a server says that it can do (EHLO, RFC 5321 section 4.1.1.1).

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Capabilities {
    pub starttls: bool,
    pub pipelining: bool,
    pub eight_bit_mime: bool,
    pub smtputf8: bool,
    pub chunking: bool,
    pub enhanced_status_codes: bool,
    /// Upper-case names, as offered; empty where AUTH was not offered.
    pub auth: Vec<String>,
    /// The largest message in octets; `None` where SIZE was not offered or is 0.
    pub size: Option<u64>,
}
