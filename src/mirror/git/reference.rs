//! The references of a mirror: their names, and what they say, read from its files without calling git.

use std::fs;

use camino::Utf8Path;

/// What a reference of the mirror says; none if it is not there, or says nothing that could be.
pub(super) fn local(mirror: &Utf8Path, name: &str) -> Option<String> {
    let revision = match fs::read_to_string(mirror.join(name)) {
        Ok(text) => text.trim_end().to_owned(),
        Err(_) => {
            let packed = fs::read_to_string(mirror.join("packed-refs")).ok()?;
            let mut lines = packed.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(_, packed)| *packed == name)?.0.to_owned()
        }
    };
    is_revision(&revision).then_some(revision)
}

/// Whether a reference can be called so, and nothing in it means more to git than a letter.
pub(super) fn is_name(name: &str) -> bool {
    let parts = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let special = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    name != "@"
        && !name.starts_with('-')
        && !name.ends_with('.')
        && name.split('/').all(parts)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(special)
}

/// Whether this is a full identifier, in SHA-1 or SHA-256.
pub(super) fn is_revision(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_branch_has_are_known() {
        for name in ["main", "feature/x", "7.0", "a@b", "é", "HEAD", "a.b"] {
            assert!(is_name(name), "{name}");
        }
        let wrong = [
            "", "/", "a//b", "a/", ".a", "a/.b", "a..b", "a b", "a:b", "a*", "-x", "a.lock", "@", "@{1}", "a~1", "a\n",
            "a.",
        ];
        for name in wrong {
            assert!(!is_name(name), "{name}");
        }
    }
}
