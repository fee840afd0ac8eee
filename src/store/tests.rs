//! Every SQL text is declared in the lists, and names the tenant whose rows it touches.

use std::fs;
use std::path::{Path, PathBuf};

use super::texts;

/// Texts on tenants' tables that are the operator's: the end of the retention, the look at the keys, the list of tenants.
const OF_ALL_TENANTS: [&str; 9] = [
    "delete from audit where id in (select id from audit where at < $1 order by at limit $2)",
    "select min(secret_key_id) from email_configs where secret_key_id > $1",
    "select count(*) from email_configs where secret_key_id = $1",
    "select tenant_id, secret_wrapped_key from email_configs
        where secret_key_id = $1 and tenant_id > $2 order by tenant_id limit $3",
    "delete from key_canaries where key_id = $1
        and not exists (select 1 from email_configs where secret_key_id = $1)",
    "select min(listing_group) from email_configs where listing_group > $1",
    "select count(*) from email_configs where listing_group = $1",
    "select tenant_id, listing_group, server_address, server_port, security_type, email_address,
            provider_tenant_id, auth_failures, modified_at, updated_at
        from email_configs where listing_group = $1 and tenant_id > $2 order by tenant_id limit $3",
    "select tenant_id, listing_group, server_address, server_port, security_type, email_address,
            provider_tenant_id, auth_failures, modified_at, updated_at
        from email_configs where tenant_id > $1 order by tenant_id limit $2",
];

/// Security case F15.
#[test]
fn every_text_on_a_tenants_table_names_the_tenant() {
    let mut of_all_tenants = Vec::new();
    let mut of_one_tenant = 0;
    for text in texts().into_iter().flat_map(|(_, texts)| texts) {
        if !words(text).any(|word| ["email_configs", "audit"].contains(&word)) {
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
