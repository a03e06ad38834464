//! Reports: events of a run, or what a run kept, in, text for people out. Nothing here runs anything or is known to what
//! does.

mod duration;
mod excerpt;
pub mod html;
mod terminal;

pub use duration::duration;
pub use terminal::{Manner, Terminal};
