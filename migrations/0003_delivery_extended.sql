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

-- The tags of emails, so that emails are found by them. The tags themselves are sealed; a hash is made with the key of the
-- tenant and the day, since one without a key could be guessed word by word.
create table email_tags (
    tenant_id text not null,
    hash text not null,
    email_id text not null,
    primary key (tenant_id, hash, email_id)
);

create index email_tags_by_email on email_tags (tenant_id, email_id);

-- Whether an attempt has been made: new mail and retries take turns.
alter table email_queue add column is_retry boolean not null default false;

create index email_queue_retries on email_queue (tenant_id, lane, due_at, email_id) where is_retry;

-- What is kept of an account's sending besides `pace_at`, as JSON: a rate that is not the preset's, and the recipients of the
-- last hours.
alter table delivery_accounts add column pace text;

-- The process whose lease had ended when the owner took the account; null where nobody owned it.
alter table delivery_accounts add column taken_from text;

-- Who has paused the account: `administrator` (of the tenant), `operator` or `both`; null where nobody has.
alter table delivery_accounts add column paused_by text;

-- How many accounts are in a state.
create index delivery_accounts_by_state on delivery_accounts (state);

-- The `traceparent` of the request that brought the email.
alter table emails add column traceparent text;

-- The size of what is kept of emails of which nothing waits.
create index emails_kept_content on emails (settled_at, tenant_id, id, size)
    where has_content and settled_at is not null;

-- The keys that programs send with. A key is 256 random bits, of which only the hash is here.
create table api_keys (
    id text not null primary key,
    -- Empty for a key of the platform.
    tenant_id text not null,
    name text not null,
    -- SHA-256 of the secret.
    secret_hash bytea not null,
    -- `sending_access` or `full_access`.
    permission text not null,
    -- The senders that the key may use, as a JSON array; null is all of the account's.
    allowed_senders text,
    -- Mail of a test key is never sent: its outcome is played.
    is_test boolean not null,
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint,
    -- `expires_at`, or the last moment there is; the first moment there is once the key is revoked, whatever a clock says.
    usable_until bigint not null,
    -- To the minute.
    last_used_at bigint
);

create index api_keys_by_tenant on api_keys (tenant_id, id);
create index api_keys_revoked on api_keys (revoked_at) where revoked_at is not null;

-- The key that the email was taken with; null for another credential.
alter table emails add column api_key_id text;

-- The key that has to be usable when the email is handed over: that of the request which has queued it last.
alter table emails add column required_key_id text;

-- Taken with a test key. What waits of it stands in the lane `test` of the queue, which is never sent.
alter table emails add column is_test boolean not null default false;

-- The API key that was made, changed or revoked.
alter table audit add column api_key_id text;

create index emails_by_api_key on emails (tenant_id, api_key_id, id) where api_key_id is not null;

-- How the last check, test mail or delivery of these settings ended, as JSON; null where they were not tried since they were
-- changed.
alter table email_configs add column last_check text;

-- By it a message is recognised that comes again by SMTP: SHA-256 of the API key's id, the envelope and the octets; null for
-- other emails, and once the time for it is over.
alter table emails add column door_hash bytea;

create unique index emails_by_door on emails (tenant_id, door_hash) where door_hash is not null;

-- It came again by SMTP, and its client has heard its id.
alter table emails add column came_again boolean not null default false;

-- When the last hand-over to the recipient began, where one has: by it the mails to one address are counted.
alter table email_recipients add column begun_at bigint;

create index email_recipients_begun on email_recipients (tenant_id, address, begun_at) where begun_at is not null;

-- The diagnosis of a failed check, as JSON without a language and without the session's steps.
alter table audit add column diagnosis text;

-- The name of who did it, as the token had it at that time.
alter table audit add column user_name text;
