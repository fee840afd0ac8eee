use super::*;

const ONE: Migration = Migration::new(1, 1, "one", "create table one (id text)");
const TWO: Migration = Migration::new(2, 2, "two", "create table two (id text)");
const BROKEN_TWO: Migration =
    Migration::new(2, 2, "two", "create table two (id text); insert into nowhere values (1)");

fn tables(connection: &Connection) -> Vec<String> {
    let text =
        "select name from sqlite_master where type = 'table' and name <> 'schema_migrations' order by name";
    let mut statement = connection.prepare(text).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn migrations_are_counted_from_one_each_once() {
    assert_eq!(MIGRATIONS[0].version, 1);
    assert!(MIGRATIONS.is_sorted_by(|one, next| one.version < next.version));
    assert!(MIGRATIONS.iter().all(|migration| migration.works_with <= migration.version));
}

/// The migrations of a newer version of the program.
fn newer(works_with: [i64; 2]) -> Vec<Migration> {
    let text = "alter table one add column later text";
    vec![
        ONE,
        TWO,
        Migration::new(3, works_with[0], "adds", text),
        Migration::new(4, works_with[1], "removes", "drop table two"),
    ]
}

/// Security case K16.
#[test]
fn a_program_starts_behind_migrations_that_leave_it_working_and_behind_no_others() {
    let cases = [
        // Which programs each of the two newest migrations leaves working; which of the older programs may start.
        ([2, 2], true, true),
        ([2, 3], false, true),
        ([2, 4], false, false),
        ([3, 3], false, true),
        ([3, 2], false, true),
        ([4, 4], false, false),
    ];
    for (works_with, the_one_before_both, the_one_before_the_last) in cases {
        let mut connection = Connection::open_in_memory().unwrap();
        let all = newer(works_with);
        on_sqlite(&mut connection, &all).unwrap();
        for (known, starts) in [(2, the_one_before_both), (3, the_one_before_the_last), (4, true)] {
            let started = on_sqlite(&mut connection, &all[..known]);
            assert_eq!(started.is_ok(), starts, "{works_with:?}, {known}: {started:?}");
        }
        on_sqlite(&mut connection, &[ONE]).expect_err("no migration leaves this one working");
    }
}

/// Security case K16.
#[test]
fn a_migration_that_fails_half_way_leaves_nothing_and_goes_on_where_it_stopped() {
    let mut connection = Connection::open_in_memory().unwrap();
    let error = on_sqlite(&mut connection, &[ONE, BROKEN_TWO]).unwrap_err().to_string();
    assert!(error.starts_with("migration 2 (two) failed, and nothing of it was done: "), "{error}");
    assert_eq!(tables(&connection), ["one"]);
    on_sqlite(&mut connection, &[ONE, TWO]).unwrap();
    assert_eq!(tables(&connection), ["one", "two"]);
    on_sqlite(&mut connection, &[ONE, TWO]).unwrap();
}

#[test]
fn what_comes_next_follows_from_what_was_applied() {
    let known = [ONE, TWO];
    let applied = |versions: &[i64]| -> Vec<(i64, String)> {
        let checksum = |version| known[usize::try_from(version - 1).unwrap().min(1)].checksum();
        versions.iter().map(|version| (*version, checksum(*version))).collect()
    };
    let migrates = |versions: &[i64]| match next(&known, &applied(versions)).unwrap() {
        NextMigration::Migrate(migration) => Some(migration.version),
        NextMigration::UpToDate | NextMigration::Newer(_) => None,
    };
    assert_eq!(migrates(&[]), Some(1));
    assert_eq!(migrates(&[1]), Some(2));
    assert!(matches!(next(&known, &applied(&[1, 2])).unwrap(), NextMigration::UpToDate));
    assert!(matches!(next(&known, &applied(&[1, 2, 3])).unwrap(), NextMigration::Newer(3)));
    let newer = check_newer(&known, 3, 1).unwrap_err().to_string();
    assert!(newer.contains("(its schema has version 3, this program knows 2)"), "{newer}");
    let mut other = applied(&[1, 2]);
    other[0].1.push('0');
    let other = next(&known, &other).err().unwrap().to_string();
    assert!(other.contains("its migration 1 is not one as this program knows it"), "{other}");
}
