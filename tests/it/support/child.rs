//! Runs one test of this binary in a process of its own.
//!
//! Such a test is `#[ignore]`d, so that only its parent runs it, and takes its argument from [`told`].

use std::process::{Command, Stdio};

const TOLD: &str = "TEST_CHILD";

/// A command that runs the test with this path, such as `store_faults::child_writes`.
pub fn child(test: &str, argument: &str) -> Command {
    wrapped(Command::new(own_path()), test, argument)
}

/// The same, with files of at most so many KiB; a larger one is an error for who writes it.
pub fn child_with_small_files(kibibytes: u32, test: &str, argument: &str) -> Command {
    let mut shell = Command::new("bash");
    // Without the signal that comes with the error.
    shell
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -S -f {kibibytes}; exec \"$0\" \"$@\""))
        .arg(own_path());
    wrapped(shell, test, argument)
}

fn wrapped(mut command: Command, test: &str, argument: &str) -> Command {
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(TOLD, argument);
    command.stdin(Stdio::null());
    command
}

fn own_path() -> std::path::PathBuf {
    std::env::current_exe().expect("the path of the tests")
}

/// The argument, inside of the child.
#[expect(clippy::disallowed_methods, reason = "how a test tells its child what to do")]
pub fn told() -> String {
    std::env::var(TOLD).expect("run by its parent only")
}
