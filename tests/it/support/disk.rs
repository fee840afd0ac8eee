//! What a disk holds after a loss of power, built from the journal of the shim (`tests/disk_shim/shim.c`).
//!
//! What was synced is there. Of what was written since, each sector of 512 bytes holds any of the versions that it
//! had since then, whatever its neighbours hold; a file has any of its lengths since then; and a file that was made,
//! removed or renamed without a sync of the folder may be there or not. A sync that failed leaves the pages that it
//! was for in the cache as if they were written: they never reach the disk unless they are written again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::journal::{Kind, Record};
use super::random::Random;

const PAGE: usize = 4096;
const SECTOR: usize = 512;

type Page = [u8; PAGE];

#[derive(Clone, Default)]
struct Inode {
    /// What the process reads.
    cache: Vec<u8>,
    /// What is on the disk for certain.
    durable: Vec<u8>,
    /// By page: what it held after each write since the last sync.
    pages: BTreeMap<usize, Vec<Page>>,
    /// The lengths since the last sync.
    lengths: Vec<usize>,
    /// What the sync that is under way is for.
    syncing: Option<Syncing>,
}

/// What stood in the cache when a sync began.
#[derive(Clone)]
struct Syncing {
    versions: BTreeMap<usize, usize>,
    lengths: usize,
    length: usize,
}

/// A change of names: each leads to a file, or to none any more.
type Renaming = Vec<(String, Option<usize>)>;

/// A folder of files, and what of it is safe.
#[derive(Clone, Default)]
pub struct Disk {
    inodes: Vec<Inode>,
    entries: BTreeMap<String, usize>,
    durable_entries: BTreeMap<String, usize>,
    pending_entries: Vec<Renaming>,
    /// How many of them stood there when the sync of the folder that is under way began.
    syncing_entries: usize,
}

/// What becomes of that which was not synced.
#[derive(Clone, Copy)]
enum Luck {
    NothingSurvives,
    AllSurvives,
    EachForItself,
}

impl Disk {
    /// A folder of which everything is safe.
    pub fn of(folder: &Path) -> Self {
        let mut disk = Self::default();
        for file in fs::read_dir(folder).expect("a folder") {
            let path = file.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            if name.ends_with("-shm") {
                continue;
            }
            let bytes = fs::read(&path).expect("a file");
            disk.entries.insert(name, disk.inodes.len());
            disk.inodes.push(Inode { cache: bytes.clone(), durable: bytes, ..Inode::default() });
        }
        disk.durable_entries = disk.entries.clone();
        disk
    }

    /// What one operation does.
    pub fn apply(&mut self, record: &Record) {
        let name = record.name.as_str();
        match record.kind {
            Kind::Create => {
                let inode = self.inodes.len();
                self.inodes.push(Inode::default());
                self.rename(vec![(name.to_owned(), Some(inode))]);
            }
            Kind::Unlink => self.rename(vec![(name.to_owned(), None)]),
            Kind::Rename => {
                let inode = self.entries[name];
                let target = String::from_utf8(record.bytes.clone()).expect("a name");
                self.rename(vec![(name.to_owned(), None), (target, Some(inode))]);
            }
            Kind::Write => self.file(name).write(record.offset, &record.bytes),
            Kind::Truncate => self.file(name).truncate(record.offset),
            Kind::SyncBegun if name == "." => self.syncing_entries = self.pending_entries.len(),
            Kind::SyncBegun => self.file(name).begin_sync(),
            Kind::Synced if name == "." => {
                let safe: Vec<_> = self.pending_entries.drain(..self.syncing_entries).collect();
                for renaming in safe {
                    change(&mut self.durable_entries, &renaming);
                }
            }
            Kind::Synced => self.file(name).end_sync(),
            Kind::SyncFailed if name == "." => {}
            Kind::SyncFailed => self.file(name).fail_sync(),
            Kind::Answer | Kind::Mark => {}
        }
    }

    fn file(&mut self, name: &str) -> &mut Inode {
        let inode = *self.entries.get(name).unwrap_or_else(|| panic!("{name} was never made"));
        &mut self.inodes[inode]
    }

    fn rename(&mut self, renaming: Renaming) {
        change(&mut self.entries, &renaming);
        self.pending_entries.push(renaming);
    }

    /// Writes into an empty folder what a disk may hold when the power is lost now.
    pub fn lose_power(&self, random: &mut Random, folder: &Path) {
        let luck = *random.pick(&[
            Luck::NothingSurvives,
            Luck::AllSurvives,
            Luck::EachForItself,
            Luck::EachForItself,
        ]);
        let mut entries = self.durable_entries.clone();
        for renaming in &self.pending_entries {
            if luck.keeps(random) {
                change(&mut entries, renaming);
            }
        }
        for (name, inode) in entries {
            fs::write(folder.join(name), self.inodes[inode].after_loss(random, luck)).expect("a free disk");
        }
    }
}

fn change(entries: &mut BTreeMap<String, usize>, renaming: &Renaming) {
    for (name, inode) in renaming {
        match inode {
            Some(inode) => drop(entries.insert(name.clone(), *inode)),
            None => drop(entries.remove(name)),
        }
    }
}

impl Luck {
    fn keeps(self, random: &mut Random) -> bool {
        match self {
            Self::NothingSurvives => false,
            Self::AllSurvives => true,
            Self::EachForItself => random.coin(),
        }
    }

    /// Which of so many versions: 0 is the one that was safe.
    fn version(self, random: &mut Random, unsafe_ones: usize) -> usize {
        match self {
            Self::NothingSurvives => 0,
            Self::AllSurvives => unsafe_ones,
            Self::EachForItself => random.below(unsafe_ones + 1),
        }
    }
}

impl Inode {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.cache.len() {
            self.cache.resize(end, 0);
            self.lengths.push(end);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        for page in offset / PAGE..end.div_ceil(PAGE) {
            let held = page_of(&self.cache, page);
            self.pages.entry(page).or_default().push(held);
        }
    }

    fn truncate(&mut self, length: usize) {
        let before = self.cache.len();
        self.cache.resize(length, 0);
        self.lengths.push(length);
        for page in length / PAGE..before.div_ceil(PAGE) {
            let held = page_of(&self.cache, page);
            self.pages.entry(page).or_default().push(held);
        }
    }

    fn begin_sync(&mut self) {
        self.syncing = Some(Syncing {
            versions: self.pages.iter().map(|(page, versions)| (*page, versions.len())).collect(),
            lengths: self.lengths.len(),
            length: self.cache.len(),
        });
    }

    fn end_sync(&mut self) {
        let syncing = self.syncing.take().expect("a sync was begun");
        for (page, count) in syncing.versions {
            let versions = self.pages.get_mut(&page).expect("was written");
            let safe = versions.drain(..count).next_back().expect("was written");
            if versions.is_empty() {
                self.pages.remove(&page);
            }
            put(&mut self.durable, page, &safe);
        }
        self.lengths.drain(..syncing.lengths);
        self.durable.resize(syncing.length, 0);
    }

    /// The cache says that its pages are written, and they are not.
    fn fail_sync(&mut self) {
        self.syncing = None;
        self.pages.clear();
        self.lengths.clear();
        self.durable.resize(self.cache.len(), 0);
    }

    fn after_loss(&self, random: &mut Random, luck: Luck) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (page, versions) in &self.pages {
            let mut held = page_of(&bytes, *page);
            for sector in (0..PAGE).step_by(SECTOR) {
                if let Some(version) = luck.version(random, versions.len()).checked_sub(1) {
                    let range = sector..sector + SECTOR;
                    held[range.clone()].copy_from_slice(&versions[version][range]);
                }
            }
            put(&mut bytes, *page, &held);
        }
        let length = match luck.version(random, self.lengths.len()) {
            0 => self.durable.len(),
            version => self.lengths[version - 1],
        };
        bytes.resize(length, 0);
        bytes
    }
}

fn page_of(bytes: &[u8], page: usize) -> Page {
    let mut held = [0; PAGE];
    let rest = bytes.get(page * PAGE..).unwrap_or_default();
    let length = rest.len().min(PAGE);
    held[..length].copy_from_slice(&rest[..length]);
    held
}

fn put(bytes: &mut Vec<u8>, page: usize, held: &Page) {
    let end = (page + 1) * PAGE;
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[page * PAGE..end].copy_from_slice(held);
}
