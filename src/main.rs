//! The binary: everything is in the library, so that tests can reach it.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use zeroizing_alloc::ZeroAlloc;

/// Overwrites memory when it is freed, also that of libraries which read a password on its way: the buffers of
/// HTTP and of JSON. See docs/adr/0011-memory-is-overwritten-when-it-is-freed.md.
#[global_allocator]
static MEMORY: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

#[tokio::main]
async fn main() -> ExitCode {
    transports::cli::run().await
}
