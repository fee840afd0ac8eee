//! Where `transports email-config` takes secrets from, and that they come out nowhere.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::email_config_cli::{Cli, file};
use crate::support::http_server::{HttpServer, json as json_answer, plain};
use crate::support::smtp_server::{At, Script, SmtpServer, USER};

const SECRET: &str = "Kanarienvogel-7f3a-Passwort";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.Kanarienvogel.Token";

/// Security case I1.
#[tokio::test]
async fn no_command_prints_the_token_or_the_password() {
    let app = TestApp::start().await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    let token = app.admin("acme").token.expect("a token");
    let cli = Cli::new(&format!("http://{}", app.address), "not.the.token");
    let (port, password, token_file) = (server.port().to_string(), file(SECRET), file(&token));
    let account = ["--serverAddress", "localhost", "--serverPort", &port, "--securityType", "StartTLS"];
    let rest =
        ["--emailAddress", "ada@example.com", "--username", USER, "--token-file", &token_file, "--verbose"];
    for verb in ["update", "patch"] {
        for secret in [["--email-password-file", &password], ["--emailPassword", SECRET]] {
            for form in [&[][..], &["--json"], &["--raw"]] {
                let ran = cli.run(&[&[verb][..], &account, &rest, &secret, form].concat()).await;
                assert!(ran.err.contains("> P"), "it was asked: {ran:?}");
                for text in [SECRET, &token, token.rsplit('.').next().expect("a part")] {
                    assert!(!ran.out.contains(text) && !ran.err.contains(text), "{verb}: {ran:?}");
                }
                let typed = secret[0] == "--emailPassword";
                assert_eq!(ran.err.contains("what stands behind --emailPassword"), typed, "{ran:?}");
            }
        }
    }
    assert!(server.sign_ins().iter().any(|sign_in| sign_in.secret == SECRET), "the test shows something");
    let typed = cli.run(&["ls", "--token", &token]).await.expect(0);
    assert!(
        typed.err.starts_with("warning: other users of this machine can see what stands behind --token ")
    );
    let value =
        ["patch", "--op", "add", "--path", "/emailPassword", "--value", SECRET, "--token-file", &token_file];
    let typed = cli.run(&value).await.expect(0);
    assert!(typed.err.starts_with("warning: ") && typed.err.contains("behind --value"), "{typed:?}");
    assert!(!typed.err.contains(SECRET), "{typed:?}");
}

/// Security case I1.
#[tokio::test]
async fn a_token_echoed_by_the_server_is_not_printed() {
    let body = json!({"errors": [{"code": TOKEN, "title": TOKEN, "detail": format!("Bearer {TOKEN}")}], "traceId": TOKEN});
    for answer in [
        json_answer("400 Bad Request", &body),
        json_answer("200 OK", &body),
        plain("500 Internal Server Error", "content-type: text/plain\r\n", TOKEN),
    ] {
        let server = HttpServer::start(vec![answer]).await;
        let cli = Cli::new(&server.url(), TOKEN);
        for form in [&[][..], &["--json"], &["--raw"]] {
            let ran = cli.run(&[&["ls"][..], form].concat()).await;
            assert!(!ran.out.contains(TOKEN) && !ran.err.contains(TOKEN), "{ran:?}");
        }
        let sent = &server.requests()[0];
        assert!(sent.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{sent}");
    }
}

#[tokio::test]
async fn a_secret_file_holds_one_secret_and_warns_where_others_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = HttpServer::start(vec![plain("204 No Content", "", "")]).await;
    let cli = Cli::new(&server.url(), TOKEN);
    let patch = async |path: &str| cli.run(&["patch", "--email-password-file", path]).await;
    for (content, sent) in [("a b\n", "a b"), ("a\r\n", "a"), (" a ", " a "), ("a\n\n", "a\\n")] {
        let ran = patch(&file(content)).await.expect(0);
        assert!(!ran.err.contains("warning"), "{ran:?}");
        let request = server.requests().pop().expect("a request");
        let body = format!("[{{\"op\":\"replace\",\"path\":\"/emailPassword\",\"value\":\"{sent}\"}}]");
        assert!(request.ends_with(&body), "{request}");
    }
    for content in ["", "\n"] {
        let ran = patch(&file(content)).await.expect(2);
        assert!(ran.err.contains(": is empty"), "{ran:?}");
    }
    let open = file("a");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let ran = patch(&open).await.expect(0);
    assert!(
        ran.err.starts_with("warning: --email-password-file ") && ran.err.contains("chmod 600"),
        "{ran:?}"
    );
    let ran = cli.run_with(&["patch", "--email-password-file", "-"], "from a pipe\n").await.expect(0);
    assert!(!ran.err.contains("warning"), "{ran:?}");
    assert!(server.requests().pop().expect("a request").contains("\"from a pipe\""));
    // Without a terminal nobody is asked, and the stored password stays.
    cli.run(&["update", "--username", "ada", "--serverAddress", "h"]).await.expect(0);
    assert!(!server.requests().pop().expect("a request").contains("emailPassword"));
}

/// Runs a command on a terminal of its own, and types a line as soon as it asks for it.
fn on_a_terminal(command: &Command, asked: &str, typed: &str) -> (Option<i32>, String) {
    let quote = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().expect("text").replace('\'', r"'\''"));
    let line: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect();
    let mut terminal = Command::new("script");
    let line = format!("tty; exec {}", line.join(" "));
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    for (name, value) in command.get_envs() {
        terminal.env(name, value.expect("is set"));
    }
    let mut child =
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Debian always has `script`");
    let (mut keys, screen) = (child.stdin.take().expect("is piped"), child.stdout.take().expect("is piped"));
    let mut screen = BufReader::new(screen);
    let mut name = String::new();
    screen.read_line(&mut name).expect("the name of the terminal");
    let mut seen = Vec::new();
    let mut typing = Some(typed);
    let mut byte = [0];
    while screen.read(&mut byte).is_ok_and(|count| count == 1) {
        seen.extend(byte);
        if seen.ends_with(asked.as_bytes())
            && let Some(typed) = typing.take()
        {
            wait_until_nothing_is_echoed(name.trim());
            writeln!(keys, "{typed}").expect("can be typed");
        }
    }
    let status = child.wait().expect("it ends");
    (status.code(), String::from_utf8_lossy(&seen).into_owned())
}

/// The prompt stands there a moment before the terminal stops to echo; nobody types as fast as a test.
fn wait_until_nothing_is_echoed(terminal: &str) {
    for _ in 0..10_000 {
        let asked =
            Command::new("stty").args(["-a", "-F", terminal]).output().expect("Debian always has `stty`");
        if String::from_utf8_lossy(&asked.stdout).contains(" -echo ") {
            return;
        }
    }
    panic!("{terminal} shows what is typed");
}

#[tokio::test]
async fn a_password_prompt_does_not_echo() {
    let server = HttpServer::start(vec![plain("204 No Content", "", "")]).await;
    let cli = Cli::new(&server.url(), TOKEN);
    let update = ["update", "--username", "ada", "--serverAddress", "h"];
    let patch = ["patch", "--op", "replace", "--path", "/emailPassword"];
    let prompt = "Password of ada (empty keeps the stored one): ";
    let cases: [(&[&str], &str, &str, &str); 4] = [
        (&update, prompt, SECRET, "\"emailPassword\":\"Kanarienvogel-7f3a-Passwort\""),
        (&update, prompt, "", "\"providerConfig\":{\"serverAddress\":\"h\",\"username\":\"ada\"}"),
        (&patch, "Password: ", SECRET, "\"value\":\"Kanarienvogel-7f3a-Passwort\""),
        (
            &["update", "--clientId", "c"],
            "Client secret of c (empty keeps the stored one): ",
            SECRET,
            "\"clientSecret\":\"Kanarienvogel-7f3a-Passwort\"",
        ),
    ];
    for (arguments, asked, typed, sent) in cases {
        let command = cli.command(arguments);
        let ended = tokio::task::spawn_blocking(move || on_a_terminal(&command, asked, typed));
        let (code, screen) = ended.await.expect("it does not panic");
        assert_eq!(code, Some(0), "{screen}");
        assert!(screen.contains(asked), "{screen}");
        assert!(!screen.contains(SECRET), "{screen}");
        let request = server.requests().pop().expect("a request");
        assert!(request.contains(sent), "{request}");
    }
    let command = cli.command(&[&update[..], &["--no-input"]].concat());
    let ended = tokio::task::spawn_blocking(move || on_a_terminal(&command, prompt, SECRET));
    let (code, screen) = ended.await.expect("it does not panic");
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("Password"), "{screen}");
}
