//! What comes out, at the most talkative log level: no secret, in no form.
//!
//! Every test looks for the secrets that it uses, see `support/leaks.rs`. Here the search itself is tried, and one
//! secret goes through everything that there is, of the real binary.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::{CONFIG, SEND_TEST, VALIDATE, VERIFY};
use crate::support::database::{Database, Engine};
use crate::support::leaks::{self, MARK, canary};
use crate::support::process::{Process, variables};
use crate::support::smtp_server::{At, Script, SmtpServer, USER};

/// Security case I1.
#[test]
fn a_leaked_secret_is_found_in_every_encoding() {
    let secret = canary("Passwort ");
    let bytes = secret.as_bytes();
    let hex = format!("{bytes:02x?}").replace(['[', ']', ',', ' '], "");
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> { secret.encode_utf16().flat_map(order).collect() };
    let mut forms: Vec<Vec<u8>> = vec![
        format!("AUTH PLAIN {secret}\r\n").into_bytes(),
        format!("{secret:?}").into_bytes(),
        format!("{:?}", Some(format!("{secret:?}"))).into_bytes(),
        format!("{bytes:?}").into_bytes(),
        format!("{bytes:02x?}").into_bytes(),
        json!({ "a": secret }).to_string().into_bytes(),
        json!({ "a": json!({ "b": secret }).to_string() }).to_string().into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        secret.replace('"', "%22").replace('/', "%2F").replace(' ', "+").into_bytes(),
        secret.replace('"', "%22").replace('/', "%2f").replace(' ', "%20").into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    for before in ["", "a", "ab", "abc", "\0ada@example.com\0"] {
        for behind in ["", "z", "zz"] {
            let text = format!("{before}{secret}{behind}");
            forms.push(URL_SAFE_NO_PAD.encode(json!({ before: &text }).to_string()).into_bytes());
            forms.extend(
                [STANDARD.encode(&text), URL_SAFE.encode(&text), URL_SAFE_NO_PAD.encode(&text)]
                    .map(String::into_bytes),
            );
        }
    }
    for form in forms {
        assert!(leaks::find(&form).is_some(), "{}", String::from_utf8_lossy(&form));
    }
    for harmless in ["", "Kanarienvogel", "***", &STANDARD.encode("Kanarienvogel/7f3a")] {
        assert_eq!(leaks::find(harmless.as_bytes()), None, "{harmless}");
    }
}

/// Security case I1.
#[test]
fn each_test_has_secrets_of_its_own() {
    let here = (canary("a "), canary("b "));
    assert_eq!(here, (canary("a "), canary("b ")));
    let other = std::thread::Builder::new().name("another test".to_owned()).spawn(|| canary("a "));
    let other = other.expect("a thread").join().expect("a secret");
    assert!(here.0 != here.1 && here.0 != other && other.contains(MARK));
}

/// Security case I1.
#[tokio::test]
async fn the_logs_of_tests_are_searched_for_secrets() {
    let app = TestApp::start().await;
    let before = leaks::lines();
    app.admin("acme").patch(&json!({"emailPassword": canary("logged? ")})).await.expect(204);
    assert!(leaks::lines() > before);
    for token in [app.admin("acme").token, app.member("acme").token] {
        assert!(leaks::find(token.expect("a token").as_bytes()).is_some(), "a token would be found too");
    }
}

/// Security case I1.
#[tokio::test]
async fn a_canary_secret_leaks_nowhere() {
    let database = Database::create(Engine::chosen()).await;
    let settings = variables(&database);
    let secret = canary("");
    let server = SmtpServer::start(Script::starttls().account(USER, secret)).await;
    let process = Process::serve(&settings);
    let admin = process.admin("acme", &settings);
    let token = admin.token.clone().expect("a token");
    let account = json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS", "username": USER,
        "emailPassword": secret, "emailAddress": "ada@example.com",
    });
    let mut answers = Vec::new();
    answers.push(admin.put(&account).await.expect(204));
    answers.push(admin.patch(&account).await.expect(204));
    answers.push(admin.get(CONFIG).await.expect(200));
    answers.push(admin.post(VALIDATE).await.expect(200));
    answers.push(admin.post(VERIFY).await.expect(200));
    let mail =
        json!({"recipient": "bob@example.org", "subject": "Kein-Betreff-im-Log", "body": "Kein-Text-im-Log"});
    answers.push(admin.json("POST", SEND_TEST, &mail).await.expect(200));
    let echo = format!("535 5.7.8 {secret} and {} are wrong", STANDARD.encode(secret));
    for at in [At::Auth, At::Mail] {
        server.play(Script::starttls().account(USER, secret).on(at, echo.as_str()));
        answers.push(admin.post(VERIFY).await.expect(200));
        answers.push(admin.put(&account).await);
    }
    // Requests that are refused with the secret in them.
    for body in [
        format!("[{{\"op\":\"replace\",\"path\":\"/emailPassword\",\"value\":\"{secret}"),
        json!([{"op": "test", "path": "/emailPassword", "value": secret}]).to_string(),
        json!([{"op": "replace", "path": "/emailPassword", "value": format!("{secret}\r\n")}]).to_string(),
        json!([{"op": "replace", "path": "/serverPort", "value": secret}]).to_string(),
        json!({"emailPassword": secret}).to_string(),
    ] {
        let answer =
            admin.send("PATCH", CONFIG, &[("content-type", "application/json")], body.into_bytes()).await;
        answers.push(answer.expect(400));
    }
    answers.push(admin.get(&format!("{CONFIG}?emailPassword={}", "Kanarien%22vogel%2F7f3a")).await);
    answers.push(admin.get("/metrics").await.expect(200));
    answers.push(admin.get("/openapi.json").await.expect(200));
    answers.push(admin.patch(&json!({"emailPassword": canary("another one ")})).await.expect(204));
    answers.push(admin.delete().await.expect(204));
    assert!(server.sign_ins().iter().any(|sign_in| sign_in.secret == secret), "the canary was used");

    // The answers were looked through by the client that read them.
    assert_eq!(answers.len(), 20);
    leaks::assert_absent("the database while it runs", &database.bytes().await);
    let (code, log) = process.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("TRACE") && log.contains("transports"), "the log is at its most talkative");
    leaks::assert_absent("the log", log.as_bytes());
    for private in ["Kein-Betreff-im-Log", "Kein-Text-im-Log", "Bearer ey", token.as_str()] {
        assert!(!log.contains(private), "the log holds {private}");
    }
    leaks::assert_absent("the database", &database.bytes().await);
}
