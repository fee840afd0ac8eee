//! A server that is measured, as a process on a core of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::proc;

/// The core of what is measured.
pub const SERVER_CORE: &str = "0";
/// The core of everything round it: the load, PostgreSQL, the mail servers.
pub const OTHER_CORE: &str = "1";

/// A command to start a process with; the process starts on `core`, and ends with this one.
pub fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", core]).arg(program);
    command
}

/// Binds the calling thread, and all that it starts from now on, to a core.
pub fn pin_this_thread(core: &str) {
    let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
    let id = thread.file_name().expect("a number");
    let done = Command::new("taskset").args(["-cp", core]).arg(id).stdout(Stdio::null()).status();
    assert!(done.is_ok_and(|status| status.success()), "taskset binds a thread to core {core}");
}

/// A port of loopback that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// A running process. Killed when dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// The file with its output.
    log: PathBuf,
}

impl Process {
    /// Starts it; `port` is the one that it was told to listen on. Its output goes to `log`.
    pub fn start(mut command: Command, port: u16, log: &Path) -> Self {
        let file = std::fs::File::create(log).expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)), log: log.to_owned() }
    }

    /// Starts one that is spoken to on its standard input.
    pub fn spoken_to(mut command: Command) -> (Self, ChildStdin, ChildStdout) {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        // What it says about its errors goes to ours.
        (Self { child, address: nowhere, log: PathBuf::from("/dev/stderr") }, input, output)
    }

    /// Waits until it listens.
    #[expect(clippy::disallowed_methods, reason = "a client of the server that is measured")]
    pub fn wait_until_it_listens(&mut self) {
        let end = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!(
                    "the server for {} ended at its start: {status}; see {}",
                    self.address,
                    self.log.display()
                );
            }
            assert!(Instant::now() < end, "the server for {} does not listen", self.address);
            // Short beside what a start takes, and too rare to take its core.
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Its CPU time so far, in microseconds.
    pub fn cpu_micros(&self) -> f64 {
        proc::cpu_micros(self.child.id())
    }

    /// Memory that is its own and shared with no other process, in MiB.
    pub fn private_mib(&self) -> f64 {
        let bytes = proc::memory_bytes(self.child.id(), &proc::PRIVATE);
        assert!(bytes > 0.0, "root alone is told of the memory of the service");
        bytes / (1024.0 * 1024.0)
    }

    /// Asks it to end, and waits for that.
    pub fn end(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "the process is still there");
        self.child.wait().expect("a child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
