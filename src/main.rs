//! The binary. All code is in the library, where tests can reach it.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Overwrites freed memory, also the buffers of HTTP and JSON libraries that a password passed through. See
/// docs/adr/0011-memory-is-overwritten-when-it-is-freed.md.
#[global_allocator]
static MEMORY: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

#[tokio::main]
async fn main() -> ExitCode {
    transports::cli::run().await
}
