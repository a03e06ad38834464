//! Reports: events of a run, or what a run kept, in, text for people out. Nothing here runs anything or is known to what
//! does.

mod duration;
mod excerpt;
pub mod html;
mod terminal;

use camino::Utf8Path;

pub use duration::duration;
pub use terminal::{Manner, Terminal};

/// The lines that matter of the log of a step. Of one that cannot be read there are none.
pub(crate) fn matters(step: &str, log: &Utf8Path) -> Vec<String> {
    excerpt::Excerpt::of(log, excerpt::Window::of(step)).unwrap_or_default()
}
