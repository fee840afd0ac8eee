//! What a tenant's users do with its mail account: save the configuration, check it, send a test mail.
//!
//! The front doors call this; it knows neither HTTP nor a language.

mod check;
mod deliver;
mod error;
pub mod record;
mod save;
pub mod secrets;
mod sign_in_limits;

use std::net::IpAddr;
use std::sync::Arc;

pub use check::{PreparedCheck, PreparedTestMail, TestMail, Verification};
pub use deliver::{NotOpened, OpenAccount};
pub use error::Error;
pub use save::{Precondition, PreparedPut, VersionCheck};

use crate::clock::Clock;
use crate::config::AuditRecipients;
use crate::email_config::{EmailConfig, ErrorCode, Settings};
use crate::id::{TenantId, TraceId, UserId};
use crate::limits::connections::ConnectionLimits;
use crate::limits::quotas::Quotas;
use crate::limits::recent_audit_rows::RecentAuditRows;
use crate::limits::refused_sign_ins::RefusedSignIns;
use crate::providers::Outbound;
use crate::store::{Db, email_configs};
use crate::telemetry::metrics::Metrics;
use crate::vault::Vault;

/// The accounts of all tenants, with what it takes to work on them.
pub struct Accounts {
    pub db: Db,
    pub vault: Arc<Vault>,
    pub clock: Clock,
    pub outbound: Outbound,
    pub connections: ConnectionLimits,
    pub quotas: Quotas,
    pub refused_sign_ins: RefusedSignIns,
    pub recent_audit_rows: RecentAuditRows,
    /// How the audit keeps the recipients of test mails.
    pub audit_recipients: AuditRecipients,
    pub metrics: Metrics,
}

/// The user who acts, and what the audit says about the request.
#[derive(Clone, Debug)]
pub struct Actor {
    pub tenant: TenantId,
    pub user: UserId,
    /// The person's name, where the token has one.
    pub user_name: Option<String>,
    pub is_admin: bool,
    pub trace_id: TraceId,
    /// The client's address, as far as trusted proxies tell it.
    pub remote: IpAddr,
}

impl Accounts {
    /// The stored configuration.
    pub async fn find(&self, tenant: &TenantId) -> Result<Option<EmailConfig>, Error> {
        Ok(email_configs::find(&self.db, tenant).await?)
    }

    /// Whether the configuration is complete and not known to fail. Never connects.
    pub async fn validate(&self, tenant: &TenantId) -> Result<ErrorCode, Error> {
        let stored = self.find(tenant).await?;
        Ok(stored.as_ref().map_or(ErrorCode::ConfigNotSet, EmailConfig::error_code))
    }

    /// Counts the mail server against the tenant's quota. The hosts of Microsoft 365 are the operator's choice.
    fn count_destination(&self, tenant: &TenantId, settings: &Settings) -> Result<(), Error> {
        let Settings::BasicAuth(basic) = settings else { return Ok(()) };
        let (Some(host), Some(port)) = (&basic.server_address, basic.server_port) else { return Ok(()) };
        let signs_in = signs_in(settings);
        self.within_quota(self.quotas.count_destination(tenant, host, port, signs_in))
    }
}

/// Whether a complete configuration signs in to an account.
fn signs_in(settings: &Settings) -> bool {
    match settings {
        Settings::BasicAuth(basic) => basic.username.is_some(),
        Settings::Microsoft365(_) => true,
    }
}
