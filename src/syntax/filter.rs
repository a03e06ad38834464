//! Lines of `build-for` and `build-requires` (see `grammar/filter.pest`).

use pest::Parser as _;

use grammar::{Parser, Rule};

#[allow(missing_docs)]
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/filter.pest"]
    pub(super) struct Parser;
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `AND`, which may be left out.
    And,
    /// The capability.
    Name,
    /// `not-used`.
    NotUsed,
    /// One of the six comparisons.
    Operator,
    /// `OR`.
    Or,
    /// A version.
    Version,
    /// Signs that are no comparison.
    WrongOperator,
    /// A word that is neither a version nor a keyword.
    WrongWord,
}

/// The tokens of a line, the capability's name first. Every line has tokens.
pub fn tokens(line: &str) -> Vec<(Kind, &str)> {
    let Ok(pairs) = Parser::parse(Rule::requirement, line) else {
        return Vec::new();
    };
    pairs
        .flat_map(pest::iterators::Pair::into_inner)
        .filter_map(|pair| {
            let kind = match pair.as_rule() {
                Rule::and => Kind::And,
                Rule::name => Kind::Name,
                Rule::not_used => Kind::NotUsed,
                Rule::operator => Kind::Operator,
                Rule::or => Kind::Or,
                Rule::version => Kind::Version,
                Rule::wrong_operator => Kind::WrongOperator,
                Rule::wrong_word => Kind::WrongWord,
                _ => return None,
            };
            Some((kind, pair.as_str()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Kind::*;
    use super::*;

    #[test]
    fn white_space_is_free_and_mistakes_are_tokens() {
        let kinds = |line| tokens(line).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds("pg>=9.1<10 or==8.4"), [Name, Operator, Version, Operator, Version, Or, Operator, Version]);
        assert_eq!(
            kinds("pg >=9.1 AND < 10 or == 17rc1"),
            [Name, Operator, Version, And, Operator, Version, Or, Operator, Version]
        );
        assert_eq!(kinds("pg 8.4"), [Name, Version]);
        assert_eq!(kinds("pg ~= 8.4"), [Name, WrongOperator, Version]);
        assert_eq!(kinds("pg not-used"), [Name, NotUsed]);
        assert_eq!(kinds("pg < x"), [Name, Operator, WrongWord]);
    }
}
