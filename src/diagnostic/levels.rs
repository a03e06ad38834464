//! What the user says about codes on the command line: `--deny` and `--allow` in, the severity that counts out.

use super::code::{self, Pattern};
use super::{Failure, Severity};

/// How codes are judged, where it is not as they are.
///
/// The narrower word counts: a code's own before its family's, a family's before `warnings`. Where a code is both denied
/// and allowed by words equally narrow, it is denied.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    deny_warnings: bool,
    denied: Vec<Pattern>,
    allowed: Vec<Pattern>,
}

impl Levels {
    /// Reads the codes and families that are denied (`warnings` for all warnings) and those that are allowed.
    ///
    /// # Errors
    /// A code that does not exist, or the allowing of an error.
    pub fn parse(denied: &[String], allowed: &[String]) -> Result<Self, Failure> {
        let mut levels = Self::default();
        for written in denied {
            if written == "warnings" {
                levels.deny_warnings = true;
            } else {
                levels.denied.push(pattern(written, "--deny")?);
            }
        }
        for written in allowed {
            let pattern = pattern(written, "--allow")?;
            if pattern.only_errors() {
                let what = if matches!(pattern, Pattern::Code(_)) { "is an error" } else { "are all errors" };
                let failure = Failure::misuse(format!("`{written}` {what}, and errors cannot be allowed"));
                return Err(failure.help("what can be allowed are warnings and notices"));
            }
            levels.allowed.push(pattern);
        }
        Ok(levels)
    }

    /// The severity that counts for a problem; none if it is not to be reported.
    pub fn judge(&self, name: &str, severity: Severity) -> Option<Severity> {
        let narrow = |patterns: &[Pattern]| {
            let matching = patterns.iter().filter(|pattern| pattern.matches(name));
            matching.map(|pattern| if matches!(pattern, Pattern::Code(_)) { 3 } else { 2 }).max().unwrap_or(0)
        };
        let warnings = u8::from(self.deny_warnings && severity == Severity::Warning);
        let (denied, allowed) = (narrow(&self.denied).max(warnings), narrow(&self.allowed));
        match severity {
            Severity::Error => Some(Severity::Error),
            _ if denied > 0 && denied >= allowed => Some(Severity::Error),
            _ if allowed > 0 => None,
            other => Some(other),
        }
    }
}

fn pattern(written: &str, option: &str) -> Result<Pattern, Failure> {
    Pattern::parse(written).ok_or_else(|| {
        let failure = Failure::misuse(format!("{option}: there is no code `{written}`"));
        // `--deny warning` is no code's neighbour but the word for all of them.
        let near = match written.trim_end_matches('s') {
            "warning" if option == "--deny" => Some("warnings".to_owned()),
            _ => code::nearest(written),
        };
        failure.help(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a code is what a report begins with, such as `option::unread`; `option::*` is its whole family"
                .to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(denied: &[&str], allowed: &[&str], name: &str) -> Option<Severity> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let severity = code::find(name).unwrap().severity;
        Levels::parse(&own(denied), &own(allowed)).unwrap().judge(name, severity)
    }

    #[test]
    fn the_narrower_word_counts() {
        use Severity::{Error, Notice, Warning};
        assert_eq!(judge(&[], &[], "option::unread"), Some(Warning));
        assert_eq!(judge(&["warnings"], &[], "option::unread"), Some(Error));
        assert_eq!(judge(&["warnings"], &[], "option::unused"), Some(Notice));
        assert_eq!(judge(&["warnings"], &["option::*"], "option::unread"), None);
        assert_eq!(judge(&["option::unread"], &["option::*"], "option::unread"), Some(Error));
        assert_eq!(judge(&["option::*"], &["option::unread"], "option::unread"), None);
        assert_eq!(judge(&["option::*"], &["option::*"], "option::unused"), Some(Error));
        assert_eq!(judge(&[], &["option::*"], "option::value"), Some(Error));
    }
}
