//! The commands that the steps of a plan call: each takes plain values, does its work in the directories and servers that it
//! is given, and returns an error of its own, which becomes a [`Failure`](crate::diagnostic::Failure). They know nothing of
//! farms and plans, so that the bundled runner, a shell script and Buildbot can call the same ones.

pub mod analyze;
pub mod bootstrap;
pub mod fetch;
pub mod inventory;
pub mod output;
pub mod package;
pub mod pg;
pub mod port;
pub mod server;
pub mod upload;
pub mod workspace;

pub(crate) mod files;
mod process;

pub use process::{exit_on_signals, say};
