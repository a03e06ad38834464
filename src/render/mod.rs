//! Targets: what graphs and plans are written as. Plans and the graph come in, text goes out.

pub mod buildbot;
pub mod ci;
mod context;
mod diff;
mod drawing;
mod dry_run;
mod graph;
mod layout;
pub mod own;
mod preview;
pub mod sh;

pub use context::{CONTEXT, Context};
pub use diff::{line as difference_line, markdown, summary as difference_summary, text as difference};
pub use dry_run::{dry_run, summary};
pub use graph::{Language, draw};
pub use preview::preview;
