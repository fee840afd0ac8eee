//! Files that are damaged, as the real binary meets them: it refuses to start on what cannot be trusted, and names
//! the file; the torn end of a log is nothing that anybody was told of.

use std::fs;

use crate::support::database::{Database, Engine};
use crate::support::load::{Writer, check, trusting_server};
use crate::support::process::{Process, run, unlimited};
use crate::support::random::Random;

const PAGE: usize = 4096;

/// What stands behind a log that is whole.
type End<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// Security case K11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_prevents_the_start_and_names_the_file() {
    let database = Database::create(Engine::Sqlite).await;
    let server = trusting_server().await;
    let mut writer = Writer::new(0, 2, 0, Random::announced());
    let process = Process::serve(&unlimited(&database));
    writer.write(process.address, server.port(), 10, &()).await;
    assert_eq!(process.stop().0, Some(0));
    let whole = fs::read(database.file()).expect("a file");
    // The head of a page says what the page is, and where its cells are.
    for page in 0..whole.len() / PAGE {
        let mut damaged = whole.clone();
        for byte in &mut damaged[page * PAGE..page * PAGE + 8] {
            *byte ^= 0xff;
        }
        fs::write(database.file(), damaged).expect("a free disk");
        let (code, _, err) = run(&["serve"], &unlimited(&database));
        assert_eq!(code, Some(1), "page {page}: {err}");
        let named = database.file().display().to_string();
        let remedy =
            if page == 0 { "is not an SQLite database" } else { "is damaged: restore it from a backup" };
        assert!(err.contains(&named) && err.contains(remedy), "page {page}: {err}");
    }
    fs::write(database.file(), whole).expect("a free disk");
    let process = Process::serve(&unlimited(&database));
    check(&process, &database, &server, &mut writer.ledgers).await.expect("whole again");
}

/// Security case K11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_log_tail_is_dropped_and_the_rest_is_kept() {
    let database = Database::create(Engine::Sqlite).await;
    let server = trusting_server().await;
    let mut writer = Writer::new(0, 2, 0, Random::announced());
    let log = database.file().with_extension("db-wal");
    // A part of a frame, a frame without its page, a frame that was written twice, and what is no frame at all.
    let frame = 24 + PAGE;
    let ends: [End<'_>; 4] = [
        &|bytes| bytes[32..1032].to_vec(),
        &|bytes| bytes[32..32 + 24].to_vec(),
        &|bytes| bytes[bytes.len() - frame..].to_vec(),
        &|_| vec![0xa5; 3 * PAGE],
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let process = Process::serve(&unlimited(&database));
        writer.write(process.address, server.port(), 10, &()).await;
        process.kill();
        let mut bytes = fs::read(&log).expect("a log");
        let torn = end(&bytes);
        bytes.extend(torn);
        fs::write(&log, bytes).expect("a free disk");
        let process = Process::serve(&unlimited(&database));
        check(&process, &database, &server, &mut writer.ledgers).await.unwrap_or_else(|loss| {
            panic!("end {number}: {loss}");
        });
        process.kill();
    }
}
