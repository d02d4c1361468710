//! The program `vmcp`: hands the command line to [`vmcp_native::cli`].
//!
//! It holds no behaviour of its own.

fn main() -> std::process::ExitCode {
    vmcp_native::cli::main()
}
