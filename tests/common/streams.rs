//! What a command of `farmout tool` wrote, whichever stream it is on.

use std::process::Output;

/// Standard output, and standard error behind it. What other programs say through it may be in any encoding.
pub fn text(output: &Output) -> String {
    [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat()
}
