//! Targets: what graphs and plans are written as. Plans and the graph come in, text goes out.

mod dry_run;

pub use dry_run::{dry_run, summary};
