//! What is said beside a command's proper output: words in, to standard output or standard error. Where nobody can hear it, it
//! is left unsaid: a full disk behind a pipe is no reason to lose a run, or its exit code.

use std::fmt::Arguments;
use std::io::Write as _;

/// Says a line on standard output.
pub(crate) fn out(words: Arguments<'_>) {
    let _ = writeln!(anstream::stdout(), "{words}");
}

/// Says a line on standard error.
pub(crate) fn err(words: Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{words}");
}

/// Says a line on standard output, formatted.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::out(format_args!($($words)*)) };
}

/// Says a line on standard error, formatted.
macro_rules! note {
    ($($words:tt)*) => { $crate::say::err(format_args!($($words)*)) };
}
