//! AUTH with a server that follows the protocol.

use super::*;

#[tokio::test]
async fn each_mechanism_signs_in_as_the_server_offers_it() {
    for (offer, expected) in [
        ("AUTH PLAIN LOGIN XOAUTH2", "PLAIN"),
        ("AUTH LOGIN PLAIN", "PLAIN"),
        ("AUTH LOGIN", "LOGIN"),
        ("AUTH=LOGIN", "LOGIN"),
    ] {
        let server = SmtpServer::start(Script::starttls().without("AUTH").with(offer)).await;
        let mut log = Transcript::default();
        let caller = Caller::new(Security::StartTls);
        let mut session = caller.open(&server, &mut log).await.unwrap();
        let reply = caller.sign_in(&mut session, &mut log).await.unwrap();
        assert_eq!((reply.code, reply.enhanced), (235, Some(EnhancedCode(2, 7, 0))), "{offer}");
        let attempt = SignIn {
            mechanism: expected.to_owned(),
            username: USER.to_owned(),
            secret: good_password().to_owned(),
            tls: true,
        };
        assert_eq!(server.sign_ins(), [attempt], "{offer}");
    }
}

/// Security case C8.
#[tokio::test]
async fn long_and_strange_passwords_arrive_as_they_are() {
    for password in ["pässwörd ☂", " leading and trailing ", "a\r\nQUIT\r\n", &"x".repeat(10_240)] {
        for offer in ["AUTH PLAIN", "AUTH LOGIN"] {
            let script = Script::starttls().with(offer).account(USER, password);
            let server = SmtpServer::start(script).await;
            let mut log = Transcript::default();
            let caller = Caller::new(Security::StartTls).password(password);
            let mut session = caller.open(&server, &mut log).await.unwrap();
            caller.sign_in(&mut session, &mut log).await.unwrap();
            assert_eq!(server.sign_ins()[0].secret, password, "{offer}");
            assert!(server.lines().iter().all(|line| line.len() <= 510), "a command is at most 512 octets");
        }
    }
}

#[tokio::test]
async fn a_good_token_signs_in() {
    for token in [good_token(), &"long".repeat(500)] {
        let mut script = Script::starttls();
        script.token = Some(token.to_owned());
        let server = SmtpServer::start(script).await;
        let mut log = Transcript::default();
        let mut session = Caller::new(Security::StartTls).open(&server, &mut log).await.unwrap();
        let reply = sign_in_with_token(&mut session, token, &mut log).await.unwrap();
        assert_eq!(reply.code, 235);
        assert_eq!(server.sign_ins()[0].secret, token);
        assert_eq!(server.sign_ins()[0].username, USER);
    }
}

/// Security case J7.
#[tokio::test]
async fn a_refused_token_tells_the_challenge_and_the_reply_behind_it() {
    let server = SmtpServer::start(Script::starttls()).await;
    let mut log = Transcript::default();
    let mut session = Caller::new(Security::StartTls).open(&server, &mut log).await.unwrap();
    let error = sign_in_with_token(&mut session, "an old token", &mut log).await.unwrap_err();
    let challenge = r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#.to_owned();
    assert_eq!(error.kind, ErrorKind::OAuthRefused { challenge });
    assert_eq!(error.reply.unwrap().to_string(), "535 5.7.8 token refused");
    assert_eq!(lines(&log).last().unwrap(), "auth: AUTH XOAUTH2 <hidden>: 535 5.7.8 token refused");
    sign_in_with_good_token(&mut session, &mut log).await.expect("the session is in step");
    session.quit().await;
    server.ended().await;
    assert_eq!(server.verbs().last().unwrap(), "QUIT");
}

#[tokio::test]
async fn a_refused_token_without_a_challenge_is_a_plain_refusal() {
    let server = SmtpServer::start(Script::starttls().on(At::Auth, "535 5.7.3 no")).await;
    let mut log = Transcript::default();
    let mut session = Caller::new(Security::StartTls).open(&server, &mut log).await.unwrap();
    let error = sign_in_with_good_token(&mut session, &mut log).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert_eq!(error.reply.unwrap().enhanced, Some(EnhancedCode(5, 7, 3)));
}

#[tokio::test]
async fn a_password_is_not_tried_where_nothing_fits() {
    for (offer, kind) in [
        (None, ErrorKind::AuthNotOffered { encrypted: true }),
        (
            Some("AUTH XOAUTH2 CRAM-MD5"),
            ErrorKind::NoCommonMechanism { offered: vec!["XOAUTH2".to_owned(), "CRAM-MD5".to_owned()] },
        ),
    ] {
        let mut script = Script::starttls().without("AUTH");
        if let Some(offer) = offer {
            script = script.with(offer);
        }
        let server = SmtpServer::start(script).await;
        let error =
            Caller::new(Security::StartTls).verify(&server, &mut Transcript::default()).await.unwrap_err();
        assert_eq!((error.stage, error.kind), (Stage::Auth, kind));
        assert_eq!(error.command, Some("AUTH"));
        server.ended().await;
        assert_eq!(server.verbs(), ["EHLO", "STARTTLS", "EHLO", "QUIT"]);
    }
}

/// Security case B13.
#[tokio::test]
async fn a_password_in_the_clear_goes_only_where_the_operator_opened_the_address() {
    for (opened_by_operator, verbs) in
        [(false, vec!["EHLO", "QUIT"]), (true, vec!["EHLO", "AUTH", "MAIL", "RSET", "QUIT"])]
    {
        let server = SmtpServer::start(Script::plain()).await;
        let caller = Caller { opened_by_operator, ..Caller::new(Security::None) };
        let verified = caller.verify(&server, &mut Transcript::default()).await;
        match verified {
            Ok(_) => assert!(opened_by_operator),
            Err(error) => assert_eq!((error.stage, error.kind), (Stage::Auth, ErrorKind::ClearTextSignIn)),
        }
        server.ended().await;
        assert_eq!(server.verbs(), verbs);
    }
}

#[tokio::test]
async fn auth_missing_in_the_clear_says_so() {
    let server = SmtpServer::start(Script::plain().without("AUTH").with("STARTTLS")).await;
    let error = Caller::new(Security::None).verify(&server, &mut Transcript::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AuthNotOffered { encrypted: false });
    assert!(error.capabilities.unwrap().starttls, "what is offered instead is known");
}
