//! The delivery of mail: what is taken, what is handed over, and what becomes of each recipient.

mod account;
mod api_keys;
mod at_rest;
mod clock;
mod connections;
mod door;
mod fairness;
mod faults;
mod keys;
mod last_check;
mod loops;
mod metrics;
mod microsoft365;
mod outcomes;
mod ownership;
mod pace;
mod platform;
mod removal;
mod sending;
mod settings;
mod tags;
mod upgrade;
mod waiting;

use serde_json::{Value, json};
use transports::config::Config;

use crate::support::app::TestApp;
use crate::support::client::{Answer, Client};
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};

pub const EMAILS: &str = "/api/v1/transports/emails";

/// A service that sends, and the mail server of the tenant that is looked at.
pub struct Post {
    pub app: TestApp,
    pub server: SmtpServer,
    tenant: String,
}

impl Post {
    pub async fn open(script: Script) -> Self {
        Self::with(script, |_| {}).await
    }

    pub async fn with(script: Script, change: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::with(|config| {
            config.rate_limit.tier2_per_minute = 0;
            config.rate_limit.tier1_per_minute = 0;
            config.rate_limit.send_per_minute = 0;
            config.delivery.enabled = true;
            change(config);
        })
        .await;
        app.names.set("localhost", &["127.0.0.1"]);
        let server = SmtpServer::start(script).await;
        let post = Self::over(app, server);
        post.admin().put(&account(&post.server)).await.expect(204);
        post
    }

    /// With what is there already.
    pub fn over(app: TestApp, server: SmtpServer) -> Self {
        Self { app, server, tenant: "acme".to_owned() }
    }

    /// Goes on with another tenant, for whom the server plays another script.
    pub async fn next_tenant(&mut self, script: Script) {
        self.tenant.push('+');
        self.server.play(script);
        self.admin().put(&account(&self.server)).await.expect(204);
    }

    /// The tenant's administrator, with a token of now.
    pub fn admin(&self) -> Client {
        self.app.admin(&self.tenant)
    }

    /// Sends a mail and waits until nothing of it is under way or due.
    pub async fn send(&self, email: &Value) -> Value {
        let answer = self.admin().json("POST", EMAILS, email).await.expect(202).json();
        self.settled(answer["id"].as_str().expect("an id")).await
    }

    /// Waits until nothing of an email is under way or due; it may wait for a later time.
    pub async fn settled(&self, id: &str) -> Value {
        self.until(id, |email| !["queued", "sending", "scheduled"].contains(&status(email)) || waits(email))
            .await
    }

    /// Waits until an email is as it has to be.
    pub async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut email = Value::Null;
        eventually("an email comes into a state", async || {
            email = self.get(id).await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            is_so(&email)
        })
        .await;
        email
    }

    /// Waits until nothing is sent for any account, and what was found out about each is written.
    pub async fn at_rest(&self) {
        eventually("all accounts are given up", async || {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let owned = "select tenant_id from delivery_accounts where owner is not null";
            self.app.database.query(owned).await.is_empty()
        })
        .await;
    }

    pub async fn get(&self, id: &str) -> Value {
        self.admin().get(&format!("{EMAILS}/{id}")).await.expect(200).json()
    }

    pub async fn post(&self, id: &str, action: &str) -> Answer {
        self.admin().post(&format!("{EMAILS}/{id}/{action}")).await
    }

    /// The types of an email's events.
    pub async fn events(&self, id: &str) -> Vec<String> {
        let list = self.admin().get(&format!("{EMAILS}/{id}/events")).await.expect(200).json();
        let events = list["data"].as_array().expect("a list");
        events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    }

    /// Moves the clock of the service.
    pub fn pass_seconds(&self, seconds: i64) {
        self.app.clock.advance(seconds * 1_000);
    }
}

pub fn account(server: &SmtpServer) -> Value {
    json!({
        "serverAddress": "localhost", "serverPort": server.port(), "securityType": "StartTLS",
        "username": USER, "emailPassword": good_password(), "emailAddress": "ada@example.com", "senderName": "Ada Löv",
    })
}

pub fn to(recipients: &[&str]) -> Value {
    json!({"to": recipients, "subject": "Invoice 8841", "text": "Thank you."})
}

pub fn status(email: &Value) -> &str {
    email["status"].as_str().expect("a status")
}

/// The states of the recipients.
pub fn states(email: &Value) -> Vec<&str> {
    let recipients = email["recipients"].as_array().expect("recipients");
    recipients.iter().map(|recipient| recipient["state"].as_str().expect("a state")).collect()
}

/// Whether what waits has been tried already.
fn waits(email: &Value) -> bool {
    states(email).iter().all(|state| !["queued", "sending"].contains(state))
}
