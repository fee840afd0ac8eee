//! A mail server and a Microsoft 365 in this process, and a service that may send mail there.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use transports::clock::Clock;
use transports::config::Config;
use transports::dev::certificates;
use transports::dev::fake_microsoft365::{FakeMicrosoft365, Registration};
use transports::dev::folder::Folder;
use transports::dev::inbox::{Inbox, Limits};
use transports::dev::smtp::{self, USER};
use transports::http::server;
use transports::secret::Secret;
use transports::smtp::Security;

use crate::client::Client;
use crate::service::Service;

pub const PASSWORD: &str = "correct horse battery staple";

/// Where the service may send mail: a mail server and a Microsoft 365 in this process.
pub struct Destinations {
    folder: TempDir,
    pub smtp_port: u16,
    pub inbox: Inbox,
    authority: String,
    microsoft365: String,
    app: Registration,
}

impl Destinations {
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = Clock::System;
        let identity =
            Folder::open(folder.path()).and_then(|folder| certificates::load_or_issue(&folder, clock.now()));
        let identity = identity.expect("a certificate");
        let inbox = Inbox::new(Limits::default());
        let smtp = smtp::server(inbox.clone(), identity.tls, Secret::new(PASSWORD.to_owned()), clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let smtp_port = listener.local_addr().expect("bound").port();
        tokio::spawn(smtp.serve(listener, Security::StartTls, CancellationToken::new()));

        let app = Registration::random();
        let fake = FakeMicrosoft365::new(app.clone(), clock, |_mail| {});
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let microsoft365 = format!("http://{}", listener.local_addr().expect("bound"));
        let router = fake.router();
        tokio::spawn(async move {
            server::serve(listener, router, &Config::default().server, std::future::pending()).await
        });
        let authority = identity.authority_file.display().to_string();
        Self { folder, smtp_port, inbox, authority, microsoft365, app }
    }

    /// A service that may reach them, and that limits no rate.
    pub fn service(&self, database: Option<&str>) -> Service {
        self.service_with(
            &database.map(|url| ("TRANSPORTS_DATABASE__URL", url)).into_iter().collect::<Vec<_>>(),
        )
    }

    /// The same with an SMTP gateway, which has the mail server's certificate.
    pub fn service_with_gateway(&self) -> Service {
        let identity = self.identity().display().to_string();
        self.service_with(&[
            ("TRANSPORTS_SUBMISSION__LISTEN", "127.0.0.1:0"),
            ("TRANSPORTS_SUBMISSION__LISTEN_TLS", "127.0.0.1:0"),
            ("TRANSPORTS_SUBMISSION__CERTIFICATE_FILE", &identity),
            ("TRANSPORTS_SUBMISSION__KEY_FILE", &identity),
        ])
    }

    /// The PEM file with the mail server's certificate and its private key.
    pub fn identity(&self) -> PathBuf {
        self.folder.path().join("inbox.pem")
    }

    /// The PEM file with the authority of both certificates.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    fn service_with(&self, more: &[(&str, &str)]) -> Service {
        let mut settings = vec![
            ("TRANSPORTS_TLS__CA_FILE", self.authority.as_str()),
            ("TRANSPORTS_MICROSOFT365__LOGIN_URL", &self.microsoft365),
            ("TRANSPORTS_MICROSOFT365__GRAPH_URL", &self.microsoft365),
            ("TRANSPORTS_EGRESS__PORTS", "0"),
            ("TRANSPORTS_EGRESS__MAX_CONNECTIONS_PER_TENANT", "64"),
            ("TRANSPORTS_RATE_LIMIT__TIER1_PER_MINUTE", "0"),
            ("TRANSPORTS_RATE_LIMIT__TIER2_PER_MINUTE", "0"),
            ("TRANSPORTS_RATE_LIMIT__SEND_PER_MINUTE", "0"),
            ("TRANSPORTS_RATE_LIMIT__UNAUTHENTICATED_PER_MINUTE", "0"),
            ("TRANSPORTS_QUOTAS__REFUSED_SIGN_INS_PER_TENANT_PER_HOUR", "0"),
            ("TRANSPORTS_QUOTAS__REFUSED_SIGN_INS_PER_ACCOUNT_PER_TEN_MINUTES", "0"),
            ("TRANSPORTS_QUOTAS__REFUSED_SIGN_INS_PER_DESTINATION_PER_TEN_MINUTES", "0"),
            ("TRANSPORTS_LOG__FILTER", "warn,transports=info"),
        ];
        settings.extend_from_slice(more);
        Service::with(&settings)
    }

    pub fn app(&self) -> String {
        let Registration { client_id, client_secret, domain, mailbox, .. } = &self.app;
        serde_json::json!({
            "clientId": client_id, "clientSecret": client_secret, "providerTenantId": domain, "emailAddress": mailbox,
        })
        .to_string()
    }

    /// Gives a tenant an account at the mail server.
    pub async fn configure(&self, admin: &Client) {
        let account = serde_json::json!({
            "serverAddress": "localhost", "serverPort": self.smtp_port, "securityType": "StartTLS",
            "username": USER, "emailPassword": PASSWORD, "emailAddress": "platform@example.com",
        });
        admin.put(&account).await.expect(204);
    }
}
