//! The shim that stands between the service and its disk, and the journal that it writes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::ledger::Told;
use super::load::Listener;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Write,
    Truncate,
    SyncBegun,
    Synced,
    SyncFailed,
    Create,
    Unlink,
    Rename,
    /// The first bytes of an HTTP answer, before they leave.
    Answer,
    /// A record of the test's own.
    Mark,
}

/// The number that the test's own records carry; the others are those of the shim, in their order from 1 on.
const MARK: u32 = 10;

/// One operation on a file of the folder.
#[derive(Clone, Debug)]
pub struct Record {
    pub kind: Kind,
    /// Within the folder; `.` is the folder itself.
    pub name: String,
    /// Of a write; of a truncation the new length.
    pub offset: usize,
    pub bytes: Vec<u8>,
}

/// Where a process writes down what it does to a folder.
pub struct Journal {
    folder: tempfile::TempDir,
    file: File,
}

impl Journal {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let open = OpenOptions::new().append(true).create(true).open(folder.path().join("journal"));
        Self { file: open.expect("a file"), folder }
    }

    /// The settings of a process whose folder is watched. None without a C compiler, which the test says.
    pub fn variables(&self, watched: &Path) -> Option<Vec<(String, String)>> {
        let text = |path: &Path| path.display().to_string();
        Some(vec![
            ("LD_PRELOAD".to_owned(), text(shim()?)),
            ("DISK_SHIM_FOLDER".to_owned(), text(watched)),
            ("DISK_SHIM_JOURNAL".to_owned(), text(&self.folder.path().join("journal"))),
            ("DISK_SHIM_CONTROL".to_owned(), text(&self.folder.path().join("control"))),
        ])
    }

    /// What fails from now on, such as `write ENOSPC` or `sync EIO -wal`; nothing with an empty text.
    pub fn trouble(&self, what: &str) {
        let (new, control) = (self.folder.path().join("new"), self.folder.path().join("control"));
        fs::write(&new, what).and_then(|()| fs::rename(new, control)).expect("a free disk");
    }

    /// Holds the commit that follows a write with this text; see the shim.
    pub fn hold(&self, side: &str, text: &str) {
        self.trouble(&format!("hold {side} {text}"));
    }

    /// Whether a commit is held.
    pub fn is_held(&self) -> bool {
        self.folder.path().join("control-held").exists()
    }

    fn mark(&self, text: &str) {
        let mut record = Vec::new();
        record.extend(MARK.to_ne_bytes());
        record.extend(0u32.to_ne_bytes());
        record.extend(0u64.to_ne_bytes());
        record.extend((text.len() as u64).to_ne_bytes());
        record.extend(text.as_bytes());
        (&self.file).write_all(&record).expect("a free disk");
    }

    /// All records so far. The process must have ended, or the last may be missing.
    pub fn records(&self) -> Vec<Record> {
        let bytes = fs::read(self.folder.path().join("journal")).expect("a journal");
        let mut rest = &bytes[..];
        let mut records = Vec::new();
        while let Some(record) = next(&mut rest) {
            records.push(record);
        }
        records
    }
}

fn next(rest: &mut &[u8]) -> Option<Record> {
    const KINDS: [Kind; 9] = [
        Kind::Write,
        Kind::Truncate,
        Kind::SyncBegun,
        Kind::Synced,
        Kind::SyncFailed,
        Kind::Create,
        Kind::Unlink,
        Kind::Rename,
        Kind::Answer,
    ];
    let number = u32::from_ne_bytes(take(rest, 4)?.try_into().ok()?);
    let name_length = u32::from_ne_bytes(take(rest, 4)?.try_into().ok()?);
    let offset = u64::from_ne_bytes(take(rest, 8)?.try_into().ok()?);
    let length = u64::from_ne_bytes(take(rest, 8)?.try_into().ok()?);
    let name = take(rest, usize::try_from(name_length).ok()?)?;
    let bytes = take(rest, usize::try_from(length).ok()?)?;
    let kind = if number == MARK { Kind::Mark } else { KINDS[usize::try_from(number).ok()? - 1] };
    Some(Record {
        kind,
        name: String::from_utf8(name.to_vec()).expect("text"),
        offset: usize::try_from(offset).ok()?,
        bytes: bytes.to_vec(),
    })
}

/// None at the end, also in the middle of a record that a killed process did not finish.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// What one writer does, in the journal.
pub struct Marks<'a> {
    pub journal: &'a Journal,
    pub writer: usize,
}

impl Listener for Marks<'_> {
    fn hears(&self, operation: usize, told: Option<Told>) {
        let told = match told {
            None => "begun",
            Some(Told::Done) => "done",
            Some(Told::NothingThere) => "nothing-there",
            Some(Told::Unavailable) => "unavailable",
            Some(Told::Nothing) => "nothing",
        };
        self.journal.mark(&format!("{} {operation} {told}", self.writer));
    }
}

/// What a mark says: writer, operation, and how it ended if it did.
pub fn read_mark(record: &Record) -> (usize, usize, Option<Told>) {
    let text = std::str::from_utf8(&record.bytes).expect("text");
    let mut words = text.split(' ');
    let mut word = || words.next().expect("three words");
    let numbers = (word().parse().expect("a number"), word().parse().expect("a number"));
    let told = match word() {
        "begun" => None,
        "done" => Some(Told::Done),
        "nothing-there" => Some(Told::NothingThere),
        "unavailable" => Some(Told::Unavailable),
        "nothing" => Some(Told::Nothing),
        other => panic!("a mark says {other}"),
    };
    (numbers.0, numbers.1, told)
}

/// The built shim. None where there is no C compiler; one that does not build it is an error.
fn shim() -> Option<&'static Path> {
    static SHIM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        if Command::new("cc").arg("--version").output().is_err() {
            super::figures::tell(
                "SKIPPED: there is no C compiler `cc` (Debian: apt-get install gcc libc6-dev)",
            );
            return None;
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk_shim/shim.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let built = folder.join("disk-shim.so");
        let building = folder.join(format!("disk-shim-{}.so", std::process::id()));
        let output = Command::new("cc")
            .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&building, &source])
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("cc runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Other test processes may be using the old one.
        fs::rename(building, &built).expect("the same folder");
        Some(built)
    };
    SHIM.get_or_init(build).as_deref()
}
