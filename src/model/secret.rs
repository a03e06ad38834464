//! Values that must never be seen: passwords of slaves and of databases.

use std::fmt;

use indexmap::IndexMap;

/// A value that cannot be displayed, serialised or logged. It has no `Serialize`, and its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that hands it to a child process or masks it in output.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secrets of a farm by name; plans hold the names only (`${secret.NAME}`).
pub type Secrets = IndexMap<String, Secret>;
