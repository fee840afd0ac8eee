-- Delivery: the mail that tenants' accounts send. One text for both engines; see 0001.

-- A tenant's account as the sender of mail. Whoever owns it for the moment sends its mail.
create table delivery_accounts (
    tenant_id text not null primary key,
    -- When something of this account is due; null where nothing waits.
    next_due_at bigint,
    -- Counts the owners: what an earlier owner writes is refused.
    fence bigint not null default 0,
    -- The process that owns the account, until when.
    owner text,
    lease_until bigint not null default 0,
    -- `open`, `paused` by a person, or `stopped` by a failure, whose diagnosis is `state_code`.
    state text not null default 'open',
    state_code text,
    state_since bigint,
    -- When a stopped account tries one mail; null where a person has to change something first.
    probe_at bigint,
    -- Failures of the same class in a row.
    failures bigint not null default 0,
    -- The version of the configuration that failed.
    failed_version text,
    -- When the next mail would be due if mails came evenly (GCRA).
    pace_at bigint not null default 0
);

create index delivery_accounts_due on delivery_accounts (next_due_at) where next_due_at is not null;

create index delivery_accounts_owner on delivery_accounts (owner) where owner is not null;

create table emails (
    tenant_id text not null,
    -- UUID version 7: the order of the ids is that of creation.
    id text not null,
    idempotency_key text,
    -- SHA-256 of the request that the key came with.
    fingerprint bytea not null,
    -- The position within a batch, which has one key for all of it.
    batch_position bigint not null default 0,
    lane text not null,
    status text not null,
    created_at bigint not null,
    scheduled_at bigint,
    expires_at bigint not null,
    on_unknown text not null,
    message_id text not null,
    size bigint not null,
    has_content boolean not null,
    -- Subject, addresses of the header, tags and metadata, sealed; null once erased.
    sealed_details bytea,
    -- The day of the key that details and body are sealed with.
    key_day bigint not null,
    -- Since when nothing of it waits or is under way; null before. Its retention begins here.
    settled_at bigint,
    version bigint not null,
    primary key (tenant_id, id)
);

-- For the removal of content, and of rows, whose retention has ended.
create index emails_with_content_by_end on emails (settled_at) where has_content and settled_at is not null;
create index emails_by_end on emails (settled_at) where settled_at is not null;

-- Which keys no email needs any more.
create index emails_by_key_day on emails (tenant_id, key_day);

create unique index emails_by_key on emails (tenant_id, idempotency_key, batch_position)
    where idempotency_key is not null;

create table email_recipients (
    tenant_id text not null,
    email_id text not null,
    position bigint not null,
    -- Null once erased.
    address text,
    kind text not null,
    state text not null,
    attempts bigint not null,
    copies bigint not null,
    -- The hand-over that is under way, and the fence of its owner.
    started_at bigint,
    fence bigint,
    next_attempt_at bigint,
    -- The last attempt, as JSON.
    last text,
    primary key (tenant_id, email_id, position)
);

-- What waits, in the order in which it is due: a row exists only while something waits. Mail that waits for its account to
-- open stands in the lane `held`, due when it expires.
create table email_queue (
    tenant_id text not null,
    lane text not null,
    due_at bigint not null,
    email_id text not null,
    size bigint not null,
    primary key (tenant_id, lane, due_at, email_id)
);

-- The message in parts of at most 1 MiB, sealed.
create table email_bodies (
    tenant_id text not null,
    email_id text not null,
    part bigint not null,
    sealed bytea not null,
    primary key (tenant_id, email_id, part)
);

-- The key of a tenant and day, wrapped like the secret of an account.
create table content_keys (
    tenant_id text not null,
    -- Days since 1970.
    day bigint not null,
    key_id text not null references key_canaries (key_id),
    wrapped_key bytea not null,
    payload bytea not null,
    primary key (tenant_id, day)
);

-- Which keys of the ring are needed, by how many rows, and which rows come next when they are wrapped again.
create index content_keys_by_key on content_keys (key_id, tenant_id, day);

-- The feed: readers follow `seq`. The newest row is never deleted, since SQLite would use its number again.
create table email_events (
    seq integer not null primary key,
    id text not null,
    tenant_id text not null,
    email_id text,
    kind text not null,
    at bigint not null,
    -- What else is known, as JSON.
    details text not null
);

create index email_events_by_tenant on email_events (tenant_id, seq);
create index email_events_by_email on email_events (tenant_id, email_id, seq);
create index email_events_by_time on email_events (at);

insert into background_tasks (name, last_step_at) values ('email_retention', 0);
