//! Counts what waits: of all tenants, or of one.

use std::collections::BTreeMap;

use super::{ACCOUNTS, Operator};
use crate::clock::Timestamp;
use crate::id::TenantId;
use crate::outgoing::breaker::{AccountState, Pauser};
use crate::store::backlog::{self, LaneCount, QueuePosition};
use crate::store::email_selection::UnderWay;
use crate::store::{DbError, delivery_accounts, email_selection};

/// What waits, and which accounts do not send.
#[derive(Debug)]
pub struct Summary {
    /// By lane: emails, octets, and since when the oldest of an open account is due.
    pub lanes: Vec<(LaneCount, Option<Timestamp>)>,
    /// By state with its reason: the code of a diagnosis, or who has paused it.
    pub accounts: BTreeMap<String, ClosedAccounts>,
    /// The tenants with most that waits: emails and octets.
    pub longest: Vec<(TenantId, i64, i64)>,
    pub under_way: UnderWay,
    /// Emails that are held until a time, and counted in their lanes.
    pub held_until: i64,
}

/// Accounts that do not send for one reason.
#[derive(Default, Debug)]
pub struct ClosedAccounts {
    pub count: usize,
    /// The first of them, at most [`NAMED`].
    pub first: Vec<TenantId>,
}

/// Tenants that are named beside a count.
pub const NAMED: usize = 5;

impl ClosedAccounts {
    fn add(&mut self, tenant: &TenantId) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(tenant.clone());
        }
    }
}

impl Operator {
    /// Counts what waits, and names as many tenants with most of it.
    pub async fn summary(&self, longest: i64) -> Result<Summary, DbError> {
        let mut lanes: Vec<LaneCount> = Vec::new();
        let mut position = QueuePosition::default();
        loop {
            let (counts, next) = backlog::queue_step(&self.db, &position).await?;
            for count in counts {
                match lanes.iter_mut().find(|lane| lane.lane == count.lane) {
                    Some(lane) => {
                        lane.emails += count.emails;
                        lane.octets += count.octets;
                    }
                    None => lanes.push(count),
                }
            }
            let Some(next) = next else { break };
            position = next;
        }
        lanes.sort_by(|one, other| other.lane.cmp(&one.lane));
        let mut with_oldest = Vec::new();
        for lane in lanes {
            let oldest = backlog::oldest_due(&self.db, &lane.lane, ACCOUNTS).await?;
            with_oldest.push((lane, oldest.filter(|oldest| *oldest <= self.now())));
        }
        Ok(Summary {
            lanes: with_oldest,
            accounts: self.closed_accounts().await?,
            longest: email_selection::longest(&self.db, longest).await?,
            under_way: self.under_way(None).await?,
            held_until: email_selection::held_until(&self.db, None, self.now()).await?,
        })
    }

    /// Counts what waits of one tenant.
    pub async fn summary_of(&self, tenant: &TenantId) -> Result<Summary, DbError> {
        let account = delivery_accounts::find(&self.db, tenant).await?;
        let closed = account.as_ref().and_then(|account| reason(&account.state));
        let of_tenant = || ClosedAccounts { count: 1, first: vec![tenant.clone()] };
        let lanes = backlog::lanes_of_tenant(&self.db, tenant).await?;
        let is_due = |oldest: &Timestamp| closed.is_none() && *oldest <= self.now();
        let mut lanes: Vec<_> =
            lanes.into_iter().map(|(lane, oldest)| (lane, oldest.filter(is_due))).collect();
        lanes.sort_by(|(one, _), (other, _)| other.lane.cmp(&one.lane));
        let emails = lanes.iter().map(|(lane, _)| lane.emails).sum();
        let octets = lanes.iter().map(|(lane, _)| lane.octets).sum();
        Ok(Summary {
            lanes,
            accounts: closed.into_iter().map(|reason| (reason, of_tenant())).collect(),
            longest: if emails > 0 { vec![(tenant.clone(), emails, octets)] } else { Vec::new() },
            under_way: self.under_way(Some(tenant)).await?,
            held_until: email_selection::held_until(&self.db, Some(tenant), self.now()).await?,
        })
    }

    /// Accounts that do not send, counted by state and reason.
    async fn closed_accounts(&self) -> Result<BTreeMap<String, ClosedAccounts>, DbError> {
        let mut closed = BTreeMap::<String, ClosedAccounts>::new();
        for state in [AccountState::PAUSED, AccountState::STOPPED] {
            self.for_accounts(state, |account| {
                if let Some(reason) = reason(&account.state) {
                    closed.entry(reason).or_default().add(&account.tenant);
                }
            })
            .await?;
        }
        Ok(closed)
    }
}

/// The state with its reason; none where the account sends.
fn reason(state: &AccountState) -> Option<String> {
    let reason = match state {
        AccountState::Open => return None,
        AccountState::Paused(Pauser::Both) => "administrator and operator",
        AccountState::Paused(pauser) => pauser.as_str(),
        AccountState::Stopped(stop) => &stop.code,
    };
    Some(format!("{}: {reason}", state.as_str()))
}
