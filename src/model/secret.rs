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

/// The user and the password in an address, without the `@`; none where it has no password. A user alone is part of most
/// addresses that are no web addresses.
pub fn credentials(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let (user, _) = rest[..rest.find('/').unwrap_or(rest.len())].rsplit_once('@')?;
    (scheme.starts_with("http") || user.contains(':')).then_some(user)
}

/// An address as graphs may show it: who reads the repository has the password from elsewhere.
pub fn without_credentials(url: &str) -> String {
    match credentials(url) {
        Some(user) => url.replacen(&format!("{user}@"), "", 1),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_found() {
        assert_eq!(credentials("https://me:pw@git.example/x"), Some("me:pw"));
        assert_eq!(credentials("ssh://git@git.example/x"), None);
        assert_eq!(credentials("https://git.example/x@y"), None);
        assert_eq!(without_credentials("https://token@git.example/x"), "https://git.example/x");
    }
}
