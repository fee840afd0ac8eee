//! `transports tenants summary`: how many tenants there are, by what is known of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::choice::Choice;
use super::{Format, csv, open, output};
use crate::cli::email_config::shown;
use crate::config::Config;
use crate::store::tenant_list::{self, Group};
use crate::store::{Db, DbError};

/// Count the tenants that have a configuration: by state, provider and diagnosis.
///
/// A tenant is counted once under each heading; under the diagnoses, if its last check failed. It takes a moment
/// for each million tenants.
///
/// Examples:{n}
///   transports tenants summary{n}
///   transports tenants summary --provider Microsoft365 --format json
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,

    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

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

impl Counts {
    async fn read(db: &Db, arguments: &Arguments) -> Result<Self, DbError> {
        let mut counts = Self::default();
        for group in tenant_list::groups(db, &arguments.choice.filter()).await? {
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

    /// Heading, what is counted, and how many; the most frequent first.
    fn sections(&self) -> [(&'static str, &'static str, Vec<(&str, i64)>); 3] {
        [
            ("STATE", "errorCode", frequent(&self.states)),
            ("PROVIDER", "serviceProvider", frequent(&self.providers)),
            ("DIAGNOSIS OF THE LAST CHECK", "diagnosisCode", frequent(&self.codes)),
        ]
    }

    fn table(&self) -> String {
        let password = "Password sign-in at Microsoft 365";
        let names = self
            .sections()
            .into_iter()
            .flat_map(|(_, _, counts)| counts)
            .map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or_default().max(password.len());
        let mut text = String::new();
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{:width$}  {:>9}", "Tenants", self.tenants);
        let _ = writeln!(text, "{password:width$}  {:>9}", self.password_at_microsoft365);
        for (heading, _, counts) in self.sections() {
            if !counts.is_empty() {
                let _ = writeln!(text, "\n{heading}");
            }
            for (name, count) in counts {
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
        for (_, by, counts) in self.sections() {
            lines.extend(counts.into_iter().map(|(value, count)| line(by, value, count)));
        }
        csv::lines(lines.into_iter())
    }
}

/// The most frequent first, and those that are as frequent in the order of their names.
fn frequent(counts: &BTreeMap<String, i64>) -> Vec<(&str, i64)> {
    let mut counts: Vec<_> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
