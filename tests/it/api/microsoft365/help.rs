//! Help for administrators: setup, known services and advice.

use super::*;

const SETUP: &str = "/api/v1/transports/email-config/microsoft365-setup";

#[tokio::test]
async fn the_setup_help_works_before_and_after_something_is_stored() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let empty = admin.get(SETUP).await.expect(200).json();
    assert!(empty["adminConsentLink"].as_str().expect("a link").contains("CLIENT-ID"));
    let query = "clientId=11111111-2222-3333-4444-555555555555&providerTenantId=contoso.example&emailAddress=news%40contoso.example";
    let given = admin.get(&format!("{SETUP}?{query}")).await.expect(200).json();
    let ids: Vec<&Value> = given["ways"].as_array().expect("ways").iter().map(|way| &way["id"]).collect();
    assert_eq!(ids, [&json!("mailbox"), &json!("organisation"), &json!("smtp")]);
    let text = given.to_string();
    for part in
        ["11111111-2222-3333-4444-555555555555", "news@contoso.example", "New-ManagementRoleAssignment"]
    {
        assert!(text.contains(part), "{part}");
    }
    put(&admin, &microsoft.provider_config()).await.expect(204);
    let stored = admin.get(SETUP).await.expect(200).json();
    assert_eq!(stored["clientId"], json!(microsoft.registration.client_id));
    assert!(!stored.to_string().contains(&microsoft.registration.client_secret));
    let mixed = admin.get(&format!("{SETUP}?emailAddress=else%40contoso.example")).await.expect(200).json();
    assert_eq!(
        (&mixed["clientId"], &mixed["emailAddress"]),
        (&json!(microsoft.registration.client_id), &json!("else@contoso.example"))
    );
    for wrong in [
        "providerTenantId=common",
        "emailAddress=x",
        "clientId=a%2Fb",
        "colour=red",
        "clientId=a&clientId=b",
        "clientId=%ff",
    ] {
        admin.get(&format!("{SETUP}?{wrong}")).await.expect(400).error();
    }
}

#[tokio::test]
async fn known_services_can_be_listed_by_any_user() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let body = app.member("acme").get("/api/v1/transports/providers").await.expect(200).json();
    let providers = body["providers"].as_array().expect("providers");
    let ids: Vec<&str> = providers.iter().map(|provider| provider["id"].as_str().expect("an id")).collect();
    for id in [
        "microsoft365",
        "google-workspace",
        "amazon-ses",
        "sendgrid",
        "mailgun",
        "postmark",
        "brevo",
        "mailjet",
        "sparkpost",
        "zoho",
        "fastmail",
        "icloud",
        "yahoo",
        "gmx",
        "ionos",
        "ovh",
        "infomaniak",
    ] {
        assert!(ids.contains(&id), "{id}");
    }
    let sendgrid = providers.iter().find(|provider| provider["id"] == "sendgrid").expect("is there");
    assert_eq!((&sendgrid["username"], &sendgrid["usernameForm"]), (&json!("apikey"), &json!("fixed")));
}

#[tokio::test]
async fn get_shows_advice_where_it_applies() {
    let microsoft = Microsoft::start().await;
    let app = microsoft.service().await;
    let admin = app.admin("acme");
    let fields = json!({
        "serverAddress": "smtp.office365.com", "serverPort": 587, "securityType": "StartTLS", "username": "ann@contoso.example",
        "emailPassword": canary("secret "), "emailAddress": "ann@contoso.example",
    });
    admin.patch(&fields).await.expect(204);
    let advice = admin.config().await["advice"].clone();
    assert_eq!(advice[0]["code"], json!("M365_PASSWORD_SIGN_IN"), "{advice}");
    for member in ["title", "meaning", "link"] {
        assert!(advice[0][member].as_str().is_some_and(|text| !text.is_empty()));
    }
    admin.patch(&json!({"serverAddress": "smtp.example.com"})).await.expect(204);
    assert_eq!(admin.config().await.get("advice"), None);
}
