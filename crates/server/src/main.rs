//! The `mainstay` program.

/// A small request is mostly allocations of a few bytes, given back on another thread as often as not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mainstay_server::cli::main()
}
