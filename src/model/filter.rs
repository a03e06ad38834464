//! Filters on versions: `>= 9.1 < 10 OR == 8.4`.

use std::fmt;

use super::Version;

/// One of the six comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `!=`
    NotEqual,
}

impl Operator {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        (">=", Self::GreaterOrEqual),
        ("<=", Self::LessOrEqual),
        (">", Self::Greater),
        ("<", Self::Less),
    ];

    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(written, _)| *written == text).map(|(_, operator)| *operator)
    }
}

/// A comparison with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// The comparison.
    pub operator: Operator,
    /// What is compared with.
    pub version: Version,
}

impl Criterion {
    fn allows(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        match self.operator {
            Operator::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Operator::NotEqual => !order.is_some_and(std::cmp::Ordering::is_eq),
            Operator::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Operator::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
            Operator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Operator::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
        }
    }
}

/// Which versions will do: alternatives, of each of which all criteria must hold. No alternative: every version,
/// and no version too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The alternatives; none of them is empty.
    pub alternatives: Vec<Vec<Criterion>>,
}

impl Filter {
    /// Whether a capability of this version, or without one, passes. A criterion never matches an unversioned
    /// capability.
    pub fn allows(&self, version: Option<&Version>) -> bool {
        if self.alternatives.is_empty() {
            return true;
        }
        let all = |criteria: &Vec<Criterion>| {
            version.is_some_and(|version| criteria.iter().all(|criterion| criterion.allows(version)))
        };
        self.alternatives.iter().any(all)
    }
}

/// Whether some version meets all criteria. Those that are compared with and their neighbours are tried: what lies between
/// two of them behaves as one of these.
pub fn satisfiable(criteria: &[Criterion]) -> bool {
    let tried = criteria.iter().flat_map(|criterion| criterion.version.around());
    criteria.is_empty() || tried.into_iter().any(|version| criteria.iter().all(|criterion| criterion.allows(&version)))
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written =
            Operator::ALL.iter().find(|(_, operator)| *operator == self.operator).map_or("", |(text, _)| text);
        write!(f, "{written} {}", self.version)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alternatives = self
            .alternatives
            .iter()
            .map(|criteria| criteria.iter().map(Criterion::to_string).collect::<Vec<_>>().join(" "));
        f.write_str(&alternatives.collect::<Vec<_>>().join(" OR "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criteria(text: &[(&str, &str)]) -> Vec<Criterion> {
        let criterion = |(operator, version): &(&str, &str)| Criterion {
            operator: Operator::parse(operator).unwrap(),
            version: Version::parse(version).unwrap(),
        };
        text.iter().map(criterion).collect()
    }

    #[test]
    fn contradictions_are_found() {
        assert!(!satisfiable(&criteria(&[(">", "9.2"), ("<", "9.1")])));
        assert!(!satisfiable(&criteria(&[("==", "9.2"), ("!=", "9.2")])));
        assert!(!satisfiable(&criteria(&[("==", "9.2"), ("==", "9.3")])));
        assert!(!satisfiable(&criteria(&[(">", "9.2"), ("<=", "9.2")])));
        assert!(!satisfiable(&criteria(&[("<", "0devel")])));
        assert!(!satisfiable(&criteria(&[(">", "9.2rc1"), ("<", "9.2rc2")])));
        for possible in [
            &[(">", "9.1"), ("<", "9.2")][..],
            &[(">=", "9.1"), ("<=", "9.1")],
            &[(">", "9.1"), ("<", "9.1.0")],
            &[(">", "9.2rc1"), ("<", "9.2")],
            &[("==", "9.2-acme"), (">", "9.1")],
            &[("!=", "9.1"), ("!=", "9.2")],
            &[("<", "8")],
            &[("<", "9.3devel")],
            &[("<", "10-devel"), (">", "9")],
            &[(">", "9.2alpha1"), ("<", "9.2beta1")],
            &[(">", "9.2beta1"), ("<", "9.2beta3")],
            &[],
        ] {
            assert!(satisfiable(&criteria(possible)), "{possible:?}");
        }
    }
}
