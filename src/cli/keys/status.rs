//! `transports keys status`: lists the keys and how many rows each has sealed.

use std::fmt::Write as _;

use anyhow::bail;
use serde_json::json;

use super::rows_need;
use crate::app::open_keys;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Db, DbError, key_canaries, sealed_rows};
use crate::vault::{Keys, wrong_keys};

/// One key, of the ring or of the database.
struct Line {
    id: String,
    rows: i64,
    in_ring: bool,
    /// Another key of this name has sealed the rows.
    is_wrong: bool,
}

pub(super) async fn run(config: &Config, json: bool) -> anyhow::Result<()> {
    let (keys, db) = open_keys(config, &Clock::System).await?;
    let first = keys.first().await;
    let lines = lines(&keys, &db, first.as_deref().ok()).await?;
    db.close().await;
    let first_id = first.as_deref().unwrap_or_default();
    output::data(&if json { document(&lines, first_id) } else { table(&lines, first_id) })?;
    if let Err(error) = first {
        bail!("the current version of the key service is unknown: {error}");
    }
    let wrong = lines.iter().filter(|line| line.is_wrong);
    let wrong: Vec<_> = wrong.map(|line| format!("{} {}", rows_need(line.rows), line.id)).collect();
    if !wrong.is_empty() {
        bail!("{}, and the key of this name opens none of them: put the right bytes back", wrong.join(", "));
    }
    let missing = lines.iter().filter(|line| line.rows > 0 && !line.in_ring);
    let missing: Vec<_> = missing.map(|line| format!("{} {}", rows_need(line.rows), line.id)).collect();
    if !missing.is_empty() {
        bail!("{}, which is missing", missing.join(", "));
    }
    Ok(())
}

/// The first key, then the others of the ring, then those that only the database names.
async fn lines(keys: &Keys, db: &Db, first: Option<&str>) -> Result<Vec<Line>, DbError> {
    let mut ids: Vec<String> = first.into_iter().chain(keys.ids()).map(str::to_owned).collect();
    ids.extend(sealed_rows::keys_in_use(db).await?);
    ids.extend(key_canaries::all(db).await?.into_iter().map(|canary| canary.key_id));
    let wrong = wrong_keys(keys, db).await?;
    let mut lines: Vec<Line> = Vec::new();
    for id in ids {
        if lines.iter().all(|line| line.id != id) {
            let rows = sealed_rows::count(db, &id).await?;
            lines.push(Line { rows, in_ring: keys.has(&id), is_wrong: wrong.contains(&id), id });
        }
    }
    Ok(lines)
}

fn state(line: &Line, first: &str) -> &'static str {
    match (line.in_ring, line.rows) {
        _ if line.is_wrong => "WRONG KEY",
        (true, _) if line.id == first => "seals",
        (true, 0) => "not needed",
        (true, _) => "opens",
        (false, 0) => "was removed from the ring",
        (false, _) => "MISSING",
    }
}

fn table(lines: &[Line], first: &str) -> String {
    let width = lines.iter().map(|line| line.id.len()).max().unwrap_or_default().max(3);
    let mut page = format!("{:width$}  {:>8}  STATE\n", "KEY", "ROWS");
    for line in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{:width$}  {:>8}  {}", line.id, line.rows, state(line, first));
    }
    page
}

fn document(lines: &[Line], first: &str) -> String {
    let key = |line: &Line| {
        let mut key =
            json!({"id": line.id, "first": line.id == first, "rows": line.rows, "inRing": line.in_ring});
        if line.is_wrong {
            key["opens"] = false.into();
        }
        key
    };
    let others = lines.iter().filter(|line| line.id != first).map(|line| line.rows).sum::<i64>();
    let document = json!({
        "keys": lines.iter().map(key).collect::<Vec<_>>(),
        "rows": lines.iter().map(|line| line.rows).sum::<i64>(),
        "rowsOnOtherKeys": others,
    });
    format!("{document}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_the_state_of_each_key() {
        let line =
            |id: &str, rows, in_ring| Line { id: id.to_owned(), rows, in_ring, is_wrong: id == "other" };
        let lines = [
            line("2026-01-31", 12_000, true),
            line("k1", 3, true),
            line("k2", 0, true),
            line("k0", 41, false),
            line("old", 0, false),
            line("other", 7, true),
        ];
        let expected = "KEY             ROWS  STATE
2026-01-31     12000  seals
k1                 3  opens
k2                 0  not needed
k0                41  MISSING
old                0  was removed from the ring
other              7  WRONG KEY
";
        assert_eq!(table(&lines, "2026-01-31"), expected);
        let document: serde_json::Value =
            serde_json::from_str(&document(&lines, "2026-01-31")).expect("JSON");
        assert_eq!(document["keys"][1], json!({"id": "k1", "first": false, "rows": 3, "inRing": true}));
        assert_eq!(document["keys"][5]["opens"], json!(false));
        assert_eq!((&document["rows"], &document["rowsOnOtherKeys"]), (&json!(12_051), &json!(51)));
    }
}
