//! The settings of `transports dev`: those of the operator, with a few overridden.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;

use crate::config::{Config, DatabaseUrl, Log, LogFormat, Quotas};
use crate::secret::Secret;

/// The values that `transports dev` puts in place of settings.
pub(super) struct Overrides {
    pub listen: SocketAddr,
    pub database_url: DatabaseUrl,
    pub keys_file: PathBuf,
    /// URL of the fake Entra and Graph; used where the settings name none.
    pub microsoft365_url: String,
    /// Used where `auth.hs256_secret` is not set.
    pub token_secret: Secret,
    /// Certificate of the authority that issued the inbox's.
    pub authority_file: PathBuf,
    /// Certificate and private key of the SMTP gateway.
    pub identity_file: PathBuf,
    /// Of the SMTP gateway: with STARTTLS, and with TLS from the start.
    pub gateway: [SocketAddr; 2],
    /// Where `tls.ca_file` is set, its content is written here together with the inbox's authority.
    pub trusted_file: PathBuf,
}

/// Sets up the log for a terminal: text, and a line for each request.
pub(crate) fn use_readable_log(log: &mut Log) {
    if log.format == LogFormat::Auto {
        log.format = LogFormat::Text;
    }
    if log.filter == Config::default().log.filter {
        "warn,transports=info,transports::store::migrations=warn".clone_into(&mut log.filter);
    }
}

/// Names the settings that are set and ignored here: each would lead to another machine or to real data.
pub(super) fn ignored(config: &Config) -> Vec<String> {
    const OVERRIDDEN: [(&str, &str); 10] = [
        ("server", "listen"),
        ("database", "url"),
        ("encryption", "keys"),
        ("encryption", "keys_file"),
        ("encryption", "vault_url"),
        ("egress", "ports"),
        ("submission", "listen"),
        ("submission", "listen_tls"),
        ("submission", "certificate_file"),
        ("submission", "key_file"),
    ];
    let beyond_loopback = config.server.metrics_listen.is_some_and(|address| !address.ip().is_loopback());
    let mut names: Vec<String> = config
        .shown()
        .iter()
        .zip(Config::default().shown())
        .filter(|(set, default)| set.value != default.value)
        .filter(|(set, _)| OVERRIDDEN.contains(&(set.section, set.key)))
        .map(|(set, _)| format!("{}.{}", set.section, set.key))
        .collect();
    if beyond_loopback {
        names.push("server.metrics_listen".to_owned());
    }
    names
}

/// # Errors
/// `tls.ca_file` is set and cannot be joined with the inbox's authority.
pub(super) fn override_with(mut config: Config, overrides: Overrides) -> anyhow::Result<Config> {
    config.server.listen = overrides.listen;
    config.server.metrics_listen = config.server.metrics_listen.filter(|address| address.ip().is_loopback());
    config.database.url = overrides.database_url;
    config.encryption.keys.clear();
    config.encryption.keys_file = Some(overrides.keys_file);
    config.encryption.vault_url = None;
    config.encryption.seal_with = None;
    config.auth.hs256_secret.get_or_insert(overrides.token_secret);
    config.microsoft365.login_url.get_or_insert_with(|| overrides.microsoft365_url.clone());
    config.microsoft365.graph_url.get_or_insert(overrides.microsoft365_url);
    config.egress.allow.extend(["127.0.0.0/8".to_owned(), "::1/128".to_owned()]);
    config.egress.allow_hosts.push("localhost".to_owned());
    config.egress.ports = vec![0];
    if config.quotas == Config::default().quotas {
        // Wrong passwords at the inbox are harmless, and must not end in ten minutes of waiting.
        config.quotas = Quotas::unlimited();
    }
    if config.delivery.min_free_disk_percent == Config::default().delivery.min_free_disk_percent {
        // A disk with 95 % in use is common on a developer's machine, and has room for what is tried here.
        config.delivery.min_free_disk_percent = 0;
    }
    let [start_tls, implicit_tls] = overrides.gateway;
    (config.submission.listen, config.submission.listen_tls) = (Some(start_tls), Some(implicit_tls));
    config.submission.certificate_file = Some(overrides.identity_file.clone());
    config.submission.key_file = Some(overrides.identity_file);
    config.tls.ca_file = Some(match config.tls.ca_file.take() {
        None => overrides.authority_file,
        Some(own) => {
            let read = |path: &PathBuf| {
                std::fs::read_to_string(path)
                    .with_context(|| format!("tls.ca_file: {} cannot be read", path.display()))
            };
            let joined = format!("{}\n{}", read(&own)?, read(&overrides.authority_file)?);
            std::fs::write(&overrides.trusted_file, joined)
                .with_context(|| format!("{} cannot be written", overrides.trusted_file.display()))?;
            overrides.trusted_file
        }
    });
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Config {
        Config::from_sources(None, variables.iter().copied()).expect("good settings")
    }

    fn overrides() -> Overrides {
        Overrides {
            listen: ([127, 0, 0, 1], 8080).into(),
            database_url: DatabaseUrl::new("sqlite://folder/transports.db"),
            keys_file: PathBuf::from("folder/encryption-key"),
            microsoft365_url: "http://127.0.0.1:8080/dev/microsoft365".to_owned(),
            token_secret: Secret::new("the stored secret".to_owned()),
            authority_file: PathBuf::from("folder/inbox-ca.pem"),
            identity_file: PathBuf::from("folder/inbox.pem"),
            gateway: [2587, 2466].map(|port| ([127, 0, 0, 1], port).into()),
            trusted_file: PathBuf::from("folder/trusted-ca.pem"),
        }
    }

    #[test]
    fn without_settings_the_folder_and_loopback_are_used() {
        let config = override_with(config(&[]), overrides()).expect("good settings");
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database.url.expose(), "sqlite://folder/transports.db");
        assert_eq!(config.encryption.keys_file, Some(PathBuf::from("folder/encryption-key")));
        assert_eq!(config.auth.hs256_secret.expect("is set").expose(), "the stored secret");
        let microsoft365 = &config.microsoft365;
        let fake = Some("http://127.0.0.1:8080/dev/microsoft365".to_owned());
        assert_eq!((&microsoft365.login_url, &microsoft365.graph_url), (&fake, &fake));
        assert_eq!(config.egress.allow, ["127.0.0.0/8", "::1/128"]);
        assert_eq!(config.egress.allow_hosts, ["localhost"]);
        assert_eq!(config.egress.ports, [0]);
        assert_eq!(config.quotas.refused_sign_ins_per_account_per_ten_minutes, 0);
        assert_eq!(config.delivery.min_free_disk_percent, 0);
        assert_eq!(config.tls.ca_file, Some(PathBuf::from("folder/inbox-ca.pem")));
        assert_eq!(
            config.submission.listen.map(|address| address.to_string()).as_deref(),
            Some("127.0.0.1:2587")
        );
        assert_eq!(config.submission.key_file, Some(PathBuf::from("folder/inbox.pem")));
    }

    #[test]
    fn settings_that_lead_to_other_machines_are_ignored_and_named() {
        let variables = [
            ("TRANSPORTS_SERVER__LISTEN", "0.0.0.0:80"),
            ("TRANSPORTS_SERVER__METRICS_LISTEN", "0.0.0.0:9090"),
            ("TRANSPORTS_DATABASE__URL", "postgres://production"),
            ("TRANSPORTS_ENCRYPTION__KEYS", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("TRANSPORTS_EGRESS__PORTS", "587"),
            ("TRANSPORTS_SUBMISSION__LISTEN", "0.0.0.0:587"),
        ];
        let mut names = ignored(&config(&variables));
        names.sort();
        let expected = [
            "database.url",
            "egress.ports",
            "encryption.keys",
            "server.listen",
            "server.metrics_listen",
            "submission.listen",
        ];
        assert_eq!(names, expected);
        let config = override_with(config(&variables), overrides()).expect("good settings");
        assert!(config.server.listen.ip().is_loopback());
        assert_eq!(config.server.metrics_listen, None);
        assert_eq!(config.database.url.expose(), "sqlite://folder/transports.db");
        assert!(config.encryption.keys.is_empty());
        assert!(ignored(&Config::default()).is_empty());
    }

    #[test]
    fn harmless_settings_apply() {
        let variables = [
            ("TRANSPORTS_AUTH__HS256_SECRET", "0123456789abcdef0123456789abcdef"),
            ("TRANSPORTS_EGRESS__ALLOW", "10.1.2.0/24"),
            ("TRANSPORTS_EGRESS__TIMEOUT_SECONDS", "3"),
            ("TRANSPORTS_SERVER__METRICS_LISTEN", "127.0.0.1:9090"),
        ];
        assert!(ignored(&config(&variables)).is_empty());
        let config = override_with(config(&variables), overrides()).expect("good settings");
        assert_eq!(config.auth.hs256_secret.expect("is set").expose(), variables[0].1);
        assert_eq!(config.egress.allow, ["10.1.2.0/24", "127.0.0.0/8", "::1/128"]);
        assert_eq!(config.egress.timeout_seconds, 3);
        assert!(config.server.metrics_listen.is_some());
    }

    #[test]
    fn certificates_of_the_operator_stay_trusted() {
        let folder = std::env::temp_dir().join(format!("transports-ca-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).expect("can be made");
        std::fs::write(folder.join("own.pem"), "own").expect("can be written");
        std::fs::write(folder.join("inbox-ca.pem"), "inbox").expect("can be written");
        let own = folder.join("own.pem");
        let variables = [("TRANSPORTS_TLS__CA_FILE", own.to_str().expect("text"))];
        let overrides = Overrides {
            authority_file: folder.join("inbox-ca.pem"),
            trusted_file: folder.join("trusted-ca.pem"),
            ..overrides()
        };
        let config = override_with(config(&variables), overrides).expect("good settings");
        let trusted = std::fs::read_to_string(config.tls.ca_file.expect("is set")).expect("is there");
        assert_eq!(trusted, "own\ninbox");
        std::fs::remove_dir_all(folder).expect("can be removed");
    }

    #[test]
    fn the_log_is_readable_unless_it_is_configured() {
        let dev = "warn,transports=info,transports::store::migrations=warn";
        for (variables, format, filter) in [
            (&[][..], LogFormat::Text, dev),
            (&[("TRANSPORTS_LOG__FORMAT", "json")], LogFormat::Json, dev),
            (&[("TRANSPORTS_LOG__FILTER", "debug")], LogFormat::Text, "debug"),
        ] {
            let mut log = config(variables).log;
            use_readable_log(&mut log);
            assert_eq!((log.format, log.filter.as_str()), (format, filter));
        }
    }
}
