//! A farm for a Buildbot master: the graph comes in, `farm.json` and the files that go with it go out. `farm.py`, which a master's
//! configuration imports, is the same for every farm: a master that is reconfigured reads data again, but no imported module.

mod apart;
mod branches;
mod document;
mod make;
mod names;
mod split;
mod transfer;

pub use document::{Document, FORMAT};
pub use make::{MakeError, make};
pub use names::{known_secrets, worker_name};
pub use split::{overloaded, split};

/// The loader of `farm.json`.
pub const LOADER: &str = include_str!("farm.py");
/// A complete configuration, for a master that has none.
pub const MASTER: &str = include_str!("master.cfg");
/// The same for one of several masters.
pub const ONE_OF_MASTERS: &str = include_str!("masters.cfg");
