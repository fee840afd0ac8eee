//! Renders tenants as a table.

use std::fmt::Write as _;

use crate::cli::email_config::shown;
use crate::cli::moment;
use crate::store::tenant_list::TenantRow;

const NAMES: [&str; 8] =
    ["TENANT", "STATE", "DIAGNOSIS", "REFUSED SIGN-INS", "PROVIDER", "SERVER", "SENDER DOMAIN", "UPDATED"];

/// Column widths. A wider cell shifts the rest of its line.
pub(super) struct Widths([usize; 8]);

impl Widths {
    pub fn new(tenants: &[TenantRow]) -> Self {
        let mut widths = NAMES.map(str::len);
        for cells in tenants.iter().map(cells) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        Self(widths)
    }

    pub fn part(&self, tenants: &[TenantRow], is_first: bool) -> String {
        let mut text = String::new();
        if is_first {
            self.line(&mut text, &NAMES.map(str::to_owned));
        }
        for cells in tenants.iter().map(cells) {
            self.line(&mut text, &cells);
        }
        text
    }

    fn line(&self, text: &mut String, cells: &[String; 8]) {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(self.0) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn cells(listed: &TenantRow) -> [String; 8] {
    let server = match (&listed.server_address, listed.server_port, &listed.provider_tenant) {
        (Some(host), Some(port), _) if host.contains(':') => format!("[{host}]:{port}"),
        (Some(host), Some(port), _) => format!("{host}:{port}"),
        (Some(host), None, _) => host.clone(),
        (None, _, Some(directory)) => directory.clone(),
        (None, _, None) => String::new(),
    };
    let cells = [
        listed.tenant.clone(),
        listed.group.state().to_owned(),
        listed.group.code().unwrap_or_default().to_owned(),
        listed.auth_failures.to_string(),
        listed.group.provider().to_owned(),
        server,
        listed.sender_domain.clone().unwrap_or_default(),
        moment::utc(listed.updated_at),
    ];
    cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { shown(&cell) })
}
