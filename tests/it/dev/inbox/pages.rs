//! The pages of the inbox, and its JSON.

use axum::http::StatusCode;
use serde_json::{Value, json};
use transports::dev::mail::Envelope;

use super::*;

#[tokio::test]
async fn the_inbox_is_available_as_json() {
    let running = Running::start().await;
    running.deliver("Subject: first\r\n\r\n1").await;
    let mut peer = running.start_tls().await;
    peer.sign_in().await;
    let source = "From: =?utf-8?q?=C3=9Cbung?= <platform@example.com>\r\nTo: you@example.com\r\n\
                  Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Thu, 1 Jan 2026 01:00:00 +0100\r\n\r\n..Dots";
    peer.mail(source, "250").await;
    let response = running.get("/dev/inbox.json").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let all: Value = serde_json::from_str(&text(response).await).expect("JSON");
    assert_eq!(
        all["mails"][0],
        json!({
            "id": "2",
            "receivedAt": "2026-01-01T00:00:00.000Z",
            "from": "Übung <platform@example.com>",
            "to": ["you@example.com"],
            "subject": "Grüße",
            "date": "2026-01-01T00:00:00.000Z",
            "text": ".Dots\r\n",
            "envelope": {
                "from": "platform@example.com", "to": ["you@example.com"], "encrypted": true, "signedIn": true,
            },
            // With the last line end, without the stuffed dot.
            "size": source.len() + 2 - 1,
            "source": "/dev/inbox/2.eml",
            "attachments": [],
        })
    );
    assert_eq!(all["mails"][1]["subject"], "first");
    assert_eq!(all["mails"][1].get("date"), None);
    assert_eq!(all["mails"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_source_of_a_mail_is_unchanged() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    let response = running.get("/dev/inbox/1.eml").await;
    assert_eq!(response.headers()["content-type"], "message/rfc822");
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"1.eml\"");
    assert_eq!(text(response).await, format!("{MAIL}\r\n"));
}

#[tokio::test]
async fn a_script_in_a_mail_is_shown_escaped() {
    let running = Running::start().await;
    let script = "<script>alert(1)</script>";
    running
        .deliver(&format!(
            "From: \"{script}\" <a@b>\r\nTo: \"{script}\" <c@d>\r\nSubject: {script}\r\nX-{script}: 1\r\n\
             Content-Type: text/html\r\n\r\n{script}&lt;script&gt;"
        ))
        .await;
    let views = ["html", "text", "headers", "source"].map(|view| format!("/dev/inbox/1?view={view}"));
    for path in ["/dev/inbox", "/dev/inbox/1"].into_iter().chain(views.iter().map(String::as_str)) {
        let response = running.get(path).await;
        assert_eq!(
            response.headers()["content-security-policy"],
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let page = text(response).await;
        let own = "<script type=\"module\" src=\"/dev/inbox.js\"></script>";
        assert!(page.contains(own) && page.matches("<script").count() == 1, "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    }
}

#[tokio::test]
async fn delete_empties_the_inbox() {
    let running = Running::start().await;
    for path in ["/dev/inbox", "/dev/inbox.json"] {
        running.deliver(MAIL).await;
        let response = running.request("DELETE", path, "127.0.0.1:8080").await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert!(running.inbox.newest_first().is_empty());
    }
    assert!(text(running.get("/dev/inbox").await).await.contains("No email yet"));
    assert_eq!(text(running.get("/dev/inbox.json").await).await, r#"{"mails":[]}"#);
}

/// A mail as marketing sends it: text and HTML, an inline image, an attachment, remote images.
const NEWSLETTER: &str = "From: Acme <a@b>\r\nTo: c@d\r\nCc: e@f\r\nSubject: News\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n\
    --r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
    --a\r\nContent-Type: text/plain\r\n\r\nPlain words\r\n\
    --a\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script><p onclick=x()>Rich</p>\
    <img src=\"cid:logo@acme\"><img src=\"https://tracker.example/1.gif\">\
    <base href=\"https://evil.example/\"><form action=\"/dev/inbox\"><meta http-equiv=refresh content=\"0;/\">\r\n\
    --a--\r\n\
    --r\r\nContent-Type: image/png\r\nContent-ID: <logo@acme>\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    iVBORw0KGgo=\r\n--r--\r\n\
    --m\r\nContent-Type: text/html; name=\"page.html\"\r\n\
    Content-Disposition: attachment; filename=\"../evil \\\"page\\\".html\"\r\n\r\n<script>alert(2)</script>\r\n--m--\r\n";

#[tokio::test]
async fn the_html_of_a_mail_is_sandboxed() {
    let running = Running::start().await;
    running.deliver(NEWSLETTER).await;
    let page = text(running.get("/dev/inbox/1").await).await;
    let frame = page.split("<iframe ").nth(1).and_then(|rest| rest.split('>').next()).expect("a frame");
    assert!(frame.contains("src=\"/dev/inbox/1/html\""), "{frame}");
    assert!(frame.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), "{frame}");
    let response = running.get("/dev/inbox/1/html").await;
    assert_eq!(
        response.headers()["content-security-policy"],
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    );
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    let html = text(response).await;
    assert!(html.starts_with("<!doctype html><meta charset=\"utf-8\"><base target=\"_blank\">"), "{html}");
    assert!(html.contains("<img src=\"data:image/png;base64,iVBORw0KGgo=\">"), "{html}");
    assert!(
        html.contains("https://tracker.example/1.gif"),
        "it stands there, and the policy keeps it from loading"
    );
    running.deliver(MAIL).await;
    assert_eq!(
        running.get("/dev/inbox/2/html").await.status(),
        StatusCode::NOT_FOUND,
        "a mail of text alone"
    );
    assert!(!text(running.get("/dev/inbox/2?view=html").await).await.contains("<iframe"));
}

#[tokio::test]
async fn attachments_are_downloads() {
    let running = Running::start().await;
    running.deliver(NEWSLETTER).await;
    let all: Value = serde_json::from_str(&text(running.get("/dev/inbox.json").await).await).expect("JSON");
    let mail = &all["mails"][0];
    assert_eq!((&mail["html"], &mail["cc"]), (&json!("/dev/inbox/1/html"), &json!(["e@f"])));
    assert_eq!(
        mail["attachments"],
        json!([
            {"contentType": "image/png", "size": 8, "contentId": "logo@acme", "url": "/dev/inbox/1/attachments/0"},
            {"name": "../evil \"page\".html", "contentType": "text/html", "size": 25,
             "url": "/dev/inbox/1/attachments/1"},
        ])
    );
    let page = running.get("/dev/inbox/1/attachments/1").await;
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        (
            "content-disposition",
            "attachment; filename=\"evil _page_.html\"; filename*=UTF-8''evil%20%22page%22.html",
        ),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.headers()[name], value);
    }
    assert_eq!(text(page).await, "<script>alert(2)</script>");
    let image = running.get("/dev/inbox/1/attachments/0").await;
    assert_eq!(image.headers()["content-type"], "image/png");
    assert!(image.headers()["content-disposition"].to_str().expect("text").starts_with("attachment; "));
    for path in ["/dev/inbox/1/attachments/2", "/dev/inbox/1/attachments/-1", "/dev/inbox/2/attachments/0"] {
        assert_eq!(running.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let view = text(running.get("/dev/inbox/1?view=attachments").await).await;
    assert!(
        view.contains("href=\"/dev/inbox/1/attachments/1\" download>../evil &quot;page&quot;.html</a>"),
        "{view}"
    );
}

#[tokio::test]
async fn malformed_mails_are_shown() {
    let running = Running::start().await;
    let huge = "x".repeat(100_000);
    let many: Vec<String> = (0..5000).map(|number| format!("X-{number}: {number}\r\n")).collect();
    let nested = (0..200)
        .map(|depth| format!("--{depth}\r\nContent-Type: multipart/mixed; boundary={}\r\n\r\n", depth + 1));
    for source in [
        format!("Subject: {huge}\r\nX-{huge}: {huge}\r\n\r\n{huge}"),
        format!("{}\r\nbody", many.concat()),
        format!("Content-Type: multipart/mixed; boundary=0\r\n\r\n{}", nested.collect::<String>()),
        "Content-Type: text/html; charset=nonsense\r\n\r\n<img src=\"cid:\"><img src='cid:%'>".to_owned(),
        "Content-Type: multipart/mixed\r\n\r\nno boundary".to_owned(),
        "\0\u{1}\u{2}".to_owned(),
    ] {
        // Not all of them pass the SMTP server; the fake Graph takes anything.
        let id = running.inbox.add(NOW, Envelope::default(), source.into_bytes());
        for path in ["", "?view=html", "?view=text", "?view=headers", "?view=attachments", "?view=source"] {
            let response = running.get(&format!("/dev/inbox/{id}{path}")).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert!(text(response).await.ends_with("</html>\n"), "{path}");
        }
        assert_eq!(running.get("/dev/inbox").await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_search_covers_headers_text_and_attachment_names() {
    let running = Running::start().await;
    running.deliver(NEWSLETTER).await;
    running.deliver("From: Grace <g@h>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nAnother body").await;
    for (words, ids) in [
        ("", &["2", "1"][..]),
        ("gr%C3%9C%C3%9FE", &["2"]),
        ("another", &["2"]),
        ("+plain+words+", &["1"]),
        ("e%40f", &["1"]),
        ("evil", &["1"]),
        ("acme", &["1"]),
        ("nothing%20of%20that", &[]),
    ] {
        let found = text(running.get(&format!("/dev/inbox.json?q={words}")).await).await;
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let found: Vec<&str> = found["mails"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|mail| mail["id"].as_str())
            .collect();
        assert_eq!(found, ids, "{words}");
        let page = text(running.get(&format!("/dev/inbox?q={words}")).await).await;
        assert_eq!(page.matches("<li><a ").count(), ids.len(), "{words}");
    }
    let hostile = text(running.get("/dev/inbox?q=%22%3E%3Cscript%3E").await).await;
    assert!(hostile.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{hostile}");
    assert!(hostile.contains("No matching email."), "{hostile}");
}

#[tokio::test]
async fn delete_removes_one_mail() {
    let running = Running::start().await;
    for _ in 0..3 {
        running.deliver(MAIL).await;
    }
    assert_eq!(running.request("DELETE", "/dev/inbox/2", "localhost").await.status(), StatusCode::NO_CONTENT);
    for path in ["/dev/inbox/2", "/dev/inbox/nonsense", "/dev/inbox/1.eml"] {
        assert_eq!(
            running.request("DELETE", path, "localhost").await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let left: Vec<u64> = running.inbox.newest_first().iter().map(|mail| mail.id).collect();
    assert_eq!(left, [3, 1]);
}

#[tokio::test]
async fn a_page_receives_every_change_until_the_inbox_closes() {
    let running = Running::start().await;
    let response = running.get("/dev/inbox/events").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await?.expect("nothing breaks");
        Some(String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text"))
    };
    assert_eq!(next().await.as_deref(), Some("event: change\ndata: 0\n\n"), "one at once");
    running.deliver(MAIL).await;
    assert_eq!(next().await.as_deref(), Some("event: change\ndata: 1\n\n"));
    running.inbox.remove(1);
    assert_eq!(next().await.as_deref(), Some("event: change\ndata: 2\n\n"));
    running.inbox.close();
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_405() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    for (method, path, status) in [
        ("GET", "/dev/inbox/1", 200),
        ("GET", "/dev/inbox.css", 200),
        ("GET", "/dev/inbox.js", 200),
        ("GET", "/dev/inbox/2", 404),
        ("GET", "/dev/inbox/2.eml", 404),
        ("GET", "/dev/inbox/-1", 404),
        ("GET", "/dev/inbox/1.html", 404),
        ("GET", "/dev/inbox/..%2f1", 404),
        ("POST", "/dev/inbox", 405),
        ("PUT", "/dev/inbox/1", 405),
    ] {
        let response = running.request(method, path, "localhost").await;
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn requests_for_another_host_are_refused() {
    let running = Running::start().await;
    running.deliver(MAIL).await;
    running.deliver(NEWSLETTER).await;
    for path in [
        "/dev/inbox",
        "/dev/inbox.json",
        "/dev/inbox/1",
        "/dev/inbox/1.eml",
        "/dev/inbox/2/html",
        "/dev/inbox/2/attachments/0",
        "/dev/inbox/events",
    ] {
        for method in ["GET", "DELETE"] {
            let response = running.request(method, path, "evil.example:8080").await;
            assert!(response.status().is_client_error(), "{method} {path}");
            assert!(!text(response).await.contains("Hello"), "{method} {path}");
        }
        assert_eq!(running.request("GET", path, "[::1]:8080").await.status(), StatusCode::OK);
    }
    assert_eq!(running.inbox.newest_first().len(), 2, "nothing was emptied");
}
