//! The data folder of `transports dev`: private files that stay between runs.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::Secret;

/// Keeps the folder out of a surrounding repository, and marks it as created by `transports dev`.
const MARKER: &str = ".gitignore";

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the folder where it is missing, accessible by this user only.
    ///
    /// # Errors
    /// The folder cannot be created, or holds foreign files, whose permissions must not change.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .with_context(|| format!("{shown} cannot be created"))?;
        let mut entries = fs::read_dir(path).with_context(|| format!("{shown} cannot be read"))?;
        ensure!(
            path.join(MARKER).exists() || entries.next().is_none(),
            "{shown} holds other files: name an empty or new folder with --data-dir"
        );
        fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
            .with_context(|| format!("{shown} cannot be closed to other users"))?;
        let folder = Self { path: path.to_owned() };
        folder.write(MARKER, "*\n")?;
        Ok(folder)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The text of a file; none where it does not exist.
    pub fn read(&self, name: &str) -> anyhow::Result<Option<String>> {
        match fs::read_to_string(self.file(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", self.file(name).display())),
        }
    }

    /// Replaces a file atomically; only this user can read it.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let written = self.write_temporary(name, text).and_then(|path| fs::rename(path, self.file(name)));
        written.with_context(|| format!("{} cannot be written", self.file(name).display()))
    }

    /// The secret in this file; the first run creates it.
    pub fn load_or_create(
        &self,
        name: &str,
        create: impl FnOnce() -> anyhow::Result<Secret>,
    ) -> anyhow::Result<Secret> {
        if !self.file(name).exists() {
            let secret = create()?;
            let written = self.write_temporary(name, &format!("{}\n", secret.expose())).and_then(|path| {
                // Unlike a rename, a link fails where another run was first; its secret counts.
                let linked = fs::hard_link(&path, self.file(name));
                fs::remove_file(&path)?;
                linked.or_else(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => Ok(()),
                    _ => Err(error),
                })
            });
            written.with_context(|| format!("{} cannot be written", self.file(name).display()))?;
        }
        let mut text = self.read(name)?.unwrap_or_default();
        text.truncate(text.trim_end().len());
        ensure!(!text.is_empty(), "{} is empty", self.file(name).display());
        Ok(Secret::new(text))
    }

    fn write_temporary(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.file(&format!("{name}.{}", uuid::Uuid::new_v4().simple()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(path)
    }
}

/// Random bytes as base64url, which needs no quoting in a shell, in JSON or in a URL.
pub fn random_secret(bytes: usize) -> anyhow::Result<Secret> {
    let mut random = vec![0; bytes];
    rand::fill(&mut random).ok().context("the system has no randomness")?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> PathBuf {
        std::env::temp_dir().join(format!("transports-folder-{}", uuid::Uuid::new_v4().simple()))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    #[test]
    fn folder_and_files_are_accessible_by_one_user_only() {
        let path = fresh();
        fs::create_dir(&path).expect("can be made");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("is ours");
        let folder = Folder::open(&path).expect("an empty folder is taken");
        folder.load_or_create("secret", || random_secret(16)).expect("is kept");
        folder.write("written", "text").expect("is written");
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&folder.file("secret")), 0o600);
        assert_eq!(mode(&folder.file("written")), 0o600);
        let mut names: Vec<_> =
            fs::read_dir(&path).expect("is there").flatten().map(|e| e.file_name()).collect();
        names.sort();
        assert_eq!(names, [".gitignore", "secret", "written"], "nothing temporary stays");
        fs::remove_dir_all(path).expect("can be removed");
    }

    #[test]
    fn a_secret_is_created_once() {
        let path = fresh();
        let first = Folder::open(&path).unwrap().load_or_create("secret", || random_secret(16)).unwrap();
        let again = Folder::open(&path).unwrap().load_or_create("secret", || panic!("it exists")).unwrap();
        assert_eq!(first.expose(), again.expose());
        assert_eq!(first.expose().len(), 22);
        fs::write(path.join("secret"), "\n").unwrap();
        let error = Folder::open(&path).unwrap().load_or_create("secret", || random_secret(16)).unwrap_err();
        assert!(error.to_string().ends_with("secret is empty"), "{error}");
        fs::remove_dir_all(path).expect("can be removed");
    }

    #[test]
    fn a_folder_with_other_files_is_left_as_it_is() {
        let path = fresh();
        fs::create_dir(&path).expect("can be made");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("is ours");
        fs::write(path.join("thesis.tex"), "").expect("can be written");
        let Err(error) = Folder::open(&path) else { panic!("it was taken") };
        assert!(error.to_string().contains("--data-dir"), "{error}");
        assert_eq!(mode(&path), 0o755);
        assert_eq!(fs::read_dir(&path).expect("is there").count(), 1);
        fs::remove_dir_all(path).expect("can be removed");
    }
}
