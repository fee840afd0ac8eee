//! The memory of the running service: no core is dumped, and another process of the same user does not get in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::database::{Database, Engine};
use crate::support::eventually::eventually;
use crate::support::process::variables;

/// Nobody's user and group. Root may look into everything, so that root's tests become this user.
const NOBODY: u32 = 65_534;

/// A command that runs as an ordinary user: this one, or nobody where this one is root.
fn as_user(program: &Path, is_root: bool) -> Command {
    let mut command = Command::new(program);
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether another process of the same user can read this file of a process.
fn can_read(is_root: bool, process: u32, file: &str) -> bool {
    let mut head = as_user(Path::new("head"), is_root);
    let output = head.args(["-c", "1", &format!("/proc/{process}/{file}")]).output().expect("head runs");
    // What can be opened and holds nothing at its beginning is an error of reading and not of permission.
    !String::from_utf8_lossy(&output.stderr).contains("Permission denied")
}

/// Security case L12.
#[tokio::test]
async fn process_memory_is_unreadable_and_no_core_is_dumped() {
    let database = Database::create(Engine::Sqlite).await;
    let folder = database.file().parent().expect("a folder").to_owned();
    let is_root = fs::metadata("/proc/self").expect("this process").uid() == 0;
    // A copy that an ordinary user may run, and a folder that it may write to.
    let binary = folder.join("transports");
    fs::copy(env!("CARGO_BIN_EXE_transports"), &binary).expect("a free disk");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("its owner");
    if is_root {
        chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root");
    }
    let authority = folder.join("ca.pem");
    fs::copy(crate::support::certificates::authority_file(), &authority).expect("a free disk");
    fs::set_permissions(&authority, fs::Permissions::from_mode(0o644)).expect("its owner");

    let mut service = as_user(Path::new("bash"), is_root);
    service
        // As if whoever starts it had asked for cores.
        .args(["-c", "ulimit -S -c $(ulimit -H -c); exec \"$0\" serve"])
        .arg(&binary)
        .env_clear()
        .envs(variables(&database))
        .env("TRANSPORTS_TLS__CA_FILE", &authority)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut service = Ended(service.spawn().expect("bash runs"));
    let id = service.0.id();
    let limits = || fs::read_to_string(format!("/proc/{id}/limits")).unwrap_or_default();
    let is_service = || {
        fs::read(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| line.starts_with(binary.as_os_str().as_encoded_bytes()))
    };
    eventually("no core may be dumped", async || {
        is_service()
            && limits()
                .lines()
                .any(|line| words(line).starts_with(&["Max", "core", "file", "size", "0", "0"]))
    })
    .await;
    eventually("it is closed to others", async || !can_read(is_root, id, "environ")).await;
    for file in ["environ", "mem", "maps", "auxv"] {
        assert!(!can_read(is_root, id, file), "{file}");
    }
    // An ordinary process of the same user is open to it, or this test would see nothing.
    let other = Ended(as_user(Path::new("sleep"), is_root).arg("60").spawn().expect("sleep runs"));
    eventually("an ordinary process is open", async || can_read(is_root, other.0.id(), "environ")).await;

    let aborted = Command::new("kill").args(["-ABRT", &id.to_string()]).status().expect("kill runs");
    assert!(aborted.success());
    let status = service.0.wait().expect("a child");
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Killed when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
