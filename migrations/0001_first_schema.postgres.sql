-- Tenants are ordered by their bytes, as on SQLite, whatever the collation of the database. That collation would also change
-- with the system's C library.
alter table email_configs
    alter column tenant_id type text collate "C",
    alter column listing_group type text collate "C";

-- Each page keeps a fifth of its space free for the next version of a row. Without it the new version moves to another page,
-- and every index has to be updated.
alter table email_configs set (fillfactor = 80);

-- Requests that are counted for all replicas together; the one process that SQLite serves counts in memory. Unlogged: the
-- counts of one minute need not survive a crash of the server, and counting writes no write-ahead log.
create unlogged table rate_limits (
    -- A hash of the caller and the limit.
    key bytea not null primary key,
    -- Unix milliseconds by the clock of the database.
    window_end bigint not null,
    count bigint not null
);

-- For the deletion of ended windows. A count within its window does not change this index.
create index rate_limits_by_end on rate_limits (window_end);
