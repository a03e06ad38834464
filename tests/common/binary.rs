//! The program under test, as its users start it. In: arguments. Out: what it wrote.

use assert_cmd::Command;

/// farmout in the project's directory; `current_dir` takes it elsewhere.
pub fn farmout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command
}

/// What it wrote on one of its streams, which is always UTF-8.
#[track_caller]
pub fn text(stream: &[u8]) -> String {
    String::from_utf8(stream.to_vec()).unwrap()
}
