//! The words for problems with filters on versions.

use super::Severity::{Error};
use super::{Wording, word};

/// A problem in a filter on versions. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Filter {
    Comment,
    Impossible,
    Keyword { keyword: String },
    NoCapability,
    NoOperator { version: String },
    NoVersion { operator: String },
    NotUsed,
    NotUsedAndMore,
    Operator { operator: String },
    Word { word: String },
}

impl Filter {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Comment => word(
                "filter::comment",
                Error,
                "`#` begins no comment here",
                "this would be part of the filter",
                "begin the comment with ` ;`, which works on the option's first line, or put it on a line of its own",
            ),
            Self::Impossible => word(
                "filter::impossible",
                Error,
                "no version can pass this filter",
                "these contradict each other",
                "criteria side by side must all hold: write `OR` between alternatives",
            ),
            Self::Keyword { keyword } => word(
                "filter::keyword",
                Error,
                &format!("`{keyword}` has no criterion on one side"),
                "a criterion is missing beside this",
                "write for example `postgresql >= 9.1 OR == 8.4`",
            ),
            Self::NoCapability => word(
                "filter::no-capability",
                Error,
                "this line names no capability",
                "a name is missing at its beginning",
                "write for example `postgresql >= 9.1`",
            ),
            Self::NoOperator { version } => word(
                "filter::no-operator",
                Error,
                &format!("the version `{version}` is compared with nothing"),
                "an operator is missing before this",
                &format!("write `== {version}`, or another of >= <= == != < >"),
            ),
            Self::NoVersion { operator } => word(
                "filter::no-version",
                Error,
                &format!("`{operator}` compares with nothing"),
                "a version is missing after this",
                &format!("write for example `{operator} 9.1`"),
            ),
            Self::NotUsed => word(
                "filter::not-used",
                Error,
                "`not-used` has no meaning in `build-requires`",
                "this asks for nothing",
                "leave the line out, or move it to `build-for`",
            ),
            Self::NotUsedAndMore => word(
                "filter::not-used",
                Error,
                "`not-used` stands alone",
                "`not-used` and something else",
                "write `CAPABILITY not-used`, or a filter on its versions",
            ),
            Self::Operator { operator } => word(
                "filter::operator",
                Error,
                &format!("`{operator}` is no comparison"),
                "not an operator",
                &match operator.as_str() {
                    "=" => "write `==`".to_owned(),
                    "=>" => "write `>=`".to_owned(),
                    "=<" => "write `<=`".to_owned(),
                    "<>" => "write `!=`".to_owned(),
                    _ => "the comparisons are >= <= == != < >".to_owned(),
                },
            ),
            Self::Word { word: found } => word(
                "filter::word",
                Error,
                &format!("`{found}` has no meaning in a filter"),
                "not expected here",
                "a filter is made of comparisons, `AND` and `OR`: `>= 9.1 < 10 OR == 8.4`",
            ),
        }
    }
}
