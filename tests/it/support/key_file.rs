//! A file of keys for a service under test.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

/// A folder with a file of keys, removed when dropped.
pub struct KeyFile {
    folder: TempDir,
}

/// A line of the file; the key's bytes are all the same.
pub fn line(id: &str, byte: u8) -> String {
    format!("{id}:{}\n", STANDARD.encode([byte; 32]))
}

impl KeyFile {
    pub fn with(text: &str) -> Self {
        let file = Self { folder: TempDir::new().expect("a folder") };
        file.replace(text);
        file
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(self.path()).expect("readable")
    }

    /// As an operator's tools do it: a new file in the place of the old one.
    pub fn replace(&self, text: &str) {
        let new = self.folder.path().join("keys.tmp");
        std::fs::write(&new, text).expect("a file");
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).expect("our own file");
        std::fs::rename(&new, self.path()).expect("one folder");
    }

    /// The names of the keys, the first one first.
    pub fn ids(&self) -> Vec<String> {
        let text = self.text();
        text.lines().filter_map(|line| line.split_once(':')).map(|(id, _)| id.to_owned()).collect()
    }
}
