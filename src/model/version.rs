//! Versions of capabilities, and how they compare.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// A version such as `9.1`, `9.2-devel`, `16` or `17rc1`. It keeps its text: `09.3` equals `9.3`, and is shown as it
/// was written.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    numbers: Vec<u64>,
    suffix: Suffix,
}

/// What comes after the numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Suffix {
    Devel(String),
    Alpha(Option<u64>, String),
    Beta(Option<u64>, String),
    ReleaseCandidate(Option<u64>, String),
    /// A plain version.
    None,
    /// Equal only to itself, neither above nor below the same numbers. Its place in this list gives reports an order.
    Other(String),
}

impl Version {
    /// Reads a version; none if `text` is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, suffix) = text.split_at(end);
        let numbers = numbers.split('.').map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let suffix = suffix.strip_prefix('-').unwrap_or(suffix);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        let well_formed = suffix.chars().all(plain) && !suffix.starts_with(['.', '_', '+', '-']);
        let dangling = suffix.is_empty() && end < text.len();
        (well_formed && !dangling).then(|| Self { text: text.to_owned(), numbers, suffix: Suffix::parse(suffix) })
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version itself, and versions just below and above it, between the stages before a release too.
    pub(super) fn around(&self) -> Vec<Self> {
        let join = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        let numbers = join(&self.numbers);
        let below = match self.numbers.split_last() {
            Some((0, [])) | None => None,
            Some((0, before)) => Some(join(before)),
            Some((last, before)) => Some(join(&[before, &[last - 1, u64::MAX]].concat())),
        };
        let mut texts = vec![self.text.clone(), numbers.clone(), format!("{numbers}.0devel")];
        texts.extend(below);
        for stage in ["devel", "alpha", "beta", "rc"] {
            texts.extend(["", "0", "999999999"].map(|number| format!("{numbers}{stage}{number}")));
        }
        if let Suffix::Alpha(Some(number), _)
        | Suffix::Beta(Some(number), _)
        | Suffix::ReleaseCandidate(Some(number), _) = &self.suffix
        {
            let stage = self.suffix.stage();
            texts.extend(number.checked_add(1).map(|next| format!("{numbers}{stage}{next}")));
        }
        texts.iter().filter_map(|text| Self::parse(text)).collect()
    }

    /// How two versions compare; none if they differ and neither is above the other.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        let numbers = self.numbers.cmp(&other.numbers);
        if numbers.is_ne() {
            return Some(numbers);
        }
        match (&self.suffix, &other.suffix) {
            (one, two) if one == two => Some(Ordering::Equal),
            (Suffix::Other(_), _) | (_, Suffix::Other(_)) => None,
            (one, two) => Some(one.cmp(two)),
        }
    }
}

impl Suffix {
    /// The word of a stage before a release.
    fn stage(&self) -> &'static str {
        match self {
            Self::Devel(_) => "devel",
            Self::Alpha(..) => "alpha",
            Self::Beta(..) => "beta",
            Self::ReleaseCandidate(..) => "rc",
            Self::None | Self::Other(_) => "",
        }
    }

    fn parse(suffix: &str) -> Self {
        let lower = suffix.to_ascii_lowercase();
        let rest = |rest: &str| {
            let digits = rest.trim_start_matches(['.', '-', '_']);
            (digits.parse().ok(), rest.to_owned())
        };
        if lower.is_empty() {
            Self::None
        } else if let Some(after) = lower.strip_prefix("devel") {
            Self::Devel(after.to_owned())
        } else if let Some(after) = lower.strip_prefix("alpha") {
            let (number, text) = rest(after);
            Self::Alpha(number, text)
        } else if let Some(after) = lower.strip_prefix("beta") {
            let (number, text) = rest(after);
            Self::Beta(number, text)
        } else if let Some(after) = lower.strip_prefix("rc") {
            let (number, text) = rest(after);
            Self::ReleaseCandidate(number, text)
        } else {
            Self::Other(lower)
        }
    }
}

/// A total order for lists and reports: that of [`Version::compare`] where it has one.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| self.suffix.cmp(&other.suffix))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(one: &str, two: &str) -> Option<Ordering> {
        Version::parse(one).unwrap().compare(&Version::parse(two).unwrap())
    }

    #[test]
    fn numbers_compare_as_tuples() {
        assert_eq!(compare("9.1", "9.1.0"), Some(Ordering::Less));
        assert_eq!(compare("9.10", "9.9"), Some(Ordering::Greater));
        assert_eq!(compare("09.3", "9.3"), Some(Ordering::Equal));
        assert_eq!(compare("16", "9.6"), Some(Ordering::Greater));
    }

    #[test]
    fn suffixes_come_before_the_plain_version_in_order() {
        let ordered = ["9.2-devel", "9.2alpha1", "9.2beta2", "9.2rc1", "9.2rc2", "9.2rc10", "9.2", "9.3devel"];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Some(Ordering::Less), "{pair:?}");
        }
        assert_eq!(compare("9.2-devel", "9.2devel"), Some(Ordering::Equal));
    }

    #[test]
    fn other_suffixes_equal_only_themselves() {
        assert_eq!(compare("9.2-acme", "9.2-acme"), Some(Ordering::Equal));
        assert_eq!(compare("9.2-acme", "9.2"), None);
        assert_eq!(compare("9.2-acme", "9.2-rc1"), None);
        assert_eq!(compare("9.2-acme", "9.3"), Some(Ordering::Less));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "x", "9.", ".9", "9..1", "9.1-", "9 1", "9.1:2", "99999999999999999999999", "-1"] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
    }
}
