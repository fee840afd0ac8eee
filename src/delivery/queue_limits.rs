//! How much of each tenant may wait. Counting takes as long as the queue, so a count holds for a moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::future::Cache;

use crate::config;
use crate::id::TenantId;
use crate::store::{Db, DbError, emails};

/// How long a count holds. Other processes may accept mail in this time; nothing is refused without a fresh count.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Tenants whose counts are kept.
const MAX_TENANTS: u64 = 10_000;

pub(super) struct QueueLimits {
    max: Waiting,
    counted: Cache<TenantId, Arc<Mutex<Waiting>>>,
}

/// What waits of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    pub emails: u64,
    pub octets: u64,
}

impl QueueLimits {
    pub fn new(settings: &config::Delivery) -> Self {
        let max = Waiting {
            emails: u64::from(settings.max_waiting_per_tenant),
            octets: settings.max_bytes_per_tenant,
        };
        Self { max, counted: Cache::builder().max_capacity(MAX_TENANTS).time_to_live(MAX_AGE).build() }
    }

    /// Whether so much more of the tenant may wait; if so, it counts as waiting from now on.
    pub async fn let_in(&self, db: &Db, tenant: &TenantId, more: Waiting) -> Result<bool, DbError> {
        if let Some(counted) = self.counted.get(tenant).await
            && self.add(&counted, more)
        {
            return Ok(true);
        }
        let (emails, octets) = emails::waiting(db, tenant).await?;
        let counted = Waiting { emails: emails.unsigned_abs(), octets: octets.unsigned_abs() };
        let counted = Arc::new(Mutex::new(counted));
        let has_room = self.add(&counted, more);
        self.counted.insert(tenant.clone(), counted).await;
        Ok(has_room)
    }

    fn add(&self, counted: &Mutex<Waiting>, more: Waiting) -> bool {
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = Waiting { emails: counted.emails + more.emails, octets: counted.octets + more.octets };
        let has_room = sum.emails <= self.max.emails && sum.octets <= self.max.octets;
        if has_room {
            *counted = sum;
        }
        has_room
    }
}
