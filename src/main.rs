//! Arguments to a call, a result to an exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    farmout::cli::main().into()
}
