//! One canary secret through everything, at the most talkative log level: it must come out nowhere.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;

use crate::support::client::{CONFIG, SEND_TEST, VALIDATE};
use crate::support::database::{Database, Engine};
use crate::support::process::{Process, variables};
use crate::support::smtp_server::{At, Script, SmtpServer, USER};

const CANARY: &str = "Kanarienvogel-\"7f3a\"-Passwort";

/// The secret in every form in which it might come out.
fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let percent = secret.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    });
    let json = json!(secret).to_string();
    let plain = format!("\0{USER}\0{secret}");
    let debug = format!("{:?}", secret.as_bytes());
    vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
        STANDARD.encode(plain),
        hex.to_uppercase(),
        hex,
        percent,
        json.trim_matches('"').to_owned(),
        debug.trim_matches(['[', ']']).to_owned(),
    ]
}

#[track_caller]
fn assert_absent(place: &str, bytes: &[u8], secrets: &[&str]) {
    for secret in secrets {
        for form in forms(secret) {
            let wide: Vec<u8> = form.encode_utf16().flat_map(u16::to_le_bytes).collect();
            for needle in [form.as_bytes(), &wide] {
                assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{place} holds {form}");
            }
        }
    }
}

#[tokio::test]
async fn i1_a_canary_secret_comes_out_nowhere() {
    let database = Database::create(Engine::chosen()).await;
    let mut settings = variables(&database);
    settings.push(("TRANSPORTS_LOG__FILTER".to_owned(), "trace".to_owned()));
    let server = SmtpServer::start(Script::starttls().account(USER, CANARY)).await;
    let process = Process::serve(&settings);
    let admin = process.admin("acme", &settings);
    let token = admin.token.clone().expect("a token");
    let account = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS", "username": USER,
        "emailPassword": CANARY, "emailAddress": "ada@example.com",
    });
    let mut answers = Vec::new();
    answers.push(admin.put(&account).await.expect(204));
    answers.push(admin.patch(&account).await.expect(204));
    answers.push(admin.get(CONFIG).await.expect(200));
    answers.push(admin.post(VALIDATE).await.expect(200));
    answers.push(admin.post(crate::support::client::VERIFY).await.expect(200));
    let mail =
        json!({"recipient": "bob@example.org", "subject": "Kein-Betreff-im-Log", "body": "Kein-Text-im-Log"});
    answers.push(admin.json("POST", SEND_TEST, &mail).await.expect(200));
    let echo = format!("535 5.7.8 {CANARY} and {} are wrong", STANDARD.encode(CANARY));
    for at in [At::Auth, At::Mail] {
        server.play(Script::starttls().account(USER, CANARY).on(at, echo.as_str()));
        answers.push(admin.post(crate::support::client::VERIFY).await.expect(200));
        answers.push(admin.put(&account).await);
    }
    // Requests that are refused with the secret in them.
    for body in [
        format!("[{{\"op\":\"replace\",\"path\":\"/emailPassword\",\"value\":\"{CANARY}"),
        json!([{"op": "test", "path": "/emailPassword", "value": CANARY}]).to_string(),
        json!([{"op": "replace", "path": "/emailPassword", "value": format!("{CANARY}\r\n")}]).to_string(),
        json!([{"op": "replace", "path": "/serverPort", "value": CANARY}]).to_string(),
        json!({"emailPassword": CANARY}).to_string(),
    ] {
        let answer =
            admin.send("PATCH", CONFIG, &[("content-type", "application/json")], body.into_bytes()).await;
        answers.push(answer.expect(400));
    }
    answers.push(admin.get(&format!("{CONFIG}?emailPassword={}", forms(CANARY)[6])).await);
    answers.push(admin.get("/metrics").await.expect(200));
    answers.push(admin.get("/openapi.json").await.expect(200));
    answers.push(admin.patch(&json!({"emailPassword": "another one"})).await.expect(204));
    answers.push(admin.delete().await.expect(204));
    assert!(server.sign_ins().iter().any(|sign_in| sign_in.secret == CANARY), "the canary was used");

    let secrets = [CANARY, crate::support::app::TOKEN_SECRET, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="];
    for answer in &answers {
        assert_absent("an answer", &answer.body, &secrets);
        for value in answer.headers.values() {
            assert_absent("a header", value.as_bytes(), &secrets);
        }
    }
    assert_absent("the database while it runs", &database.bytes().await, &secrets);
    let (code, log) = process.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("TRACE") && log.contains("transports"), "the log is at its most talkative");
    assert_absent("the log", log.as_bytes(), &secrets);
    assert_absent("the log", log.as_bytes(), &[&token]);
    for private in ["Kein-Betreff-im-Log", "Kein-Text-im-Log", "Bearer ey"] {
        assert!(!log.contains(private), "the log holds {private}");
    }
    assert_absent("the database", &database.bytes().await, &secrets);
}
