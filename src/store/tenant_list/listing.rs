//! Merges the tenants of several groups into one sorted list.

use std::collections::VecDeque;

use super::{Filter, Group, TenantRow, groups, page};
use crate::store::{Db, DbError};

/// Tenants that the first read of a group fetches, and the most that one read fetches. Each read doubles the number: a
/// page needs few tenants of each group, and a full list few reads.
const MIN_PAGE: i64 = 16;
const MAX_PAGE: i64 = 1_000;

/// The tenants that a filter lets pass, in the order of their bytes, read while they are asked for.
///
/// A list is no snapshot: one that is there, and passes, from the first page to the last is in it once, unless it moves
/// from one group to another within the page that it stands on.
pub struct Listing {
    ranges: Vec<Range>,
    last: Option<String>,
}

/// The rest of one group, or of all tenants.
struct Range {
    group: Option<Group>,
    read: VecDeque<TenantRow>,
    /// The last one that was read.
    after: String,
    /// How many to read next.
    next: i64,
    is_at_its_end: bool,
}

impl Range {
    fn new(group: Option<Group>, after: &str) -> Self {
        Self { group, read: VecDeque::new(), after: after.to_owned(), next: MIN_PAGE, is_at_its_end: false }
    }

    /// Reads on where nothing is left.
    async fn fill(&mut self, db: &Db) -> Result<(), DbError> {
        if !self.read.is_empty() || self.is_at_its_end {
            return Ok(());
        }
        let found = page(db, self.group.as_ref(), &self.after, self.next).await?;
        self.is_at_its_end = found.len() < usize::try_from(self.next).unwrap_or(usize::MAX);
        self.next = (self.next * 2).min(MAX_PAGE);
        if let Some(last) = found.last() {
            self.after.clone_from(&last.tenant);
        }
        self.read = found.into();
        Ok(())
    }
}

impl Listing {
    /// From behind the tenant `after` on; from the first one where that is empty.
    pub async fn new(db: &Db, filter: &Filter, after: &str) -> Result<Self, DbError> {
        let ranges = if filter.is_none() {
            vec![Range::new(None, after)]
        } else {
            let groups = groups(db, filter).await?;
            groups.into_iter().map(|group| Range::new(Some(group), after)).collect()
        };
        Ok(Self { ranges, last: None })
    }

    /// The next one; none at the end.
    pub async fn next(&mut self, db: &Db) -> Result<Option<TenantRow>, DbError> {
        loop {
            let mut first: Option<(usize, &str)> = None;
            for (index, range) in self.ranges.iter_mut().enumerate() {
                range.fill(db).await?;
                if let Some(front) = range.read.front()
                    && first.is_none_or(|(_, tenant)| front.tenant.as_str() < tenant)
                {
                    first = Some((index, &front.tenant));
                }
            }
            let Some(index) = first.map(|(index, _)| index) else { return Ok(None) };
            let next = self.ranges[index].read.pop_front();
            // The tenant moved to another group between the two reads.
            if next.as_ref().map(|listed| &listed.tenant) == self.last.as_ref() {
                continue;
            }
            self.last = next.as_ref().map(|listed| listed.tenant.clone());
            return Ok(next);
        }
    }
}
