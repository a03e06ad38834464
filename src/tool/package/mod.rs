//! `farmout tool package`: a clone at a tag in, a directory of its files out; a directory in, an archive and its MD5 sum out.
//! The clone is read only. What is made is made aside and renamed.

mod archive;
mod client;
mod error;
mod source;

pub use archive::Pack;
pub use error::Error;
pub use source::Source;
