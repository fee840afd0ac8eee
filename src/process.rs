//! Protects the memory of the process, which holds keys and passwords: no core dumps, no readers but root.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Disables core dumps, and forbids other processes of the same user to read this one's memory and environment, which
/// may hold keys. Root still may.
///
/// # Errors
/// Where the system does not allow it, which it always has.
pub fn forbid_dumps() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
