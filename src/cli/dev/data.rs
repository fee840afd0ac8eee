//! Leads the operator's commands to the data of `transports dev` where a folder has no settings of its own.

use std::path::Path;

use anyhow::Context as _;

use super::{DATABASE_FILE, DEFAULT_FOLDER, KEY_FILE, TOKEN_FILE};
use crate::config::{Config, DatabaseUrl};
use crate::secret::Secret;

/// Puts database, keys and token secret of the data in this folder into settings that name none. False where there is no
/// such data.
///
/// # Errors
/// The token secret cannot be read.
pub(in crate::cli) fn use_data(config: &mut Config) -> anyhow::Result<bool> {
    use_data_in(Path::new(DEFAULT_FOLDER), config)
}

fn use_data_in(folder: &Path, config: &mut Config) -> anyhow::Result<bool> {
    let database = folder.join(DATABASE_FILE);
    if !database.is_file() {
        return Ok(false);
    }
    let token_file = folder.join(TOKEN_FILE);
    let mut secret = std::fs::read_to_string(&token_file)
        .with_context(|| format!("{} cannot be read", token_file.display()))?;
    secret.truncate(secret.trim_end().len());
    config.database.url = DatabaseUrl::new(format!("sqlite://{}", database.display()));
    config.encryption.keys_file = Some(folder.join(KEY_FILE));
    config.auth.hs256_secret = Some(Secret::new(secret));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_dev_takes_the_place_of_settings_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        assert!(!use_data_in(folder.path(), &mut config).unwrap());
        assert_eq!(config.database.url.expose(), Config::default().database.url.expose());
        std::fs::write(folder.path().join(DATABASE_FILE), "").unwrap();
        std::fs::write(folder.path().join(TOKEN_FILE), "the secret\n").unwrap();
        assert!(use_data_in(folder.path(), &mut config).unwrap());
        let database = folder.path().join("transports.db");
        assert_eq!(config.database.sqlite_path(), Some(database.as_path()));
        assert_eq!(config.encryption.keys_file, Some(folder.path().join("encryption-key")));
        assert_eq!(config.auth.hs256_secret.unwrap().expose(), "the secret");
    }
}
