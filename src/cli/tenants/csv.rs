//! Renders tenants and counts as CSV (RFC 4180).

use std::borrow::Cow;

use anyhow::anyhow;
use csv::{Terminator, WriterBuilder};

use crate::store::tenant_list::TenantRow;

/// The names of the API, as in JSON.
const NAMES: [&str; 13] = [
    "tenantId",
    "errorCode",
    "diagnosisCode",
    "authFailures",
    "serviceProvider",
    "serverAddress",
    "serverPort",
    "securityType",
    "providerTenantId",
    "senderDomain",
    "passwordAtMicrosoft365",
    "modificationTime",
    "lastUpdated",
];

pub(super) fn part(tenants: &[TenantRow], is_first: bool) -> anyhow::Result<String> {
    let names = is_first.then(|| NAMES.map(str::to_owned).to_vec());
    lines(names.into_iter().chain(tenants.iter().map(cells)))
}

/// Renders lines whose cells are untrusted.
pub(super) fn lines(lines: impl Iterator<Item = Vec<String>>) -> anyhow::Result<String> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        writer.write_record(line.iter().map(|cell| escape_formula(cell).into_owned()))?;
    }
    let bytes = writer.into_inner().map_err(|error| anyhow!("the lines cannot be made: {error}"))?;
    Ok(String::from_utf8(bytes)?)
}

fn cells(listed: &TenantRow) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let group = &listed.group;
    vec![
        listed.tenant.clone(),
        group.state().to_owned(),
        group.code().unwrap_or_default().to_owned(),
        listed.auth_failures.to_string(),
        group.provider().to_owned(),
        text(&listed.server_address),
        listed.server_port.map(|port| port.to_string()).unwrap_or_default(),
        text(&listed.security_type),
        text(&listed.provider_tenant),
        text(&listed.sender_domain),
        group.has_password_at_microsoft365().to_string(),
        listed.modified_at.to_iso(),
        listed.updated_at.to_iso(),
    ]
}

/// Prefixes ' to a cell that a spreadsheet would run as a formula, even in quotes. A cell that begins with ' gets one
/// more, so that removing one always restores the text.
fn escape_formula(cell: &str) -> Cow<'_, str> {
    // Some spreadsheets accept full-width forms, others skip leading spaces.
    let begins = |c: char| "=+-@|%'\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c) || c.is_control();
    if cell.starts_with(begins) || cell.trim_start().starts_with(begins) {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula_and_every_text_can_be_restored() {
        let names = [
            "acme", "=1+1", "+1", "-1", "@SUM(A1)", "'quoted", "''", "\t=1", "\r=1", "\n", " =1", "\u{a0}=1",
            "＝1", "|calc", "a=1", "", "a,b", "a\"b", "a\r\nb", "Grüße",
        ];
        let text = lines([names.map(str::to_owned).to_vec()].into_iter()).expect("text");
        assert!(text.ends_with("\r\n"), "{text:?}");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let read = reader.records().next().expect("a line").expect("CSV");
        assert_eq!(read.len(), names.len());
        for (cell, name) in read.iter().zip(names) {
            let begins_badly = cell.trim_start().starts_with(['=', '+', '-', '@', '|', '＝']);
            assert!(!begins_badly, "{cell:?}");
            assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), name);
        }
    }
}
