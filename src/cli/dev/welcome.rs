//! The text that `transports dev` prints at its start: addresses, tokens, and commands to paste into a shell.

use std::path::Path;

use crate::dev::fake_microsoft365::Registration;
use crate::dev::smtp::{Outcome, USER};
use crate::secret::Secret;

/// The tenant that the printed tokens are for.
pub(super) use crate::dev::session::TENANT;

/// A requested port, and the one in use.
#[derive(Clone, Copy)]
pub(super) struct Port {
    pub requested: u16,
    pub bound: u16,
}

pub(super) struct Tokens {
    pub admin: Secret,
    pub user: Secret,
    /// Lifetime.
    pub days: i64,
}

pub(super) struct Welcome<'a> {
    pub api: Port,
    pub smtp: Port,
    pub smtps: Port,
    /// The SMTP gateway with STARTTLS, and with TLS from the start.
    pub gateway: Port,
    pub gateway_tls: Port,
    /// Who has signed the certificates of the inbox and the gateway.
    pub authority_file: &'a Path,
    pub folder: &'a Path,
    pub password: &'a Secret,
    /// The app of the fake Microsoft 365.
    pub registration: &'a Registration,
    pub tokens: Tokens,
    /// With it programs send.
    pub api_key: &'a Secret,
    /// The port of the inbox in an earlier run, where the stored account still names it.
    pub old_inbox_port: Option<u16>,
}

impl Welcome<'_> {
    /// The commands can be pasted into any interactive shell. Not every one accepts comments, so no comment follows a
    /// command, and comments hold no special characters.
    pub(super) fn text(&self) -> String {
        let (api, smtp, smtps) = (self.api.bound, self.smtp.bound, self.smtps.bound);
        let gateway = self.gateway.bound;
        format!(
            "\
transports dev: for local testing only. Ctrl-C stops it.
{taken}{old_port}
  Console  http://127.0.0.1:{api}/console/
  Inbox    http://127.0.0.1:{api}/dev/inbox
  API      http://127.0.0.1:{api}/api/v1/transports
  SMTP     localhost port {smtp} (StartTLS or none) and port {smtps} (SSL/TLS)
           user {USER}, password {password}; with \"none\" the inbox also accepts mail without a sign-in
  Gateway  localhost port {gateway} (StartTLS) and port {gateway_tls} (SSL/TLS), for programs that send by SMTP
           any user, password KEY; certificate of {authority}
  Data     {folder} (stays between runs; remove it to start over)

Paste into another terminal. TOKEN is of an administrator of the tenant \"{TENANT}\", USER_TOKEN of a user without
that role. Both are valid for {days} days; the next start prints new ones. KEY is an API key of the same tenant, with
which programs send; it stays.

TOKEN={admin}
USER_TOKEN={user}
KEY={key}
PASSWORD={password}
CLIENT_SECRET={client_secret}
CA={authority}
{requests}{microsoft365}
To see more diagnoses, configure a wrong password, another port, or \"securityType\": \"SSL/TLS\".
",
            client_secret = self.registration.client_secret,
            microsoft365 = microsoft365(self.registration),
            taken = self.taken_ports(),
            old_port = self.old_port(),
            password = self.password.expose(),
            folder = self.folder.display(),
            days = self.tokens.days,
            admin = self.tokens.admin.expose(),
            user = self.tokens.user.expose(),
            key = self.api_key.expose(),
            requests = requests(api, smtp, gateway),
            gateway_tls = self.gateway_tls.bound,
            authority = self.authority_file.display(),
        )
    }

    /// A line for each port that was taken.
    fn taken_ports(&self) -> String {
        let mut lines = String::new();
        let ports = [
            ("the API", self.api),
            ("SMTP", self.smtp),
            ("SMTP with TLS", self.smtps),
            ("the gateway", self.gateway),
            ("the gateway with TLS", self.gateway_tls),
        ];
        for (what, port) in ports {
            if port.requested != 0 && port.requested != port.bound {
                let line =
                    format!("Port {} is taken: {what} is on {} instead.\n", port.requested, port.bound);
                lines.push_str(&line);
            }
        }
        lines
    }

    fn old_port(&self) -> String {
        self.old_inbox_port.map_or_else(String::new, |port| {
            format!(
                "The stored account names port {port}, where the inbox was before: paste the first request again, or choose \
                 the\nTest inbox as the mail provider in the console.\n"
            )
        })
    }
}

/// From a new tenant to a mail in the inbox, and to each other outcome.
fn requests(api: u16, smtp: u16, gateway: u16) -> String {
    let [unknown, later, slow, lost] = Outcome::ALL.map(Outcome::prefix);
    format!(
        r#"API=http://127.0.0.1:{api}/api/v1/transports

# Configure: the account is checked against the server before it is stored.
curl -i -X PUT $API/email-config -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{
  "serviceProvider": "BasicAuth",
  "providerConfig": {{
    "serverAddress": "localhost", "serverPort": {smtp}, "securityType": "StartTLS",
    "username": "{USER}", "emailPassword": "'"$PASSWORD"'", "emailAddress": "platform@example.com"
  }}
}}'

# Read it back: the password is stored, and not shown.
curl $API/email-config -H "Authorization: Bearer $TOKEN"; echo

# Check the connection, and send a test mail.
curl -X POST $API/email-config/actions/verify-connection -H "Authorization: Bearer $TOKEN"; echo
curl -X POST $API/email-config/actions/send-test-email -H "Authorization: Bearer $TOKEN" \
     -H 'Content-Type: application/json' -d '{{"recipient": "you@example.com"}}'; echo

# Send an email of your own with an API key, wait up to five seconds for its outcome, and find it in the inbox.
curl -X POST $API/emails -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
     -H 'Prefer: wait=5' -d '{{"to": "ada@example.org", "subject": "Invoice 8841", "text": "Thank you."}}'; echo
curl http://127.0.0.1:{api}/dev/inbox.json; echo

# The same with the npm client of Resend. Before: npm install resend
API=$API KEY=$KEY node --input-type=module -e '
import {{ Resend }} from "resend";
const resend = new Resend(process.env.KEY, {{ baseUrl: process.env.API }});
console.log(await resend.emails.send({{ from: "platform@example.com", to: "ada@example.org", subject: "Hi", text: "Hi" }}));'

# The same by SMTP, with an API key as the password: with swaks, and with Python.
swaks --server localhost:{gateway} --tls --auth-user any --auth-password "$KEY" \
      --from platform@example.com --to ada@example.org --header 'Subject: Invoice 8841' --body 'Thank you.'
KEY=$KEY CA=$CA python3 -c '
import os, smtplib, ssl
with smtplib.SMTP("localhost", {gateway}) as server:
    server.starttls(context=ssl.create_default_context(cafile=os.environ["CA"]))
    server.login("any", os.environ["KEY"])
    server.sendmail("platform@example.com", "ada@example.org",
                    "From: platform@example.com\nTo: ada@example.org\nSubject: Invoice 8841\n\nThank you.")'

# See the other outcomes. Recipients that begin with {unknown} are refused, with {later} refused twice and accepted after
# about six minutes, with {slow} answered after five seconds, and with {lost} caught without an answer.
curl -X POST $API/emails -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -H 'Prefer: wait=2' \
     -d '{{"to": ["{unknown}@example.org", "{later}@example.org"], "subject": "Hi", "text": "Hi"}}'; echo

# Follow the events of all emails. The answer has the cursor for the next request, and waits where there is none yet.
curl "$API/events?wait=5" -H "Authorization: Bearer $KEY"; echo
"#
    )
}

/// The same for Microsoft 365, with the app registration of the fake.
fn microsoft365(app: &Registration) -> String {
    format!(
        r#"
# Configure Microsoft 365, against a fake that delivers to the same inbox.
curl -i -X PUT $API/email-config -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{
  "serviceProvider": "Microsoft365",
  "providerConfig": {{
    "clientId": "{client_id}", "clientSecret": "'"$CLIENT_SECRET"'",
    "providerTenantId": "{directory_id}", "emailAddress": "{mailbox}"
  }}
}}'
"#,
        client_id = app.client_id,
        directory_id = app.directory_id,
        mailbox = app.mailbox,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(api: u16, smtp: u16, smtps: u16) -> String {
        text_after(api, smtp, smtps, None)
    }

    fn text_after(api: u16, smtp: u16, smtps: u16, old_inbox_port: Option<u16>) -> String {
        let secret = |text: &str| Secret::new(text.to_owned());
        Welcome {
            api: Port { requested: 8080, bound: api },
            smtp: Port { requested: 2525, bound: smtp },
            smtps: Port { requested: 0, bound: smtps },
            gateway: Port { requested: 2587, bound: 2587 },
            gateway_tls: Port { requested: 2466, bound: 2466 },
            api_key: &secret("API_KEY"),
            old_inbox_port,
            authority_file: Path::new("./transports-dev/inbox-ca.pem"),
            folder: Path::new("./transports-dev"),
            password: &secret("PASSWORD_OF_THE_INBOX"),
            registration: &Registration {
                directory_id: "DIRECTORY".to_owned(),
                client_id: "CLIENT".to_owned(),
                client_secret: "SECRET_OF_THE_APP".to_owned(),
                mailbox: "platform@contoso.example".to_owned(),
                ..Registration::random()
            },
            tokens: Tokens { admin: secret("ADMIN.TOKEN"), user: secret("USER.TOKEN"), days: 7 },
        }
        .text()
    }

    #[test]
    fn the_text_is_as_recorded() {
        insta::assert_snapshot!(text(8080, 2525, 2465));
    }

    #[test]
    fn a_taken_port_is_named_with_the_other_one() {
        assert!(!text(8080, 2525, 2465).contains("taken"));
        let text = text(8081, 2526, 2465);
        assert!(text.contains("\nPort 8080 is taken: the API is on 8081 instead.\n"), "{text}");
        assert!(text.contains("\nPort 2525 is taken: SMTP is on 2526 instead.\n"), "{text}");
        assert_eq!(text.matches("is taken").count(), 2);
        assert!(text.contains("\"serverPort\": 2526"), "{text}");
    }

    #[test]
    fn an_account_at_an_earlier_port_of_the_inbox_is_named() {
        let text = text_after(8080, 2526, 2465, Some(2525));
        let line = "\nThe stored account names port 2525, where the inbox was before: paste the first request again, ";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn the_first_requests_of_the_docs_are_the_same_lines() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/first-requests.md"));
        assert!(
            page.contains(&requests(8080, 2525, 2587)),
            "docs/first-requests.md differs from:\n{}",
            requests(8080, 2525, 2587)
        );
    }

    #[test]
    fn a_comment_means_nothing_to_a_shell() {
        for comment in requests(8080, 2525, 2587).lines().filter_map(|line| line.strip_prefix('#')) {
            let plain = |c: char| c.is_ascii_alphanumeric() || " :,.".contains(c);
            assert!(comment.chars().all(plain), "{comment}");
        }
    }
}
