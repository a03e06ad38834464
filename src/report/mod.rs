//! Reports: events of a run in, text for people out. Nothing here runs anything or is known to what does.

mod duration;
mod excerpt;
mod terminal;

pub use duration::duration;
pub use terminal::{Manner, Terminal};
