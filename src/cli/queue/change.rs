//! `transports queue retry`, `cancel` and `purge`: change the selected emails.

use anyhow::bail;
use clap::Args;
use uuid::Uuid;

use super::options::{ConfirmOptions, SelectionOptions};
use super::{counted, output};
use crate::cli::values::IdParser;
use crate::config::{Invalid, Problem};
use crate::delivery::Error;
use crate::delivery::operator::{Action, Counted, Done, Operator};
use crate::store::email_selection::{EmailKey, Selection};

/// Retry recipients that were refused, expired, failed or held, or whose outcome is unknown.
///
/// Select emails by id or with --state. The Message-ID stays the same. A recipient whose outcome is unknown may
/// receive a copy. Emails whose content was deleted are skipped. Held emails are sent when their account sends
/// again: see `queue release`.
///
/// Example: transports queue retry --tenant acme --state failed --dry-run
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct RetryArguments {
    #[command(flatten)]
    chosen: Chosen,

    #[command(flatten)]
    pub(super) confirm: ConfirmOptions,
}

/// Withdraw the recipients that still wait: nothing more is sent to them.
///
/// Select emails by id, with options, or with --all. An attempt in progress is completed. This cannot be undone.
///
/// Example: transports queue cancel --tenant acme --older-than 2d --dry-run
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct CancelArguments {
    #[command(flatten)]
    chosen: Chosen,

    /// All waiting emails of all tenants.
    #[arg(long, conflicts_with = "emails")]
    all: bool,

    #[command(flatten)]
    pub(super) confirm: ConfirmOptions,
}

/// Withdraw the recipients that still wait, and erase the emails' content and addresses.
///
/// Without --state only waiting emails; with it also others, such as the emails of an abused account. Ids, times and
/// states stay until their retention ends. Erased data can only be restored from a backup.
///
/// Example: transports queue purge --tenant acme --older-than 1h --dry-run
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct PurgeArguments {
    #[command(flatten)]
    chosen: Chosen,

    /// All waiting emails of all tenants.
    #[arg(long, conflicts_with = "emails")]
    all: bool,

    #[command(flatten)]
    pub(super) confirm: ConfirmOptions,
}

/// Emails by id, or by options.
#[derive(Debug, Args)]
struct Chosen {
    /// Ids of emails, as in the API.
    #[arg(value_name = "EMAIL", value_parser = IdParser::Email, conflicts_with_all = ["tenant", "state", "code", "lane", "older_than"])]
    emails: Vec<Uuid>,

    #[command(flatten)]
    selection: SelectionOptions,
}

/// The texts of an action.
struct Words {
    action: Action,
    question: &'static str,
    done: &'static str,
}

const RETRY: Words = Words { action: Action::Retry, question: "Retry them?", done: "queued again" };
const CANCEL: Words =
    Words { action: Action::Cancel, question: "Withdraw their waiting recipients?", done: "canceled" };
const PURGE: Words = Words { action: Action::Purge, question: "Erase them permanently?", done: "purged" };

impl RetryArguments {
    /// Requires a selection, so that no refused recipient is retried by accident.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if !self.chosen.emails.is_empty() || !self.chosen.selection.state.is_empty() {
            return Ok(());
        }
        let problem = Problem::new("queue retry: no emails are selected".to_owned());
        Err(problem.with_hint("use ids, or --state with refused, expired, failed, held or unknown").into())
    }

    pub(super) async fn run(&self, operator: &Operator) -> anyhow::Result<()> {
        change(operator, &self.chosen, &self.confirm, &RETRY).await
    }
}

impl CancelArguments {
    pub(super) async fn run(&self, operator: &Operator) -> anyhow::Result<()> {
        self.chosen.require(self.all, "queue cancel")?;
        change(operator, &self.chosen, &self.confirm, &CANCEL).await
    }
}

impl PurgeArguments {
    pub(super) async fn run(&self, operator: &Operator) -> anyhow::Result<()> {
        self.chosen.require(self.all, "queue purge")?;
        change(operator, &self.chosen, &self.confirm, &PURGE).await
    }
}

impl Chosen {
    /// All emails are selected with --all only.
    fn require(&self, all: bool, command: &str) -> Result<(), Invalid> {
        if all || !self.emails.is_empty() || self.selection.is_limited() {
            return Ok(());
        }
        let problem = Problem::new(format!("{command}: no emails are selected"));
        Err(problem.with_hint("use ids, an option such as --tenant or --code, or --all").into())
    }

    /// The states that are meant: of `purge` those that wait, unless others are named.
    fn selection(&self, action: Action, operator: &Operator) -> Selection {
        let names_states = !self.selection.state.is_empty();
        let states = match action {
            Action::Purge if !names_states => Action::Cancel.states(),
            action => action.states(),
        };
        self.selection.to_selection(states, operator.now())
    }
}

async fn change(
    operator: &Operator,
    chosen: &Chosen,
    confirm: &ConfirmOptions,
    words: &Words,
) -> anyhow::Result<()> {
    if chosen.emails.is_empty() {
        let selection = chosen.selection(words.action, operator);
        let found = operator.count(&selection).await?;
        if !may_change(found, confirm, words)? {
            return Ok(());
        }
        return report(operator.act_on_selected(words.action, &selection).await, words);
    }
    let keys = operator.keys_of(&chosen.emails).await?;
    if keys.len() < chosen.emails.len() {
        let is_missing = |id: &&Uuid| !keys.iter().any(|(_, found)| found == *id);
        let missing: Vec<_> = chosen.emails.iter().filter(is_missing).map(Uuid::to_string).collect();
        bail!("no email is stored with the id {}", missing.join(", "));
    }
    if !may_change(count(&keys), confirm, words)? {
        return Ok(());
    }
    report(operator.act_on_keys(words.action, &keys).await, words)
}

fn count(keys: &[EmailKey]) -> Counted {
    let mut tenants: Vec<_> = keys.iter().map(|(tenant, _)| tenant.as_str()).collect();
    tenants.sort_unstable();
    tenants.dedup();
    Counted { emails: keys.len(), tenants: tenants.len() }
}

/// Says how many emails are meant, and asks.
fn may_change(found: Counted, confirm: &ConfirmOptions, words: &Words) -> anyhow::Result<bool> {
    let described = format!(
        "{} of {}",
        counted(found.emails, "email", "emails"),
        counted(found.tenants, "tenant", "tenants")
    );
    if confirm.dry_run {
        output::data(&format!("found: {described}\n"))?;
        return Ok(false);
    }
    if found.emails == 0 {
        bail!("no email matches");
    }
    output::note(&format!("Found: {described}."));
    if !confirm.yes && !output::confirm(words.question)? {
        bail!("nothing was changed");
    }
    Ok(true)
}

fn report(done: Result<Done, Error>, words: &Words) -> anyhow::Result<()> {
    let done = done.map_err(super::hold::unavailable)?;
    output::data(&format!("{}: {}\n", words.done, counted(done.changed, "email", "emails")))?;
    if done.skipped > 0 {
        let skipped = counted(done.skipped, "email was", "emails were");
        output::note(&format!(
            "{skipped} skipped: in progress, changed in the meantime, or the content was deleted. `transports queue show` says \
             which."
        ));
    }
    Ok(())
}
