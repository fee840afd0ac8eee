//! A fake Entra and Graph behind a service under test.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use transports::clock::Clock;
use transports::config::Config;
use transports::dev::fake_microsoft365::{FakeMicrosoft365, Registration};
use transports::http::server;

use super::app::{START, TestApp};
use super::client::{Answer, CONFIG, Client};
use super::leaks;

/// The fake, and the mails that it accepted.
pub struct Microsoft {
    pub fake: FakeMicrosoft365,
    pub registration: Registration,
    pub url: String,
    mails: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Microsoft {
    pub async fn start() -> Self {
        // The permissions stand in every token that is issued, and nowhere else.
        let roles = vec!["Mail.Send".to_owned(), leaks::MARK.to_owned()];
        let client_secret = leaks::canary("dev~").to_owned();
        let registration = Registration { client_secret, roles, ..Registration::random() };
        let mails: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let caught = Arc::clone(&mails);
        let fake = FakeMicrosoft365::new(registration.clone(), Clock::manual(START), move |mail| {
            caught.lock().expect("not poisoned").push(mail);
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let router = fake.router();
        tokio::spawn(async move {
            server::serve(listener, router, &Config::default().server, std::future::pending()).await
        });
        Self { fake, registration, url, mails }
    }

    /// A service that uses the fake in place of Microsoft.
    pub async fn service(&self) -> TestApp {
        self.service_with(|_| {}).await
    }

    pub async fn service_with(&self, change: impl FnOnce(&mut Config)) -> TestApp {
        let url = self.url.clone();
        TestApp::with(move |config| {
            config.microsoft365.login_url = Some(url.clone());
            config.microsoft365.graph_url = Some(url);
            config.rate_limit.tier2_per_minute = 0;
            config.egress.timeout_seconds = 3;
            change(config);
        })
        .await
    }

    /// The registered app as a tenant enters it.
    pub fn provider_config(&self) -> Value {
        json!({
            "clientId": self.registration.client_id, "clientSecret": self.registration.client_secret,
            "providerTenantId": self.registration.directory_id, "emailAddress": self.registration.mailbox,
        })
    }

    pub fn mails(&self) -> Vec<String> {
        let mails = self.mails.lock().expect("not poisoned");
        mails.iter().map(|mail| String::from_utf8_lossy(mail).into_owned()).collect()
    }
}

/// PUT of a Microsoft 365 configuration.
pub async fn put(client: &Client, provider_config: &Value) -> Answer {
    let body = json!({"serviceProvider": "Microsoft365", "providerConfig": provider_config});
    client.json("PUT", CONFIG, &body).await
}
