-- One text for both engines. SQLite takes any name of a type: `bigint` has the affinity of an integer there, and a blob in
-- a `bytea` column stays a blob. What PostgreSQL needs besides is in the file beside this one.
--
-- Times are Unix milliseconds.

-- A known text, sealed with each key that this database was ever used with.
create table key_canaries (
    key_id text not null primary key,
    wrapped_key bytea not null,
    payload bytea not null,
    created_at bigint not null
);

create table email_configs (
    tenant_id text not null primary key,
    -- New and unique with every change by an administrator.
    config_version text not null,
    -- Counts the changes of health since then.
    health_version bigint not null,
    provider text not null,
    server_address text,
    server_port bigint,
    security_type text,
    username text,
    email_address text,
    sender_name text,
    -- The app of Microsoft 365 that the tenant sends with.
    client_id text,
    provider_tenant_id text,
    -- The sealed secret: all three columns, or none of them. The reference keeps a key from being removed while a row is
    -- being sealed with it.
    secret_key_id text references key_canaries (key_id),
    secret_wrapped_key bytea,
    secret_payload bytea,
    health_state text not null,
    auth_failures bigint not null,
    diagnosis_code text,
    health_reason text,
    -- How far the session had come that said so.
    failed_stage text,
    modified_at bigint not null,
    updated_at bigint not null,
    -- What operators list tenants by: `store::tenant_list::Group` writes and reads it. It has a few dozen values, so any
    -- selection of tenants is a few ranges of one index, each in the order of the tenants.
    listing_group text not null
);

-- Which keys are needed, by how many rows, and which rows come next when data keys are wrapped again.
create index email_configs_secret_key on email_configs (secret_key_id, tenant_id)
    where secret_key_id is not null;

create index email_configs_listing on email_configs (listing_group, tenant_id);

create table audit (
    id text not null primary key,
    tenant_id text not null,
    at bigint not null,
    user_id text not null,
    action text not null,
    outcome text not null,
    -- Names of fields, separated by commas.
    changed text not null,
    trace_id text not null,
    -- The IP address that the request came from, where it is known.
    remote_address text,
    -- To whom a test mail went, or a hash of the address.
    recipient text,
    -- How often this happened within a minute.
    count bigint not null default 1
);

-- The order in which a tenant reads its audit, page by page.
create index audit_by_tenant on audit (tenant_id, at, id);

-- For the deletion of rows whose retention has ended.
create index audit_by_time on audit (at);

-- Sessions of the console that a user has ended before they expire.
create table ended_sessions (
    -- A hash, from which no session can be made.
    id_hash bytea not null primary key,
    expires_at bigint not null
);

-- For the deletion of those that have expired.
create index ended_sessions_by_expiry on ended_sessions (expires_at);

-- Work that replicas must not do at the same time. A replica updates the task's row in the transaction that does a step of
-- the work; the others wait for that row.
create table background_tasks (
    name text not null primary key,
    last_step_at bigint not null
);

insert into background_tasks (name, last_step_at) values ('audit_retention', 0);
