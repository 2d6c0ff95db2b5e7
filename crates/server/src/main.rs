//! The `mainstay` program.

fn main() -> std::process::ExitCode {
    mainstay_server::cli::main()
}
