//! Limits the outgoing connections, per tenant and in total, so that one tenant's dead servers do not block the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::id::TenantId;

/// Limits the outgoing connections, per tenant and in total. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionLimits {
    usage: Arc<Mutex<Usage>>,
    max_total: usize,
    max_per_tenant: usize,
}

#[derive(Default)]
struct Usage {
    total: usize,
    tenants: HashMap<TenantId, TenantUsage>,
}

#[derive(Default)]
struct TenantUsage {
    connections: usize,
    admin_checks: bool,
    user_checks: bool,
}

/// What a permit is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    AdminCheck,
    UserCheck,
    Sending,
}

impl TenantUsage {
    /// Whether a check of this kind is running; none for a sending, of which a tenant may have several.
    fn is_checking(&mut self, purpose: Purpose) -> Option<&mut bool> {
        match purpose {
            Purpose::AdminCheck => Some(&mut self.admin_checks),
            Purpose::UserCheck => Some(&mut self.user_checks),
            Purpose::Sending => None,
        }
    }
}

/// Which limit is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPermit {
    /// The tenant uses all of its connections, or one of its checks is running.
    Tenant,
    /// All tenants together use all connections.
    Total,
}

/// The right to one outgoing connection. Dropping it gives it back.
#[must_use]
pub struct ConnectionPermit {
    limits: ConnectionLimits,
    tenant: TenantId,
    purpose: Purpose,
}

impl ConnectionLimits {
    pub fn new(max_total: usize, max_per_tenant: usize) -> Self {
        Self { usage: Arc::default(), max_total, max_per_tenant }
    }

    /// A permit for a check of the connection. A tenant has one at a time for its administrators and one for its other
    /// users, so that these never keep an administrator from repairing the account.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn acquire_for_check(&self, tenant: &TenantId, is_admin: bool) -> Result<ConnectionPermit, NoPermit> {
        self.acquire(tenant, if is_admin { Purpose::AdminCheck } else { Purpose::UserCheck })
    }

    /// A permit for sending a mail.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn acquire_for_sending(&self, tenant: &TenantId) -> Result<ConnectionPermit, NoPermit> {
        self.acquire(tenant, Purpose::Sending)
    }

    /// How many permits a tenant may have at the same time.
    pub fn max_per_tenant(&self) -> usize {
        self.max_per_tenant
    }

    /// How many permits are in use.
    pub fn in_use(&self) -> usize {
        self.lock().total
    }

    fn acquire(&self, tenant: &TenantId, purpose: Purpose) -> Result<ConnectionPermit, NoPermit> {
        let mut usage = self.lock();
        if let Some(of_tenant) = usage.tenants.get_mut(tenant) {
            let is_checking = of_tenant.is_checking(purpose).is_some_and(|checking| *checking);
            if is_checking || of_tenant.connections >= self.max_per_tenant {
                return Err(NoPermit::Tenant);
            }
        }
        if usage.total >= self.max_total {
            return Err(NoPermit::Total);
        }
        usage.total += 1;
        let of_tenant = usage.tenants.entry(tenant.clone()).or_default();
        of_tenant.connections += 1;
        if let Some(checking) = of_tenant.is_checking(purpose) {
            *checking = true;
        }
        Ok(ConnectionPermit { limits: self.clone(), tenant: tenant.clone(), purpose })
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut usage = self.limits.lock();
        usage.total -= 1;
        if let Some(of_tenant) = usage.tenants.get_mut(&self.tenant) {
            of_tenant.connections -= 1;
            if let Some(checking) = of_tenant.is_checking(self.purpose) {
                *checking = false;
            }
            if of_tenant.connections == 0 {
                usage.tenants.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_a_limit_and_one_check_at_a_time() {
        let limits = ConnectionLimits::new(5, 3);
        let tenant = TenantId::from_operator("a");
        let check = limits.acquire_for_check(&tenant, true).unwrap_or_else(|_| panic!("a first check"));
        assert_eq!(limits.acquire_for_check(&tenant, true).err(), Some(NoPermit::Tenant), "a second check");
        let sendings = [limits.acquire_for_sending(&tenant), limits.acquire_for_sending(&tenant)];
        assert!(sendings.iter().all(Result::is_ok));
        assert_eq!(limits.acquire_for_sending(&tenant).err(), Some(NoPermit::Tenant), "over the limit");
        drop(check);
        assert!(limits.acquire_for_check(&tenant, true).is_ok(), "the check is over");
    }

    /// Security case M9.
    #[test]
    fn a_users_check_keeps_no_administrator_out() {
        let limits = ConnectionLimits::new(5, 3);
        let tenant = TenantId::from_operator("a");
        let users = limits.acquire_for_check(&tenant, false);
        assert_eq!(limits.acquire_for_check(&tenant, false).err(), Some(NoPermit::Tenant), "users share one");
        let admins = limits.acquire_for_check(&tenant, true);
        assert!(users.is_ok() && admins.is_ok());
        drop(users);
        assert_eq!(
            limits.acquire_for_check(&tenant, true).err(),
            Some(NoPermit::Tenant),
            "the other goes on"
        );
        assert!(limits.acquire_for_check(&tenant, false).is_ok());
    }

    #[test]
    fn the_total_is_limited_and_dropped_permits_can_be_acquired_again() {
        let limits = ConnectionLimits::new(2, 3);
        let names = ["a", "b", "c"].map(TenantId::from_operator);
        let first = limits.acquire_for_sending(&names[0]);
        let second = limits.acquire_for_check(&names[1], true);
        assert_eq!(limits.acquire_for_check(&names[2], true).err(), Some(NoPermit::Total));
        assert_eq!(limits.in_use(), 2);
        drop((first, second));
        assert_eq!(limits.in_use(), 0);
        assert!(limits.lock().tenants.is_empty(), "idle tenants take no memory");
    }
}
