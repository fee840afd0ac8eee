//! Passwords in the table and on the disk.

use super::*;

fn vault() -> Keys {
    let key = Secret::new(encryption_key());
    Keys::load(&Encryption { keys: vec![key], ..Config::default().encryption }, None).unwrap()
}

/// The configuration, with a password that is sealed for it.
async fn with_password(tenant: &TenantId, password: &str) -> EmailConfig {
    let config = filled();
    let destination = config.settings.destination();
    let binding = Binding { tenant, field: "emailPassword", destination: &destination };
    let secret = vault().seal(&Secret::new(password.to_owned()), &binding).await.unwrap();
    EmailConfig { secret: Some(secret), ..config }
}

async fn open(config: &EmailConfig, tenant: &TenantId) -> Result<Secret, VaultError> {
    let destination = config.settings.destination();
    let binding = Binding { tenant, field: "emailPassword", destination: &destination };
    vault().open(config.secret.as_ref().unwrap(), &binding).await
}

/// Security cases B9, L1.
#[tokio::test]
async fn a_password_does_not_open_where_its_row_was_edited_by_hand() {
    let edits = [
        "server_address = 'smtp.evil.example'",
        "server_port = 587",
        "security_type = 'none'",
        "username = 'eve'",
        "secret_payload = (select secret_payload from email_configs where tenant_id = 'b')",
        "secret_wrapped_key = (select secret_wrapped_key from email_configs where tenant_id = 'b')",
        "secret_payload = (select secret_payload from email_configs where tenant_id = 'b'),
         secret_wrapped_key = (select secret_wrapped_key from email_configs where tenant_id = 'b')",
        "secret_key_id = 'k2'",
    ];
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let (a, b) = (tenant("a"), tenant("b"));
        let stored = with_password(&a, leaks::canary("of a ")).await;
        let _ = write(&db, email_configs::insert(&a, &stored)).await;
        let _ = write(&db, email_configs::insert(&b, &with_password(&b, leaks::canary("of b ")).await)).await;
        for edit in edits {
            let found = email_configs::find(&db, &a).await.unwrap().unwrap();
            assert_eq!(open(&found, &a).await.unwrap().expose(), leaks::canary("of a "), "{engine:?}");
            database.execute(&format!("update email_configs set {edit} where tenant_id = 'a'")).await;
            let found = email_configs::find(&db, &a).await.unwrap().unwrap();
            assert_eq!(open(&found, &a).await.err(), Some(VaultError::Unreadable), "{engine:?}: {edit}");
            let _ = write(&db, email_configs::delete(&a, "v1")).await;
            let _ = write(&db, email_configs::insert(&a, &stored)).await;
        }
    }
}

/// Security case I1.
#[tokio::test]
async fn the_disk_holds_no_password_in_the_clear_and_not_the_sealed_one_after_a_deletion() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        let a = tenant("a");
        let stored = with_password(&a, leaks::canary("correct horse battery staple ")).await;
        let _ = write(&db, email_configs::insert(&a, &stored)).await;
        let bytes = database.bytes().await;
        assert!(contains(&bytes, b"smtp.example.com"), "{engine:?}: the right files are looked at");
        assert!(!contains(&bytes, b"correct horse"), "{engine:?}");
        let payload = stored.secret.unwrap().payload;
        assert!(contains(&bytes, &payload), "{engine:?}");
        let _ = write(&db, email_configs::delete(&a, "v1")).await;
        db.close().await;
        // PostgreSQL promises no such thing.
        if engine == Engine::Sqlite {
            assert!(!contains(&database.bytes().await, &payload));
        }
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn keys_in_use_are_found_and_counted() {
    for engine in Engine::all() {
        let database = Database::create(engine).await;
        let db = opened(&database).await;
        assert!(sealed_rows::keys_in_use(&db).await.unwrap().is_empty());
        for (index, key) in ["b", "a", "b", "B", "k-1", "k_1"].into_iter().enumerate() {
            let secret = Some(Sealed { key_id: key.to_owned(), ..sealed() });
            let config = EmailConfig { secret, ..empty() };
            let _ = write(&db, email_configs::insert(&tenant(&index.to_string()), &config)).await;
        }
        let _ = write(&db, email_configs::insert(&tenant("none"), &empty())).await;
        let mut keys = sealed_rows::keys_in_use(&db).await.unwrap();
        keys.sort();
        assert_eq!(keys, ["B", "a", "b", "k-1", "k_1"], "{engine:?}");
        assert_eq!(sealed_rows::count(&db, "b").await.unwrap(), 2, "{engine:?}");
        assert_eq!(sealed_rows::count(&db, "c").await.unwrap(), 0, "{engine:?}");
    }
}
