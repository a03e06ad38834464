//! How a file says what a secret is: by the secret itself, or by where it is kept, so that the file holds none.

use camino::{Utf8Path, Utf8PathBuf};

use super::Secret;

/// A secret, or where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// The secret itself; `@@` and `$$` at its beginning were written for `@` and `$`.
    Given(Secret),
    /// `@PATH`: it is all that a file holds.
    File {
        /// The file.
        path: Utf8PathBuf,
        /// Whether it was written without a slash and without a dot, as many a password is: such a name is not told.
        bare: bool,
    },
    /// `$NAME`: it is in the environment of who runs farmout.
    Variable(String),
}

impl SecretSource {
    /// Reads what stands for a secret. `directory` is where relative paths begin.
    pub fn parse(text: &str, directory: &Utf8Path) -> Self {
        match text.split_at_checked(1) {
            Some(("@", path)) if is_path(path) => Self::File {
                // A path below the home is made whole when the file is read: whose home it is depends on who reads it.
                path: if path.starts_with("~/") { path.into() } else { directory.join(path) },
                bare: !path.contains(['/', '.']),
            },
            Some(("$", name)) if is_variable(name) => Self::Variable(name.to_owned()),
            Some((mark @ ("@" | "$"), rest)) if rest.starts_with(mark) => Self::Given(Secret::new(rest)),
            _ => Self::Given(Secret::new(text)),
        }
    }

    /// Whether a reader may take the text for something else than [`SecretSource::parse`] does: a password that begins with
    /// one of the two marks, and a file's name that could be one.
    pub fn is_ambiguous(text: &str) -> bool {
        match (Self::parse(text, Utf8Path::new("")), text.split_at_checked(1)) {
            (Self::File { bare, .. }, _) => bare,
            (Self::Given(_), Some((mark @ ("@" | "$"), rest))) => !rest.starts_with(mark),
            _ => false,
        }
    }

    /// The secret, where no file and no variable need be looked at.
    pub fn given(&self) -> Option<&Secret> {
        if let Self::Given(secret) = self { Some(secret) } else { None }
    }
}

/// What files that hold secrets are called by here; other texts behind `@` are parts of passwords.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "._-+~/".contains(c))
}

/// The names of variables, as everybody writes those that are handed down.
fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_where_a_secret_is() {
        let parse = |text| SecretSource::parse(text, Utf8Path::new("farm/slaves.d"));
        let file = |path: &str, bare| SecretSource::File { path: path.into(), bare };
        let given = |text: &str| SecretSource::Given(Secret::new(text));
        for (text, source, ambiguous) in [
            ("@pg.secret", file("farm/slaves.d/pg.secret", false), false),
            ("@../secrets/pg", file("farm/slaves.d/../secrets/pg", false), false),
            ("@/etc/farmout/pg", file("/etc/farmout/pg", false), false),
            ("@~/pg", file("~/pg", false), false),
            ("@dm1n", file("farm/slaves.d/dm1n", true), true),
            ("$PG_PASSWORD_15", SecretSource::Variable("PG_PASSWORD_15".to_owned()), false),
            ("$_", SecretSource::Variable("_".to_owned()), false),
            ("$ecret", given("$ecret"), true),
            ("$15", given("$15"), true),
            ("$", given("$"), true),
            ("@", given("@"), true),
            ("@b!c", given("@b!c"), true),
            ("$$ECRET", given("$ECRET"), false),
            ("@@dm1n", given("@dm1n"), false),
            ("@$X", given("@$X"), true),
            ("plain@$", given("plain@$"), false),
            ("", given(""), false),
        ] {
            assert_eq!(parse(text), source, "{text}");
            assert_eq!(SecretSource::is_ambiguous(text), ambiguous, "{text}");
        }
        // Comparing went by what is inside; none of it is seen.
        assert!(!format!("{:?}", given("hunter2")).contains("hunter2"));
    }
}
