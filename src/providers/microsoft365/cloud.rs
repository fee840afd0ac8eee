//! Endpoints of Microsoft's national clouds. The hosts come from the operator's settings, never from a tenant.

use anyhow::{Context, bail};

use crate::config::{Microsoft365, MicrosoftCloud, check_operator_url};

/// The addresses of one cloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// Entra, without a final slash: `https://login.microsoftonline.com`.
    pub login: String,
    /// Graph, without a final slash: `https://graph.microsoft.com`.
    pub graph: String,
    /// The resource of a token for Graph.
    pub graph_scope: String,
    /// The resource of a token for SMTP.
    pub smtp_scope: String,
    pub smtp_host: String,
    pub smtp_port: u16,
    /// The portal in which an administrator manages apps.
    pub portal: &'static str,
}

/// One of the national clouds, see <https://learn.microsoft.com/graph/deployments>.
struct Cloud {
    login: &'static str,
    graph: &'static str,
    outlook: &'static str,
    smtp: &'static str,
    portal: &'static str,
}

const PUBLIC: Cloud = Cloud {
    login: "https://login.microsoftonline.com",
    graph: "https://graph.microsoft.com",
    outlook: "https://outlook.office365.com",
    smtp: "smtp.office365.com",
    portal: "https://entra.microsoft.com",
};

const US_GOV: Cloud = Cloud {
    login: "https://login.microsoftonline.us",
    graph: "https://graph.microsoft.us",
    outlook: "https://outlook.office365.us",
    smtp: "smtp.office365.us",
    portal: "https://entra.microsoft.us",
};

const US_DOD: Cloud = Cloud {
    login: "https://login.microsoftonline.us",
    graph: "https://dod-graph.microsoft.us",
    outlook: "https://outlook-dod.office365.us",
    smtp: "outlook-dod.office365.us",
    portal: "https://entra.microsoft.us",
};

const CHINA: Cloud = Cloud {
    login: "https://login.partner.microsoftonline.cn",
    graph: "https://microsoftgraph.chinacloudapi.cn",
    outlook: "https://partner.outlook.cn",
    smtp: "smtp.partner.outlook.cn",
    portal: "https://entra.microsoftonline.cn",
};

/// The port of Microsoft's submission service, with STARTTLS.
const SMTP_PORT: u16 = 587;

impl Endpoints {
    /// # Errors
    /// Names the setting that cannot be used.
    pub fn new(settings: &Microsoft365) -> anyhow::Result<Self> {
        let cloud = match settings.cloud {
            MicrosoftCloud::Public => PUBLIC,
            MicrosoftCloud::UsGov => US_GOV,
            MicrosoftCloud::UsDod => US_DOD,
            MicrosoftCloud::China => CHINA,
        };
        let url = |key, set: &Option<String>, default: &str| -> anyhow::Result<String> {
            let Some(text) = set else { return Ok(default.to_owned()) };
            let text = text.trim_end_matches('/');
            check_operator_url(text).with_context(|| format!("microsoft365.{key}: {text} cannot be used"))?;
            Ok(text.to_owned())
        };
        let (smtp_host, smtp_port) = match &settings.smtp_server {
            None => (cloud.smtp.to_owned(), SMTP_PORT),
            Some(text) => server(text)?,
        };
        Ok(Self {
            login: url("login_url", &settings.login_url, cloud.login)?,
            graph: url("graph_url", &settings.graph_url, cloud.graph)?,
            // The scope names the resource by its public address, also where a test or a proxy serves it.
            graph_scope: format!("{}/.default", cloud.graph),
            smtp_scope: format!("{}/.default", cloud.outlook),
            smtp_host,
            smtp_port,
            portal: cloud.portal,
        })
    }
}

fn server(text: &str) -> anyhow::Result<(String, u16)> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() && port != 0 => Ok((host.to_owned(), port)),
        _ => bail!("microsoft365.smtp_server: {text:?} is not HOST:PORT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut Microsoft365)) -> Microsoft365 {
        let mut settings = crate::config::Config::default().microsoft365;
        change(&mut settings);
        settings
    }

    #[test]
    fn each_cloud_has_its_own_hosts() {
        for (cloud, login, graph) in [
            (MicrosoftCloud::Public, "https://login.microsoftonline.com", "https://graph.microsoft.com"),
            (MicrosoftCloud::UsGov, "https://login.microsoftonline.us", "https://graph.microsoft.us"),
            (MicrosoftCloud::UsDod, "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
            (
                MicrosoftCloud::China,
                "https://login.partner.microsoftonline.cn",
                "https://microsoftgraph.chinacloudapi.cn",
            ),
        ] {
            let endpoints = Endpoints::new(&settings(|s| s.cloud = cloud)).unwrap();
            assert_eq!((endpoints.login.as_str(), endpoints.graph.as_str()), (login, graph));
            assert_eq!(endpoints.graph_scope, format!("{graph}/.default"));
        }
    }

    /// Security case J2.
    #[test]
    fn only_the_operator_names_another_authority() {
        let endpoints =
            Endpoints::new(&settings(|s| s.login_url = Some("http://127.0.0.1:9/".to_owned()))).unwrap();
        assert_eq!(endpoints.login, "http://127.0.0.1:9");
        for url in ["http://login.example.com", "ftp://127.0.0.1", "login.example.com"] {
            let error = Endpoints::new(&settings(|s| s.login_url = Some(url.to_owned()))).unwrap_err();
            assert!(error.to_string().starts_with("microsoft365.login_url: "), "{error}");
        }
        for text in ["smtp.example.com", ":587", "smtp.example.com:0", "smtp.example.com:x"] {
            let error = Endpoints::new(&settings(|s| s.smtp_server = Some(text.to_owned()))).unwrap_err();
            assert!(error.to_string().starts_with("microsoft365.smtp_server: "), "{error}");
        }
    }
}
