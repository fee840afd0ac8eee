//! The OpenAPI document: kept in `docs/`, and held to what is answered.

use std::path::Path;

use transports::http::openapi::document_json;

#[test]
fn the_document_in_docs_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let document = document_json();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &document).expect("docs can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == document, "docs/openapi.json is stale: run `UPDATE_DOCS=1 cargo test openapi`");
}

#[test]
fn every_status_of_the_contract_is_declared() {
    let document: serde_json::Value = serde_json::from_str(&document_json()).expect("JSON");
    let config = &document["paths"]["/api/v1/transports/email-config"];
    let actions =
        |name: &str| &document["paths"][format!("/api/v1/transports/email-config/actions/{name}")]["post"];
    let cases = [
        (&config["get"], vec!["200", "401", "403", "429", "500", "503"]),
        (&config["put"], vec!["200", "204", "400", "401", "403", "412", "413", "415", "429", "500", "503"]),
        (&config["patch"], vec!["204", "400", "401", "403", "412", "413", "415", "429", "500", "503"]),
        (&config["delete"], vec!["204", "401", "403", "404", "412", "429", "500", "503"]),
        (
            &document["paths"]["/api/v1/transports/email-config/audit"]["get"],
            vec!["200", "400", "401", "403", "429", "500", "503"],
        ),
        (actions("validate"), vec!["200", "401", "429", "500", "503"]),
        (actions("verify-connection"), vec!["200", "401", "404", "429", "500", "503"]),
        (
            &document["paths"]["/api/v1/transports/emails"]["post"],
            vec!["200", "202", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"],
        ),
        (
            &document["paths"]["/api/v1/transports/events"]["get"],
            vec!["200", "401", "403", "422", "429", "500", "503"],
        ),
        (
            actions("send-test-email"),
            vec!["200", "400", "401", "403", "404", "413", "415", "429", "500", "503"],
        ),
    ];
    for (operation, expected) in cases {
        let declared: Vec<&String> = operation["responses"].as_object().expect("responses").keys().collect();
        assert_eq!(declared, expected, "{}", operation["operationId"]);
    }
}

#[test]
fn every_operation_has_a_summary_of_one_line_and_a_description() {
    let document: serde_json::Value = serde_json::from_str(&document_json()).expect("JSON");
    for path in document["paths"].as_object().expect("paths").values() {
        for operation in path.as_object().expect("operations").values() {
            let (summary, description) = (operation["summary"].as_str(), operation["description"].as_str());
            let name = &operation["operationId"];
            assert!(
                summary.is_some_and(|summary| summary.ends_with('.') && !summary.contains('\n')),
                "{name}"
            );
            assert!(description.is_some_and(|description| description.ends_with('.')), "{name}");
        }
    }
}

/// Generators make a call of each media type, and check nothing that needs no credentials.
#[test]
fn each_body_has_one_media_type_and_the_csrf_token_needs_the_session() {
    let document: serde_json::Value = serde_json::from_str(&document_json()).expect("JSON");
    for path in document["paths"].as_object().expect("paths").values() {
        for operation in path.as_object().expect("operations").values() {
            let content = operation["requestBody"]["content"].as_object();
            assert!(content.is_none_or(|content| content.len() == 1), "{}", operation["operationId"]);
        }
    }
    let scheme = document["paths"]["/api/v1/csrf-token"]["get"]["security"][0].as_object().expect("a scheme");
    let name = scheme.keys().next().expect("not anonymous");
    assert_eq!(document["components"]["securitySchemes"][name]["in"], "cookie");
    assert_eq!(document["servers"][0]["url"], "/");
}
