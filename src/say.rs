//! What is said beside a command's proper output: words in, to standard output or standard error. Where nobody can hear it, it
//! is left unsaid: a full disk behind a pipe is no reason to lose a run, or its exit code.

use std::fmt::Arguments;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// Nobody listens: to say something would be to wait for ever.
static UNHEARD: AtomicBool = AtomicBool::new(false);

/// Says nothing from now on.
pub(crate) fn give_up() {
    UNHEARD.store(true, Ordering::Relaxed);
}

/// Says a line on standard output.
pub(crate) fn out(words: Arguments<'_>) {
    if !UNHEARD.load(Ordering::Relaxed) {
        let _ = anstream::stdout().write_all(line(words).as_bytes());
    }
}

/// Says a line on standard error.
pub(crate) fn err(words: Arguments<'_>) {
    if !UNHEARD.load(Ordering::Relaxed) {
        let _ = anstream::stderr().write_all(line(words).as_bytes());
    }
}

/// Written in one piece: whoever passes on what comes piece by piece, such as a server to whoever pushes, would break it.
fn line(words: Arguments<'_>) -> String {
    format!("{words}\n")
}

/// Says a line on standard output, formatted.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::out(format_args!($($words)*)) };
}

/// Says a line on standard error, formatted.
macro_rules! note {
    ($($words:tt)*) => { $crate::say::err(format_args!($($words)*)) };
}
