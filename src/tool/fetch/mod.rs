//! `farmout tool fetch`: a repository's address in, its files in a directory out. Touches that directory only.

mod address;
mod error;
mod git;

pub use address::{Address, CREDENTIALS};
pub use error::Error;
pub use git::{Fetch, fetch};
