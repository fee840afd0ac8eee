//! The text that `transports dev` prints at its start: addresses, and the commands to a first email.

use std::path::Path;

use super::requests;
use crate::cli::shell_words::quoted;

/// A requested port, and the one in use.
#[derive(Clone, Copy)]
pub(super) struct Port {
    pub requested: u16,
    pub bound: u16,
}

/// The ports of all parts.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub api: Port,
    /// The inbox, with STARTTLS or without TLS, and with TLS from the start.
    pub smtp: Port,
    pub smtps: Port,
    /// The SMTP gateway with STARTTLS, and with TLS from the start.
    pub gateway: Port,
    pub gateway_tls: Port,
}

pub(super) struct Welcome<'a> {
    pub ports: Ports,
    pub folder: &'a Path,
    /// The file with the shell variables, and those of its lines that are printed too.
    pub env_file: &'a Path,
    pub variables: &'a str,
    /// The port of the inbox in an earlier run, where the stored account still names it.
    pub old_inbox_port: Option<u16>,
}

impl Welcome<'_> {
    /// Short enough to be read at once. Everything else is on a page.
    pub(super) fn text(&self) -> String {
        format!(
            "\
transports dev: for local testing only. Ctrl-C stops it.
{taken}{old_port}
  Console  http://127.0.0.1:{api}/console/
  Inbox    http://127.0.0.1:{api}/dev/inbox
  API      http://127.0.0.1:{api}/api/v1/transports
  Gateway  localhost port {gateway} (StartTLS) and port {gateway_tls} (SSL/TLS), for programs that send by SMTP
  Data     {folder} (stays between runs; remove it to start over)

TOKEN is of an administrator of the tenant \"dev\", KEY is an API key, PASSWORD is the inbox's for the user dev.

{variables}
To send a first email, paste these lines into another terminal: they load these variables, make the inbox the mail
account (an answer without a body: nothing is printed), and send to it.

. {env}
curl -X PUT $API/email-config -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d \"$ACCOUNT\"
curl -X POST $API/emails -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\
     -d '{{\"to\": \"ada@example.org\", \"subject\": \"Invoice 8841\", \"text\": \"Thank you.\"}}'; echo

More requests, by Resend's client, by SMTP and with Microsoft 365: http://127.0.0.1:{api}{more}
",
            variables = self.variables,
            api = self.ports.api.bound,
            gateway = self.ports.gateway.bound,
            gateway_tls = self.ports.gateway_tls.bound,
            taken = self.taken_ports(),
            old_port = self.old_port(),
            folder = self.folder.display(),
            env = quoted(&self.env_file.display().to_string()),
            more = requests::PATH,
        )
    }

    /// A line for each port that was taken.
    fn taken_ports(&self) -> String {
        let mut lines = String::new();
        let ports = [
            ("the API", self.ports.api),
            ("SMTP", self.ports.smtp),
            ("SMTP with TLS", self.ports.smtps),
            ("the gateway", self.ports.gateway),
            ("the gateway with TLS", self.ports.gateway_tls),
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
                "The stored account names port {port}, where the inbox was before: paste the lines below again, or choose \
                 the\nTest inbox as the mail provider in the console.\n"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(api: u16, smtp: u16) -> String {
        text_after(api, smtp, None)
    }

    fn text_after(api: u16, smtp: u16, old_inbox_port: Option<u16>) -> String {
        Welcome {
            ports: Ports {
                api: Port { requested: 8080, bound: api },
                smtp: Port { requested: 2525, bound: smtp },
                smtps: Port { requested: 0, bound: 2465 },
                gateway: Port { requested: 2587, bound: 2587 },
                gateway_tls: Port { requested: 2466, bound: 2466 },
            },
            old_inbox_port,
            folder: Path::new("./transports-dev"),
            env_file: Path::new("/home/ada/my app/transports-dev/env"),
            variables: "API=http://127.0.0.1:8080/api/v1/transports\nTOKEN=ADMIN.TOKEN\n",
        }
        .text()
    }

    #[test]
    fn the_text_is_as_recorded() {
        insta::assert_snapshot!(text(8080, 2525));
    }

    #[test]
    fn the_text_fits_into_a_terminal() {
        assert!(text(8080, 2525).lines().count() < 28);
    }

    #[test]
    fn a_taken_port_is_named_with_the_other_one() {
        assert!(!text(8080, 2525).contains("taken"));
        let text = text(8081, 2526);
        assert!(text.contains("\nPort 8080 is taken: the API is on 8081 instead.\n"), "{text}");
        assert!(text.contains("\nPort 2525 is taken: SMTP is on 2526 instead.\n"), "{text}");
        assert_eq!(text.matches("is taken").count(), 2);
        assert!(text.contains("http://127.0.0.1:8081/dev/requests"), "{text}");
    }

    #[test]
    fn an_account_at_an_earlier_port_of_the_inbox_is_named() {
        let text = text_after(8080, 2526, Some(2525));
        let line =
            "\nThe stored account names port 2525, where the inbox was before: paste the lines below again, ";
        assert!(text.contains(line), "{text}");
    }
}
