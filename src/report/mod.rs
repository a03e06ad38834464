//! Reports: events of a run, or what a run kept, in, text for people out. Nothing here runs anything or is known to what
//! does.

mod aside;
mod board;
mod duration;
mod excerpt;
mod groups;
pub mod html;
mod junit;
mod layout;
mod list;
mod live;
mod output;
mod style;
mod telling;
mod terminal;
mod trigger;
mod written;

use camino::Utf8Path;

pub use aside::Aside;
pub use duration::duration;
pub use list::{Summary, table};
pub use style::Style;
pub use terminal::{Manner, Terminal};
pub use written::Format;

/// The lines that matter of the log of a step. Of one that cannot be read there are none.
pub(crate) fn matters(step: &str, log: &Utf8Path) -> Vec<String> {
    excerpt::Excerpt::of(log, excerpt::Window::of(step)).unwrap_or_default()
}
