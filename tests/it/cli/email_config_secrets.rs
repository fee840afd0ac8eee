//! Where `transports email-config` takes secrets from, and that they come out nowhere.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::email_config_cli::{Cli, file};
use crate::support::http_server::{HttpServer, json as json_answer, plain};
use crate::support::smtp_server::{At, Script, SmtpServer, USER};
use crate::support::terminal::{Line, on_a_terminal};

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
                assert_eq!(ran.err.contains("can see the value of --emailPassword"), typed, "{ran:?}");
            }
        }
    }
    assert!(server.sign_ins().iter().any(|sign_in| sign_in.secret == SECRET), "the test shows something");
    let typed = cli.run(&["ls", "--token", &token]).await.expect(0);
    assert!(typed.err.starts_with("warning: other users of this machine can see the value of --token "));
    let value =
        ["patch", "--op", "add", "--path", "/emailPassword", "--value", SECRET, "--token-file", &token_file];
    let typed = cli.run(&value).await.expect(0);
    assert!(typed.err.starts_with("warning: ") && typed.err.contains("the value of --value"), "{typed:?}");
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

#[tokio::test]
async fn a_password_prompt_does_not_echo() {
    let server = HttpServer::start(vec![json_answer("200 OK", &json!({"passwordExists": true}))]).await;
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
        let ended =
            tokio::task::spawn_blocking(move || on_a_terminal(&command, &[Line::hidden(asked, typed)]));
        let (code, screen) = ended.await.expect("it does not panic");
        assert_eq!(code, Some(0), "{screen}");
        assert!(screen.contains(asked), "{screen}");
        assert!(!screen.contains(SECRET), "{screen}");
        let request = server.requests().pop().expect("a request");
        assert!(request.contains(sent), "{request}");
    }
    let command = cli.command(&[&update[..], &["--no-input"]].concat());
    let ended = tokio::task::spawn_blocking(move || on_a_terminal(&command, &[Line::hidden(prompt, SECRET)]));
    let (code, screen) = ended.await.expect("it does not panic");
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("Password"), "{screen}");
}

#[tokio::test]
async fn a_password_prompt_says_that_one_is_kept_where_one_is_stored() {
    for (answer, asked) in [
        (json_answer("200 OK", &json!({"passwordExists": false})), "Password of ada: "),
        (
            json_answer("200 OK", &json!({"passwordExists": true})),
            "Password of ada (empty keeps the stored one): ",
        ),
        (plain("204 No Content", "", ""), "Password of ada (empty keeps a stored one): "),
    ] {
        let server = HttpServer::start(vec![answer]).await;
        let update = ["update", "--username", "ada", "--serverAddress", "h"];
        let command = Cli::new(&server.url(), TOKEN).command(&update);
        let ended =
            tokio::task::spawn_blocking(move || on_a_terminal(&command, &[Line::hidden(asked, SECRET)]));
        let (code, screen) = ended.await.expect("it does not panic");
        assert_eq!(code, Some(0), "{screen}");
        assert!(screen.contains(asked), "{asked}: {screen}");
    }
}
