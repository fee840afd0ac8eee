//! `transports email-config` against the real service: every operation, and what a person reads.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::email_config_cli::{Cli, Ran, file};
use crate::support::smtp_server::{At, Script, SmtpServer, USER, good_password};
use crate::support::terminal::{Line, on_a_terminal};

struct Setting {
    app: TestApp,
    server: SmtpServer,
    cli: Cli,
}

impl Setting {
    async fn start(script: Script) -> Self {
        let app = TestApp::start().await;
        app.names.set("localhost", &["127.0.0.1"]);
        let server = SmtpServer::start(script).await;
        let cli = as_user(&app, "admin", true);
        Self { app, server, cli }
    }

    /// The options of an account on the scripted server, without a password.
    fn account(&self) -> Vec<String> {
        let port = self.server.port().to_string();
        [
            "--serverAddress",
            "localhost",
            "--serverPort",
            &port,
            "--securityType",
            "StartTLS",
            "--username",
            USER,
        ]
        .into_iter()
        .chain(["--emailAddress", "ada@example.com", "--senderName", "Ada Löv"])
        .map(str::to_owned)
        .collect()
    }

    async fn update(&self, more: &[&str]) -> Ran {
        let account = self.account();
        let mut arguments = vec!["update"];
        arguments.extend(account.iter().map(String::as_str));
        arguments.extend(more);
        self.cli.run(&arguments).await
    }

    /// What is on standard output, without the port, which differs from run to run.
    fn text(&self, ran: &Ran) -> String {
        ran.out.replace(&self.server.port().to_string(), "PORT")
    }
}

fn as_user(app: &TestApp, user: &str, admin: bool) -> Cli {
    let token = app.user("acme", user, admin).token.expect("a token");
    Cli::new(&format!("http://{}", app.address), &token)
}

#[tokio::test]
async fn the_commands_create_check_and_remove_an_account() {
    let setting = Setting::start(Script::starttls()).await;
    let cli = &setting.cli;
    let none = cli.run(&["ls"]).await.expect(0);
    assert_eq!(none.out, "Configuration     none\nValid             no\n");
    let none = cli.run(&["ls", "--json"]).await.expect(0).json();
    assert_eq!(none, json!({"isValid": false, "passwordExists": false}), "there is no version of nothing");
    let invalid = cli.run(&["validate"]).await.expect(1);
    assert_eq!(invalid.out, "not valid: CONFIG_NOT_SET\n");
    assert!(invalid.err.contains("hint: `transports email-config update` creates"), "{invalid:?}");
    let unverified = cli.run(&["verify-connection"]).await.expect(3);
    assert!(
        unverified.err.contains("hint: create a configuration with `transports email-config update`"),
        "{unverified:?}"
    );

    let updated =
        setting.update(&["--email-password-file", &file(&format!("{}\n", good_password()))]).await.expect(0);
    assert_eq!(updated.out, "", "a script reads no data of a 204");
    assert!(
        updated.err.ends_with("\").\n") && updated.err.contains("checked and stored (ETag \""),
        "{updated:?}"
    );
    assert_eq!(setting.server.sign_ins()[0].secret, good_password());

    let shown = cli.run(&["ls"]).await.expect(0);
    assert_eq!(shown.err, "");
    let tag = shown.out.lines().find_map(|line| line.strip_prefix("ETag")).expect("a tag").trim().to_owned();
    insta::assert_snapshot!("cli_email_config_ls", setting.text(&shown).replace(&tag, "TAG"));
    let mut json = cli.run(&["ls", "--json"]).await.expect(0).json();
    let tag_of_json = json.as_object_mut().expect("an object").remove("etag");
    assert_eq!(tag_of_json, Some(json!(tag)), "a script has no other way to it");
    assert_eq!(json, setting.app.admin("acme").config().await);
    let raw = cli.run(&["ls", "--raw"]).await.expect(0).json();
    assert_eq!(raw, json, "what the server said, and nothing else");
    assert_eq!(cli.run(&["ls", "-q"]).await.expect(0).out, "acme\n");

    assert_eq!(cli.run(&["validate"]).await.expect(0).out, "valid\n");
    assert_eq!(cli.run(&["validate", "-q"]).await.expect(0).out, "");
    let verified = cli.run(&["verify-connection"]).await.expect(0);
    insta::assert_snapshot!("cli_email_config_verified", setting.text(&verified));

    let sent =
        cli.run(&["send-test-email", "--recipient", "you@example.com", "--subject", "Tëst"]).await.expect(0);
    insta::assert_snapshot!("cli_email_config_sent", setting.text(&sent));
    let mails = setting.server.mails();
    assert_eq!((mails.len(), mails[0].to.as_slice()), (1, &["you@example.com".to_owned()][..]));

    let stale = cli.run(&["rm", "--yes", "--if-match", "\"stale.0\""]).await.expect(3);
    assert!(
        stale.err.starts_with("error: The configuration changed meanwhile (412 HTTP-412)\n"),
        "{stale:?}"
    );
    let advice = "read the configuration again";
    assert_eq!(stale.err.to_lowercase().matches(advice).count(), 1, "the advice is given once: {stale:?}");
    let removed = cli.run(&["rm", "--yes", "--if-match", &tag]).await.expect(0);
    assert_eq!((removed.out.as_str(), removed.err.as_str()), ("", "The configuration was deleted.\n"));
    let again = cli.run(&["rm", "--yes"]).await.expect(3);
    assert!(
        again.err.starts_with("error: No email config for tenant (404 DELETE-1)\n  trace id "),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_failed_check_names_who_can_fix_it_and_exits_with_1() {
    let setting = Setting::start(Script::starttls()).await;
    setting.update(&["--email-password-file", &file(good_password())]).await.expect(0);
    setting.server.play(Script::starttls().on(At::Auth, "535 5.7.8 no"));
    let failed = setting.cli.run(&["verify-connection"]).await.expect(1);
    insta::assert_snapshot!("cli_email_config_verify_failed", setting.text(&failed));
    assert!(
        failed.err.lines().any(|line| line.starts_with("failed") && line.contains("sign-in")),
        "{failed:?}"
    );

    let as_json = setting.cli.run(&["verify-connection", "--json"]).await.expect(1);
    assert_eq!(as_json.json()["diagnosis"]["code"], "AUTH_REJECTED");
    assert_eq!(as_json.err, "", "nothing beside the data where a program reads");
    let quiet = setting.cli.run(&["verify-connection", "-q"]).await.expect(1);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));

    let not_stored = setting.update(&["--email-password-file", &file("wrong")]).await.expect(1);
    insta::assert_snapshot!("cli_email_config_update_failed", setting.text(&not_stored));
    assert!(not_stored.err.ends_with("error: the check failed, and nothing was stored\n"), "{not_stored:?}");
    for ran in [&failed, &not_stored] {
        let said = format!("{}{}", ran.out, ran.err);
        assert_eq!(
            said.matches("localhost refused the sign-in").count(),
            1,
            "the title is printed once: {ran:?}"
        );
    }
    let body = setting.update(&["--email-password-file", &file("wrong"), "--json"]).await.expect(1).json();
    assert_eq!(body["errors"][0]["code"], "CONNECTIONCHECK-1");

    setting.server.play(Script::starttls().on(At::Rcpt, "550 5.1.1 no such user"));
    let refused = setting.cli.run(&["send-test-email", "--recipient", "x@example.com"]).await.expect(1);
    assert!(refused.out.contains("Rejected: x@example.com\n"), "{refused:?}");
    assert!(refused.out.contains("Reply code: 550 5.1.1\n"), "{refused:?}");
}

#[tokio::test]
async fn options_override_the_document_from_a_file_or_standard_input() {
    let setting = Setting::start(Script::starttls()).await;
    let document = json!({"serviceProvider": "BasicAuth", "providerConfig": {
        "serverAddress": "localhost", "serverPort": setting.server.port(), "securityType": "StartTLS",
        "emailAddress": "ada@example.com", "username": USER, "emailPassword": good_password(), "senderName": "File",
    }})
    .to_string();
    setting.cli.run(&["update", "-f", &file(&document)]).await.expect(0);
    setting.cli.run_with(&["update", "--file", "-", "--senderName", "Option"], &document).await.expect(0);
    let shown = setting.app.admin("acme").config().await;
    assert_eq!(shown["providerConfig"]["senderName"], "Option");
    // The public command line's names.
    let port = setting.server.port().to_string();
    let without_sign_in =
        ["--providerConfig-serverAddress", "localhost", "--providerConfig-serverPort", &port];
    let rest =
        ["--providerConfig-securityType", "StartTLS", "--providerConfig-emailAddress", "grace@example.com"];
    let arguments = [&["update", "--serviceProvider", "BasicAuth"][..], &without_sign_in, &rest].concat();
    setting.cli.run(&arguments).await.expect(0);
    let shown = setting.app.admin("acme").config().await;
    assert_eq!(
        (&shown["emailAddress"], &shown["passwordExists"]),
        (&json!("grace@example.com"), &json!(false))
    );

    let mail = json!({"recipient": "from-file@example.com", "subject": "File"}).to_string();
    setting
        .cli
        .run_with(&["send-test-email", "-f", "-", "--recipient", "to@example.com"], &mail)
        .await
        .expect(0);
    assert_eq!(setting.server.mails()[0].to, ["to@example.com"]);
}

#[tokio::test]
async fn a_client_id_selects_microsoft365() {
    let app = TestApp::start().await;
    let cli = as_user(&app, "admin", true);
    let arguments =
        ["update", "--clientId", "c", "--client-secret-file", &file("s"), "--providerTenantId", "x/"];
    let refused = cli.run(&[&arguments[..], &["--emailAddress", "a@b.c"]].concat()).await.expect(3);
    assert!(refused.err.contains("providerTenantId is neither a Directory (tenant) ID"), "{refused:?}");
    assert!(!refused.err.contains("clientSecret"), "{refused:?}");
}

#[tokio::test]
async fn single_fields_are_patched() {
    let setting = Setting::start(Script::starttls()).await;
    let cli = &setting.cli;
    let port = setting.server.port().to_string();
    let password = file(good_password());
    let fields = ["patch", "--serverAddress", "localhost", "--serverPort", &port, "--username", USER];
    cli.run(&[&fields[..], &["--email-password-file", &password]].concat()).await.expect(0);
    cli.run(&["patch", "--op", "replace", "--path", "/securityType", "--value", "StartTLS"]).await.expect(0);
    let operations = json!([
        {"op": "add", "path": "/emailAddress", "value": "ada@example.com"},
        {"op": "add", "path": "/senderName", "value": "Ada"},
    ]);
    cli.run(&["patch", "-f", &file(&operations.to_string())]).await.expect(0);
    let changed = cli.run(&["patch", "--op", "remove", "--path", "/senderName"]).await.expect(0);
    assert_eq!((changed.out.as_str(), changed.err.lines().count()), ("", 1), "{changed:?}");
    let shown = setting.app.admin("acme").config().await;
    assert_eq!((&shown["isValid"], &shown["passwordExists"]), (&json!(true), &json!(true)), "{shown}");
    assert_eq!(shown["providerConfig"].get("senderName"), None);
    cli.run(&["verify-connection"]).await.expect(0);
    assert_eq!(setting.server.sign_ins()[0].secret, good_password());
    let refused =
        cli.run(&["patch", "--op", "replace", "--path", "/serverAdress", "--value", "x"]).await.expect(3);
    assert!(refused.err.starts_with("error: "), "{refused:?}");
}

/// Security case G5.
#[tokio::test]
async fn a_file_with_a_duplicate_member_is_not_sent() {
    let setting = Setting::start(Script::starttls()).await;
    let twice = file(r#"{"serviceProvider":"BasicAuth","serviceProvider":"BasicAuth","providerConfig":{}}"#);
    let patch = file(r#"[{"op":"remove","op":"add","path":"/username"}]"#);
    for arguments in
        [&["update", "-f", &twice][..], &["patch", "-f", &patch], &["send-test-email", "-f", &twice]]
    {
        let refused = setting.cli.run(arguments).await.expect(2);
        assert!(refused.err.contains("contains a duplicate key at line 1"), "{refused:?}");
        assert!(refused.err.contains(arguments[2]), "it names the file: {refused:?}");
    }
    assert_eq!(setting.app.admin("acme").config().await["passwordExists"], false);
}

#[tokio::test]
async fn a_refusal_prints_code_and_trace_id_and_exits_with_3() {
    let app = TestApp::start().await;
    let member = as_user(&app, "member", false).run(&["ls"]).await.expect(3);
    assert!(
        member.err.starts_with("error: Must be a tenant admin (403 ROLECHECK-1)\n  trace id "),
        "{member:?}"
    );
    assert!(member.err.contains("\n  hint: the token is valid, but not of a tenant admin\n"), "{member:?}");
    let body = as_user(&app, "member", false).run(&["ls", "--json"]).await.expect(3).json();
    assert_eq!(body["errors"][0]["code"], "ROLECHECK-1");
    let stranger = Cli::new(&format!("http://{}/", app.address), "x.y.z").run(&["ls"]).await.expect(3);
    assert!(stranger.err.starts_with("error: Unauthorized (401 HTTP-401)\n"), "{stranger:?}");
    assert!(!stranger.err.contains("x.y.z"), "{stranger:?}");
    let key =
        app.admin("acme").json("POST", "/api/v1/transports/api-keys", &json!({"name": "billing"})).await;
    let key = key.expect(201).json()["token"].as_str().expect("a key").to_owned();
    for key in [&key, &key[..80]] {
        let by_key = Cli::new(&format!("http://{}/", app.address), key).run(&["ls"]).await.expect(3);
        let hint = "\n  hint: an API key (tsk_…) sends emails; the configuration of the mail account takes the token of a tenant admin";
        assert!(by_key.err.contains(hint) && !by_key.err.contains(key), "{by_key:?}");
    }
    // All faults at once, a line each.
    let document =
        json!({"serviceProvider": "BasicAuth", "providerConfig": {"serverPort": 0, "colour": Value::Null}});
    let faulty =
        as_user(&app, "admin", true).run(&["update", "-f", &file(&document.to_string())]).await.expect(3);
    for field in ["serverAddress", "serverPort", "securityType", "emailAddress", "providerConfig.colour"] {
        assert!(faulty.err.contains(field), "{field}: {faulty:?}");
    }
}

#[tokio::test]
async fn wrong_usage_exits_with_2_and_sends_no_request() {
    let cli = Cli::new("http://127.0.0.1:9", "a.b.c");
    for (arguments, said) in [
        (&["update"][..], "nothing to store"),
        (&["patch"], "nothing to change"),
        (&["patch", "--op", "replace", "--path", "/username"], "--op replace needs --value"),
        (&["patch", "--op", "test", "--path", "/username"], "[possible values: replace, remove, add]"),
        (&["update", "--securityType", "TLS"], "[possible values: none, StartTLS, SSL/TLS]"),
        (&["update", "--serverPort", "0"], "write a whole number from 1 to 65535"),
        (&["update", "--serverPort", "abc"], "write a whole number from 1 to 65535"),
        (&["update", "-f", "/nowhere.json"], "-f /nowhere.json: cannot be read: "),
        (&["send-test-email"], "--recipient <ADDRESS>"),
        (&["ls", "--retry", "11"], "write a whole number from 0 to 10"),
        (&["ls", "--interval", "0"], "write a whole number from 1 to 3600"),
        (&["ls", "--json", "--quiet"], "cannot be used with"),
        (&["ls", "--server", "mail.example.com"], "begins neither with https:// nor with http://"),
        (&["ls", "--server", "https://me@mail.example.com"], "a user name"),
        (&["ls", "--server", "https://mail.example.com?a=b"], "a query"),
        (&["ls", "--ca-file", "/nowhere.pem"], "--ca-file: /nowhere.pem: cannot be read"),
        (&["ls", "--token-file", "/nowhere"], "--token-file /nowhere: cannot be read: "),
        (&["update", "-f", "-", "--email-password-file", "-"], "both read standard input"),
        (&["patch", "-f", "-", "--token-file", "-"], "both read standard input"),
    ] {
        let ran = cli.run(arguments).await.expect(2);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert!(ran.err.contains(said), "{arguments:?}: {ran:?}");
    }
    let nothing = Cli::new("", "").run(&["ls"]).await.expect(2);
    assert_eq!(
        nothing.err,
        "error: no server specified\n  hint: use --server URL, set TRANSPORTS_SERVER, or store a server with `transports login`\n"
    );
    let no_token = Cli::new("https://mail.example.com", " ").run(&["ls"]).await.expect(2);
    assert!(
        no_token
            .err
            .starts_with("error: no token specified\n  hint: use --token-file FILE, set TRANSPORTS_TOKEN"),
        "{no_token:?}"
    );
    // The name is too long for a label, so that no name server is asked.
    let plain = format!("http://{}.example.com", "a".repeat(64));
    let warned = cli.run(&["ls", "--server", &plain]).await.expect(2);
    assert!(
        warned.err.starts_with("warning: over http:// anyone on the network path can read the token"),
        "{warned:?}"
    );
}

#[tokio::test]
async fn rm_asks_on_a_terminal_and_requires_yes_without_one() {
    let setting = Setting::start(Script::starttls()).await;
    setting.update(&["--email-password-file", &file(good_password())]).await.expect(0);
    let refused = setting.cli.run(&["rm"]).await.expect(2);
    assert_eq!(refused.err, "error: rm: cannot ask for confirmation without a terminal; use --yes\n");
    let question = "Delete the configuration of the tenant \"acme\" (ada@example.com, localhost), with its secret? \
                    Type yes to continue:";
    for (typed, arguments, code, is_stored) in
        [("no", &["rm"][..], 1, true), ("", &["rm", "--no-input"], 2, true), ("yes", &["rm"], 0, false)]
    {
        let command = setting.cli.command(arguments);
        let ended =
            tokio::task::spawn_blocking(move || on_a_terminal(&command, &[Line::new(question, typed)]));
        let (ended, screen) = ended.await.expect("it does not panic");
        assert_eq!(ended, Some(code), "{screen}");
        assert_eq!(screen.contains(question), code != 2, "{screen}");
        assert_eq!(setting.app.admin("acme").config().await["passwordExists"], is_stored, "{screen}");
    }
}

#[tokio::test]
async fn patch_says_when_the_stored_password_was_deleted_and_what_to_do() {
    let setting = Setting::start(Script::starttls()).await;
    let password = file(good_password());
    setting.update(&["--email-password-file", &password]).await.expect(0);
    let kept = setting.cli.run(&["patch", "--senderName", "Acme"]).await.expect(0);
    assert_eq!(kept.err, "The configuration was changed; check it with verify-connection.\n");
    let port = setting.server.port().to_string();
    let same = setting.cli.run(&["patch", "--serverPort", &port]).await.expect(0);
    assert!(!same.err.contains("deleted"), "{same:?}");
    let brought = ["patch", "--serverPort", "587", "--email-password-file", &password];
    assert!(!setting.cli.run(&brought).await.expect(0).err.contains("deleted"));
    let dropped = setting.cli.run(&["patch", "--serverAddress", "smtp.example.com"]).await.expect(0);
    assert!(dropped.err.contains("the stored password was deleted"), "{dropped:?}");
    assert!(dropped.err.contains("transports email-config patch --email-password-file FILE"), "{dropped:?}");
    let invalid = setting.cli.run(&["validate"]).await.expect(1);
    assert_eq!(invalid.out, "not valid: INCOMPLETE_CONFIG\n");
    assert!(invalid.err.contains("hint: `transports email-config ls` shows what is missing"), "{invalid:?}");
    let again = setting.cli.run(&["patch", "--username", "grace"]).await.expect(0);
    assert!(!again.err.contains("deleted"), "there was none: {again:?}");
}

#[tokio::test]
async fn values_of_a_closed_set_are_accepted_in_any_case() {
    let setting = Setting::start(Script::starttls()).await;
    setting.update(&["--email-password-file", &file(good_password())]).await.expect(0);
    for (typed, stored) in [("starttls", "StartTLS"), ("STARTTLS", "StartTLS"), ("ssl/tls", "SSL/TLS")] {
        setting.cli.run(&["patch", "--securityType", typed]).await.expect(0);
        let config = setting.app.admin("acme").config().await;
        assert_eq!(config["providerConfig"]["securityType"], stored);
    }
    let name = ["--path", "/senderName", "--value", "Acme"];
    setting.cli.run(&[&["patch", "--op", "REPLACE"][..], &name].concat()).await.expect(0);
    let unknown = setting.cli.run(&["update", "--serviceProvider", "basicAUTH"]).await.expect(2);
    assert!(unknown.err.contains("nothing to store"), "the value itself is accepted: {unknown:?}");
}
