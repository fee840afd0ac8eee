//! The sessions of an account between mails.

use serde_json::json;

use super::{EMAILS, Post, account, status, to};
use crate::support::app::TestApp;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Act, At, Script, SmtpServer};

/// One connection for mail, and one that checks keep.
async fn one_connection(script: Script) -> Post {
    Post::with(script, |config| config.egress.max_connections_per_tenant = 2).await
}

fn connections(server: &SmtpServer) -> usize {
    server.seen().iter().filter(|seen| !seen.mails.is_empty()).count()
}

/// A server that ends the session, or has no time for it, at the next MAIL: another one takes the mail, and no attempt
/// is counted.
#[tokio::test]
async fn a_session_that_is_gone_at_mail_is_replaced_without_an_attempt() {
    for end in [
        vec![Act::Usual, Act::Close],
        vec![Act::Usual, Act::Send(b"421 4.4.2 idle\r\n".to_vec()), Act::Close],
    ] {
        for script in [Script::starttls(), Script::starttls().with("CHUNKING")] {
            let post = one_connection(script.on(At::Message, end.clone())).await;
            for number in 0..3 {
                let email = post.send(&to(&[&format!("r{number}@example.net")])).await;
                let recipient = &email["recipients"][0];
                assert_eq!(
                    (status(&email), &recipient["attempts"]),
                    ("accepted", &json!(1)),
                    "{end:?}: {email}"
                );
            }
            assert_eq!((post.server.mails().len(), connections(&post.server)), (3, 3), "{end:?}");
        }
    }
}

/// RSET after a refused transaction, on the same session.
#[tokio::test]
async fn a_broken_transaction_is_reset_and_the_session_goes_on() {
    for script in
        [Script::starttls(), Script::starttls().with("CHUNKING"), Script::starttls().without("PIPELINING")]
    {
        let post = one_connection(script.on(At::RcptTo("no@example.net"), "550 5.1.1 no such user")).await;
        let sessions = post.server.connections();
        for (recipient, expected) in [("no@example.net", "failed"), ("yes@example.net", "accepted")] {
            assert_eq!(status(&post.send(&to(&[recipient])).await), expected);
        }
        assert_eq!(post.server.connections() - sessions, 1, "one session for both");
        let last = post.server.last().commands;
        let verbs: Vec<_> = last.iter().map(crate::support::smtp_server::Command::verb).collect();
        let of_mail =
            verbs.iter().skip_while(|verb| *verb != "MAIL").filter(|verb| *verb == "RSET" || *verb == "MAIL");
        assert_eq!(of_mail.collect::<Vec<_>>(), ["MAIL", "RSET", "MAIL"], "{verbs:?}");
    }
}

/// A session takes so many mails and no more.
#[tokio::test]
async fn a_session_ends_after_a_hundred_mails() {
    let post =
        Post::with(Script::starttls().with("CHUNKING"), |config| config.delivery.enabled = false).await;
    for _ in 0..2 {
        let mails: Vec<_> = (0..60).map(|_| to(&["bob@example.net"])).collect();
        post.admin().json("POST", &format!("{EMAILS}/batch"), &json!(mails)).await.expect(202);
    }
    let Post { app, server, .. } = post;
    let database = app.stop().await;
    let app = TestApp::with_database(database, |config| {
        config.delivery.enabled = true;
        config.egress.max_connections_per_tenant = 2;
    })
    .await;
    app.names.set("localhost", &["127.0.0.1"]);
    let post = Post::over(app, server);
    crate::support::eventually::eventually("all is sent", async || {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        post.server.mails().len() == 120
    })
    .await;
    let counts: Vec<_> =
        post.server.seen().iter().map(|seen| seen.mails.len()).filter(|mails| *mails > 0).collect();
    assert_eq!(counts, [100, 20]);
    let flights: Vec<_> = post
        .server
        .seen()
        .iter()
        .filter(|seen| !seen.mails.is_empty())
        .map(|seen| (seen.flights, seen.mails.len()))
        .collect();
    for (flights, mails) in flights {
        // EHLO, STARTTLS, EHLO and AUTH come first.
        assert!(flights - 4 <= mails * 11 / 10, "{flights} flights for {mails} mails");
    }
}

/// A changed configuration ends the session before the next mail.
#[tokio::test]
async fn a_changed_configuration_ends_the_session() {
    let post = one_connection(Script::starttls()).await;
    post.send(&to(&["bob@example.net"])).await;
    let mut changed = account(&post.server);
    changed["senderName"] = json!("Another name");
    post.admin().put(&changed).await.expect(204);
    post.send(&to(&["bob@example.net"])).await;
    assert_eq!(connections(&post.server), 2);
}

/// A session without a mail is kept for 15 seconds of the service's clock.
#[tokio::test]
async fn an_idle_session_takes_the_next_mail_for_fifteen_seconds() {
    let post = Post::with(Script::starttls(), |config| {
        config.delivery.lease_seconds = 300;
        // A mail that comes before the session is idle again opens no second one.
        config.egress.max_connections_per_tenant = 2;
    })
    .await;
    let sessions = post.server.connections();
    let quits = || post.server.verbs().iter().filter(|verb| *verb == "QUIT").count();
    let of_checks = quits();
    for number in 0..3 {
        post.send(&to(&[&format!("r{number}@example.net")])).await;
        assert_eq!((post.server.connections() - sessions, quits()), (1, of_checks), "one session for all");
        post.pass_seconds(14);
    }
    post.pass_seconds(2);
    eventually("the session ends", async || quits() > of_checks).await;
    post.send(&to(&["bob@example.net"])).await;
    assert_eq!(post.server.connections() - sessions, 2);
}
