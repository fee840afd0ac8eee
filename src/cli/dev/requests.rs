//! The requests that `transports dev` offers on a page, to be pasted into a shell.

use std::net::SocketAddr;
use std::path::Path;

use crate::cli::shell_words::quoted;
use crate::dev::fake_microsoft365::Registration;
use crate::dev::smtp::{Outcome, USER};

/// Where the page is.
pub(super) const PATH: &str = "/dev/requests";

/// The page: loads the variables, and shows what can be requested. It holds no secret.
pub(super) fn page(env_file: &Path, app: &Registration) -> String {
    format!(
        ". {env}\n\n{requests}{microsoft365}\n\
         # To see more diagnoses, configure a wrong password, another port, or SSL/TLS as securityType.\n",
        env = quoted(&env_file.display().to_string()),
        requests = requests(),
        microsoft365 = microsoft365(app),
    )
}

/// What a request is answered with that needs a mail account before there is one.
pub(super) fn account_hint(address: SocketAddr) -> String {
    format!(
        "In `transports dev` make the test inbox the mail account: paste the first two commands of http://{address}{PATH} into a \
         shell, or choose 'Use the Test inbox' at http://{address}/console/"
    )
}

/// From a new tenant to a mail in the inbox, and to each other outcome. The commands can be pasted into any interactive
/// shell. Not every one accepts comments, so no comment follows a command, and comments hold no special characters.
fn requests() -> String {
    let [unknown, later, slow, lost] = Outcome::ALL.map(Outcome::prefix);
    format!(
        r#"# Configure: the account is checked against the server before it is stored.
curl -i -X PUT $API/email-config -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{
  "serviceProvider": "BasicAuth",
  "providerConfig": {{
    "serverAddress": "localhost", "serverPort": '"$SMTP_PORT"', "securityType": "StartTLS",
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
curl $INBOX.json; echo

# The same with the npm client of Resend. Before: npm install resend
API=$API KEY=$KEY node --input-type=module -e '
import {{ Resend }} from "resend";
const resend = new Resend(process.env.KEY, {{ baseUrl: process.env.API }});
console.log(await resend.emails.send({{ from: "platform@example.com", to: "ada@example.org", subject: "Hi", text: "Hi" }}));'

# The same by SMTP, with an API key as the password: with swaks, and with Python.
swaks --server localhost:$GATEWAY_PORT --tls --auth-user any --auth-password "$KEY" \
      --from platform@example.com --to ada@example.org --header 'Subject: Invoice 8841' --body 'Thank you.'
KEY=$KEY CA=$CA PORT=$GATEWAY_PORT python3 -c '
import os, smtplib, ssl
with smtplib.SMTP("localhost", int(os.environ["PORT"])) as server:
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

    #[test]
    fn the_first_requests_of_the_docs_are_the_same_lines() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/first-requests.md"));
        assert!(page.contains(&requests()), "docs/first-requests.md differs from:\n{}", requests());
    }

    #[test]
    fn a_comment_means_nothing_to_a_shell() {
        let page = page(Path::new("/srv/transports-dev/env"), &Registration::random());
        assert!(page.starts_with(". /srv/transports-dev/env\n"), "{page}");
        for comment in page.lines().filter_map(|line| line.strip_prefix('#')) {
            let plain = |c: char| c.is_ascii_alphanumeric() || " :,./".contains(c);
            assert!(comment.chars().all(plain), "{comment}");
        }
    }
}
