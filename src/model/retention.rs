//! How much of earlier runs is kept: `keep` in `farm.yaml`, and its units.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

/// Which runs are kept: those within all limits that are set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Retention {
    /// How many runs.
    #[schemars(range(min = 1))]
    pub runs: Option<u64>,
    /// Runs of how many days.
    #[schemars(range(min = 1))]
    pub days: Option<u64>,
    /// As much as the logs and results of runs may take on the disk, such as `10 GiB`.
    #[schemars(with = "Option<String>")]
    pub size: Option<Size>,
    /// As much as the log of one step may take, such as `64 MiB`; of a longer one the first and the last half of that is kept.
    #[schemars(with = "Option<String>")]
    pub log: Option<Size>,
}

impl Retention {
    /// Whether there is a limit that old runs can be beyond.
    pub fn is_limited(&self) -> bool {
        self.runs.is_some() || self.days.is_some() || self.size.is_some()
    }
}

/// A number of bytes, as people write it: `512 MiB`, `10GiB`, `2 GB`, or the number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = text[digits..].trim();
        let factor = if unit.is_empty() {
            Some(1)
        } else {
            UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor)
        };
        let number = text[..digits].parse::<u64>().ok();
        let bytes = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
        bytes.map(Self).ok_or_else(|| format!("`{text}` is no size such as `10 GiB` or `500 MB`"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS[..4].iter().find(|(_, factor)| self.0 >= *factor) {
            // For people to read, where the error of a float does not matter.
            #[allow(clippy::cast_precision_loss, reason = "one decimal of it is shown")]
            Some((unit, factor)) => write!(f, "{:.1} {unit}", self.0 as f64 / *factor as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

/// A length of time, as people write it: `12h`, `30d`, `4w`.
///
/// # Errors
/// What it should be.
pub fn age(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let unit = match text.chars().last() {
        Some('h') => 3600,
        Some('d') => 24 * 3600,
        Some('w') => 7 * 24 * 3600,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse::<u64>().ok());
    let seconds = number.filter(|_| unit > 0).and_then(|number| number.checked_mul(unit));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("`{text}` is no age such as `12h`, `30d` or `4w`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_their_units() {
        for (text, bytes) in [("10 GiB", 10 << 30), ("500MB", 500_000_000), ("7", 7), ("3 kib", 3072), ("1 B", 1)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "GiB", "10 GG", "-1", "1.5 GiB", "99999999999 TiB", "ten"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!([Size(0), Size(1536), Size(5 << 30)].map(|size| size.to_string()), ["0 B", "1.5 KiB", "5.0 GiB"]);
    }

    #[test]
    fn ages_are_read_in_their_units() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(age("12h"), Ok(Duration::from_secs(43_200)));
        for text in ["", "d", "30", "3m", "-1d", "é", "99999999999999999999w", "9999999999999999999w"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
