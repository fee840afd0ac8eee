//! The files that `transports init` writes: readable by their owner, and by the group that root made the folder for.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::folder;
use crate::config::{Invalid, Problem};

/// The key file, beside the settings.
pub const KEYS: &str = "keys";

const OWNER_ONLY: u32 = 0o600;
const OWNER_AND_GROUP: u32 = 0o640;

/// The settings of the Debian package, and of `deploy/systemd/transports.service`.
const SETTINGS_OF_THE_UNIT: &str = "/etc/transports/transports.toml";

/// Where an administrator puts the unit, and where packages do.
const UNITS: [&str; 3] = [
    "/etc/systemd/system/transports.service",
    "/lib/systemd/system/transports.service",
    "/usr/lib/systemd/system/transports.service",
];

/// More old settings than these are not kept.
const MAX_OLD: usize = 100;

pub fn keys_path(settings: &Path) -> PathBuf {
    settings.with_file_name(KEYS)
}

/// Whether a unit of systemd that is installed serves with these settings.
pub fn has_unit(settings: &Path) -> bool {
    let is_of_the_unit =
        std::path::absolute(settings).is_ok_and(|path| path == Path::new(SETTINGS_OF_THE_UNIT));
    is_of_the_unit && UNITS.iter().any(|unit| Path::new(unit).exists())
}

/// # Errors
/// Names the folder, where it is none.
pub fn check_folder(settings: &Path) -> Result<(), Invalid> {
    let folder = folder(settings);
    if folder.is_dir() {
        return Ok(());
    }
    let shown = folder.display();
    let problem = Problem::new(format!("init: there is no folder {shown} for the settings"));
    Err(problem.with_hint(format!("make it first: install -d -m 750 {shown}")).into())
}

/// Writes a file that does not exist yet.
///
/// # Errors
/// Names the file.
pub fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    write_new(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    if let Some(group) = group_of_the_service(path)? {
        fchown(&file, None, Some(group))?;
        file.set_permissions(Permissions::from_mode(OWNER_AND_GROUP))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    File::open(folder(path))?.sync_all()
}

/// The group of a folder that root has given to another group than root's: that of the user whom the service runs as.
fn group_of_the_service(path: &Path) -> io::Result<Option<u32>> {
    let group = fs::metadata(folder(path))?.gid();
    Ok((rustix::process::geteuid().is_root() && group != 0).then_some(group))
}

/// Gives the old settings another name, and returns it.
///
/// # Errors
/// Names the file.
pub fn keep_old(path: &Path) -> anyhow::Result<PathBuf> {
    let named = |number: usize| {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 1 { ".old".to_owned() } else { format!(".old{number}") });
        PathBuf::from(name)
    };
    let free = (1..=MAX_OLD).map(named).find(|old| !old.exists());
    let old = free.with_context(|| format!("{}: too many old ones are kept beside it", path.display()))?;
    fs::rename(path, &old).with_context(|| format!("{} cannot be renamed", path.display()))?;
    Ok(old)
}
