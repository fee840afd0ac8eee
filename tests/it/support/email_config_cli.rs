//! `transports email-config` as a user of a terminal runs it: the real binary against a server.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process::command;

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Asserts the exit code, showing the output where it differs.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A user with a server and a token in their environment.
#[derive(Clone)]
pub struct Cli {
    variables: Vec<(String, String)>,
}

impl Cli {
    pub fn new(server: &str, token: &str) -> Self {
        Self { variables: Vec::new() }.with("TRANSPORTS_SERVER", server).with("TRANSPORTS_TOKEN", token)
    }

    /// The same with a variable more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Nothing in the environment but a folder for profiles.
    pub fn without_server(config_home: &std::path::Path) -> Self {
        Self { variables: Vec::new() }.with("XDG_CONFIG_HOME", config_home.to_str().expect("text"))
    }

    /// The command, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.other_command(&[&["email-config"], arguments].concat())
    }

    /// Another command than `email-config`.
    pub fn other_command(&self, arguments: &[&str]) -> Command {
        command(arguments, &self.variables)
    }

    /// Runs it to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "").await
    }

    /// The same with something on standard input.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        Self::finish(self.command(arguments), input).await
    }

    /// Runs another command than `email-config` to its end.
    pub async fn run_other(&self, arguments: &[&str]) -> Ran {
        Self::finish(self.other_command(arguments), "").await
    }

    async fn finish(mut command: Command, input: &str) -> Ran {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        let ended = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().expect("the binary is built");
            // A command that reads nothing may be gone already.
            let _ = std::io::Write::write_all(&mut child.stdin.take().expect("is piped"), input.as_bytes());
            child.wait_with_output().expect("it ends")
        });
        let output = ended.await.expect("it does not panic");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A file of the owner alone, with a name of its own; what is in it must not matter to other tests.
pub fn file(content: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let name = format!("cli-{}", uuid::Uuid::new_v4().simple());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the folder for tests can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    path.to_str().expect("text").to_owned()
}
