//! Places for outgoing connections: bounded for each tenant and in all, so that one tenant's dead servers take
//! nothing from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::TenantId;

/// Hands out places. Cheap to clone.
#[derive(Clone)]
pub struct Places {
    taken: Arc<Mutex<Taken>>,
    most: usize,
    most_per_tenant: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    tenants: HashMap<TenantId, Share>,
}

#[derive(Default)]
struct Share {
    places: usize,
    checking: bool,
}

/// Why there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPlace {
    /// The tenant uses its share, or one of its checks is under way.
    Tenant,
    /// Every place is taken.
    All,
}

/// A place, free again when dropped.
pub struct Place {
    places: Places,
    tenant: TenantId,
    checking: bool,
}

impl Places {
    #[must_use]
    pub fn new(most: usize, most_per_tenant: usize) -> Self {
        Self { taken: Arc::default(), most, most_per_tenant }
    }

    /// A place for a check of the connection, of which a tenant has one at a time.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub fn for_check(&self, tenant: &TenantId) -> Result<Place, NoPlace> {
        self.take(tenant, true)
    }

    /// A place for a sending.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub fn for_sending(&self, tenant: &TenantId) -> Result<Place, NoPlace> {
        self.take(tenant, false)
    }

    /// How many are taken now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.lock().all
    }

    fn take(&self, tenant: &TenantId, checking: bool) -> Result<Place, NoPlace> {
        let mut taken = self.lock();
        let share = taken.tenants.get(tenant);
        if share.is_some_and(|share| share.places >= self.most_per_tenant || (checking && share.checking)) {
            return Err(NoPlace::Tenant);
        }
        if taken.all >= self.most {
            return Err(NoPlace::All);
        }
        taken.all += 1;
        let share = taken.tenants.entry(tenant.clone()).or_default();
        share.places += 1;
        share.checking |= checking;
        Ok(Place { places: self.clone(), tenant: tenant.clone(), checking })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(share) = taken.tenants.get_mut(&self.tenant) {
            share.places -= 1;
            if self.checking {
                share.checking = false;
            }
            if share.places == 0 {
                taken.tenants.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_its_share_and_one_check_at_a_time() {
        let places = Places::new(5, 3);
        let tenant = TenantId::from_operator("a");
        let check = places.for_check(&tenant).unwrap_or_else(|_| panic!("a first check"));
        assert_eq!(places.for_check(&tenant).err(), Some(NoPlace::Tenant), "a second check");
        let sendings = [places.for_sending(&tenant), places.for_sending(&tenant)];
        assert!(sendings.iter().all(Result::is_ok));
        assert_eq!(places.for_sending(&tenant).err(), Some(NoPlace::Tenant), "beyond the share");
        drop(check);
        assert!(places.for_check(&tenant).is_ok(), "the check is over");
    }

    #[test]
    fn all_places_are_bounded_and_come_back() {
        let places = Places::new(2, 3);
        let names = ["a", "b", "c"].map(TenantId::from_operator);
        let first = places.for_sending(&names[0]);
        let second = places.for_check(&names[1]);
        assert_eq!(places.for_check(&names[2]).err(), Some(NoPlace::All));
        assert_eq!(places.taken(), 2);
        drop((first, second));
        assert_eq!(places.taken(), 0);
        assert!(places.lock().tenants.is_empty(), "nothing is kept of idle tenants");
    }
}
