//! Placeholders: `${name}` and `${name:-default}`, the values of a plan that are not known when it is written.
//!
//! They are filled in twice with the same rules: binding fills in what the slave decides (`${postgresql.port:-5432}`),
//! the runner what only the run knows. Names that the runner defines:
//!
//! | name | value |
//! | --- | --- |
//! | `basedir` | the slave's base directory |
//! | `builder-dir` | the builder's directory in it |
//! | `build-dir` | where commands run: `build` in the builder's directory |
//! | `tmp-dir` | the builder's own temporary directory |
//! | `caches` | the slave's `buildout-caches` |
//! | `socket-dir` | a short private directory for Unix sockets |
//! | `farmout` | the farmout program |
//! | `run` | the run's id |
//! | `secret.NAME` | a secret of the farm |
//! | `property.NAME` | what an earlier step reported |

use std::ops::Range;

use pest::Parser as _;
use pest::iterators::{Pair, Pairs};
use serde::Serialize;

use grammar::{Parser, Rule};

#[allow(missing_docs)]
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/placeholder.pest"]
    pub(super) struct Parser;
}

/// A text that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A `${` that begins no placeholder, at about this byte.
    #[error(
        "`${{` begins a placeholder here, but none follows: write `${{name}}`, or `$${{` for the characters themselves"
    )]
    Syntax(usize),
    /// A placeholder without a value and without a default.
    #[error("nothing is known as `${{{0}}}` here")]
    Unknown(String),
}

/// What a name stands for while a plan is bound to a slave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Put this in its place.
    Known(String),
    /// It has no value: the default is taken, and without one it is an error.
    Absent,
    /// Put this text in its place, the placeholders in it included.
    Text(String),
    /// Known at run time only: the placeholder stays as it is, its default filled in.
    Later,
}

/// Fills in what is known when a plan is bound to a slave. The result is a text with placeholders still.
///
/// An empty value counts as absent where a default is given, as in a POSIX shell's `:-`.
///
/// # Errors
/// A malformed placeholder, or a name without value and default.
pub fn bind(text: &str, mut lookup: impl FnMut(&str) -> Value) -> Result<String, Error> {
    Filling { lookup: &mut lookup, last: false }.fill(text)
}

/// Fills in a text for good: what `lookup` does not know takes its default, and `$${` becomes `${`.
///
/// # Errors
/// A malformed placeholder, or a name without value and default.
pub fn finish(text: &str, mut lookup: impl FnMut(&str) -> Option<String>) -> Result<String, Error> {
    let mut lookup = |name: &str| lookup(name).map_or(Value::Absent, Value::Known);
    Filling { lookup: &mut lookup, last: true }.fill(text)
}

/// Spells a literal text so that nothing in it is a placeholder.
pub fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

/// The names that `text` asks for, in order, those in defaults included.
///
/// # Errors
/// A malformed placeholder.
pub fn names(text: &str) -> Result<Vec<String>, Error> {
    Ok(places(text)?.into_iter().map(|place| text[place].to_owned()).collect())
}

/// Where the names stand that `text` asks for, in order, those in defaults included.
///
/// # Errors
/// A malformed placeholder.
pub fn places(text: &str) -> Result<Vec<Range<usize>>, Error> {
    let named =
        |pair: Pair<'_, Rule>| (pair.as_rule() == Rule::name).then(|| pair.as_span().start()..pair.as_span().end());
    Ok(parse(text)?.flatten().filter_map(named).collect())
}

/// A part of a text with placeholders, for whoever fills them in elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Piece {
    /// Characters that stand for themselves.
    Literal(String),
    /// A placeholder.
    Placeholder {
        /// What it is for.
        name: String,
        /// What is taken where that has no value, or an empty one.
        #[serde(rename = "or", skip_serializing_if = "Option::is_none")]
        default: Option<Vec<Piece>>,
    },
}

/// The parts of a text; neighbours are never both literal.
///
/// # Errors
/// A malformed placeholder.
pub fn pieces(text: &str) -> Result<Vec<Piece>, Error> {
    if text.contains("${") { Ok(gather(parse(text)?)) } else { Ok(vec![Piece::Literal(text.to_owned())]) }
}

fn gather(pairs: Pairs<'_, Rule>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for pair in pairs {
        let literal = match pair.as_rule() {
            Rule::escape => "${",
            Rule::literal | Rule::inner => pair.as_str(),
            Rule::placeholder => {
                let mut parts = pair.into_inner();
                let name = parts.next().map_or("", |name| name.as_str()).to_owned();
                let default = parts.next().map(|default| gather(default.into_inner()));
                pieces.push(Piece::Placeholder { name, default });
                continue;
            }
            _ => continue,
        };
        match pieces.last_mut() {
            Some(Piece::Literal(last)) => last.push_str(literal),
            _ => pieces.push(Piece::Literal(literal.to_owned())),
        }
    }
    pieces
}

fn parse(text: &str) -> Result<Pairs<'_, Rule>, Error> {
    let pairs = Parser::parse(Rule::text, text).map_err(|error| {
        Error::Syntax(match error.location {
            pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
        })
    })?;
    Ok(pairs)
}

struct Filling<'a> {
    lookup: &'a mut dyn FnMut(&str) -> Value,
    /// Whether nothing comes after: escapes are undone, values stand as they are.
    last: bool,
}

impl Filling<'_> {
    fn fill(&mut self, text: &str) -> Result<String, Error> {
        if !text.contains("${") {
            return Ok(text.to_owned());
        }
        let mut filled = String::with_capacity(text.len());
        self.all(parse(text)?, &mut filled)?;
        Ok(filled)
    }

    fn all(&mut self, pairs: Pairs<'_, Rule>, filled: &mut String) -> Result<(), Error> {
        for pair in pairs {
            match pair.as_rule() {
                Rule::escape => filled.push_str(if self.last { "${" } else { "$${" }),
                Rule::literal | Rule::inner => self.push(pair.as_str(), filled),
                Rule::placeholder => self.placeholder(pair, filled)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Appends a text. A `$` at the end of what is filled in and a `{` after it are no placeholder: none was written.
    fn push(&self, text: &str, filled: &mut String) {
        if !self.last && filled.ends_with('$') && text.starts_with('{') {
            filled.push('$');
        }
        filled.push_str(text);
    }

    fn placeholder(&mut self, pair: Pair<'_, Rule>, filled: &mut String) -> Result<(), Error> {
        let mut parts = pair.into_inner();
        let name = parts.next().map_or("", |name| name.as_str());
        let default = parts.next().map(Pair::into_inner);
        match ((self.lookup)(name), default) {
            (Value::Known(value), Some(default)) if value.is_empty() => self.all(default, filled)?,
            (Value::Known(value), _) if self.last => filled.push_str(&value),
            (Value::Known(value), _) => self.push(&escape(&value), filled),
            (Value::Text(text), _) => self.push(&text, filled),
            (Value::Absent, Some(default)) => self.all(default, filled)?,
            (Value::Absent, None) => return Err(Error::Unknown(name.to_owned())),
            (Value::Later, default) => {
                filled.push_str("${");
                filled.push_str(name);
                if let Some(default) = default {
                    filled.push_str(":-");
                    self.all(default, filled)?;
                }
                filled.push('}');
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(name: &str) -> Value {
        match name {
            "port" => Value::Known("5433".to_owned()),
            "host" => Value::Known(String::new()),
            "odd" => Value::Known("a${b}".to_owned()),
            "bin" => Value::Absent,
            "socket" => Value::Text("${socket-dir}".to_owned()),
            _ => Value::Later,
        }
    }

    fn now(name: &str) -> Option<String> {
        (name == "basedir").then(|| "/srv/${slave}".to_owned())
    }

    #[test]
    fn binding_then_finishing_fills_in_each_name_once() {
        let bound = bind("${port} ${host:-False} ${bin:-${basedir}/bin} ${basedir} $${x} $1 ${odd}", later).unwrap();
        assert_eq!(bound, "5433 False ${basedir}/bin ${basedir} $${x} $1 $${b}".replace(" $${b}", " a$${b}"));
        assert_eq!(finish(&bound, now).unwrap(), "5433 False /srv/${slave}/bin /srv/${slave} ${x} $1 a${b}");
        // Neighbours make no placeholder that nobody wrote.
        let bound = bind("${bin:-x$}{port} ${bin:-$}${bin:-{a}}", later).unwrap();
        assert_eq!(bound, "x$${port} $${a}");
        assert_eq!(finish(&bound, now).unwrap(), "x${port} ${a}");
    }

    #[test]
    fn a_default_of_a_later_value_is_kept() {
        assert_eq!(bind("${property.x:-${port}}", later).unwrap(), "${property.x:-5433}");
        assert_eq!(finish("${property.x:-5433}", now).unwrap(), "5433");
    }

    #[test]
    fn mistakes_are_errors() {
        assert_eq!(finish("${x}", now), Err(Error::Unknown("x".to_owned())));
        assert_eq!(bind("a ${", later), Err(Error::Syntax(4)));
        assert_eq!(bind("a ${x y}", later), Err(Error::Syntax(2)));
    }

    #[test]
    fn pieces_are_what_is_filled_in() {
        let placeholder = |name: &str, default| Piece::Placeholder { name: name.to_owned(), default };
        let literal = |text: &str| Piece::Literal(text.to_owned());
        let default = vec![literal("${"), placeholder("b", Some(vec![]))];
        let expected = [literal("x${y} "), placeholder("a", Some(default)), placeholder("c", None)];
        assert_eq!(pieces("x$${y} ${a:-$${${b:-}}${c}").unwrap(), expected);
        assert_eq!(pieces("").unwrap(), [literal("")]);
        assert_eq!(pieces("${"), Err(Error::Syntax(2)));
    }

    #[test]
    fn names_are_found_in_defaults_too() {
        assert_eq!(names("${a:-${b}} $${c} ${d}").unwrap(), ["a", "b", "d"]);
    }
}
