//! `transports queue hold` and `release`, `transports tenants pause` and `resume`: stop and start accounts.

use anyhow::{anyhow, bail};
use clap::Args;

use super::options::ConfirmOptions;
use super::{counted, output};
use crate::cli::email_config::shown;
use crate::cli::tenants::parse_code;
use crate::config::Problem;
use crate::delivery::Error;
use crate::delivery::operator::Operator;
use crate::id::TenantId;
use crate::outgoing::breaker::{AccountState, Pauser};

/// Tenants that a note names.
const MAX_NAMED: usize = 20;

/// Pause the accounts of tenants with waiting emails, until `queue release`.
///
/// Emails are still accepted, and held. An attempt in progress is completed. The API tells the tenant that the
/// operator has paused the account; its administrators cannot resume it. Emails that other tenants submit later are
/// sent: to send nothing at all, set `delivery.enabled = false`.
///
/// Example: transports queue hold --all
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct HoldArguments {
    #[command(flatten)]
    whose: Whose,

    #[command(flatten)]
    pub(super) confirm: ConfirmOptions,
}

/// Resume accounts that the operator has paused, or with --code accounts that a failure has stopped.
///
/// --all also resumes accounts that `tenants pause` has paused one by one, such as those of an abuser: `queue hold --all`
/// names them. Where they have to stay paused, release the others with --tenant. An account that an administrator of
/// the tenant has paused stays paused. Held emails are queued again.
///
/// Example: transports queue release --tenant acme
#[derive(Debug, Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub struct ReleaseArguments {
    #[command(flatten)]
    whose: Whose,

    /// Accounts stopped by this diagnosis; docs/diagnosis.md lists the codes.
    #[arg(long, value_name = "CODE", value_parser = parse_code)]
    code: Option<String>,

    #[command(flatten)]
    pub(super) confirm: ConfirmOptions,
}

/// One tenant or all.
#[derive(Debug, Args)]
#[group(required = true)]
struct Whose {
    /// The account of this tenant, exactly as its tokens name it.
    #[arg(long, group = "whose", value_parser = TenantId::from_argument)]
    tenant: Option<TenantId>,

    /// The accounts of all tenants.
    #[arg(long, group = "whose")]
    all: bool,
}

/// One tenant.
#[derive(Debug, Args)]
pub struct TenantArguments {
    /// Tenant, exactly as in its tokens.
    #[arg(value_parser = TenantId::from_argument)]
    tenant: TenantId,

    #[command(flatten)]
    confirm: ConfirmOptions,
}

impl TenantArguments {
    /// Whether a terminal is asked, where the answer was not given.
    pub fn asks(&self) -> Option<bool> {
        (!self.confirm.dry_run).then_some(self.confirm.yes)
    }
}

pub(super) async fn hold(arguments: &HoldArguments, operator: &Operator) -> anyhow::Result<()> {
    let tenants = match &arguments.whose.tenant {
        Some(tenant) => {
            require_stored(tenant, operator).await?;
            vec![tenant.clone()]
        }
        None => operator.tenants_to_hold().await?,
    };
    if !may_change(&tenants, &arguments.confirm, "Pause them?")? {
        return Ok(());
    }
    let before = if arguments.whose.all { operator.tenants_to_release(None).await? } else { Vec::new() };
    let mut changed = 0;
    for tenant in &tenants {
        let (_, is_change) = operator.pause(tenant).await.map_err(unavailable)?;
        changed += usize::from(is_change);
    }
    output::data(&format!("paused: {}\n", counted(changed, "account", "accounts")))?;
    if !before.is_empty() {
        output::note(&format!(
            "The operator had paused {} before, which `queue release --all` resumes as well: {}.",
            counted(before.len(), "account", "accounts"),
            named(&before)
        ));
    }
    Ok(())
}

pub(super) async fn release(arguments: &ReleaseArguments, operator: &Operator) -> anyhow::Result<()> {
    let wanted = arguments.whose.tenant.as_ref();
    let mut tenants = operator.tenants_to_release(arguments.code.as_deref()).await?;
    tenants.retain(|tenant| wanted.is_none_or(|wanted| wanted == tenant));
    if !may_change(&tenants, &arguments.confirm, "Resume them?")? {
        return Ok(());
    }
    let (mut changed, mut still_paused) = (0, 0);
    for tenant in &tenants {
        let (state, is_change) = operator.resume(tenant).await.map_err(unavailable)?;
        changed += usize::from(is_change);
        still_paused += usize::from(matches!(state, AccountState::Paused(_)));
    }
    output::data(&format!("released: {}\n", counted(changed, "account", "accounts")))?;
    if still_paused > 0 {
        let accounts = counted(still_paused, "account stays", "accounts stay");
        output::note(&format!("{accounts} paused by an administrator of the tenant."));
    }
    Ok(())
}

/// The first of these tenants by name.
fn named(tenants: &[TenantId]) -> String {
    let names: Vec<_> =
        tenants.iter().take(MAX_NAMED).map(|tenant| format!("{:?}", shown(tenant.as_str()))).collect();
    match tenants.len().saturating_sub(MAX_NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// # Errors
/// Nothing is stored for this tenant. Pausing it would create an account without an owner.
async fn require_stored(tenant: &TenantId, operator: &Operator) -> anyhow::Result<()> {
    if operator.is_stored(tenant).await? {
        return Ok(());
    }
    let problem = Problem::new(format!("no tenant {:?} is stored", tenant.as_str()));
    let hint =
        "`transports tenants ls` lists the tenants with a mail account; names are compared byte by byte";
    Err(problem.with_hint(hint).into())
}

/// Says how many accounts are meant, and asks.
fn may_change(tenants: &[TenantId], confirm: &ConfirmOptions, question: &str) -> anyhow::Result<bool> {
    let found = counted(tenants.len(), "account", "accounts");
    if confirm.dry_run {
        output::data(&format!("found: {found}\n"))?;
        return Ok(false);
    }
    if tenants.is_empty() {
        bail!("no account matches");
    }
    output::note(&format!("Found: {found}."));
    if !confirm.yes && !output::confirm(question)? {
        bail!("nothing was changed");
    }
    Ok(true)
}

/// Stops sending with the account of a tenant.
pub(in crate::cli) async fn pause_tenant(
    arguments: &TenantArguments,
    operator: &Operator,
) -> anyhow::Result<()> {
    let tenant = &arguments.tenant;
    if !may_change_tenant(tenant, arguments, operator, "Pause it?").await? {
        return Ok(());
    }
    let (state, _) = operator.pause(tenant).await.map_err(unavailable)?;
    output::data(&format!("the account {}\n", described(Some(&state))))
}

/// Lets the account of a tenant send again.
pub(in crate::cli) async fn resume_tenant(
    arguments: &TenantArguments,
    operator: &Operator,
) -> anyhow::Result<()> {
    let tenant = &arguments.tenant;
    if !may_change_tenant(tenant, arguments, operator, "Resume it?").await? {
        return Ok(());
    }
    let (state, _) = operator.resume(tenant).await.map_err(unavailable)?;
    output::data(&format!("the account {}\n", described(Some(&state))))
}

async fn may_change_tenant(
    tenant: &TenantId,
    arguments: &TenantArguments,
    operator: &Operator,
    question: &str,
) -> anyhow::Result<bool> {
    require_stored(tenant, operator).await?;
    let (state, waiting) = (operator.account(tenant).await?, operator.waiting(tenant).await?);
    let waiting = usize::try_from(waiting)?;
    let found = format!(
        "the account of {:?} {}; {} to be sent",
        tenant.as_str(),
        described(state.as_ref()),
        counted(waiting, "email waits", "emails wait")
    );
    if arguments.confirm.dry_run {
        output::data(&format!("{found}\n"))?;
        return Ok(false);
    }
    output::note(&format!("Found: {found}."));
    if !arguments.confirm.yes && !output::confirm(question)? {
        bail!("nothing was changed");
    }
    Ok(true)
}

/// What an account does, behind its name.
fn described(state: Option<&AccountState>) -> String {
    match state {
        None | Some(AccountState::Open) => "sends".to_owned(),
        Some(AccountState::Paused(pauser)) => match pauser {
            Pauser::Administrator => "is paused by an administrator of the tenant",
            Pauser::Operator => "is paused by the operator",
            Pauser::Both => "is paused by the operator and by an administrator of the tenant",
        }
        .to_owned(),
        Some(AccountState::Stopped(stop)) => format!("was stopped by {}", stop.code),
    }
}

pub(super) fn unavailable(error: Error) -> anyhow::Error {
    let cause = match error {
        Error::Database(error) => error.into(),
        Error::Internal(error) => error,
        Error::Contended => anyhow!("the account keeps changing"),
        other => anyhow!("{other:?}"),
    };
    cause.context("changes made so far are kept; run the command again for the rest")
}
