//! Local mirrors of the repositories that farms watch. In: compiled farms, and a directory. Out: mirrors in it that are what their
//! repositories are, and typed changes of their branches, for whoever schedules builds.
//!
//! It writes below that directory only, which is the caller's own: nothing here needs root's rights, nor may be run with
//! them. It may be killed at any moment: a mirror is made aside and renamed, and what is known of it is written after it is so.

mod bzr;
mod call;
mod change;
mod gc;
mod git;
mod hg;
pub mod hooks;
mod layout;
mod state;
mod status;
mod table;
mod tell;
mod update;
mod url;
mod watched;

pub use call::Surroundings;
pub(crate) use call::{finish, follow};
pub use change::Change;
pub use gc::{Left, Removed, gc};
pub use layout::{Held, Mirrors};
pub use state::{Problem, State};
pub use status::{Status, status, status_table};
pub use table::update_table;
pub use tell::came;
pub use update::{Observer, Outcome, Pace, Report, Updated, update};
pub use url::identity;
pub use watched::{Branch, Repository, Watcher, watched};
