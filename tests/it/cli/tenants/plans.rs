//! How the databases carry out what is asked of all tenants: over an index, and never over the table.

use transports::store;

use crate::support::database::{Database, Engine};

/// Groups and their shares as they may be: most tenants are fine, and some groups are small.
const FILL: &str = "with recursive row (number) as (select 1 union all select number + 1 from row where number < 6000)
    insert into email_configs (tenant_id, config_version, health_version, provider, server_address, server_port,
        security_type, email_address, health_state, auth_failures, diagnosis_code, modified_at, updated_at,
        secret_key_id, listing_group)
    select 'tenant-' || number, 'v', 0, 'BasicAuth', 'smtp.example.com', 587, 'StartTLS', 'a@example.com',
        case when number % 50 = 0 then 'PROVIDER_ERROR' else 'OK' end, 0,
        case when number % 50 = 0 then 'CODE_' || (number / 500) end, 0, 0, case when number % 2 = 0 then 'k1' end,
        case when number % 50 = 0 then 'PROVIDER_ERROR,BasicAuth,,CODE_' || (number / 500) else 'OK,BasicAuth,,' end
    from row";

async fn filled(engine: Engine) -> Database {
    let database = Database::create(engine).await;
    drop(database.open().await);
    database
        .execute("insert into key_canaries (key_id, wrapped_key, payload, created_at) select 'k1', '', '', 0")
        .await;
    database.execute(FILL).await;
    database.execute("analyze").await;
    database
}

/// The plan of a text with these values in the place of `$1`, `$2` and `$3`.
async fn plan(engine: Engine, database: &Database, text: &str, values: &[&str]) -> String {
    let rows = match engine {
        Engine::Sqlite => {
            let bound = values.iter().enumerate().fold(text.to_owned(), |text, (index, value)| {
                text.replace(&format!("${}", index + 1), value)
            });
            database.query(&format!("explain query plan {bound}")).await
        }
        // As the service asks: prepared, and with a plan for any values.
        Engine::Postgres => {
            let values = values.join(", ");
            let asked = format!(
                "set plan_cache_mode = force_generic_plan; prepare asked as {text}; explain execute asked ({values})"
            );
            database.query(&asked).await
        }
    };
    let lines = rows.into_iter().map(|row| row.into_iter().flatten().next_back().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn the_text(file: &str, part: &str) -> &'static str {
    let texts = store::texts().into_iter().find(|(name, _)| *name == file).expect("a file of texts").1;
    let mut fitting = texts.iter().filter(|text| text.contains(part));
    let text = fitting.next().expect("a text");
    assert_eq!(fitting.next(), None, "only one text has {part:?}");
    text
}

/// Whether it reads a range of this index in its order, and nothing besides.
fn reads_a_range(engine: Engine, plan: &str, index: &str) -> bool {
    let sorts = plan.contains("TEMP B-TREE") || plan.contains("Sort");
    let scans = plan.contains("SCAN email_configs") || plan.contains("Seq Scan");
    let searches = match engine {
        Engine::Sqlite => plan.contains(&format!("INDEX {index} ")),
        Engine::Postgres => {
            let condition = plan.contains("Index Cond:") || plan.contains("Recheck Cond:");
            condition && (plan.contains(&format!("using {index} ")) || plan.contains(&format!("on {index} ")))
        }
    };
    searches && !scans && !sorts
}

#[tokio::test]
async fn pages_and_counts_use_an_index() {
    for engine in Engine::all() {
        let database = filled(engine).await;
        let primary = match engine {
            Engine::Sqlite => "sqlite_autoindex_email_configs_1",
            Engine::Postgres => "email_configs_pkey",
        };
        for (part, values, index) in [
            ("min(listing_group)", &["''"][..], "email_configs_listing"),
            ("select count(*)", &["'OK,BasicAuth,,'"], "email_configs_listing"),
            (
                "provider_tenant_id, auth_failures, modified_at, updated_at
        from email_configs where listing_group",
                &["'OK,BasicAuth,,'", "'t'", "50"],
                "email_configs_listing",
            ),
            ("where tenant_id > $1", &["'t'", "50"], primary),
        ] {
            let text = the_text("tenant_list", part);
            let plan = plan(engine, &database, text, values).await;
            assert!(reads_a_range(engine, &plan, index), "{engine:?}: {text}\n{plan}");
        }
        // What the test itself would see.
        let unindexed =
            plan(engine, &database, "select sender_name from email_configs where sender_name = $1", &["''"]);
        assert!(!reads_a_range(engine, &unindexed.await, "email_configs_listing"));
    }
}

#[tokio::test]
async fn a_start_reads_only_the_rows_that_it_needs() {
    for engine in Engine::all() {
        let database = filled(engine).await;
        for (file, part, values, index) in [
            ("sealed_rows", "min(secret_key_id)", &["''"][..], "email_configs_secret_key"),
            ("audit", "delete from audit", &["0", "1000"], "audit_by_time"),
        ] {
            let text = the_text(file, part);
            let plan = plan(engine, &database, text, values).await;
            let is_searched =
                plan.contains(&format!("INDEX {index} ")) || plan.contains(&format!("using {index} "));
            // The audit is empty in here, and PostgreSQL may read an empty table as it likes.
            let scans = plan.contains("SCAN email_configs") || plan.contains("Seq Scan on email_configs");
            assert!((is_searched || file == "audit") && !scans, "{engine:?}: {text}\n{plan}");
        }
    }
}

/// A million emails may wait: what the metrics ask reads a bounded part of an index.
#[tokio::test]
async fn what_waits_is_counted_over_indexes() {
    const NUMBERS: &str =
        "with recursive row (number) as (select 1 union all select number + 1 from row where number < 6000)";
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        drop(database.open().await);
        database
            .execute(&format!(
                "insert into delivery_accounts (tenant_id, state, next_due_at) {NUMBERS}
                    select 'tenant-' || number, case when number % 50 = 0 then 'stopped' else 'open' end, number from row;
                 insert into email_queue (tenant_id, lane, due_at, email_id, size) {NUMBERS}
                    select 'tenant-' || number, 'bulk', number, 'email-' || number, 10 from row;
                 insert into emails (tenant_id, id, fingerprint, lane, status, created_at, expires_at, on_unknown, message_id,
                        size, has_content, key_day, settled_at, version) {NUMBERS}
                    select 'tenant-' || number, 'email-' || number, '', 'bulk', 'failed', 0, 0, 'hold', 'm', 1000,
                        number % 9 = 0, 0, number, 0 from row"
            ))
            .await;
        database.execute("analyze").await;
        for (file, part, values) in [
            ("backlog", "as oldest", &["'bulk'", "1000"][..]),
            ("backlog", "as counted", &["'stopped'", "1000"]),
            ("backlog", "limit 1 offset $5", &["'t'", "''", "0", "''", "1999"]),
            (
                "backlog",
                "order by tenant_id, lane, due_at, email_id limit $5",
                &["'t'", "''", "0", "''", "2000"],
            ),
            ("backlog", "as bigint), min(due_at)", &["'t'"]),
            ("backlog", "limit 1 offset $4", &["5", "''", "''", "1999"]),
            ("backlog", "order by settled_at, tenant_id, id limit $4", &["5", "''", "''", "2000"]),
            ("email_selection", "limit 1 offset $5", &["'t'", "''", "'u'", "'g'", "1999"]),
            ("delivery_accounts", "select min(tenant_id) from email_queue", &["'t'"]),
        ] {
            let text = the_text(file, part);
            let plan = plan(engine, &database, text, values).await;
            let scans = ["SCAN delivery_accounts", "SCAN emails", "SCAN email_queue"];
            let whole = scans.iter().any(|scan| plan.lines().any(|line| line.trim() == *scan));
            assert!(!whole && !plan.contains("Seq Scan"), "{engine:?}: {text}\n{plan}");
        }
    }
}

#[tokio::test]
async fn on_postgres_a_change_within_a_group_updates_no_index() {
    let Some(engine) = Engine::postgres() else { return };
    let database = filled(engine).await;
    let counts = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'email_configs'";
    let update =
        "update email_configs set sender_name = 'x', server_port = 465, server_address = 'mail.example.org',
        modified_at = modified_at + 1 where tenant_id like 'tenant-%00'; select pg_stat_force_next_flush();";
    database.execute(update).await;
    let counted = database.query(counts).await;
    assert_ne!(counted[0][0].as_deref(), Some("0"), "rows were changed");
    assert_eq!(counted[0][0], counted[0][1], "each of them in its page alone, which has room for it");
    let order = "select collation_name from information_schema.columns
        where table_name = 'email_configs' and column_name in ('tenant_id', 'listing_group')";
    let c = vec![Some("C".to_owned())];
    assert_eq!(database.query(order).await, [c.clone(), c], "the order is that of bytes in every database");
}
