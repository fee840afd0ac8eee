//! Filters and pages, also while rows come, go and change.

use transports::clock::Timestamp;
use transports::email_config::{CheckOutcome, HealthState, Settings};
use transports::store::tenant_list::{self, Filter, Listing};
use transports::store::{Db, Write, email_configs};

use super::{basic, config, failed, healthy, insert, microsoft365, opened, ordinary, tenant};
use crate::support::database::{Database, Engine};

const ROWS: usize = 400;

/// Seven kinds of tenants, mixed.
fn row(number: usize) -> (String, transports::email_config::EmailConfig) {
    let at_microsoft =
        |health| config(Settings::BasicAuth(basic("smtp.live.com", Some("ada"))), true, health);
    let config = match number % 7 {
        0 => ordinary(failed(HealthState::InvalidCredentials, "AUTH_REJECTED")),
        1 => at_microsoft(failed(HealthState::InvalidCredentials, "AUTH_REJECTED")),
        2 => at_microsoft(healthy()),
        3 => config(microsoft365(), true, healthy()),
        4 => config(microsoft365(), true, failed(HealthState::ProviderError, "GRAPH_THROTTLED")),
        5 => ordinary(failed(HealthState::ProviderError, "DNS_NOT_FOUND")),
        _ => ordinary(healthy()),
    };
    // Their order is not that in which they are made, and not that of a language.
    let first = ["b", "B", "é", "a", "\u{1f4ee}", "'", "-"][number % 5];
    (format!("{first}{:03}", (number * 61) % 1000), config)
}

fn filter(states: &[&str], providers: &[&str], codes: &[&str], password_at_microsoft365: bool) -> Filter {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    Filter {
        states: texts(states),
        providers: texts(providers),
        codes: texts(codes),
        password_at_microsoft365,
    }
}

async fn page(db: &Db, filter: &Filter, after: &str, most: usize) -> Vec<String> {
    let mut listing = Listing::new(db, filter, after).await.unwrap();
    let mut found = Vec::new();
    while found.len() < most
        && let Some(listed) = listing.next(db).await.unwrap()
    {
        found.push(listed.tenant);
    }
    found
}

#[tokio::test]
async fn every_filter_lists_and_counts_matching_rows_in_byte_order() {
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    let expected = |kinds: &[usize]| {
        let fitting = rows.iter().enumerate().filter(|(number, _)| kinds.contains(&(number % 7)));
        let mut names: Vec<String> = fitting.map(|(_, (name, _))| name.clone()).collect();
        names.sort();
        names
    };
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        insert(&db, &rows).await;
        for (filter, kinds) in [
            (filter(&[], &[], &[], false), &[0, 1, 2, 3, 4, 5, 6][..]),
            (filter(&["OK"], &[], &[], false), &[2, 3, 6]),
            (filter(&["OK", "PROVIDER_ERROR"], &[], &[], false), &[2, 3, 4, 5, 6]),
            (filter(&["INCOMPLETE_CONFIG"], &[], &[], false), &[]),
            (filter(&[], &["Microsoft365"], &[], false), &[3, 4]),
            (filter(&["OK"], &["BasicAuth"], &[], false), &[2, 6]),
            (filter(&[], &[], &["AUTH_REJECTED"], false), &[0, 1]),
            (filter(&[], &[], &["AUTH_REJECTED", "DNS_NOT_FOUND"], false), &[0, 1, 5]),
            (filter(&["OK"], &[], &["AUTH_REJECTED"], false), &[]),
            (filter(&[], &[], &[], true), &[1, 2]),
            (filter(&["INVALID_CREDENTIALS"], &[], &[], true), &[1]),
        ] {
            let expected = expected(kinds);
            assert_eq!(page(&db, &filter, "", usize::MAX).await, expected, "{engine:?}: {filter:?}");
            let (mut paged, mut after) = (Vec::new(), String::new());
            loop {
                let found = page(&db, &filter, &after, 23).await;
                let Some(last) = found.last() else { break };
                after.clone_from(last);
                paged.extend(found);
            }
            assert_eq!(paged, expected, "{engine:?}: {filter:?} in pages");
            let mut counted = 0;
            for group in tenant_list::groups(&db, &filter).await.unwrap() {
                counted += tenant_list::count(&db, &group).await.unwrap();
            }
            assert_eq!(usize::try_from(counted).unwrap(), expected.len(), "{engine:?}: {filter:?} counted");
        }
    }
}

#[tokio::test]
async fn unchanged_rows_are_listed_once_during_concurrent_changes() {
    let staying: Vec<_> = (0..100).map(|n| (format!("stays-{n:03}"), ordinary(healthy()))).collect();
    let passing: Vec<_> = (0..100).map(|n| (format!("stays-{n:03}-goes"), ordinary(healthy()))).collect();
    for engine in Engine::all() {
        for filter in [Filter::default(), filter(&["OK", "INVALID_CREDENTIALS"], &[], &[], false)] {
            let database = Database::create(engine).await;
            let db = opened(&database).await;
            insert(&db, &[staying.clone(), passing.clone()].concat()).await;
            let (mut found, mut after, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let page = page(&db, &filter, &after, 12).await;
                let Some(last) = page.last() else { break };
                after.clone_from(last);
                found.extend(page);
                // Some go, before and behind this place; some come; one that stays moves to another group.
                let mut write = Write::default();
                for number in [pages * 2, 99 - pages * 2] {
                    let name = tenant(&format!("stays-{number:03}-goes"));
                    write = write.then(email_configs::delete(&name, "v1"));
                    let new = tenant(&format!("stays-{number:03}-is-new"));
                    write = write.then(email_configs::insert(&new, &ordinary(healthy())));
                    let refused = CheckOutcome::CredentialsRefused {
                        diagnosis_code: "AUTH_REJECTED".to_owned(),
                        reason: "Why.".to_owned(),
                    };
                    let moved = tenant(&format!("stays-{number:03}"));
                    write = write.then(
                        email_configs::record_check(&moved, &ordinary(healthy()), &refused, Timestamp(7))
                            .expect("a write"),
                    );
                }
                let _ = db.write(write).await.unwrap();
                pages += 1;
            }
            assert!(pages > 12, "{pages} pages");
            for (name, _) in &staying {
                let times = found.iter().filter(|found| *found == name).count();
                assert_eq!(times, 1, "{engine:?}: {name}, {filter:?}");
            }
            assert!(found.is_sorted(), "{engine:?}");
            assert!(
                found.iter().any(|name| name.ends_with("-is-new")),
                "what came behind the place is there"
            );
        }
    }
}

#[tokio::test]
async fn a_row_that_changes_its_group_during_paging_is_listed_once() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let refused = || failed(HealthState::InvalidCredentials, "AUTH_REJECTED");
        let mut rows: Vec<_> = (0..20).map(|n| (format!("a{n:03}"), ordinary(refused()))).collect();
        rows.push(("z".to_owned(), ordinary(healthy())));
        insert(&db, &rows).await;
        let both = filter(&["OK", "INVALID_CREDENTIALS"], &[], &[], false);
        let mut listing = Listing::new(&db, &both, "").await.unwrap();
        assert_eq!(listing.next(&db).await.unwrap().map(|listed| listed.tenant).as_deref(), Some("a000"));
        // It was read in its group, and is read in the other one once more.
        let outcome = CheckOutcome::CredentialsRefused {
            diagnosis_code: "AUTH_REJECTED".to_owned(),
            reason: "Why.".to_owned(),
        };
        let moves = email_configs::record_check(&tenant("z"), &ordinary(healthy()), &outcome, Timestamp(7));
        let moves = moves.expect("a write");
        let _ = db.write(Write::default().then(moves)).await.unwrap();
        let mut rest = Vec::new();
        while let Some(listed) = listing.next(&db).await.unwrap() {
            rest.push(listed.tenant);
        }
        assert_eq!(rest.len(), 20, "{engine:?}: {rest:?}");
        assert_eq!(rest.iter().filter(|name| *name == "z").count(), 1, "{engine:?}");
    }
}
