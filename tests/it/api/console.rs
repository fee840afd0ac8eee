//! What is served under `/console/`: to whom, with which headers, and for how long it may be kept.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::openid_provider::OpenIdProvider;

const PAGE: &str = "/console/";
const ELEMENT: &str = "/console/email-transport-settings.js";
const STRANGER: (&str, &str) = ("origin", "https://stranger.example");

/// The address of a file of this version.
async fn asset(app: &TestApp, path: &str) -> String {
    let page = app.anybody().get(PAGE).await.expect(200);
    let page = String::from_utf8(page.body.to_vec()).expect("text");
    let (_, rest) = page.split_once("/console/assets/").expect("files are named");
    let (version, _) = rest.split_once('/').expect("a folder");
    format!("/console/assets/{version}/{path}")
}

#[tokio::test]
async fn the_page_runs_only_own_scripts_and_cannot_be_framed() {
    let app = TestApp::start().await;
    let page = app.anybody().get(PAGE).await.expect(200);
    let policy = page.header("content-security-policy").expect("a policy");
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|found| found == directive), "{directive}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(page.header("access-control-allow-origin"), None);
    assert_eq!(app.anybody().get("/console").await.expect(308).header("location"), Some(PAGE));
}

#[tokio::test]
async fn the_page_has_the_name_that_the_operator_gave() {
    let text = async |app: &TestApp| {
        String::from_utf8(app.anybody().get(PAGE).await.expect(200).body.to_vec()).expect("text")
    };
    let app = TestApp::start().await;
    assert!(text(&app).await.contains("<title>Email transport</title>"));
    let app = TestApp::with(|config| config.console.title = "Mail & <More>".to_owned()).await;
    let page = text(&app).await;
    assert_eq!(page.matches("Mail &amp; &lt;More&gt;<").count(), 2, "in the title and the header: {page}");
    assert!(!page.contains("Email transport"), "{page}");
}

/// A person who types the host sees what this is; programs get what they got.
#[tokio::test]
async fn the_root_leads_to_the_console_or_says_what_this_is() {
    let app = TestApp::start().await;
    let front = app.anybody().get("/").await.expect(200);
    assert_eq!(front.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = front.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    let text = String::from_utf8(front.body.to_vec()).expect("text");
    for part in ["email transport service", "console.oidc_issuer", "/openapi.json", "/console/"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains(env!("CARGO_PKG_VERSION")), "a stranger learns no version: {text}");
    for path in ["/nothing", "/console/nothing", "/api/v1/transports", "/index.html"] {
        assert_eq!(app.anybody().get(path).await.expect(404).error().0, "HTTP-404", "{path}");
    }
    let provider = OpenIdProvider::start().await;
    let app = TestApp::with(|config| provider.configure(config, "http://localhost:8080")).await;
    assert_eq!(app.anybody().get("/").await.expect(302).header("location"), Some(PAGE));
    app.anybody().get("/nothing").await.expect(404);
}

#[tokio::test]
async fn the_modules_are_open_to_every_origin_and_cached_for_ever() {
    let app = TestApp::with(|config| config.server.cors_origins = vec![STRANGER.1.to_owned()]).await;
    let module = asset(&app, "element/element.js").await;
    for (path, cache) in [(ELEMENT, "no-cache"), (&module, "public, max-age=31536000, immutable")] {
        let answer = app.anybody().send("GET", path, &[STRANGER], Vec::new()).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"), "{path}");
        assert_eq!(answer.header("cache-control"), Some(cache), "{path}");
        let allowed: Vec<_> = answer.headers.get_all("access-control-allow-origin").iter().collect();
        assert_eq!(allowed, ["*"], "{path}: once, also where the operator names origins");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        let tag = answer.header("etag").expect("a tag").to_owned();
        let again = [("if-none-match", tag.as_str())];
        let unchanged = app.anybody().send("GET", path, &again, Vec::new()).await.expect(304);
        assert!(unchanged.body.is_empty());
        assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
    }
}

#[tokio::test]
async fn compressed_files_are_equal_and_smaller() {
    let app = TestApp::start().await;
    let module = asset(&app, "vendor/lit-html/lit-html.js").await;
    let plain = app.anybody().get(&module).await.expect(200);
    assert_eq!(plain.header("content-encoding"), None);
    let gzip = [("accept-encoding", "br, gzip")];
    let compressed = app.anybody().send("GET", &module, &gzip, Vec::new()).await.expect(200);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert!(compressed.body.len() < plain.body.len() / 2);
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&compressed.body[..]), &mut text)
        .expect("gzip");
    assert_eq!(text, plain.body);
}

#[tokio::test]
async fn unknown_files_are_404_and_paths_stay_in_the_folder() {
    let app = TestApp::start().await;
    let module = asset(&app, "element/element.js").await;
    let other = module.replace("/assets/", "/assets/0");
    for path in [
        other.as_str(),
        "/console/nothing",
        &module.replace("element.js", "nothing.js"),
        &module.replace("element/element.js", "../Cargo.toml"),
        &module.replace("element/element.js", "%2e%2e/Cargo.toml"),
        &module.replace("element/element.js", "console/index.html"),
    ] {
        assert_eq!(app.anybody().get(path).await.expect(404).error().0, "HTTP-404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        app.anybody().send(method, PAGE, &[], Vec::new()).await.expect(405);
    }
    let head = app.anybody().send("HEAD", &module, &[], Vec::new()).await.expect(200);
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn without_sign_in_the_session_answers_only_its_own_origin() {
    let app = TestApp::with(|config| config.server.cors_origins = vec![STRANGER.1.to_owned()]).await;
    let session = app.anybody().send("GET", "/console/session", &[STRANGER], Vec::new()).await.expect(200);
    assert_eq!(session.json(), json!({"mode": "none"}));
    assert_eq!(session.header("cache-control"), Some("no-store"));
    assert_eq!(session.header("access-control-allow-origin"), None, "also where the operator names origins");
}
