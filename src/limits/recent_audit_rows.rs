//! Remembers the audit rows of the last minute, so that equal checks of one user are counted in one row, and limits the
//! rows that a tenant's users who are no administrators cause.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::bounded::BoundedTable;
use super::quotas::{Quota, QuotaExceeded};
use super::windows::{Exceeded, WindowKind, Windows};
use crate::clock::Clock;
use crate::config;
use crate::id::TenantId;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The rows that were written in the last minute, by what they say. Of this process.
pub struct RecentAuditRows {
    clock: Clock,
    hasher: RandomState,
    rows: Mutex<BoundedTable<Recent>>,
    per_day: WindowKind,
    windows: Windows,
}

#[derive(Clone, Copy)]
struct Recent {
    /// Unix milliseconds.
    end: i64,
    id: Uuid,
}

impl RecentAuditRows {
    pub fn new(settings: &config::Quotas, clock: Clock) -> Self {
        let max = settings.audited_checks_of_users_per_tenant_per_day;
        Self {
            clock,
            hasher: RandomState::new(),
            rows: Mutex::default(),
            per_day: WindowKind { number: 0, length: DAY, max },
            windows: Windows::default(),
        }
    }

    /// Whether the users of a tenant may cause another row today.
    pub fn check(&self, tenant: &TenantId) -> Result<(), QuotaExceeded> {
        let key = self.windows.key(self.per_day, &tenant.as_str());
        let checked = self.windows.lock().check(self.per_day, key, self.clock.now());
        checked.map_err(|Exceeded { retry_after_seconds }| QuotaExceeded {
            quota: Quota::ChecksOfUsers,
            retry_after_seconds,
        })
    }

    /// The row of the last minute that says the same.
    pub fn find(&self, content: &impl Hash) -> Option<Uuid> {
        let now = self.clock.now().0;
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = rows.entries.get(&self.hasher.hash_one(content))?;
        // A clock that was set back makes no row recent for longer than a minute.
        (now < recent.end && recent.end <= now + MINUTE).then_some(recent.id)
    }

    /// Remembers a row that was written now, and counts it for its tenant.
    pub fn remember(&self, tenant: &TenantId, content: &impl Hash, id: Uuid) {
        let now = self.clock.now();
        if self.per_day.max > 0 {
            let key = self.windows.key(self.per_day, &tenant.as_str());
            let _ = self.windows.lock().count(self.per_day, key, now);
        }
        let key = self.hasher.hash_one(content);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.has_room_for(key, now.0, |recent| recent.end <= now.0) {
            rows.entries.insert(key, Recent { end: now.0 + MINUTE, id });
        }
    }
}
