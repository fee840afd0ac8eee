//! What a person reads, in the language that the request asks for.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Answer, CONFIG, Client, SEND_TEST, VALIDATE, VERIFY};
use crate::support::leaks;
use crate::support::microsoft365::Microsoft;
use crate::support::smtp_server::{At, Script, SmtpServer, USER, good_password};

const SETUP: &str = "/api/v1/transports/email-config/microsoft365-setup";
const PROVIDERS: &str = "/api/v1/transports/providers";
const GERMAN: (&str, &str) = ("accept-language", "de-AT,de;q=0.9,en;q=0.8");

async fn started(script: Script) -> (TestApp, SmtpServer, Client) {
    let app = TestApp::with(|config| config.rate_limit.tier2_per_minute = 0).await;
    app.names.set("localhost", &["127.0.0.1"]);
    let server = SmtpServer::start(script).await;
    let admin = app.admin("acme");
    admin.patch(&account(&server)).await.expect(204);
    (app, server, admin)
}

fn account(server: &SmtpServer) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS", "username": USER,
        "emailPassword": good_password(), "emailAddress": "ada@example.com",
    })
}

async fn german(client: &Client, method: &str, path: &str) -> Value {
    spoken(client.send(method, path, &[GERMAN], Vec::new()).await.expect(200), "de").json()
}

/// The answer says which language it is in, and that another request may get another.
#[track_caller]
fn spoken(answer: Answer, language: &str) -> Answer {
    assert_eq!(answer.header("content-language"), Some(language));
    assert_eq!(answer.header("vary"), Some("Accept-Language"));
    answer
}

#[tokio::test]
async fn verify_explains_a_failure_in_german() {
    let (app, server, admin) = started(Script::starttls()).await;
    let place = format!("localhost:{}", server.port());
    assert_eq!(
        german(&admin, "POST", VERIFY).await["message"],
        json!(format!(
            "Mit {place} verbunden und als {USER} angemeldet. Der Server nimmt ada@example.com als Absender an."
        ))
    );
    let member = app.member("acme");
    assert_eq!(
        german(&member, "POST", VERIFY).await["message"],
        json!("Die Verbindung zum Mailserver funktioniert.")
    );

    server.play(Script::starttls().on(At::Auth, "535 5.7.8 No way"));
    let answer = german(&admin, "POST", VERIFY).await;
    assert_eq!(answer["message"], json!("localhost hat die Anmeldung abgelehnt (535 5.7.8 No way)."));
    let diagnosis = &answer["diagnosis"];
    assert_eq!((&diagnosis["code"], &diagnosis["owner"]), (&json!("AUTH_REJECTED"), &json!("tenant_admin")));
    assert_eq!(diagnosis["title"], json!("localhost hat die Anmeldung abgelehnt"));
    assert!(
        diagnosis["meaning"]
            .as_str()
            .is_some_and(|text| text.starts_with("Der Server hat den Benutzernamen"))
    );
    assert!(
        diagnosis["steps"][0]
            .as_str()
            .is_some_and(|text| text.starts_with("Geben Sie das Passwort noch einmal"))
    );

    let config = german(&admin, "GET", CONFIG).await;
    assert_eq!(config["status"]["statusReason"], json!("localhost hat die Anmeldung abgelehnt."));
    let reason = &admin.config().await["status"]["statusReason"];
    assert_eq!(reason, &json!("localhost refused the sign-in."), "what is stored is English");

    for _ in 0..2 {
        admin.verify().await;
    }
    let connections = server.connections();
    let repeated = german(&member, "POST", VERIFY).await;
    assert_eq!(server.connections(), connections, "the stored verdict is repeated");
    assert_eq!(repeated["diagnosis"]["title"], json!("Der Server hat die Anmeldung abgelehnt"));
    assert_eq!(
        repeated["message"],
        json!("Die Verbindung zum Mailserver funktioniert nicht. Fragen Sie einen Administrator.")
    );
    let english = member.verify().await;
    assert_eq!(english["diagnosis"]["title"], json!("The server refused the sign-in"));
}

#[tokio::test]
async fn a_test_mail_is_written_in_the_language_of_the_request() {
    let (_app, server, admin) = started(Script::starttls()).await;
    let request = json!({"recipient": "bob@example.org"});
    let answer =
        spoken(admin.json_with("POST", SEND_TEST, &[GERMAN], &request).await.expect(200), "de").json();
    let message = answer["message"].as_str().expect("a message");
    assert!(
        message.starts_with("Der Server hat die E-Mail für bob@example.org angenommen: 250 "),
        "{message}"
    );
    spoken(admin.json("POST", SEND_TEST, &request).await.expect(200), "en");
    server.ended().await;
    let mails: Vec<String> =
        server.mails().iter().map(|mail| String::from_utf8(mail.bytes()).expect("ASCII")).collect();
    assert!(
        mails[0].contains("Subject: Testmail\r\n") && mails[0].contains("Das ist eine Testmail."),
        "{mails:?}"
    );
    // Quoted-printable, so that a server without 8BITMIME takes it.
    assert!(mails[0].contains("k=C3=B6nnen"), "{mails:?}");
    assert!(
        mails[1].contains("Subject: Test email\r\n") && mails[1].contains("This is a test email."),
        "{mails:?}"
    );

    let mine = json!({"recipient": "bob@example.org", "subject": "Hello", "body": "World"});
    admin.json_with("POST", SEND_TEST, &[GERMAN], &mine).await.expect(200);
    server.ended().await;
    let mail = server.mails().pop().expect("a mail").bytes();
    assert!(String::from_utf8(mail).expect("ASCII").contains("Subject: Hello\r\n"), "what is given is kept");

    server.play(Script::starttls().on(At::Rcpt, "550 5.1.1 no such user"));
    let answer = admin.json_with("POST", SEND_TEST, &[GERMAN], &request).await.expect(200).json();
    assert_eq!(answer["diagnosis"]["title"], json!("Die Adresse bob@example.org gibt es nicht"));
}

#[tokio::test]
async fn a_put_that_fails_has_an_english_title_and_a_german_detail() {
    let (_app, server, admin) = started(Script::starttls()).await;
    let mut wrong = account(&server);
    wrong["emailPassword"] = json!(leaks::canary("not it "));
    let body = json!({"serviceProvider": "BasicAuth", "providerConfig": wrong});
    let refused = spoken(admin.json_with("PUT", CONFIG, &[GERMAN], &body).await.expect(400), "de");
    assert_eq!(refused.error(), ("CONNECTIONCHECK-1".to_owned(), "The connection check failed".to_owned()));
    let error = &refused.json()["errors"][0];
    let detail = error["detail"].as_str().expect("a detail");
    assert!(detail.starts_with("localhost hat die Anmeldung abgelehnt (535"), "{detail}");
    assert_eq!(error["meta"]["diagnosis"]["title"], json!("localhost hat die Anmeldung abgelehnt"));
    let english = spoken(admin.json("PUT", CONFIG, &body).await.expect(400), "en").json();
    assert!(
        english["errors"][0]["detail"].as_str().is_some_and(|text| text.starts_with("localhost refused"))
    );

    let refused = admin.json_with("PUT", CONFIG, &[GERMAN], &json!({})).await.expect(400);
    assert_eq!(refused.error().1, "serviceProvider is required", "faults of the input are English");
    assert_eq!((refused.header("content-language"), refused.header("vary")), (None, None));
}

#[tokio::test]
async fn advice_and_status_follow_the_language_but_the_etag_does_not() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let unset = spoken(admin.send("GET", CONFIG, &[GERMAN], Vec::new()).await.expect(200), "de");
    assert_eq!(unset.json(), json!({"isValid": false, "passwordExists": false}));
    let fields = json!({
        "serverAddress": "mail.example.com", "serverPort": 465, "securityType": "none", "emailAddress": "a@example.com",
        "username": "ann",
    });
    admin.patch(&fields).await.expect(204);
    let answer = spoken(admin.send("GET", CONFIG, &[GERMAN], Vec::new()).await.expect(200), "de");
    let config = answer.json();
    assert_eq!(config["status"]["statusReason"], json!("Noch nicht eingestellt: emailPassword."));
    assert_eq!(config["errorCode"], json!("INCOMPLETE_CONFIG"));
    let titles: Vec<&Value> =
        config["advice"].as_array().expect("advice").iter().map(|advice| &advice["title"]).collect();
    assert_eq!(
        titles,
        [
            &json!("Mails werden unverschlüsselt gesendet"),
            &json!("Port 465 wird üblicherweise mit SSL/TLS verwendet")
        ]
    );
    let english = spoken(admin.get(CONFIG).await, "en");
    assert_eq!(
        english.header("etag"),
        answer.header("etag"),
        "it names the configuration, not the words about it"
    );
    let tag = answer.header("etag").expect("a tag").to_owned();
    let document = json!([{"op": "replace", "path": "/senderName", "value": "Ann"}]);
    admin.json_with("PATCH", CONFIG, &[("if-match", &tag)], &document).await.expect(204);

    let told = german(&admin, "POST", VERIFY).await;
    assert_eq!(told["message"], json!("Die E-Mail-Konfiguration ist nicht vollständig: emailPassword."));
    let validated = admin.send("POST", VALIDATE, &[GERMAN], Vec::new()).await.expect(200);
    assert_eq!(validated.header("vary"), None, "codes only");
}

#[tokio::test]
async fn setup_help_and_presets_speak_german() {
    let app = TestApp::start().await;
    let admin = app.admin("acme");
    let path = format!("{SETUP}?emailAddress=news@contoso.example");
    let (help, english) = (german(&admin, "GET", &path).await, admin.get(&path).await.expect(200).json());
    let mailbox = &help["ways"][0];
    assert_eq!(mailbox["title"], json!("Die App darf nur aus diesem einen Postfach senden (empfohlen)"));
    assert!(mailbox["meaning"].as_str().is_some_and(|text| text.contains("als news@contoso.example senden")));
    let text = mailbox["text"].as_str().expect("a text");
    assert!(text.contains("Berechtigung: Exchange Online, Rolle Application Mail.Send"), "{text}");
    for (way, original) in
        help["ways"].as_array().expect("ways").iter().zip(english["ways"].as_array().expect("ways"))
    {
        assert_ne!(way["permission"], original["permission"]);
        let steps = way["steps"].as_array().expect("steps");
        for (step, original) in steps.iter().zip(original["steps"].as_array().expect("steps")) {
            assert!(step["title"] != original["title"] && step["text"] != original["text"], "{step}");
            assert_eq!((&step["commands"], &step["link"]), (&original["commands"], &original["link"]));
        }
    }

    let providers = german(&admin, "GET", PROVIDERS).await;
    let google = &providers["providers"][1];
    assert_eq!(google["name"], json!("Google Workspace und Gmail"));
    assert!(google["note"].as_str().is_some_and(|note| note.contains("Bestätigung in zwei Schritten")));
    assert_eq!(providers["providers"].as_array().map(Vec::len), Some(17));
}

#[tokio::test]
async fn microsoft_365_speaks_german() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let put = json!({"serviceProvider": "Microsoft365", "providerConfig": microsoft.provider_config()});
    admin.json_with("PUT", CONFIG, &[GERMAN], &put).await.expect(204);
    let id = &microsoft.registration.client_id;
    assert_eq!(
        german(&admin, "POST", VERIFY).await["message"],
        json!(format!(
            "Microsoft hat ein Token für die App {id} ausgestellt. Es enthält die Berechtigung Mail.Send."
        ))
    );
    let request = json!({"recipient": "bob@example.org"});
    let sent = admin.json_with("POST", SEND_TEST, &[GERMAN], &request).await.expect(200).json();
    assert!(
        sent["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Microsoft hat die Mail zur Zustellung")),
        "{sent}"
    );
    let mut wrong = put;
    wrong["providerConfig"]["clientSecret"] = json!(leaks::canary("not~it~"));
    let refused = spoken(admin.json_with("PUT", CONFIG, &[GERMAN], &wrong).await.expect(400), "de").json();
    let title = &refused["errors"][0]["meta"]["diagnosis"]["title"];
    assert_eq!(title, &json!("Microsoft hat den geheimen Clientschlüssel nicht angenommen"));
}

/// What official clients send: nothing, `*`, or a language that there is not.
#[tokio::test]
async fn other_languages_fall_back_to_english() {
    let (_app, _server, admin) = started(Script::starttls().on(At::Auth, "535 5.7.8 no")).await;
    let lines: [&[(&str, &str)]; 6] = [
        &[],
        &[("accept-language", "*")],
        &[("accept-language", "fr-FR, fr;q=0.9")],
        &[("accept-language", "en-US,en;q=0.9,de;q=0.8")],
        &[("accept-language", "de;q=nonsense")],
        &[("accept-language", "fr"), ("accept-language", "de;q=0")],
    ];
    for headers in lines {
        let answer = spoken(admin.send("POST", VERIFY, headers, Vec::new()).await.expect(200), "en").json();
        assert_eq!(answer["message"], json!("localhost refused the sign-in (535 5.7.8 no)."), "{headers:?}");
    }
}

#[tokio::test]
async fn a_cross_origin_response_varies_by_origin_and_language() {
    let app =
        TestApp::with(|config| config.server.cors_origins = vec!["https://admin.example".to_owned()]).await;
    let headers = [GERMAN, ("origin", "https://admin.example")];
    let answer = app.admin("acme").send("GET", CONFIG, &headers, Vec::new()).await.expect(200);
    let varies: Vec<String> = answer
        .headers
        .get_all("vary")
        .iter()
        .flat_map(|value| value.to_str().expect("ASCII").split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    assert!(
        varies.contains(&"accept-language".to_owned()) && varies.contains(&"origin".to_owned()),
        "{varies:?}"
    );
}
