//! Runs a command on a terminal of its own, and types when it asks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

/// What is typed as soon as the screen ends with a question.
pub struct Line<'a> {
    question: &'a str,
    typed: &'a str,
    is_hidden: bool,
}

impl<'a> Line<'a> {
    pub fn new(question: &'a str, typed: &'a str) -> Self {
        Self { question, typed, is_hidden: false }
    }

    /// Typed once the terminal has stopped to echo.
    pub fn hidden(question: &'a str, typed: &'a str) -> Self {
        Self { question, typed, is_hidden: true }
    }
}

/// Returns the exit code, and what was on the screen.
pub fn on_a_terminal(command: &Command, lines: &[Line<'_>]) -> (Option<i32>, String) {
    let quote = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().expect("text").replace('\'', r"'\''"));
    let line: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect();
    let mut terminal = Command::new("script");
    let line = format!("tty; exec {}", line.join(" "));
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    for (name, value) in command.get_envs() {
        terminal.env(name, value.expect("is set"));
    }
    let mut child =
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Debian always has `script`");
    let (mut keys, screen) = (child.stdin.take().expect("is piped"), child.stdout.take().expect("is piped"));
    let mut screen = BufReader::new(screen);
    let mut name = String::new();
    screen.read_line(&mut name).expect("the name of the terminal");
    let mut seen = Vec::new();
    let mut lines = lines.iter().peekable();
    let mut byte = [0];
    while screen.read(&mut byte).is_ok_and(|count| count == 1) {
        seen.extend(byte);
        if let Some(line) = lines.next_if(|line| seen.ends_with(line.question.as_bytes())) {
            if line.is_hidden {
                wait_until_nothing_is_echoed(name.trim());
            }
            writeln!(keys, "{}", line.typed).expect("can be typed");
        }
    }
    let status = child.wait().expect("it ends");
    (status.code(), String::from_utf8_lossy(&seen).into_owned())
}

/// The prompt appears a moment before the terminal stops to echo; nobody types as fast as a test.
fn wait_until_nothing_is_echoed(terminal: &str) {
    for _ in 0..10_000 {
        let asked =
            Command::new("stty").args(["-a", "-F", terminal]).output().expect("Debian always has `stty`");
        if String::from_utf8_lossy(&asked.stdout).contains(" -echo ") {
            return;
        }
    }
    panic!("{terminal} shows what is typed");
}
