-- What the delivery needs besides; see 0001.

-- The clock by which leases end, in milliseconds since 1970; null is that of the process. On PostgreSQL it is the
-- server's, since the clocks of two hosts may differ by more than a lease.
create view lease_clock as select cast(null as bigint) as now;
