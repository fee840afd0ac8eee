//! What `transports init` needs to know: from options, from the terminal, or by default.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::dialogue::Dialogue;
use super::{Arguments, folder};
use crate::auth::open_id_connect::{IssuerKeys, find_issuer_keys};
use crate::cli::{output, serve};
use crate::config::{DatabaseUrl, Invalid, Problem, check_operator_url};
use crate::dev::folder::random_secret;
use crate::egress::http_client::HttpClient;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store;

/// Where the Debian package and the systemd unit keep the database.
const DATABASE_OF_THE_SYSTEM: &str = "sqlite:///var/lib/transports/transports.db";
const DATABASE: &str = "sqlite://transports.db";
const LISTEN: &str = "127.0.0.1:8080";
/// The answer for a secret of the service's own.
const OWN: &str = "own";
/// The first administrator.
pub const ADMIN: &str = "admin";

pub struct Answers {
    pub listen: SocketAddr,
    /// Where browsers and clients find the service, without a slash at the end.
    pub public_url: Option<String>,
    pub database: DatabaseUrl,
    pub token_keys: TokenKeys,
    pub audience: String,
    pub first: Option<FirstTenant>,
}

/// Who signs tokens.
pub enum TokenKeys {
    /// This service, with this secret.
    Own(Secret),
    Issuer {
        keys: IssuerKeys,
        /// The console's id at the issuer.
        console_client_id: Option<String>,
    },
}

pub struct FirstTenant {
    pub tenant: String,
    pub admin: String,
}

impl Answers {
    /// # Errors
    /// An option that cannot be used, or a terminal that was closed.
    pub async fn collect(
        arguments: &Arguments,
        settings: &Path,
        dialogue: Option<Dialogue<'_>>,
        http: &HttpClient,
    ) -> anyhow::Result<Self> {
        if arguments.issuer.is_some() {
            refuse_first_tenant(arguments)?;
        }
        let mut source = Source { dialogue };
        source.say("transports init: Enter takes what stands in brackets.")?;
        let listen = source.answer(
            ("--listen", arguments.listen.as_deref()),
            "Address to listen on",
            LISTEN,
            async |text| listen_address(text),
        );
        let listen = listen.await?;
        if serve::is_taken(listen) {
            source.note(&format!(
                "note: another program listens on {listen} now. `transports serve` starts once that has ended, or with \
                 another address as server.listen."
            ))?;
        }
        let public_url = source.answer(
            ("--public-url", arguments.public_url.as_deref()),
            "Address under which browsers and clients find it, such as https://mail.example.com",
            "",
            async |text| public_url(text),
        );
        let public_url = public_url.await?;
        let is_of_the_system = settings.starts_with("/etc");
        let database = source.answer(
            ("--database", arguments.database.as_deref()),
            "Database: sqlite://PATH, or postgres://USER:PASSWORD@HOST/NAME",
            if is_of_the_system { DATABASE_OF_THE_SYSTEM } else { DATABASE },
            async |text| database_url(text, settings),
        );
        let database = database.await?;
        let token_keys = source.token_keys(arguments, public_url.is_some(), http).await?;
        let first = match &token_keys {
            TokenKeys::Own(_) => source.first_tenant(arguments).await?,
            TokenKeys::Issuer { .. } => {
                if let Err(refusal) = refuse_first_tenant(arguments) {
                    source.say(&format!("  {refusal}"))?;
                }
                None
            }
        };
        Ok(Self { listen, public_url, database, token_keys, audience: arguments.audience.clone(), first })
    }
}

/// Where answers come from: an option first, then the terminal if there is one, then the default.
struct Source<'a> {
    dialogue: Option<Dialogue<'a>>,
}

impl Source<'_> {
    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.dialogue.as_mut().map_or(Ok(()), |dialogue| dialogue.say(text))
    }

    /// Also where nothing is asked.
    fn note(&mut self, text: &str) -> anyhow::Result<()> {
        if self.dialogue.is_none() {
            output::note(text);
        }
        self.say(text)
    }

    async fn answer<T>(
        &mut self,
        (option, given): (&str, Option<&str>),
        question: &str,
        default: &str,
        check: impl AsyncFn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        match (given, &mut self.dialogue) {
            (None, Some(dialogue)) => dialogue.ask(question, default, check).await,
            (given, _) => check(given.unwrap_or(default)).await.map_err(|fault| {
                let text = given.unwrap_or(default);
                Invalid::from(Problem::new(format!("{option}: {text} cannot be used: {fault}"))).into()
            }),
        }
    }

    async fn token_keys(
        &mut self,
        arguments: &Arguments,
        is_public: bool,
        http: &HttpClient,
    ) -> anyhow::Result<TokenKeys> {
        let keys = self.answer(
            ("--issuer", arguments.issuer.as_deref()),
            "Who signs tokens: own, for a secret of this service, or the URL of your issuer (Keycloak, Entra ID, Auth0 …)",
            OWN,
            async |text| issuer_keys(text, arguments.jwks_url.as_deref(), http).await,
        );
        let Some(keys) = keys.await? else { return Ok(TokenKeys::Own(random_secret(32)?)) };
        let given = arguments.console_client_id.as_deref();
        let console_client_id = if is_public {
            let question = "Id of the console as a client of the issuer, so that people can sign in to it";
            self.answer(("--console-client-id", given), question, "", async |text| Ok(optional(text))).await?
        } else {
            None
        };
        Ok(TokenKeys::Issuer { keys, console_client_id })
    }

    async fn first_tenant(&mut self, arguments: &Arguments) -> anyhow::Result<Option<FirstTenant>> {
        let question = "First tenant, for which a token is printed, such as acme";
        let tenant = self.answer(("--tenant", arguments.tenant.as_deref()), question, "", async |text| {
            optional(text).map(|tenant| name(&tenant)).transpose()
        });
        let Some(tenant) = tenant.await? else {
            refuse_admin_without_tenant(arguments, self)?;
            return Ok(None);
        };
        let asks = self.dialogue.is_some() && arguments.tenant.is_none();
        let given = arguments.admin.as_deref().or((!asks).then_some(ADMIN));
        let admin = self.answer(("--admin", given), "Its administrator", ADMIN, async |text| name(text));
        Ok(Some(FirstTenant { tenant, admin: admin.await? }))
    }
}

/// # Errors
/// An option names a first tenant, and an issuer signs.
fn refuse_first_tenant(arguments: &Arguments) -> Result<(), Invalid> {
    let options = [("--tenant", &arguments.tenant), ("--admin", &arguments.admin)];
    let Some((option, _)) = options.into_iter().find(|(_, given)| given.is_some()) else { return Ok(()) };
    let text = format!("{option}: no first token can be printed, since the issuer signs the tokens itself");
    let hint = "leave out --tenant and --admin; docs/tokens.md says what a token of the issuer has to hold";
    Err(Problem::new(text).with_hint(hint).into())
}

/// # Errors
/// The tenant is missing, and cannot be asked for.
fn refuse_admin_without_tenant(arguments: &Arguments, source: &mut Source<'_>) -> anyhow::Result<()> {
    if arguments.admin.is_none() {
        return Ok(());
    }
    let problem = Problem::new("--admin: there is no first tenant whose administrator this would be")
        .with_hint("add --tenant ID, or leave out --admin");
    if source.dialogue.is_some() {
        return source.say(&format!("  {problem}; it is left out"));
    }
    Err(Invalid::from(problem).into())
}

fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The name of a tenant or a user: a token may carry it.
fn name(text: &str) -> Result<String, String> {
    TenantId::from_argument(text).map(|name| name.as_str().to_owned())
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| {
        "it has to be an IP address with a port, such as 127.0.0.1:8080 or 0.0.0.0:8080, or a port alone"
            .to_owned()
    })
}

fn public_url(text: &str) -> Result<Option<String>, String> {
    let Some(url) = optional(text.trim_end_matches('/')) else { return Ok(None) };
    check_operator_url(&url)
        .map_err(|error| format!("{error:#} (http:// is for addresses of this machine)"))?;
    if url.contains(['?', '#']) {
        Err("it has to end behind the host or a path".to_owned())
    } else {
        Ok(Some(url))
    }
}

fn database_url(text: &str, settings: &Path) -> Result<DatabaseUrl, String> {
    let url = DatabaseUrl::new(text);
    if let Some(path) = url.sqlite_path() {
        let file = folder(settings).join(path);
        let is_given = text != DATABASE_OF_THE_SYSTEM;
        return match file.parent().filter(|parent| is_given && !parent.is_dir()) {
            _ if path.as_os_str().is_empty() => Err("it names no file".to_owned()),
            _ if file.is_dir() => Err("it is a folder; name a file in it".to_owned()),
            Some(parent) => Err(format!("there is no folder {}; make it first", parent.display())),
            None => Ok(url),
        };
    }
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err("it has to begin with sqlite:// or postgres://".to_owned());
    }
    store::check_url(&url).map_err(|error| format!("{error:#}"))?;
    Ok(url)
}

/// `None` for a secret of the service's own.
async fn issuer_keys(
    text: &str,
    jwks_url: Option<&str>,
    http: &HttpClient,
) -> Result<Option<IssuerKeys>, String> {
    if text == OWN {
        return Ok(None);
    }
    check_operator_url(text)
        .map_err(|error| format!("{error:#}, or be {OWN}, for a secret of this service"))?;
    if let Some(url) = jwks_url {
        check_operator_url(url).map_err(|error| format!("--jwks-url {url}: {error:#}"))?;
        return Ok(Some(IssuerKeys { issuer: text.to_owned(), jwks_url: url.to_owned() }));
    }
    let found = find_issuer_keys(http, text).await;
    found
        .map(Some)
        .map_err(|error| format!("{error}; --jwks-url names the keys of an issuer that cannot be asked"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use clap::Parser;

    use super::*;
    use crate::app;
    use crate::config::Config;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// The answers to these lines, and what was asked.
    async fn collect(options: &[&str], lines: &str) -> (anyhow::Result<Answers>, String) {
        let line = Line::parse_from([&["init"], options].concat());
        let http = app::http_client(&Config::default()).unwrap();
        let (mut input, mut output) = (Cursor::new(lines.to_owned()), Vec::new());
        let dialogue = Dialogue::new(&mut input, &mut output);
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("transports.toml");
        let answers = Answers::collect(&line.arguments, &settings, Some(dialogue), &http).await;
        (answers, String::from_utf8(output).unwrap())
    }

    #[tokio::test]
    async fn empty_lines_take_what_stands_in_brackets() {
        let (answers, asked) = collect(&[], "\n\n\n\n\n").await;
        let answers = answers.unwrap();
        assert_eq!(answers.listen.to_string(), "127.0.0.1:8080");
        assert_eq!((answers.public_url, answers.database.expose()), (None, "sqlite://transports.db"));
        assert!(matches!(answers.token_keys, TokenKeys::Own(secret) if secret.expose().len() >= 32));
        assert!(answers.first.is_none());
        assert_eq!(asked.matches("]: ").count(), 5, "{asked}");
    }

    #[tokio::test]
    async fn an_unusable_answer_is_told_and_the_question_repeated() {
        let lines = "localhost:80\n9000\nmail.example.com\nhttp://mail.example.com\nhttps://mail.example.com/\n\
                     mysql://x\nsqlite:///nowhere/at/all.db\npostgres://u:hunter2@h:port/x\npostgres://u:hunter2@h/x\n\
                     ftp://x\nown\n*\nacme\n\n";
        let (answers, asked) = collect(&[], lines).await;
        let answers = answers.unwrap();
        assert_eq!(answers.listen.to_string(), "127.0.0.1:9000");
        assert_eq!(answers.public_url.as_deref(), Some("https://mail.example.com"));
        assert_eq!(answers.database.expose(), "postgres://u:hunter2@h/x");
        let first = answers.first.unwrap();
        assert_eq!((first.tenant.as_str(), first.admin.as_str()), ("acme", "admin"));
        for fault in [
            "localhost:80 cannot be used: it has to be an IP address with a port",
            "mail.example.com cannot be used: it must begin with https://",
            "mysql://x cannot be used: it has to begin with sqlite:// or postgres://",
            "cannot be used: there is no folder /nowhere/at; make it first",
            "is not a URL that the driver understands",
            "ftp://x cannot be used: it must begin with https://, or be own, for a secret of this service",
            "* cannot be used: a tenant has 1 to 255 bytes",
        ] {
            assert!(asked.contains(fault), "{fault}: {asked}");
        }
    }

    #[tokio::test]
    async fn options_answer_their_questions() {
        let options =
            ["--listen", "0.0.0.0:80", "--public-url", "https://m.example", "--database", "sqlite://x.db"];
        let more = ["--issuer", "https://login.example", "--jwks-url", "https://login.example/keys"];
        let last = ["--console-client-id", "console"];
        let (answers, asked) = collect(&[&options[..], &more, &last].concat(), "").await;
        let answers = answers.unwrap();
        assert!(!asked.contains("]: "), "{asked}");
        assert_eq!(answers.listen.to_string(), "0.0.0.0:80");
        let TokenKeys::Issuer { keys, console_client_id } = answers.token_keys else { panic!("an issuer") };
        assert_eq!(keys.jwks_url, "https://login.example/keys");
        assert_eq!(console_client_id.as_deref(), Some("console"));
    }

    #[tokio::test]
    async fn an_issuer_and_a_first_tenant_exclude_each_other() {
        let issuer = ["--jwks-url", "https://login.example/keys", "--issuer", "https://login.example"];
        for options in
            [&["--tenant", "acme"][..], &["--admin", "anna"], &["--tenant", "acme", "--admin", "anna"]]
        {
            let (answers, asked) = collect(&[&issuer[..], options].concat(), "").await;
            let error = answers.err().unwrap().to_string();
            assert!(error.starts_with(options[0]) && error.contains("the issuer signs"), "{error}");
            assert!(asked.is_empty(), "before anything is asked: {asked}");
        }
    }

    #[tokio::test]
    async fn a_taken_address_is_noticed_and_accepted() {
        let other = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = other.local_addr().unwrap().to_string();
        let note = format!("note: another program listens on {taken} now.");
        let (answers, asked) = collect(&["--listen", &taken], "\n\n\n\n").await;
        assert_eq!(answers.unwrap().listen.to_string(), taken);
        assert!(asked.contains(&note), "{asked}");
        drop(other);
        let (_, asked) = collect(&["--listen", &taken], "\n\n\n\n").await;
        assert!(!asked.contains(&note), "{asked}");
    }

    #[tokio::test]
    async fn an_administrator_without_a_tenant_is_not_left_out_silently() {
        let (answers, asked) = collect(&["--admin", "anna"], "\n\n\n\n\n").await;
        assert!(answers.unwrap().first.is_none());
        assert!(asked.contains("--admin: there is no first tenant"), "{asked}");
        let (answers, _) = collect(&["--admin", "anna"], "\n\n\n\nacme\n").await;
        assert_eq!(answers.unwrap().first.unwrap().admin, "anna");
    }

    #[tokio::test]
    async fn a_closed_terminal_ends_the_questions() {
        let (answers, _) = collect(&[], "\n\n").await;
        assert!(answers.err().unwrap().to_string().contains("nothing was written"));
    }
}
