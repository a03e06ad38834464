//! Arguments to a call, a result to an exit code; nothing else.

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    farmout::cli::main().into()
}

/// Builds need process groups, Unix sockets and users: there is no half of a slave on Windows.
#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!(
        "error: farmout does not run on this system\n  help: run it on Linux or another Unix; on Windows, in WSL"
    );
    ExitCode::from(2)
}
