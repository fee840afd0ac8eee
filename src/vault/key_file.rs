//! The key file: checks its permissions when it is read, and replaces it atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::config::Problem;
use crate::file_stamp::FileStamp;

/// Larger than any file of keys.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// What a file held, and its stamp at that moment.
pub(super) struct Contents {
    pub text: Zeroizing<String>,
    pub stamp: FileStamp,
}

/// Judges the file that was opened, so that no other can be put in its place in between.
///
/// # Errors
/// The end of a sentence about the file, with the remedy.
pub(super) fn read(path: &Path) -> anyhow::Result<Contents> {
    read_opened(&File::open(path).context("cannot be read")?, path)
}

fn read_opened(file: &File, path: &Path) -> anyhow::Result<Contents> {
    let metadata = file.metadata().context("cannot be read")?;
    if !metadata.is_file() {
        bail!("is not a file");
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        let problem = Problem::new(format!("every user of this host may use it (mode {mode:04o})"));
        return Err(problem.with_hint(format!("remove that right: chmod o= {}", path.display())).into());
    }
    if metadata.len() > MAX_FILE_BYTES {
        bail!("is larger than any file of keys");
    }
    // With room for all of it: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_FILE_BYTES)? + 1));
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).context("cannot be read")?;
    Ok(Contents { text, stamp: FileStamp::new(&metadata) })
}

/// The file, locked against other processes that change it.
pub struct LockedKeyFile {
    /// Where it lies, behind all symbolic links.
    path: PathBuf,
    /// Holds the lock.
    file: File,
    text: Zeroizing<String>,
}

impl LockedKeyFile {
    /// Waits while another process changes it.
    ///
    /// # Errors
    /// Names the setting and the file.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::locked(path).with_context(|| format!("encryption.keys_file ({})", path.display()))
    }

    fn locked(path: &Path) -> anyhow::Result<Self> {
        let path = fs::canonicalize(path).context("cannot be read")?;
        loop {
            let file = File::open(&path).context("cannot be read")?;
            file.lock().context("cannot be locked")?;
            // The last holder of the lock may have replaced the file.
            let (held, there) = (file.metadata()?, fs::metadata(&path).context("cannot be read")?);
            if (held.dev(), held.ino()) == (there.dev(), there.ino()) {
                let text = read_opened(&file, &path)?.text;
                return Ok(Self { path, file, text });
            }
        }
    }

    /// What it holds.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts a file with this text, of the same owner and mode, in its place. It is on disk when this returns; after
    /// a crash either the old one is there or the new one, whole.
    ///
    /// # Errors
    /// Names the file and what to do; then the old one stands.
    pub fn replace(self, text: &str) -> anyhow::Result<()> {
        let (folder, name) = (self.path.parent(), self.path.file_name());
        let (Some(folder), Some(name)) = (folder, name) else { bail!("the file of keys has no name") };
        let mut new = name.to_owned();
        new.push(".new");
        let new = folder.join(new);
        // The file of a process that crashed; we hold the lock.
        let _ = fs::remove_file(&new);
        let written = self.write(&new, text).and_then(|()| {
            fs::rename(&new, &self.path)?;
            File::open(folder)?.sync_all()
        });
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.with_context(|| {
            format!(
                "encryption.keys_file ({}) cannot be replaced: run this as its owner, with the right to write to \
                 its folder",
                self.path.display()
            )
        })
    }

    fn write(&self, new: &Path, text: &str) -> std::io::Result<()> {
        let old = self.file.metadata()?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

/// The id of the key in a line; none for a comment or an empty line.
fn id_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let is_key = !line.is_empty() && !line.starts_with('#');
    is_key.then(|| line.split(':').next().unwrap_or_default())
}

/// The text with this line before the first key, and nowhere else. Comments above the first key stay above.
pub fn prepend(text: &str, line: &str) -> Zeroizing<String> {
    let mut changed = with_capacity(text.len() + line.len() + 2);
    let mut is_in = false;
    for old in text.split_inclusive('\n') {
        if !is_in && id_of(old).is_some() {
            changed.push_str(line);
            changed.push_str(if old.ends_with("\r\n") { "\r\n" } else { "\n" });
            is_in = true;
        }
        if id_of(old).is_none_or(|id| Some(id) != id_of(line)) {
            changed.push_str(old);
        }
    }
    changed
}

/// The text with the line of this key before those of the others.
pub fn move_first(text: &str, id: &str) -> Zeroizing<String> {
    let line = text.lines().find(|line| id_of(line) == Some(id)).unwrap_or_default();
    prepend(text, line.trim())
}

/// The text without the line of this key.
pub fn remove(text: &str, id: &str) -> Zeroizing<String> {
    let mut changed = with_capacity(text.len());
    for line in text.split_inclusive('\n').filter(|line| id_of(line) != Some(id)) {
        changed.push_str(line);
    }
    changed
}

/// A string that does not grow, and so leaves no copies behind.
fn with_capacity(bytes: usize) -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# our keys\n\n# since May\nk2:bbb\n# the first one\nk1:aaa\n";

    #[test]
    fn a_new_key_stands_before_the_others_and_comments_stay() {
        assert_eq!(
            prepend(TEXT, "k3:ccc").as_str(),
            "# our keys\n\n# since May\nk3:ccc\nk2:bbb\n# the first one\nk1:aaa\n"
        );
        assert_eq!(prepend("  k1:aaa\r\n", "k2:bbb").as_str(), "k2:bbb\r\n  k1:aaa\r\n");
        assert_eq!(prepend("k1:aaa", "k2:bbb").as_str(), "k2:bbb\nk1:aaa");
    }

    #[test]
    fn a_key_that_is_there_is_made_first() {
        assert_eq!(
            move_first(TEXT, "k1").as_str(),
            "# our keys\n\n# since May\nk1:aaa\nk2:bbb\n# the first one\n"
        );
        assert_eq!(move_first("k2:b\n k1:a", "k1").as_str(), "k1:a\nk2:b\n");
        assert_eq!(move_first(TEXT, "k2").as_str(), TEXT);
    }

    #[test]
    fn only_the_line_of_the_key_goes() {
        assert_eq!(remove(TEXT, "k1").as_str(), "# our keys\n\n# since May\nk2:bbb\n# the first one\n");
        assert_eq!(remove("k1:a\nk11:b\n", "k1").as_str(), "k11:b\n");
        assert_eq!(remove("#k1:a\nk2:b", "k1").as_str(), "#k1:a\nk2:b");
    }

    fn file(folder: &Path, mode: u32) -> PathBuf {
        let path = folder.join("keys");
        fs::write(&path, "k1:aaa\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Security case L6.
    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_mode_also_behind_a_link_and_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o640);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        fs::write(folder.path().join("keys.new"), "half of a li").unwrap();
        LockedKeyFile::open(&link).unwrap().replace("k2:bbb\nk1:aaa\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "k2:bbb\nk1:aaa\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn a_text_that_is_changed_never_grows_and_so_leaves_no_copy_behind() {
        let line = "k3:ccc";
        assert_eq!(prepend(TEXT, line).capacity(), TEXT.len() + line.len() + 2);
        assert_eq!(remove(TEXT, "k1").capacity(), TEXT.len());
    }

    /// Security case L3.
    #[test]
    fn a_file_has_a_largest_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o600);
        let length = usize::try_from(MAX_FILE_BYTES).unwrap();
        fs::write(&path, "#".repeat(length)).unwrap();
        assert_eq!(read(&path).unwrap().text.len(), length);
        fs::write(&path, "#".repeat(length + 1)).unwrap();
        assert!(read(&path).is_err_and(|error| error.to_string().contains("larger than any file of keys")));
    }

    /// Security case L6.
    #[test]
    fn a_file_that_root_changes_stays_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o600);
        let (owner, group) = (12_345, 23_456);
        // Only root can change a file's owner.
        if fchown(File::open(&path).unwrap(), Some(owner), Some(group)).is_err() {
            return;
        }
        LockedKeyFile::open(&path).unwrap().replace("k2:bbb\nk1:aaa\n").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (owner, group));
    }

    /// Security case L6.
    #[test]
    fn of_changes_at_the_same_time_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), 0o600);
        let threads: Vec<_> = (0..16)
            .map(|n| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let locked = LockedKeyFile::open(&path).unwrap();
                    let changed = prepend(locked.text(), &format!("n{n}:x"));
                    locked.replace(&changed).unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 17, "{text}");
    }
}
