//! Every SQL text is declared in the lists, and names the tenant whose rows it touches.

use std::fs;
use std::path::{Path, PathBuf};

use super::{postgres_texts, texts};

/// The tables whose rows belong to a tenant.
const TABLES_OF_TENANTS: [&str; 11] = [
    "api_keys",
    "audit",
    "content_keys",
    "delivery_accounts",
    "email_bodies",
    "email_configs",
    "email_events",
    "email_queue",
    "email_recipients",
    "email_tags",
    "emails",
];

/// Texts on tenants' tables that are the operator's, the platform's or the worker's: the feed of all tenants, the end of the
/// retention, the look at the keys, the list of tenants, the accounts that are due, what is erased by address, what waits, the key that a caller presents.
const OF_ALL_TENANTS: [&str; 44] = [
    "select id, tenant_id, name, permission, allowed_senders, is_test, created_at, expires_at, revoked_at,
            usable_until, last_used_at, secret_hash
        from api_keys where id = $1",
    "update delivery_accounts set fence = fence + 1, owner = null, lease_until = 0, next_due_at = $2
        where tenant_id in (select tenant_id from emails where required_key_id = $1 and status = 'held')",
    "delete from api_keys where id in
        (select id from api_keys where revoked_at < $1 order by revoked_at limit $2)",
    "select tenant_id from delivery_accounts
        where next_due_at <= $1 and lease_until < coalesce((select now from lease_clock), $1) limit 1",
    "select seq, tenant_id, id, email_id, kind, at, details from email_events
        where seq > $1 order by seq limit $2",
    "select seq, tenant_id, id, email_id, kind, at, details from email_events
            where seq > $1 and transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            order by seq limit $2",
    "delete from audit where id in (select id from audit where at < $1 order by at limit $2)",
    "select min(secret_key_id) from email_configs where secret_key_id > $1",
    "select count(*) from email_configs where secret_key_id = $1",
    "select tenant_id, cast(0 as bigint), secret_wrapped_key from email_configs
        where secret_key_id = $1 and tenant_id > $2 order by tenant_id limit $3",
    "select min(key_id) from content_keys where key_id > $1",
    "select count(*) from content_keys where key_id = $1",
    "select tenant_id, day, wrapped_key from content_keys
        where key_id = $1 and (tenant_id, day) > ($2, $4) order by tenant_id, day limit $3",
    "delete from key_canaries where key_id = $1
        and not exists (select 1 from email_configs where secret_key_id = $1)
        and not exists (select 1 from content_keys where key_id = $1)",
    "select min(listing_group) from email_configs where listing_group > $1",
    "select count(*) from email_configs where listing_group = $1",
    "select tenant_id, listing_group, server_address, server_port, security_type, email_address,
            provider_tenant_id, auth_failures, modified_at, updated_at
        from email_configs where listing_group = $1 and tenant_id > $2 order by tenant_id limit $3",
    "select tenant_id, listing_group, server_address, server_port, security_type, email_address,
            provider_tenant_id, auth_failures, modified_at, updated_at
        from email_configs where tenant_id > $1 order by tenant_id limit $2",
    "update delivery_accounts set taken_from = owner, owner = $1, fence = fence + 1,
            lease_until = coalesce((select now from lease_clock), $3) + $2
        where tenant_id in (select tenant_id from delivery_accounts
                where next_due_at <= $3 and lease_until < coalesce((select now from lease_clock), $3)
                order by next_due_at limit $4)
            and next_due_at <= $3 and lease_until < coalesce((select now from lease_clock), $3)
        returning tenant_id, fence, state, state_code, state_since, probe_at, failures, failed_version, pace_at, pace,
            paused_by, allowed_senders, max_per_minute, max_connections, taken_from",
    "update delivery_accounts set lease_until = coalesce((select now from lease_clock), $3) + $2
        where owner = $1",
    "update delivery_accounts set owner = null, lease_until = 0 where owner is not null
        returning tenant_id",
    "update delivery_accounts set next_due_at = $1
        where next_due_at is null and exists (select 1 from email_queue
            where email_queue.tenant_id = delivery_accounts.tenant_id)",
    "select cast(coalesce(sum(size), 0) as bigint) from email_queue",
    "select tenant_id, id from emails
        where has_content and settled_at <= $1 order by settled_at limit $2",
    "select tenant_id, id from emails where settled_at <= $1 order by settled_at limit $2",
    "delete from email_events where seq in (select seq from email_events
            where at <= $1 and seq < (select max(seq) from email_events)
                and not exists (select 1 from emails
                    where emails.tenant_id = email_events.tenant_id and emails.id = email_events.email_id)
            order by at limit $2)",
    "delete from content_keys where (tenant_id, day) in (select tenant_id, day from content_keys
            where day < $1 and not exists (select 1 from emails
                where emails.tenant_id = content_keys.tenant_id and emails.key_day = content_keys.day)
            limit $2)",
    "select distinct tenant_id, email_id from email_recipients
        where lower(address) in ($1, $2) and ($3 = '' or tenant_id = $3) and (tenant_id, email_id) > ($4, $5)
        order by tenant_id, email_id limit $6",
    "select count(*), count(distinct tenant_id), cast(coalesce(sum(waits), 0) as bigint) from (
            select tenant_id, max(case when state in ('queued', 'held', 'deferred') then 1 else 0 end) as waits
            from email_recipients where lower(address) in ($1, $2) and ($3 = '' or tenant_id = $3)
            group by tenant_id, email_id) as named",
    "select min(oldest.due_at) from
        (select (select min(email_queue.due_at) from email_queue
                where email_queue.tenant_id = due.tenant_id and email_queue.lane = $1) as due_at
            from (select tenant_id, state from delivery_accounts
                where next_due_at is not null order by next_due_at limit $2) as due
            where due.state = 'open') as oldest",
    "select count(*) from (select tenant_id from delivery_accounts where state = $1 limit $2) as counted",
    "select tenant_id, lane, due_at, email_id from email_queue
        where (tenant_id, lane, due_at, email_id) > ($1, $2, $3, $4)
        order by tenant_id, lane, due_at, email_id limit 1 offset $5",
    "select lane, count(*), cast(coalesce(sum(size), 0) as bigint) from
        (select lane, size from email_queue where (tenant_id, lane, due_at, email_id) > ($1, $2, $3, $4)
            order by tenant_id, lane, due_at, email_id limit $5) as step
        group by lane",
    "select settled_at, tenant_id, id from emails
        where has_content and settled_at is not null and (settled_at, tenant_id, id) > ($1, $2, $3)
        order by settled_at, tenant_id, id limit 1 offset $4",
    "select cast(coalesce(sum(size), 0) as bigint) from
        (select size from emails
            where has_content and settled_at is not null and (settled_at, tenant_id, id) > ($1, $2, $3)
            order by settled_at, tenant_id, id limit $4) as step",
    "select tenant_id, id from emails
        where (tenant_id, id) > ($1, $2) and (tenant_id, id) <= ($3, $4)
        order by tenant_id, id limit 1 offset $5",
    "select tenant_id, id from emails
        where (tenant_id, id) > ($1, $2) and (tenant_id, id) <= ($3, $4) and ($5 = '' or lane = $5) and created_at <= $6
            and exists (select 1 from email_recipients
                where email_recipients.tenant_id = emails.tenant_id and email_recipients.email_id = emails.id
                    and $7 like '%,' || email_recipients.state || ',%'
                    and ($8 = '' or email_recipients.last like $8 or (email_recipients.state = 'held'
                        and exists (select 1 from delivery_accounts
                            where delivery_accounts.tenant_id = emails.tenant_id
                                and delivery_accounts.state_code = $9))))
        order by tenant_id, id",
    "select tenant_id from emails where id = $1",
    "select count(*), max(email_queue.due_at) from email_queue
            join emails on emails.tenant_id = email_queue.tenant_id and emails.id = email_queue.email_id
        where email_queue.lane <> 'held' and emails.status = 'sending' and ($1 = '' or email_queue.tenant_id = $1)",
    "select count(*) from email_queue where due_at <= $2 and lane <> 'held' and ($1 = '' or tenant_id = $1)
        and not exists (select 1 from delivery_accounts
            where delivery_accounts.tenant_id = email_queue.tenant_id and state <> 'open')",
    "select count(*) from email_queue
            join emails on emails.tenant_id = email_queue.tenant_id and emails.id = email_queue.email_id
        where email_queue.lane <> 'held' and email_queue.due_at > $2 and emails.status = 'held'
            and ($1 = '' or email_queue.tenant_id = $1)",
    "select tenant_id, count(*), cast(coalesce(sum(size), 0) as bigint) from email_queue
        group by tenant_id order by 2 desc, tenant_id limit $1",
    "select tenant_id, fence, state, state_code, state_since, probe_at, failures, failed_version, pace_at, pace,
            paused_by, allowed_senders, max_per_minute, max_connections
        from delivery_accounts where state = $1 and tenant_id > $2 order by tenant_id limit $3",
    "select min(tenant_id) from email_queue where tenant_id > $1",
];

/// Security case F15.
#[test]
fn every_text_on_a_tenants_table_names_the_tenant() {
    let mut of_all_tenants = Vec::new();
    let mut of_one_tenant = 0;
    let postgres = postgres_texts();
    for text in texts().into_iter().flat_map(|(_, texts)| texts).chain(&postgres) {
        if !words(text).any(|word| TABLES_OF_TENANTS.contains(&word)) {
            continue;
        }
        if OF_ALL_TENANTS.contains(text) {
            of_all_tenants.push(*text);
            continue;
        }
        of_one_tenant += 1;
        let creates = text.starts_with("insert into") && words(text).any(|word| word == "tenant_id");
        let selects = text.contains("tenant_id = $1");
        assert!(creates || selects, "{text}");
    }
    assert_eq!(of_all_tenants.len(), OF_ALL_TENANTS.len(), "a text of the operator's is gone");
    assert!(of_one_tenant > 0);
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Security case F15.
#[test]
fn no_text_stands_outside_of_the_lists() {
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = fs::read_to_string(&path).expect("a source file");
        // Put together, so that this line is not found.
        let literal = format!("{}(\"", "sql");
        assert!(!source.contains(&literal), "{}: declare it with statements!", path.display());
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
