//! The binary: everything is in the library, so that tests can reach it.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Overwrites memory when it is freed, also that of libraries which read a password on its way: the buffers of
/// HTTP and of JSON. See docs/adr/0011-memory-is-overwritten-when-it-is-freed.md.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

#[tokio::main]
async fn main() -> ExitCode {
    transports::cli::run().await
}
