-- SQLite takes any name of a type: `bigint` has the affinity of an integer there, and in a column that is called
-- `bytea` a blob stays a blob. So one text serves both engines.

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
    -- The sealed secret: all three, or none of them.
    secret_key_id text,
    secret_wrapped_key bytea,
    secret_payload bytea,
    health_state text not null,
    auth_failures bigint not null,
    diagnosis_code text,
    health_reason text,
    -- Unix milliseconds, as every time here.
    modified_at bigint not null,
    updated_at bigint not null
);

-- Which keys are needed, and by how many rows.
create index email_configs_secret_key on email_configs (secret_key_id) where secret_key_id is not null;

create table audit (
    id text not null primary key,
    tenant_id text not null,
    at bigint not null,
    user_id text not null,
    action text not null,
    outcome text not null,
    -- Names of fields, separated by commas.
    changed text not null,
    trace_id text not null
);

create index audit_by_tenant on audit (tenant_id, at);

-- For the end of the retention.
create index audit_by_time on audit (at);

-- A known text, sealed with each key of the ring.
create table key_canaries (
    key_id text not null primary key,
    wrapped_key bytea not null,
    payload bytea not null,
    created_at bigint not null
);
