use super::*;

const ONE: Migration =
    Migration { version: 1, name: "one", text: "create table one (id text)", postgres_text: None };
const TWO: Migration =
    Migration { version: 2, name: "two", text: "create table two (id text)", postgres_text: None };
const BROKEN_TWO: Migration =
    Migration { text: "create table two (id text); insert into nowhere values (1)", ..TWO };

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
}

#[test]
fn k16_a_migration_that_fails_half_way_leaves_nothing_and_goes_on_where_it_stopped() {
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
    let version = |versions: &[i64]| next(&known, &applied(versions)).unwrap().map(|next| next.version);
    assert_eq!(version(&[]), Some(1));
    assert_eq!(version(&[1]), Some(2));
    assert_eq!(version(&[1, 2]), None);
    let newer = next(&known, &applied(&[1, 2, 3])).err().unwrap().to_string();
    assert!(newer.contains("(its schema has version 3, this program knows 2)"), "{newer}");
    let mut other = applied(&[1, 2]);
    other[0].1.push('0');
    let other = next(&known, &other).err().unwrap().to_string();
    assert!(other.contains("migration 1 (one) was another one"), "{other}");
}
