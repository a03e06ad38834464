//! x
pub mod buildout;
