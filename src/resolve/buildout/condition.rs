//! The conditions of sections, as far as they can be known before a slave is chosen: Python expressions of which only
//! constants, `not`, `and`, `or` and the names of systems are understood.

/// What a condition comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    /// The slave decides.
    Unknown,
}

use Truth::{False, True, Unknown};

/// Evaluates a condition; an empty one holds.
pub(super) fn evaluate(condition: &str) -> Truth {
    let condition = condition.trim();
    if condition.is_empty() {
        return True;
    }
    // Quotes, brackets and comparisons are for a Python on the slave.
    if !condition.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c.is_whitespace()) {
        return Unknown;
    }
    let words: Vec<&str> = condition.split_whitespace().collect();
    words
        .split(|word| *word == "or")
        .map(|words| words.split(|word| *word == "and").map(factor).fold(True, and))
        .fold(False, or)
}

fn factor(words: &[&str]) -> Truth {
    match words {
        ["not", rest @ ..] => match factor(rest) {
            True => False,
            False => True,
            Unknown => Unknown,
        },
        // Slaves are no Windows machines.
        ["True" | "1" | "posix"] => True,
        ["False" | "0" | "None" | "windows" | "cygwin"] => False,
        _ => Unknown,
    }
}

fn and(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (False, _) | (_, False) => False,
        (True, True) => True,
        _ => Unknown,
    }
}

fn or(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (True, _) | (_, True) => True,
        (False, False) => False,
        _ => Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_known_is_known() {
        for (condition, truth) in [
            ("", True),
            ("True", True),
            ("windows", False),
            ("not windows and posix", True),
            ("python2", Unknown),
            ("python2 and windows", False),
            ("python2 or not windows", True),
            ("python_version < '3'", Unknown),
            ("and", Unknown),
            ("not", Unknown),
        ] {
            assert_eq!(evaluate(condition), truth, "{condition}");
        }
    }
}
