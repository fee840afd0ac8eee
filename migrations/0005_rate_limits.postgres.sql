-- Replicas of two versions work on one database while the newer one is rolled out. A migration says which programs it
-- leaves working: those that know at least this version of the schema. Null says none but those that know the
-- migration itself.

alter table schema_migrations add column works_with bigint;

-- Requests that are counted for all replicas together. Not logged: the counts of one minute need not outlive a crash of
-- the server, and counting costs no write-ahead log. After such a crash every count begins anew.

create unlogged table rate_limits (
    -- A hash of who is counted, and against which limit.
    key bytea not null primary key,
    -- Unix milliseconds by the clock of the database.
    window_end bigint not null,
    count bigint not null
);

-- For the removal of what has ended. A count within its window does not touch it.
create index rate_limits_by_end on rate_limits (window_end);
