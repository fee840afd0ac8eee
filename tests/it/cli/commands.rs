//! The built binary, as an operator sees it: output, exit code, and what goes where.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the binary with these settings and no others, in a folder without a configuration file.
fn transports(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    transports_in(Path::new(env!("CARGO_TARGET_TMPDIR")), arguments, variables)
}

fn transports_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_transports"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .env("COLUMNS", "100")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary is built");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the folder for tests can be written");
    path
}

const SERVING: [(&str, &str); 4] = [
    ("TRANSPORTS_ENCRYPTION__KEYS", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    ("TRANSPORTS_AUTH__HS256_SECRET", "0123456789abcdef0123456789abcdef"),
    ("TRANSPORTS_AUTH__ISSUER", "https://login.example.com"),
    ("TRANSPORTS_AUTH__AUDIENCE", "transports"),
];

#[test]
fn help_texts_match_their_snapshots() {
    for (name, arguments) in [
        ("top", &["--help"][..]),
        ("init", &["init", "--help"]),
        ("serve", &["serve", "--help"]),
        ("dev", &["dev", "--help"]),
        ("token", &["token", "--help"]),
        ("backup", &["backup", "--help"]),
        ("openapi", &["openapi", "--help"]),
        ("keys", &["keys", "--help"]),
        ("keys_generate", &["keys", "generate", "--help"]),
        ("tenants", &["tenants", "--help"]),
        ("tenants_ls", &["tenants", "ls", "--help"]),
        ("tenants_summary", &["tenants", "summary", "--help"]),
        ("tenants_rm", &["tenants", "rm", "--help"]),
        ("tenants_pause", &["tenants", "pause", "--help"]),
        ("tenants_resume", &["tenants", "resume", "--help"]),
        ("api_keys", &["api-keys", "--help"]),
        ("api_keys_create", &["api-keys", "create", "--help"]),
        ("api_keys_ls", &["api-keys", "ls", "--help"]),
        ("api_keys_update", &["api-keys", "update", "--help"]),
        ("api_keys_revoke", &["api-keys", "revoke", "--help"]),
        ("queue", &["queue", "--help"]),
        ("queue_summary", &["queue", "summary", "--help"]),
        ("queue_ls", &["queue", "ls", "--help"]),
        ("queue_show", &["queue", "show", "--help"]),
        ("queue_retry", &["queue", "retry", "--help"]),
        ("queue_cancel", &["queue", "cancel", "--help"]),
        ("queue_purge", &["queue", "purge", "--help"]),
        ("queue_hold", &["queue", "hold", "--help"]),
        ("queue_release", &["queue", "release", "--help"]),
        ("queue_drain", &["queue", "drain", "--help"]),
        ("erase", &["erase", "--help"]),
        ("keys_status", &["keys", "status", "--help"]),
        ("keys_rotate", &["keys", "rotate", "--help"]),
        ("keys_rewrap", &["keys", "rewrap", "--help"]),
        ("keys_remove", &["keys", "remove", "--help"]),
        ("config_check", &["config", "check", "--help"]),
        ("email_config", &["email-config", "--help"]),
        ("email_config_update", &["email-config", "update", "--help"]),
        ("email_config_patch", &["email-config", "patch", "--help"]),
        ("email_config_verify_connection", &["email-config", "verify-connection", "--help"]),
        ("completions", &["completions", "--help"]),
        ("man", &["man", "--help"]),
        ("login", &["login", "--help"]),
        ("logout", &["logout", "--help"]),
        ("profiles", &["profiles", "--help"]),
        ("version", &["version", "--help"]),
        ("email_config_rm", &["email-config", "rm", "--help"]),
    ] {
        let ran = transports(arguments, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}");
        insta::assert_snapshot!(format!("cli_help_{name}"), ran.out);
    }
}

#[test]
fn wrong_usage_exits_with_2_and_prints_no_data() {
    for arguments in [
        &[][..],
        &["surf"],
        &["serve", "--fast"],
        &["token", "--tenant", "t1"],
        &["token", "--tenant", "t1", "--user", "u1", "--minutes", "0"],
        &["dev", "--port", "70000"],
        &["keys"],
        &["tenants"],
        &["tenants", "rm"],
        &["tenants", "pause"],
        &["queue"],
        &["queue", "hold", "--yes"],
        &["queue", "show", "no-id"],
        &["queue", "ls", "--older-than", "soon"],
        &["erase", "--yes"],
        &["config"],
    ] {
        let ran = transports(arguments, &[]);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert_eq!(ran.out, "", "{arguments:?}");
        let helps = ran.err.contains("Usage: transports") || ran.err.contains("try '--help'");
        assert!(helps, "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_named_file_must_exist() {
    let ran = transports(&["--config", "nowhere.toml", "config", "check"], &SERVING);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.out, "");
    assert!(ran.err.starts_with("error: nowhere.toml: cannot be read: "), "{ran:?}");
    assert!(ran.err.contains("\n  hint: "), "{ran:?}");
}

#[test]
fn commands_without_settings_neither_offer_nor_accept_a_file_of_settings() {
    for arguments in [
        &["man"][..],
        &["completions", "bash"],
        &["email-config", "ls"],
        &["openapi"],
        &["profiles"],
        &["version"],
    ] {
        let help = transports(&[arguments, &["--help"]].concat(), &[]);
        assert!(help.code == Some(0) && !help.out.contains("--config"), "{help:?}");
        for given in
            [[&["--config", "nowhere.toml"], arguments].concat(), [arguments, &["--config", "x"]].concat()]
        {
            let refused = transports(&given, &[]);
            assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{refused:?}");
            assert!(refused.err.contains("--config has no meaning here: `transports "), "{refused:?}");
        }
    }
    let help = transports(&["keys", "rotate", "--help"], &[]);
    assert!(help.out.contains("--config <FILE>"), "{help:?}");
}

#[test]
fn help_and_version_are_commands_as_well() {
    let help = transports(&["help"], &[]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""), "{help:?}");
    assert!(help.out.contains("\n  email-config  "), "{help:?}");
    assert_eq!(
        transports(&["help", "keys", "rotate"], &[]).out,
        transports(&["keys", "rotate", "--help"], &[]).out
    );
    let version = transports(&["version"], &[]);
    assert_eq!(version.out, transports(&["--version"], &[]).out);
    assert_eq!(version.out, concat!("transports ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_number_that_is_none_is_refused_in_plain_words() {
    for (arguments, fault) in [
        (&["email-config", "patch", "--serverPort", "abc"][..], "write a whole number from 1 to 65535"),
        (&["tenants", "ls", "--limit", "many"], "write a whole number from 1 to 10000"),
        (&["queue", "ls", "--limit", "0"], "write a whole number from 1 to 10000"),
        (
            &["token", "--tenant", "t", "--user", "u", "--minutes", "x"],
            "write a whole number from 1 to 525600",
        ),
        (&["dev", "--port", "70000"], "write a whole number from 0 to 65535"),
        (&["keys", "rewrap", "--wait", "x"], "write a whole number from 0 to 3600"),
    ] {
        let refused = transports(arguments, &[]);
        let ends = refused
            .err
            .starts_with(&format!("error: invalid value '{}' for ", arguments[arguments.len() - 1]));
        assert!(refused.code == Some(2) && ends && refused.err.contains(fault), "{refused:?}");
    }
}

#[test]
fn the_file_in_the_working_directory_is_the_default() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("with-default-file");
    std::fs::create_dir_all(&folder).expect("the folder for tests can be written");
    std::fs::write(folder.join("transports.toml"), "[egress]\nport = [25]\n").expect("as above");
    let other = file("other.toml", "[log]\nlevel = 'info'\n");
    let unnamed = transports_in(&folder, &["serve"], &SERVING);
    assert_eq!(unnamed.code, Some(2), "{unnamed:?}");
    assert!(unnamed.err.starts_with("error: transports.toml: egress.port: unknown setting"), "{unnamed:?}");
    let named = transports_in(&folder, &["--config", other.to_str().expect("text"), "serve"], &SERVING);
    assert_eq!(named.code, Some(2), "{named:?}");
    assert!(named.err.contains("other.toml: log.level: unknown setting"), "{named:?}");
    assert!(!named.err.contains("egress.port"), "{named:?}");
}

#[test]
fn faults_of_file_and_environment_are_reported_together() {
    let path = file("faults.toml", "[server]\nlistn = '127.0.0.1:1'\n[egress]\ntimeout_seconds = 0\n");
    let path = path.to_str().expect("text");
    for command in [&["serve"][..], &["dev"], &["config", "check"]] {
        let mut arguments = vec!["--config", path];
        arguments.extend(command);
        let mut variables = SERVING.to_vec();
        variables.push(("TRANSPORTS_DATABASE__URL", "mysql://user:hunter2@host"));
        let ran = transports(&arguments, &variables);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        let expected = format!(
            "error: {path}: server.listn: unknown setting\n  \
               hint: the nearest known setting is server.listen\n\
             error: TRANSPORTS_DATABASE__URL: expected a text that starts with `sqlite://`, `postgres://` or \
             `postgresql://`\n\
             error: {path}: egress.timeout_seconds: expected an integer from 1 to 60, got 0\n"
        );
        assert_eq!(ran.err, expected);
    }
}

#[test]
fn serve_lists_every_required_setting() {
    let ran = transports(&["serve"], &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    insta::assert_snapshot!("cli_serve_without_settings", ran.err);
}

#[test]
fn an_invalid_log_filter_prevents_the_start() {
    let mut variables = SERVING.to_vec();
    variables.push(("TRANSPORTS_LOG__FILTER", "transports=loud"));
    for command in ["serve", "dev"] {
        let ran = transports(&[command], &variables);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.err.starts_with("error: log.filter: \"transports=loud\" is no filter: "), "{ran:?}");
        assert!(ran.err.contains("\n  hint: "), "{ran:?}");
    }
}

#[test]
fn issuing_a_token_requires_a_shared_secret() {
    let ran = transports(&["token", "--tenant", "t1", "--user", "u1"], &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.err.starts_with("error: auth.hs256_secret: must be set"), "{ran:?}");
    let hint = "\n  hint: name the settings that have it with --config, or set TRANSPORTS_AUTH__HS256_SECRET";
    assert!(ran.err.contains(hint), "{ran:?}");
}

#[test]
fn a_token_is_printed_only_to_standard_output() {
    let ran = transports(&["token", "--tenant", "t1", "--user", "u1", "--admin"], &SERVING);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    let token = ran.out.strip_suffix('\n').expect("one line");
    assert_eq!(token.split('.').count(), 3, "{token}");
    assert!(!token.contains(char::is_whitespace), "{token}");
}

#[test]
fn keys_generate_prints_one_new_key() {
    let first = transports(&["keys", "generate"], &[]);
    let second = transports(&["keys", "generate", "--id", "2026-01"], &[]);
    for (ran, id) in [(&first, "k1:"), (&second, "2026-01:")] {
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let key = ran.out.strip_suffix('\n').and_then(|line| line.strip_prefix(id)).expect("one line");
        assert_eq!(key.len(), 44, "32 bytes in base64");
        assert!(ran.err.contains("encryption.keys_file"), "{ran:?}");
        assert!(!ran.err.contains(key));
    }
    assert_ne!(first.out.split_once(':').map(|(_, key)| key), second.out.split_once(':').map(|(_, key)| key));
}

#[test]
fn openapi_prints_a_document() {
    let ran = transports(&["openapi"], &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
}

#[test]
fn config_check_prints_the_effective_settings() {
    let path = file("valid.toml", "[egress]\ntimeout_seconds = 5\n");
    let mut variables = SERVING.to_vec();
    variables.push(("TRANSPORTS_SERVER__LISTEN", "0.0.0.0:9000"));
    let ran = transports(&["--config", path.to_str().expect("text"), "config", "check"], &variables);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.starts_with("warning: server.listen: 0.0.0.0:9000 can be reached"), "{ran:?}");
    assert!(ran.err.ends_with("configuration is valid\n"), "{ran:?}");
    assert!(ran.out.contains("[egress]\n"), "{ran:?}");
    for line in ["timeout_seconds = 5", "listen = \"0.0.0.0:9000\"", "hs256_secret = \"***\""] {
        assert!(ran.out.lines().any(|found| found == line), "{line} in {ran:?}");
    }
    for (name, secret) in [SERVING[0], SERVING[1]] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{name}");
    }
}

/// Security case M5.
#[test]
fn config_check_warns_of_a_database_without_tls() {
    let check = |url: &str| {
        let mut variables = SERVING.to_vec();
        variables.push(("TRANSPORTS_DATABASE__URL", url));
        let ran = transports(&["config", "check"], &variables);
        assert!(ran.code == Some(0) && !ran.err.contains("hunter2"), "{ran:?}");
        ran.err
    };
    for mode in ["disable", "prefer"] {
        let told = check(&format!("postgres://svc:hunter2@db.example.com/mail?sslmode={mode}"));
        assert!(told.starts_with("warning: database.url: allows the password"), "{told}");
    }
    for url in ["postgres://svc:hunter2@db.example.com/mail", "postgres://svc:hunter2@127.0.0.1/mail"] {
        assert_eq!(check(url), "configuration is valid\n");
    }
}

/// Whoever runs a command in somebody else's folder does not mean their settings.
/// Security case M20.
#[test]
fn settings_of_another_user_count_only_where_they_are_named() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let settings = folder.path().join("transports.toml");
    std::fs::write(&settings, "[egress]\ntimeout_seconds = 7\n").expect("a file");
    let check = |arguments: &[&str]| transports_in(folder.path(), arguments, &SERVING);
    assert_eq!(check(&["config", "check"]).code, Some(0), "our own");
    if std::os::unix::fs::chown(&settings, Some(65_534), None).is_err() {
        return; // only root gives files away
    }
    let refused = check(&["config", "check"]);
    assert!(
        refused.code != Some(0) && refused.err.contains("belongs to another user (uid 65534)"),
        "{refused:?}"
    );
    assert!(refused.err.contains("hint: name it with --config"), "{refused:?}");
    assert_eq!(check(&["--config", "transports.toml", "config", "check"]).code, Some(0));
}

#[test]
fn config_check_reports_every_fault() {
    let ran = transports(
        &["config", "check"],
        &[
            ("TRANSPORTS_EGRESS__ALLOW", "0.0.0.0/0"),
            ("TRANSPORTS_TLS__CA_FILE", "nowhere.pem"),
            ("TRANSPORTS_LOG__FILTER", "transports=loud"),
        ],
    );
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    for start in [
        "encryption.keys: ",
        "auth: ",
        "auth.issuer: ",
        "auth.audience: ",
        "log.filter: ",
        "egress.allow: ",
        "tls.ca_file: ",
    ] {
        assert!(
            ran.err.lines().any(|line| line.starts_with(&format!("error: {start}"))),
            "{start} in {ran:?}"
        );
    }
}

/// One run tells of unknown keys, wrong values, what is missing, and files that cannot be used: each with a hint.
#[test]
fn one_fault_hides_no_other() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let text = "[server]\nlistn = 'x'\n[egress]\ntimeout_seconds = 0\n[encryption]\nkeys_file = 'keys'\n[auth]\n\
                hs256_secret = 'short'\nissuer = 'x'\naudience = 'y'\npublic_key_file = 'missing.pem'\n[console]\n\
                oidc_client_id = 'console'\n";
    std::fs::write(folder.path().join("settings.toml"), text).expect("a file");
    let keys = folder.path().join("keys");
    std::fs::write(&keys, format!("{}\n", SERVING[0].1)).expect("a file");
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("its owner");
    let settings = folder.path().join("settings.toml");
    let settings = settings.to_str().expect("text");
    let mut told = Vec::new();
    for command in [&["config", "check"][..], &["serve"]] {
        let ran = transports(&[&["--config", settings], command].concat(), &[]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        for fault in [
            format!("{settings}: server.listn: unknown setting\n  hint: the nearest known setting is"),
            format!("{settings}: egress.timeout_seconds: expected an integer from 1 to 60, got 0"),
            "auth.hs256_secret: is shorter than 32 bytes\n  hint: take a random one".to_owned(),
            "console.oidc_issuer: has to be set to sign in to the console\n  hint: ".to_owned(),
            "console.public_url: has to be set".to_owned(),
            "console.session_secret: has to be set".to_owned(),
            format!("auth.public_key_file: {} cannot be read", folder.path().join("missing.pem").display()),
            format!(
                "encryption.keys_file ({0}): every user of this host may use it (mode 0644)\n  hint: remove that right: \
                 chmod o= {0}",
                keys.display()
            ),
        ] {
            assert!(ran.err.contains(&format!("error: {fault}")), "{fault}: {}", ran.err);
        }
        assert_eq!(ran.err.matches("error: ").count(), 8, "{}", ran.err);
        told.push(ran.err);
    }
    assert_eq!(told[0], told[1], "`config check` tells what `serve` would");
    // The same exit code for a key file that is not there, and for one with the wrong rights, of every command.
    for command in [&["keys", "status"][..], &["serve"], &["config", "check"]] {
        for (file, fault) in
            [(&keys, "every user of this host"), (&folder.path().join("none"), "cannot be read")]
        {
            let mut variables = SERVING[1..].to_vec();
            variables.push(("TRANSPORTS_ENCRYPTION__KEYS_FILE", file.to_str().expect("text")));
            let ran = transports(command, &variables);
            assert_eq!(ran.code, Some(2), "{command:?} {file:?}: {ran:?}");
            assert!(ran.err.contains(fault), "{command:?} {file:?}: {ran:?}");
        }
    }
}

/// What follows from a faulty value is no fault of its own.
#[test]
fn a_faulty_value_brings_no_second_fault() {
    let ran = transports(
        &["config", "check"],
        &[&SERVING[..3], &[("TRANSPORTS_AUTH__AUDIENCE", "a"), ("TRANSPORTS_DATABASE__CONNECTIONS", "0")]]
            .concat(),
    );
    assert_eq!(ran.err.matches("error: ").count(), 1, "{ran:?}");
    let faulty = file("faulty-key.toml", "[auth]\njwks_url = 'login.example.com'\n");
    let variables = [SERVING[0], SERVING[2], SERVING[3]];
    let ran = transports(&["--config", faulty.to_str().expect("text"), "config", "check"], &variables);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("auth.jwks_url: expected a text that starts with"), "{ran:?}");
    assert_eq!(ran.err.matches("error: ").count(), 1, "{ran:?}");
}

#[test]
fn relative_paths_begin_where_they_are_written() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text = "[encryption]\nkeys_file = 'keys'\n[database]\nurl = 'sqlite://data/x.db'\n[tls]\nca_file = '../ca.pem'\n";
    std::fs::write(folder.path().join("settings.toml"), text).expect("a file");
    let ran = transports(&["--config", &path("settings.toml"), "config", "check"], &SERVING[1..]);
    for expected in [
        format!("encryption.keys_file: {} cannot be read", path("keys")),
        format!("tls.ca_file: {} cannot be read", path("../ca.pem")),
    ] {
        assert!(ran.err.contains(&expected), "{expected}: {ran:?}");
    }
    std::fs::write(folder.path().join("settings.toml"), "[database]\nurl = 'sqlite://data/x.db'\n")
        .expect("a file");
    for parent in [folder.path(), Path::new(env!("CARGO_TARGET_TMPDIR"))] {
        std::fs::create_dir_all(parent.join("data")).expect("a folder");
    }
    let shown = transports(&["--config", &path("settings.toml"), "config", "check"], &SERVING);
    assert!(shown.out.contains(&format!("url = \"sqlite://{}\"", path("data/x.db"))), "{shown:?}");
    // In the environment, from the working directory.
    let variables = [&SERVING[..], &[("TRANSPORTS_DATABASE__URL", "sqlite://data/x.db")]].concat();
    let shown = transports(&["config", "check"], &variables);
    assert!(shown.out.contains("url = \"sqlite://data/x.db\""), "{shown:?}");
}

#[test]
fn config_check_finds_a_place_where_no_database_can_be() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let check = |url: &str| {
        transports(&["config", "check"], &[&SERVING[..], &[("TRANSPORTS_DATABASE__URL", url)]].concat())
    };
    let place = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
    assert_eq!(check(&place("x.db")).code, Some(0));
    std::fs::create_dir(folder.path().join("closed")).expect("a folder");
    for (name, said) in [("missing/x.db", "there is no folder "), ("closed", "is a folder")] {
        let ran = check(&place(name));
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.err.starts_with("error: database.url: ") && ran.err.contains(said), "{ran:?}");
        assert!(ran.err.contains("\n  hint: run this as the user of the service"), "{ran:?}");
    }
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o500);
    std::fs::set_permissions(folder.path().join("closed"), closed).expect("its owner");
    // Root writes everywhere.
    if std::fs::write(folder.path().join("closed/file"), "").is_err() {
        let ran = check(&place("closed/x.db"));
        assert!(ran.code == Some(2) && ran.err.contains("cannot be written: Permission denied"), "{ran:?}");
    }
    assert!(!folder.path().join("x.db").exists(), "nothing is created");
}

#[test]
fn config_check_shows_the_database_without_its_password() {
    let variables =
        [&SERVING[..], &[("TRANSPORTS_DATABASE__URL", "postgres://svc:hunter2@db.example.com/mail")]]
            .concat();
    let ran = transports(&["config", "check"], &variables);
    assert!(ran.out.contains("url = \"postgres://svc:***@db.example.com/mail\""), "{ran:?}");
    assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{ran:?}");
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = transports(&["completions", shell], &[]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{shell}");
        for word in ["init", "email-config", "verify-connection", "send-test-email", "email-password-file"] {
            assert!(ran.out.contains(word), "{shell}: {word}");
        }
    }
    let script = file("completions.bash", &transports(&["completions", "bash"], &[]).out);
    // What bash itself would offer behind `transports email-config ver`.
    let ask = "source \"$0\"; COMP_WORDS=(transports email-config ver); COMP_CWORD=2; \
               _transports transports ver email-config; printf '%s\n' \"${COMPREPLY[@]}\"";
    let offered = Command::new("bash").args(["-c", ask]).arg(script).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&offered.stdout), "verify-connection\n", "{offered:?}");
    assert_eq!(transports(&["completions", "cmd"], &[]).code, Some(2));
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let ran = transports(&["man"], &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains(".TH transports 1"), "{}", ran.out);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man/man1");
    let _ = std::fs::remove_dir_all(&folder);
    let ran = transports(&["man", "--out", folder.to_str().expect("text")], &[]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    for page in [
        "transports",
        "transports-init",
        "transports-serve",
        "transports-email-config",
        "transports-email-config-update",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).expect(page);
        assert!(text.contains(".SH NAME\n"), "{page}");
    }
    let update = std::fs::read_to_string(folder.join("transports-email-config-update.1")).expect("a page");
    assert!(update.contains("serverAddress") && update.contains("Exit codes"), "{update}");
    let ran = transports(&["man", "--out", "/dev/null/man"], &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.starts_with("error: --out /dev/null/man: the pages cannot be written: "), "{ran:?}");
}
