//! Requests that are counted for all replicas together, by PostgreSQL and its clock.

use super::{Db, DbError, Write, sql};

statements! {
    /// One row for each key: a window that begins with the key's first request, and the requests in it.
    ///
    /// The clock is read once, so that count and end follow from the same moment. The row may have been changed since
    /// by a statement with a slightly later time, so only an end beyond two lengths shows a clock that was set back.
    /// The rest of the window is computed before any wait for the row, so it is never too long.
    COUNT = "with clock as materialized (
            select (extract(epoch from clock_timestamp()) * 1000)::bigint as now
        )
        insert into rate_limits as held (key, window_end, count)
        select $1::bytea, now + $2::bigint, $3::bigint from clock
        on conflict (key) do update set
            count = case
                when held.window_end <= (select now from clock)
                    or held.window_end > (select now from clock) + 2 * $2::bigint
                then excluded.count else held.count + excluded.count end,
            window_end = case
                when held.window_end <= (select now from clock)
                    or held.window_end > (select now from clock) + 2 * $2::bigint
                then excluded.window_end else held.window_end end
        returning count, window_end - (select now from clock)";
    /// Skips locked rows, so that replicas may clean up at the same time, and no request that is counted waits for it.
    REMOVE_ENDED = "delete from rate_limits where key in (
            select key from rate_limits
            where window_end <= (extract(epoch from clock_timestamp()) * 1000)::bigint
            order by window_end limit $1 for update skip locked
        )";
}

/// A hash of who is counted, and against which limit.
pub type Key = [u8; 32];

/// What the database answers to a request that was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    /// The requests that were counted in this window before.
    pub before: u64,
    /// The milliseconds until the window ends, from the moment at which the question was asked or a later one.
    pub left: u64,
}

/// Counts so many requests of a key at once, in a window of `length` milliseconds.
///
/// # Errors
/// See [`DbError`]; the requests may have been counted all the same.
pub async fn count(db: &Db, key: &Key, length: i64, requests: u32) -> Result<Counted, DbError> {
    let statement = sql(COUNT).bind(&key[..]).bind(length).bind(i64::from(requests));
    let mut columns = db.count(statement).await?.columns();
    let (count, left) = (columns.integer()?, columns.integer()?);
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    // The window can be of a statement whose time was some milliseconds later.
    let left = left.min(length);
    Ok(Counted { before: number(count - i64::from(requests)), left: number(left) })
}

/// Removes at most `most` of the windows that have ended. Touches nothing where there are none.
pub fn remove_ended(most: i64) -> Write {
    Write::default().then(sql(REMOVE_ENDED).bind(most).require_affected())
}
