//! `transports tenants ls`: lists the tenants page by page.

use clap::Args;

use super::filter::FilterOptions;
use super::{Format, csv, examples, json, open, output, table};
use crate::cli::email_config::shown;
use crate::cli::values::whole_number;
use crate::config::Config;
use crate::store::Db;
use crate::store::tenant_list::{Listing, TenantRow};

/// List the tenants that have a configuration.
///
/// Sorted by name, byte by byte, one page at a time. Every page takes the same time, however many tenants there
/// are. Of mail addresses only the sender's domain is shown. A tenant without a configuration is not listed.
#[derive(Debug, Args)]
#[command(after_help = examples(&EXAMPLES))]
pub struct Arguments {
    #[command(flatten)]
    filter: FilterOptions,

    /// Size of a page.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = whole_number::<u32>(1..=10_000))]
    limit: u32,

    /// Continue after this tenant, the last of the previous page. It may have been deleted.
    #[arg(long, value_name = "TENANT", default_value = "", hide_default_value = true)]
    after: String,

    /// Print all pages, while they are read.
    #[arg(long, conflicts_with = "limit")]
    all: bool,

    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: [&str; 3] = [
    "transports tenants ls --state INVALID_CREDENTIALS",
    "transports tenants ls --code DNS_NOT_FOUND,CONNECT_REFUSED --limit 200 --after acme",
    "transports tenants ls --password-at-microsoft365 --all --format csv > to-move.csv",
];

/// Tenants that are written together. A table has the widths of the first of them.
const PAGE_SIZE: usize = 1_000;

pub(super) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let db = open(config).await?;
    let done = list(arguments, &db).await;
    db.close().await;
    done
}

async fn list(arguments: &Arguments, db: &Db) -> anyhow::Result<()> {
    let mut left = if arguments.all { usize::MAX } else { usize::try_from(arguments.limit)? };
    let mut listing = Listing::new(db, &arguments.filter.to_filter(), &arguments.after).await?;
    let mut printer = Printer::new(arguments.format);
    let more = loop {
        let asked = PAGE_SIZE.min(left);
        let tenants = next_page(&mut listing, db, asked).await?;
        if !output::write_part(&printer.part(&tenants)?)? {
            return Ok(());
        }
        left -= tenants.len();
        if tenants.len() < asked {
            break None;
        }
        if left == 0 {
            // One more is read to know whether there is another page.
            let last = tenants.into_iter().next_back().map(|listed| listed.tenant);
            break listing.next(db).await?.and(last);
        }
    };
    output::data(&printer.end(more.as_deref()))?;
    if printer.tenants == 0 {
        let is_whole = arguments.filter.is_empty() && arguments.after.is_empty();
        output::note(if is_whole { "No tenant has a configuration." } else { "No tenant matches." });
    }
    if let Some(last) = &more {
        output::note(&format!("There are more: continue with --after={}", quoted(&shown(last))));
    }
    Ok(())
}

/// The next tenants, at most `most`.
async fn next_page(listing: &mut Listing, db: &Db, most: usize) -> anyhow::Result<Vec<TenantRow>> {
    let mut tenants = Vec::new();
    while tenants.len() < most
        && let Some(listed) = listing.next(db).await?
    {
        tenants.push(listed);
    }
    Ok(tenants)
}

/// What was printed decides about what comes next: a line of names, a comma.
struct Printer {
    format: Format,
    widths: Option<table::Widths>,
    tenants: usize,
}

impl Printer {
    fn new(format: Format) -> Self {
        Self { format, widths: None, tenants: 0 }
    }

    fn part(&mut self, tenants: &[TenantRow]) -> anyhow::Result<String> {
        let is_first = self.tenants == 0;
        self.tenants += tenants.len();
        Ok(match self.format {
            Format::Table if tenants.is_empty() => String::new(),
            Format::Table => {
                let widths = self.widths.get_or_insert_with(|| table::Widths::new(tenants));
                widths.part(tenants, is_first)
            }
            Format::Json => json::part(tenants, is_first),
            Format::Csv => csv::part(tenants, is_first)?,
        })
    }

    fn end(&self, more: Option<&str>) -> String {
        match self.format {
            Format::Json => json::end(more),
            Format::Table | Format::Csv => String::new(),
        }
    }
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_is_quoted_for_a_shell_where_it_has_to_be() {
        for (name, expected) in [
            ("acme", "acme"),
            ("0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e"),
            ("a b", "'a b'"),
            ("$(id)", "'$(id)'"),
            ("it's", "'it'\\''s'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }
}
