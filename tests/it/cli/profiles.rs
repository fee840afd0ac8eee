//! `transports login`, `logout` and `profiles`: servers and tokens that are stored, and which of them a command uses.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::support::app::TestApp;
use crate::support::certificates;
use crate::support::email_config_cli::{Cli, file};
use crate::support::http_server::{HttpServer, json as json_answer, plain};
use crate::support::smtp_server::{Script, SmtpServer};
use crate::support::terminal::{Line, on_a_terminal};

const TOKEN: &str = "Kanarienvogel.9c1e.Token";
const OTHER_TOKEN: &str = "Kanarienvogel.5d2f.Token";

/// A server that accepts every token, and a user without profiles.
async fn setting() -> (HttpServer, TempDir, Cli) {
    let config = json!({"tenantId": "acme", "isValid": false, "passwordExists": false});
    let server = HttpServer::start(vec![json_answer("200 OK", &config)]).await;
    let home = TempDir::new().expect("a folder");
    let cli = Cli::without_server(home.path());
    (server, home, cli)
}

fn stored(home: &TempDir) -> PathBuf {
    home.path().join("transports/profiles.toml")
}

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_login_is_checked_stored_for_its_owner_and_used() {
    let (server, home, cli) = setting().await;
    let url = server.url();
    let login = cli.run_other(&["login", "--server", &url, "--token-file", &file(TOKEN)]).await.expect(0);
    assert!(login.err.starts_with(&format!("Profile \"default\": {url}, tenant \"acme\". ")), "{login:?}");
    assert_eq!((mode(&stored(&home)), mode(stored(&home).parent().expect("a folder"))), (0o600, 0o700));
    assert!(server.requests()[0].starts_with("GET /api/v1/transports/email-config HTTP/1.1\r\n"));

    let listed = cli.run(&["ls", "-q", "-v"]).await.expect(0);
    assert_eq!(listed.out, "acme\n");
    let last = server.requests().pop().expect("a request");
    assert!(last.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{last}");

    let named = ["login", "--profile", "eu", "--server", &url, "--token-file", &file(OTHER_TOKEN)];
    cli.run_other(&named).await.expect(0);
    for cli in [cli.clone().with("TRANSPORTS_PROFILE", "eu"), cli.clone()] {
        let by_option = cli.run(&["ls", "--profile", "eu"]).await.expect(0);
        assert!(!by_option.out.contains("Kanarienvogel"), "{by_option:?}");
        let last = server.requests().pop().expect("a request");
        assert!(last.contains(OTHER_TOKEN), "{last}");
    }
    let profiles = cli.run_other(&["profiles"]).await.expect(0);
    assert_eq!(profiles.out, format!("PROFILE  SERVER\ndefault  {url}\neu       {url}\n"));
    let as_json = cli.run_other(&["profiles", "--json"]).await.expect(0).json();
    assert_eq!(as_json["profiles"][1], json!({"name": "eu", "server": url}));

    let removed = cli.run_other(&["logout", "--profile", "eu"]).await.expect(0);
    assert!(removed.err.starts_with("Profile \"eu\" was removed."), "{removed:?}");
    assert!(!std::fs::read_to_string(stored(&home)).expect("text").contains(OTHER_TOKEN));
    for arguments in [&["logout", "--profile", "eu"][..], &["email-config", "ls", "--profile", "eu"]] {
        let refused = cli.run_other(arguments).await.expect(2);
        assert!(refused.err.starts_with("error: no profile is named \"eu\"\n  hint: "), "{refused:?}");
    }
    let nothing = Cli::without_server(&home.path().join("other"));
    assert_eq!(nothing.run_other(&["profiles"]).await.expect(0).out, "");
    assert!(nothing.run(&["ls"]).await.expect(2).err.starts_with("error: no server specified\n"));
}

#[tokio::test]
async fn options_and_environment_override_the_profile_and_its_token_stays_with_its_server() {
    let (server, _home, cli) = setting().await;
    let elsewhere = HttpServer::start(vec![plain("204 No Content", "", "")]).await;
    cli.run_other(&["login", "--server", &server.url(), "--token-file", &file(TOKEN)]).await.expect(0);
    let by_option = cli.run(&["ls", "--token-file", &file(OTHER_TOKEN)]).await;
    let by_variable = cli.clone().with("TRANSPORTS_TOKEN", OTHER_TOKEN).run(&["ls"]).await;
    for ran in [by_option.expect(0), by_variable.expect(0)] {
        assert!(server.requests().pop().expect("a request").contains(OTHER_TOKEN), "{ran:?}");
    }
    // No other server gets the token.
    let moved = cli.clone().with("TRANSPORTS_SERVER", &elsewhere.url());
    for (cli, arguments) in [
        (&cli, &["ls", "--server", &elsewhere.url()][..]),
        (&moved, &["ls"]),
        (&moved, &["ls", "--profile", "default"]),
    ] {
        let refused = cli.run(arguments).await.expect(2);
        assert!(refused.err.contains("the token of the profile \"default\" is for"), "{refused:?}");
        assert!(!refused.err.contains(TOKEN), "{refused:?}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
    let both =
        moved.with("TRANSPORTS_TOKEN", OTHER_TOKEN).run(&["rm", "--yes", "--profile", "default"]).await;
    let both = both.expect(0);
    assert!(
        both.err.starts_with("warning: TRANSPORTS_SERVER overrides the server of the profile"),
        "{both:?}"
    );
    assert!(elsewhere.requests()[0].contains(OTHER_TOKEN));
}

#[tokio::test]
async fn a_login_that_fails_stores_nothing() {
    let app = TestApp::start().await;
    let home = TempDir::new().expect("a folder");
    let cli = Cli::without_server(home.path());
    let url = format!("http://{}", app.address);
    let other = HttpServer::start(vec![plain("404 Not Found", "content-type: text/html\r\n", "nginx")]).await;
    let wrong = file("a.wrong.token");
    for (arguments, code, said) in [
        (&["login", "--server", &url, "--token-file", &wrong][..], 3, "error: Unauthorized (401 HTTP-401)"),
        (
            &["login", "--server", &other.url(), "--token-file", &wrong],
            4,
            "the server answers 404 with a web page",
        ),
        (&["login", "--server", "mail.example.com", "--token-file", &wrong], 2, "begins neither with"),
        (&["login", "--token-file", &wrong], 2, "no server specified"),
        (&["login", "--server", &url], 2, "no token specified"),
        (&["login", "--server", &url, "--profile", "../x"], 2, "write 1 to 64 letters"),
    ] {
        let refused = cli.run_other(arguments).await.expect(code);
        assert!(refused.err.contains(said), "{refused:?}");
    }
    let key =
        app.admin("acme").json("POST", "/api/v1/transports/api-keys", &json!({"name": "billing"})).await;
    let key = file(key.expect(201).json()["token"].as_str().expect("a key"));
    let by_key = cli.run_other(&["login", "--server", &url, "--token-file", &key]).await.expect(3);
    assert!(by_key.err.contains("\n  hint: an API key (tsk_…) sends emails; "), "{by_key:?}");
    assert!(!stored(&home).exists());
    // A user without the role may check the connection, so the login is good.
    let member = app.user("acme", "member", false).token.expect("a token");
    let login = cli.run_other(&["login", "--server", &url, "--token-file", &file(&member)]).await.expect(0);
    assert!(login.err.contains("not of a tenant admin"), "{login:?}");
}

#[tokio::test]
async fn a_login_at_a_wrong_address_says_what_answers_and_what_is_expected() {
    let app = TestApp::start().await;
    let good = json_answer("200 OK", &json!({"isValid": false}));
    let encrypted = HttpServer::start_tls(vec![good]).await;
    let (smtp, smtps) = (SmtpServer::start(Script::starttls()), SmtpServer::start(Script::implicit_tls()));
    let (smtp, smtps) = (smtp.await.port(), smtps.await.port());
    let home = TempDir::new().expect("a folder");
    let cli = Cli::without_server(home.path());
    let (token, ca) = (file("a.b.c"), certificates::authority_file().to_str().expect("text"));
    let (service, port) = (app.address, encrypted.address.port());
    let mail = "a mail server (SMTP) answers on this port, not a web server\n  hint: --server is the address of the API";
    for (url, said) in [
        (
            format!("http://{service}/console"),
            "hint: a transports service answers there, but not at this path: --server",
        ),
        (
            format!("http://{service}/mail/api/v1"),
            "hint: a transports service answers there, but not at this path",
        ),
        (format!("https://{service}"), &*format!("without TLS on this port\n  hint: use http://{service}\n")),
        (
            format!("http://localhost:{port}"),
            &*format!("expects TLS on this port\n  hint: use https://localhost:{port}\n"),
        ),
        (format!("http://localhost:{smtp}"), mail),
        (format!("https://localhost:{smtp}"), mail),
        (format!("https://localhost:{smtps}"), mail),
    ] {
        let arguments = ["login", "--server", &url, "--token-file", &token, "--ca-file", ca];
        let refused = cli.run_other(&arguments).await.expect(4);
        assert!(refused.err.contains(said), "{url}: {refused:?}");
    }
    assert!(!stored(&home).exists());
}

#[tokio::test]
async fn a_file_that_others_can_read_or_that_is_damaged_is_refused_without_its_content() {
    let (server, home, cli) = setting().await;
    cli.run_other(&["login", "--server", &server.url(), "--token-file", &file(TOKEN)]).await.expect(0);
    std::fs::set_permissions(stored(&home), std::fs::Permissions::from_mode(0o640)).expect("it is ours");
    let open = cli.run(&["ls"]).await.expect(2);
    assert!(open.err.contains("other users can read it") && open.err.contains("chmod 600"), "{open:?}");
    std::fs::set_permissions(stored(&home), std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    std::fs::write(stored(&home), format!("[profiles.default]\ntoken = {TOKEN}\n")).expect("it is ours");
    let damaged = cli.run(&["ls"]).await.expect(2);
    assert!(damaged.err.contains("is not a file of profiles"), "{damaged:?}");
    assert!(!damaged.err.contains("Kanarienvogel"), "{damaged:?}");
    // Who names both needs no profile.
    let both = ["ls", "--server", &server.url(), "--token-file", &file(TOKEN)];
    cli.run(&both).await.expect(0);
}

#[tokio::test]
async fn on_a_terminal_login_asks_for_both_and_shows_no_token() {
    let (server, home, cli) = setting().await;
    let command = cli.other_command(&["login"]);
    let url = server.url();
    let ended = tokio::task::spawn_blocking(move || {
        let lines = [
            Line::new("Server, such as https://mail.example.com: ", &url),
            Line::hidden("Token (not shown): ", TOKEN),
        ];
        on_a_terminal(&command, &lines)
    });
    let (code, screen) = ended.await.expect("it does not panic");
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains(TOKEN) && screen.contains("tenant \"acme\""), "{screen}");
    assert!(std::fs::read_to_string(stored(&home)).expect("text").contains(TOKEN));
}
