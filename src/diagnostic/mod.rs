//! What is said to the user: diagnostics with a place in a file, and failures without one.

mod failure;

pub use failure::Failure;
