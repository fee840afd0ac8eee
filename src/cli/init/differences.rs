//! Says what the settings that are replaced had and the new ones do not: names alone, since a value may be a secret.

use crate::config::Config;

/// Names of settings, as `section.key`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Set before, and at their defaults now.
    missing: Vec<String>,
    /// Set before, and set to something else now.
    changed: Vec<String>,
}

impl Differences {
    pub fn new(old: &Config, new: &Config) -> Self {
        let mut differences = Self::default();
        let defaults = Config::default().shown();
        for ((old, new), default) in old.shown().into_iter().zip(new.shown()).zip(defaults) {
            if old.value == default.value || old.value == new.value {
                continue;
            }
            let names =
                if new.value == default.value { &mut differences.missing } else { &mut differences.changed };
            names.push(format!("{}.{}", old.section, old.key));
        }
        differences
    }

    /// A sentence, or none where nothing is lost.
    pub fn sentence(&self) -> Option<String> {
        let lists = [("leaves out", &self.missing), ("has another value for", &self.changed)];
        let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
        let lists: Vec<String> = lists.map(|(verb, names)| format!("{verb} {}", names.join(", "))).collect();
        (!lists.is_empty()).then(|| format!("The new file {}", lists.join("; it ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let nothing: [(String, String); 0] = [];
        Config::from_sources(Some(("/etc/transports/transports.toml", text)), nothing).expect("good settings")
    }

    #[test]
    fn what_is_lost_is_named_without_its_value() {
        let old = config(
            "[server]\nlisten = \"127.0.0.1:8080\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n\
             [database]\nurl = \"postgres://u:hunter2@db.example.com/transports\"\n\
             [encryption]\nkeys_file = \"/etc/transports/keys\"\n\
             [submission]\nkey_file = \"mine.key\"\n",
        );
        let new = config(
            "[server]\nlisten = \"127.0.0.1:9000\"\n[database]\nurl = \"sqlite://transports.db\"\n\
             [encryption]\nkeys_file = \"keys\"\n[auth]\nissuer = \"transports\"\n",
        );
        let expected = "The new file leaves out server.trusted_proxies, submission.key_file; it has another value for \
                        database.url";
        assert_eq!(Differences::new(&old, &new).sentence().as_deref(), Some(expected));
        assert_eq!(Differences::new(&new, &new).sentence(), None);
    }
}
