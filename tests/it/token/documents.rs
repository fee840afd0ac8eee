//! The pages on tokens: their settings can be served with, and their lines make tokens that are accepted.

use std::process::Command;

use transports::auth::token::{Principal, Verifier};
use transports::clock::Clock;
use transports::config::Config;
use transports::secret::Secret;

use crate::support::tokens::{clock, hs256_text};

const PAGES: [&str; 3] = ["docs/tokens.md", "docs/keycloak.md", "docs/entra-id.md"];
const SHARED_SECRET: &str = "a shared secret of 32 bytes or \"more\" $'";

fn read(page: &str) -> String {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of code in this language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = read(page);
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).map(|rest| rest.split_once("```").expect("an end").0.to_owned()).collect()
}

/// Runs `config check`, as an operator would with a key beside these settings.
#[test]
fn the_settings_of_each_page_pass_the_check() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("transports.toml");
    for (page, at_least) in PAGES.into_iter().zip([3, 1, 2]) {
        let settings = blocks(page, "toml");
        assert!(settings.len() >= at_least, "{page}: {}", settings.len());
        for block in settings {
            std::fs::write(&file, &block).expect("a file");
            let checked = Command::new(env!("CARGO_BIN_EXE_transports"))
                .args(["config", "check"])
                .env_clear()
                .env("TRANSPORTS_ENCRYPTION__KEYS", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
                .current_dir(folder.path())
                .output()
                .expect("the binary is built");
            let told = String::from_utf8_lossy(&checked.stderr).into_owned();
            assert!(checked.status.success(), "{page}:\n{block}\n{told}");
            assert_eq!(told, "configuration is valid\n", "{page}:\n{block}");
        }
    }
}

/// The settings of the block that names a shared secret, with [`SHARED_SECRET`].
fn own_settings() -> Config {
    let nothing: [(String, String); 0] = [];
    let block = blocks("docs/tokens.md", "toml").into_iter().find(|block| block.contains("hs256_secret"));
    let mut config =
        Config::from_sources(Some(("page.toml", &block.expect("a block"))), nothing).expect("settings");
    config.auth.hs256_secret = Some(Secret::new(SHARED_SECRET.to_owned()));
    config
}

#[tokio::test]
async fn the_example_with_every_claim_is_accepted() {
    let claims = blocks("docs/tokens.md", "json").remove(0);
    let mut auth = own_settings().auth;
    let example: serde_json::Value = serde_json::from_str(&claims).expect("JSON");
    auth.issuer = example["iss"].as_str().map(str::to_owned);
    let token = hs256_text(SHARED_SECRET.as_bytes(), r#"{"alg":"HS256","typ":"at+jwt"}"#, &claims);
    let principal = Verifier::with_source(&auth, clock(), None).unwrap().verify(&token).await.unwrap();
    let Principal::User(caller) = principal else { panic!("a tenant's token") };
    assert_eq!(
        (caller.tenant.as_str(), caller.is_admin, caller.name.as_deref()),
        ("acme", true, Some("Anna Müller"))
    );
    // Every claim that the example has is described, with the setting that names it.
    let page = read("docs/tokens.md");
    for claim in example.as_object().expect("claims").keys() {
        assert!(
            page.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{claim}`"))),
            "{claim}"
        );
    }
}

/// Each where its program is installed.
#[tokio::test]
async fn the_lines_that_sign_a_token_make_one_that_is_accepted() {
    let shell = blocks("docs/tokens.md", "sh").into_iter().find(|block| block.contains("openssl dgst"));
    let node = blocks("docs/tokens.md", "js").into_iter().find(|block| block.contains("createHmac"));
    let python = blocks("docs/tokens.md", "python").into_iter().next();
    let verifier = Verifier::with_source(&own_settings().auth, Clock::System, None).unwrap();
    for (program, option, lines) in [("sh", "-euc", shell), ("node", "-e", node), ("python3", "-c", python)] {
        let lines = lines.unwrap_or_else(|| panic!("lines for {program}"));
        assert!(lines.lines().count() <= 11, "{program}: {} lines", lines.lines().count());
        let ran = Command::new(program).args([option, &lines]).env("SECRET", SHARED_SECRET).output();
        let Ok(ran) = ran else { continue };
        let told = String::from_utf8_lossy(&ran.stderr);
        if told.contains("not found") {
            continue;
        }
        assert!(ran.status.success(), "{program}: {told}");
        let token = String::from_utf8(ran.stdout).expect("text");
        let principal = verifier.verify(token.trim()).await;
        let Ok(Principal::User(caller)) = principal else { panic!("{program}: {principal:?}: {token}") };
        assert_eq!(
            (caller.tenant.as_str(), caller.user.as_str(), caller.is_admin),
            ("acme", "anna", true),
            "{program}"
        );
    }
}
