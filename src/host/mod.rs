//! This machine as a build slave. In: the caller's environment, its user and what is installed. Out: the account that
//! builds run as, a clean environment, a base directory, what the machine offers, and what it lacks. Nothing here reads a
//! farm, and nothing here changes a file or a user that farmout did not make.

pub(crate) mod access;
pub mod account;
pub mod buildbot;
pub mod detect;
pub mod embedded;
pub mod environment;
pub mod needs;
pub mod place;
pub mod probe;
pub mod secret;
pub mod setup;
pub mod workshop;

pub use account::Account;
pub use buildbot::Buildbot;
pub use detect::{Machine, Search, detect};
pub use place::Place;
pub use workshop::Workshop;
