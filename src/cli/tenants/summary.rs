//! `transports tenants summary`: counts the tenants by state, provider and diagnosis.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::filter::FilterOptions;
use super::{Format, csv, examples, open, output};
use crate::cli::email_config::shown;
use crate::config::Config;
use crate::store::tenant_list::{self, Group};
use crate::store::{Db, DbError};

/// Count the tenants that have a configuration: by state, provider and diagnosis.
///
/// Each tenant is counted once under each heading, and under the diagnoses if its last check failed. A million
/// tenants take about a second.
#[derive(Debug, Args)]
#[command(after_help = examples(&EXAMPLES))]
pub struct Arguments {
    #[command(flatten)]
    filter: FilterOptions,

    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: [&str; 2] =
    ["transports tenants summary", "transports tenants summary --provider Microsoft365 --format json"];

pub(super) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let db = open(config).await?;
    let counts = Counts::read(&db, arguments).await;
    db.close().await;
    let counts = counts?;
    output::data(&match arguments.format {
        Format::Table => counts.table(),
        Format::Json => counts.document(),
        Format::Csv => counts.lines()?,
    })
}

#[derive(Default)]
struct Counts {
    tenants: i64,
    states: BTreeMap<String, i64>,
    providers: BTreeMap<String, i64>,
    codes: BTreeMap<String, i64>,
    password_at_microsoft365: i64,
}

/// What is counted under one heading.
struct Section<'a> {
    heading: &'static str,
    /// The name in the API.
    name: &'static str,
    counts: Vec<(&'a str, i64)>,
}

impl Counts {
    async fn read(db: &Db, arguments: &Arguments) -> Result<Self, DbError> {
        let mut counts = Self::default();
        for group in tenant_list::groups(db, &arguments.filter.to_filter()).await? {
            let tenants = tenant_list::count(db, &group).await?;
            counts.add(&group, tenants);
        }
        Ok(counts)
    }

    fn add(&mut self, group: &Group, tenants: i64) {
        // The last of them has changed since the groups were read.
        if tenants == 0 {
            return;
        }
        self.tenants += tenants;
        *self.states.entry(group.state().to_owned()).or_default() += tenants;
        *self.providers.entry(group.provider().to_owned()).or_default() += tenants;
        if let Some(code) = group.code() {
            *self.codes.entry(code.to_owned()).or_default() += tenants;
        }
        if group.has_password_at_microsoft365() {
            self.password_at_microsoft365 += tenants;
        }
    }

    fn sections(&self) -> [Section<'_>; 3] {
        let section = |heading, name, counts| Section { heading, name, counts: frequent(counts) };
        [
            section("STATE", "errorCode", &self.states),
            section("PROVIDER", "serviceProvider", &self.providers),
            section("DIAGNOSIS OF THE LAST CHECK", "diagnosisCode", &self.codes),
        ]
    }

    fn table(&self) -> String {
        let password = "Password sign-in at Microsoft 365";
        let sections = self.sections();
        let names = sections.iter().flat_map(|section| &section.counts).map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or_default().max(password.len());
        let mut text = String::new();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{:width$}  {:>9}", "Tenants", self.tenants);
        let _ = writeln!(text, "{password:width$}  {:>9}", self.password_at_microsoft365);
        for section in sections {
            if !section.counts.is_empty() {
                let _ = writeln!(text, "\n{}", section.heading);
            }
            for (name, count) in section.counts {
                let _ = writeln!(text, "{:width$}  {count:>9}", shown(name));
            }
        }
        text
    }

    fn document(&self) -> String {
        let document = json!({
            "tenants": self.tenants,
            "errorCodes": self.states,
            "serviceProviders": self.providers,
            "diagnosisCodes": self.codes,
            "passwordAtMicrosoft365": self.password_at_microsoft365,
        });
        format!("{document}\n")
    }

    fn lines(&self) -> anyhow::Result<String> {
        let line =
            |by: &str, value: &str, count: i64| vec![by.to_owned(), value.to_owned(), count.to_string()];
        let mut lines = vec![
            vec!["by".to_owned(), "value".to_owned(), "tenants".to_owned()],
            line("all", "", self.tenants),
            line("passwordAtMicrosoft365", "true", self.password_at_microsoft365),
        ];
        for section in self.sections() {
            lines.extend(section.counts.into_iter().map(|(value, count)| line(section.name, value, count)));
        }
        csv::lines(lines.into_iter())
    }
}

/// Sorted by descending count, then by name.
fn frequent(counts: &BTreeMap<String, i64>) -> Vec<(&str, i64)> {
    let mut counts: Vec<_> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
