//! The typed model of a farm. Types and their parsing; no input or output happens here.

mod secret;

pub use secret::{Secret, Secrets};
