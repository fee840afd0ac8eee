-- What the delivery needs besides; see 0001.

-- The clock by which leases end, in milliseconds since 1970; null is that of the process. On PostgreSQL it is the
-- server's, since the clocks of two hosts may differ by more than a lease.
create view lease_clock as select cast(null as bigint) as now;

-- What the tenant sets for its account: senders besides its address, as a JSON array, and a slower pace.
alter table delivery_accounts add column allowed_senders text;
alter table delivery_accounts add column max_per_minute bigint;
alter table delivery_accounts add column max_connections bigint;

-- The event of the change that made `state` what it is: two writes that make the same change tell it once.
alter table delivery_accounts add column state_event text;
