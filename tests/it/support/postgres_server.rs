//! A server of PostgreSQL that a test has for itself: to be killed, stopped and started again.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Ends, with its data, when dropped.
pub struct PostgresServer {
    name: &'static str,
    pub url: String,
}

impl PostgresServer {
    pub fn start(name: &'static str) -> Self {
        script("stop", name);
        Self { name, url: script("start", name) }
    }

    /// SIGKILL for all of it at once, as when the machine is gone.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    /// Nothing of it runs, and every connection stays open.
    pub fn stall(&self) {
        self.signal("STOP");
    }

    pub fn go_on(&self) {
        self.signal("CONT");
    }

    /// Starts again on the same data.
    pub fn restart(&self) {
        script("restart", self.name);
    }

    fn signal(&self, signal: &str) {
        let main = script("pid", self.name);
        // The main process first: it would replace the others.
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).expect("it runs");
        let all: Vec<_> = std::iter::once(main.as_str()).chain(children.split_whitespace()).collect();
        // One that has just ended by itself is no failure.
        let _ = Command::new("kill").arg(format!("-{signal}")).args(all).output().expect("kill runs");
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        script("stop", self.name);
    }
}

fn script(command: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres-for-tests");
    let output = Command::new(path).args([command, name]).output().expect("bash runs");
    assert!(output.status.success(), "{command} {name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}
