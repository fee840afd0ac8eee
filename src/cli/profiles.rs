//! Stores the servers of `transports login` with their tokens, in one file that only its owner can read.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::email_config::Failure;
use super::values;
use crate::secret::Secret;

/// The profile that is meant where none is named.
pub(super) const DEFAULT: &str = "default";

const VARIABLE: &str = "TRANSPORTS_PROFILE";
const FILE: &str = "profiles.toml";
const MAX_BYTES: u64 = 1024 * 1024;

/// A server and the token for it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// The URL before `/api/v1/transports`, without a slash at its end.
    pub server: String,
    #[serde(serialize_with = "expose", deserialize_with = "secret")]
    pub token: Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// All profiles, as the file holds them.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profiles {
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Loads the file; empty where it does not exist.
    pub fn load() -> Result<Self, Failure> {
        let Ok(path) = path() else { return Ok(Self::default()) };
        Self::read(&path).map_err(|error| {
            Failure::usage(format!("{}: {error:#}", path.display()))
                .hint("correct the file, or remove it and run `transports login` again")
        })
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).context("cannot be read"),
        };
        let mode = file.metadata().context("cannot be read")?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!("other users can read it, and it holds tokens; chmod 600 closes it");
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).context("cannot be read")?;
        // The parser's own message would quote the line, which may hold a token.
        toml::from_str(&text).map_err(|_| anyhow::anyhow!("is not a file of profiles"))
    }

    /// Replaces the file atomically, and returns its path.
    pub fn store(&self) -> Result<PathBuf, Failure> {
        let path = path()?;
        let written = self.write(&path);
        written.map_err(|error| Failure::usage(format!("{}: {error:#}", path.display())))?;
        Ok(path)
    }

    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().context("has no folder")?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .context("its folder cannot be created")?;
        let new = folder.join(format!("{FILE}.{}", uuid::Uuid::new_v4().simple()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let written = file
            .write_all(toml::to_string(self)?.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.context("cannot be written")
    }
}

fn expose<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// The name that an option or the environment gives; the default otherwise.
pub(super) fn selected_name(option: Option<&str>) -> Result<String, Failure> {
    let Some(name) = option.map(str::to_owned).or_else(|| super::email_config::variable(VARIABLE)) else {
        return Ok(DEFAULT.to_owned());
    };
    values::profile_name(&name).map_err(|fault| Failure::usage(format!("{VARIABLE}: {fault}")))
}

/// The selected profile. None where none was named and nothing is stored as the default.
pub(super) fn selected(option: Option<&str>) -> Result<Option<(String, Profile)>, Failure> {
    let name = selected_name(option)?;
    let is_named = option.is_some() || super::email_config::variable(VARIABLE).is_some();
    match Profiles::load()?.profiles.remove(&name) {
        Some(profile) => Ok(Some((name, profile))),
        None if is_named => Err(no_such_profile(&name)),
        None => Ok(None),
    }
}

pub(super) fn no_such_profile(name: &str) -> Failure {
    Failure::usage(format!("no profile is named {name:?}"))
        .hint("`transports profiles` lists them, `transports login --profile NAME` adds one")
}

fn path() -> Result<PathBuf, Failure> {
    let folder = |name| super::email_config::variable(name).map(PathBuf::from);
    let home = folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let home = home.or_else(|| Some(folder("HOME")?.join(".config")));
    let home = home.ok_or_else(|| {
        Failure::usage("there is no folder for profiles").hint("set HOME or XDG_CONFIG_HOME")
    })?;
    Ok(home.join("transports").join(FILE))
}
