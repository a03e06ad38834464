//! `farmout tool fetch`: a repository's address or an archive in, its files in a directory out. Touches that directory, and for
//! the time of a fetch a private one in the temporary directory. The clients are the systems' own programs; no hook of
//! anybody runs, nothing asks questions, and a kill at any moment leaves a directory that the next fetch repairs.

mod address;
pub mod archive;
pub mod bazaar;
mod client;
mod directory;
mod error;
mod expected;
pub mod git;
pub mod mercurial;
mod private;
mod reach;

use std::path::PathBuf;

pub use address::{Address, CREDENTIALS};
pub use client::System;
pub(crate) use client::{near, said};
pub use error::Error;
pub use expected::Expected;
pub(crate) use private::Private;
pub use reach::{Trouble, TroubleKind, reach};

/// What is common to all repositories.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Where it is.
    pub url: Address,
    /// The working directory.
    pub into: PathBuf,
    /// Paths in it that are not cleaned away.
    pub keep: Vec<String>,
    /// The exact revision that is wanted; else the newest.
    pub revision: Option<String>,
    /// Files that must be there afterwards.
    pub expected: Expected,
}
