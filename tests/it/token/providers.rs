//! Tokens as Keycloak, Entra ID, Auth0 and Zitadel issue them, with the settings that the documentation names for each.

use serde_json::{Value, json};
use transports::auth::token::{Caller, IdToken, Principal, TokenError, Verifier};
use transports::config::Auth;

use crate::support::tokens::{NOW, clock, hs256, hs256_settings};

const REALM: &str = "https://login.example.com/realms/platform";
const CONSOLE: &str = "transports-console";

fn verifier(settings: &Auth) -> Verifier {
    Verifier::with_source(settings, clock(), None).unwrap()
}

async fn caller(settings: &Auth, claims: &Value) -> Result<Caller, TokenError> {
    let principal = verifier(settings).verify(&hs256(claims)).await?;
    let Principal::User(caller) = principal else { panic!("a tenant's token") };
    Ok(caller)
}

/// As the console does it: issuer and audience are the client's.
async fn id_token(settings: &Auth, claims: &Value) -> Result<IdToken, TokenError> {
    let audience = Some(CONSOLE.to_owned());
    let settings = Auth { audience, hs256_secret: hs256_settings().hs256_secret, ..copy(settings) };
    verifier(&settings).verify_id_token(&hs256(claims), "the-nonce", CONSOLE).await
}

fn copy(settings: &Auth) -> Auth {
    Auth {
        issuer: settings.issuer.clone(),
        tenant_claim: settings.tenant_claim.clone(),
        user_claim: settings.user_claim.clone(),
        roles_claim: settings.roles_claim.clone(),
        name_claims: settings.name_claims.clone(),
        tenant_name_claims: settings.tenant_name_claims.clone(),
        ..hs256_settings()
    }
}

fn keycloak_settings() -> Auth {
    Auth {
        issuer: Some(REALM.to_owned()),
        audience: Some("transports".to_owned()),
        tenant_claim: "tenantId".to_owned(),
        roles_claim: "realm_access.roles".to_owned(),
        ..hs256_settings()
    }
}

/// An access token of Keycloak 26, with a mapper for the audience and one for the user's attribute `tenantId`.
fn keycloak_access_token() -> Value {
    json!({
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW, "jti": "onrtac:0b0f9cf4-3e47-4b1c-8a4e-1f6e2f4f7c11",
        "iss": REALM, "aud": ["transports", "account"], "sub": "7f3c2b1e-55aa-4f0e-9d1c-2a6b8d3c4e5f",
        "typ": "Bearer", "azp": CONSOLE, "sid": "5a0c8d5e-5f0a-4a6b-9f5b-6a1d1f7f3b2c", "acr": "1",
        "allowed-origins": ["https://mail.example.com"],
        "realm_access": {"roles": ["offline_access", "TenantAdmin", "uma_authorization", "default-roles-platform"]},
        "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}, "mail.portal": {"roles": ["EmailSender"]}},
        "scope": "openid profile email organization", "email_verified": true,
        "organization": {"acme": {"id": "42c3e46f-2477-44d7-a85b-d3b43f6b31fa"}},
        "name": "Anna Müller", "preferred_username": "anna", "given_name": "Anna", "family_name": "Müller",
        "email": "anna@acme.example", "tenantId": "acme-1",
    })
}

/// Its ID token, with a mapper that adds the realm's roles.
fn keycloak_id_token() -> Value {
    json!({
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW, "jti": "0d1f1c52-5a0e-4d38-9df9-2b8c4f8e8a10",
        "iss": REALM, "aud": CONSOLE, "sub": "7f3c2b1e-55aa-4f0e-9d1c-2a6b8d3c4e5f", "typ": "ID", "azp": CONSOLE,
        "nonce": "the-nonce", "sid": "5a0c8d5e-5f0a-4a6b-9f5b-6a1d1f7f3b2c", "at_hash": "5sZg6mS0n1sY2o8uXgV1yQ",
        "acr": "1", "email_verified": true, "organization": {"acme": {}},
        "realm_access": {"roles": ["offline_access", "TenantAdmin"]},
        "name": "Anna Müller", "preferred_username": "anna", "given_name": "Anna", "family_name": "Müller",
        "email": "anna@acme.example", "tenantId": "acme-1",
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name).expect("is there");
    claims
}

#[tokio::test]
async fn keycloaks_tokens_name_tenant_roles_and_people() {
    let caller = caller(&keycloak_settings(), &keycloak_access_token()).await.unwrap();
    assert_eq!(
        (caller.tenant.as_str(), caller.user.as_str()),
        ("acme-1", "7f3c2b1e-55aa-4f0e-9d1c-2a6b8d3c4e5f")
    );
    assert!(caller.is_admin && caller.is_sender);
    assert_eq!(caller.name.as_deref(), Some("Anna Müller"));
    let token = id_token(&keycloak_settings(), &keycloak_id_token()).await.unwrap();
    assert!(token.caller.is_admin);
    assert_eq!((token.caller.tenant.as_str(), token.caller.name.as_deref()), ("acme-1", Some("Anna Müller")));
    assert_eq!(
        (token.email.as_deref(), token.tenant_name.as_deref()),
        (Some("anna@acme.example"), Some("acme"))
    );
}

#[tokio::test]
async fn keycloaks_roles_of_a_client_count_where_the_settings_say_so() {
    let settings = |roles: &str| Auth { roles_claim: roles.to_owned(), ..keycloak_settings() };
    for (roles, is_admin, is_sender) in [
        ("realm_access.roles", true, true),
        ("/realm_access/roles", true, true),
        ("resource_access.mail.portal.roles", false, true),
        ("/resource_access/mail.portal/roles", false, true),
        ("resource_access.account.roles", false, false),
        ("resource_access.nobody.roles", false, false),
    ] {
        let caller = caller(&settings(roles), &keycloak_access_token()).await.unwrap();
        assert_eq!((caller.is_admin, caller.is_sender), (is_admin, is_sender), "{roles}");
    }
}

/// A user of two organisations would otherwise act for one that nobody has chosen.
#[tokio::test]
async fn keycloaks_organisation_is_a_tenant_only_as_one_text() {
    let settings = Auth { tenant_claim: "organization".to_owned(), ..keycloak_settings() };
    let single = with(keycloak_access_token(), "organization", json!("acme"));
    assert_eq!(caller(&settings, &single).await.unwrap().tenant.as_str(), "acme");
    for several in
        [json!(["acme"]), json!(["acme", "other"]), json!({"acme": {}}), json!({"acme": {}, "other": {}})]
    {
        let outcome =
            caller(&settings, &with(keycloak_access_token(), "organization", several.clone())).await;
        assert!(matches!(outcome, Err(TokenError::Unusable(_))), "{several}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_token_of_keycloak_as_it_comes_is_refused_with_the_claim_that_is_missing() {
    let settings = Auth { roles_claim: "roles".to_owned(), ..keycloak_settings() };
    let error = id_token(&settings, &without(keycloak_id_token(), "tenantId")).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the claim \"tenantId\" (auth.tenant_claim) is not in the token; the token has acr, at_hash, aud, auth_time, \
         azp, email, email_verified, exp, family_name, given_name, iat, iss, jti, name, nonce, organization, \
         preferred_username, realm_access, sid, sub, typ"
    );
    let caller = caller(&settings, &keycloak_access_token()).await.unwrap();
    let missing = caller.missing_roles.expect("the claim `roles` is not there").to_string();
    assert!(
        missing.starts_with("the claim \"roles\" (auth.roles_claim) is not in the token; the token has "),
        "{missing}"
    );
    for value in ["anna@acme.example", "7f3c2b1e", "Müller", "acme-1"] {
        assert!(!error.contains(value) && !missing.contains(value), "{value}: {error} {missing}");
    }
}

/// An ID token is no access token, and the other way round.
#[tokio::test]
async fn keycloaks_kinds_of_token_do_not_stand_for_each_other() {
    let settings = Auth { audience: Some(CONSOLE.to_owned()), ..keycloak_settings() };
    assert!(caller(&settings, &keycloak_id_token()).await.is_err());
    let access = with(keycloak_access_token(), "aud", json!(CONSOLE));
    assert!(id_token(&settings, &access).await.is_err(), "it has no nonce");
    let posing = with(access, "nonce", json!("the-nonce"));
    assert_eq!(id_token(&settings, &posing).await, Err(TokenError::Invalid("not an ID token")));
}

#[tokio::test]
async fn entra_ids_tokens_name_directory_object_and_app_roles() {
    let directory = "5f0a3f3e-1b0a-4c58-9a32-7c1c2f2b6d11";
    let issuer = format!("https://login.microsoftonline.com/{directory}/v2.0");
    let settings = Auth {
        issuer: Some(issuer.clone()),
        audience: Some("6b1d2c1a-93c4-4d0f-8d26-1f3f7f0c9b42".to_owned()),
        tenant_claim: "tid".to_owned(),
        user_claim: "oid".to_owned(),
        ..hs256_settings()
    };
    let access = json!({
        "aud": "6b1d2c1a-93c4-4d0f-8d26-1f3f7f0c9b42", "iss": issuer, "iat": NOW, "nbf": NOW, "exp": NOW + 4000,
        "aio": "AWQAm/8XAAAA", "azp": "0e6c2c6e-8f2e-4a9d-a4b0-0d6c5c3f0a77", "azpacr": "1", "name": "Anna Müller",
        "oid": "c1f9d7c0-4d47-4a4c-b3f7-0a6e1a5c2b10", "preferred_username": "anna@contoso.com", "rh": "0.AXoA",
        "roles": ["TenantAdmin"], "scp": "access_as_user", "sid": "002a5f1b", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "tid": directory, "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
    });
    let caller = caller(&settings, &access).await.unwrap();
    assert_eq!(
        (caller.tenant.as_str(), caller.user.as_str()),
        (directory, "c1f9d7c0-4d47-4a4c-b3f7-0a6e1a5c2b10")
    );
    assert!(caller.is_admin);
    let id = json!({
        "aud": CONSOLE, "iss": issuer, "iat": NOW, "nbf": NOW, "exp": NOW + 3900, "name": "Anna Müller",
        "nonce": "the-nonce", "oid": "c1f9d7c0-4d47-4a4c-b3f7-0a6e1a5c2b10", "preferred_username": "anna@contoso.com",
        "rh": "0.AXoA", "roles": ["TenantAdmin"], "sub": "Q0XqgBFm", "tid": directory, "uti": "x", "ver": "2.0",
        "extn.tenantId": ["acme"],
    });
    let token = id_token(&settings, &id).await.unwrap();
    assert_eq!((token.caller.is_admin, token.caller.name.as_deref()), (true, Some("Anna Müller")));
    assert_eq!((token.email, token.tenant_name), (None, None));
    // An attribute of the user: its claim has a point in its name, and is a list.
    let by_attribute = Auth { tenant_claim: "/extn.tenantId/0".to_owned(), ..copy(&settings) };
    assert_eq!(id_token(&by_attribute, &id).await.unwrap().caller.tenant.as_str(), "acme");
}

#[tokio::test]
async fn auth0s_namespaced_claims_are_found_by_their_whole_name() {
    let settings = Auth {
        issuer: Some("https://example.eu.auth0.com/".to_owned()),
        audience: Some("https://mail.example.com".to_owned()),
        tenant_claim: "org_id".to_owned(),
        roles_claim: "https://mail.example.com/roles".to_owned(),
        name_claims: vec!["https://mail.example.com/name".to_owned(), "name".to_owned()],
        ..hs256_settings()
    };
    let access = json!({
        "iss": "https://example.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": ["https://mail.example.com", "https://example.eu.auth0.com/userinfo"], "iat": NOW, "exp": NOW + 86400,
        "azp": "my_client_id", "scope": "openid profile email", "org_id": "org_9ybsU1dN2dKfDkBi", "org_name": "acme",
        "https://mail.example.com/roles": ["TenantAdmin"], "https://mail.example.com/name": "Anna Müller",
        "permissions": [],
    });
    let user = caller(&settings, &access).await.unwrap();
    assert_eq!(
        (user.tenant.as_str(), user.user.as_str()),
        ("org_9ybsU1dN2dKfDkBi", "auth0|5f7c8ec7c33c6c004bbafe82")
    );
    assert_eq!((user.is_admin, user.name.as_deref()), (true, Some("Anna Müller")));
    // A text is a single role.
    for (roles, is_sender) in [("EmailSender", true), ("Reader EmailSender", false)] {
        let text = with(access.clone(), "https://mail.example.com/roles", json!(roles));
        let user = caller(&settings, &text).await.unwrap();
        assert_eq!((user.is_admin, user.is_sender), (false, is_sender), "{roles}");
    }
}

#[tokio::test]
async fn zitadels_roles_are_the_members_of_an_object() {
    let settings = Auth {
        issuer: Some("https://example.zitadel.cloud".to_owned()),
        audience: Some("299112230342991123".to_owned()),
        tenant_claim: "urn:zitadel:iam:user:resourceowner:id".to_owned(),
        roles_claim: "urn:zitadel:iam:org:project:roles".to_owned(),
        tenant_name_claims: vec!["urn:zitadel:iam:user:resourceowner:name".to_owned()],
        ..hs256_settings()
    };
    let id = json!({
        "iss": "https://example.zitadel.cloud", "sub": "299112230342991987", "aud": [CONSOLE], "exp": NOW + 43200,
        "iat": NOW, "auth_time": NOW, "nonce": "the-nonce", "amr": ["pwd"], "azp": CONSOLE, "client_id": CONSOLE,
        "at_hash": "x", "sid": "V1_299112230342", "name": "Anna Müller", "preferred_username": "anna@acme.example",
        "email": "anna@acme.example", "email_verified": true,
        "urn:zitadel:iam:org:project:roles": {"TenantAdmin": {"299112230342990001": "acme.example.zitadel.cloud"}},
        "urn:zitadel:iam:user:resourceowner:id": "299112230342990001",
        "urn:zitadel:iam:user:resourceowner:name": "Acme GmbH",
    });
    let token = id_token(&settings, &id).await.unwrap();
    assert_eq!((token.caller.tenant.as_str(), token.caller.is_admin), ("299112230342990001", true));
    assert_eq!(token.tenant_name.as_deref(), Some("Acme GmbH"));
}
