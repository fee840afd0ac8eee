//! The memory of this process is for nobody else: it holds keys and, while they are used, passwords.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core is dumped when the process crashes, and no other process of the same user may look into its memory or
/// its environment (which may hold keys). Root still may.
///
/// # Errors
/// Where the system does not allow it, which it always has.
pub fn forbid_dumps() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
