//! Options: their types, and their values once they are read.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::no_reference;

/// What the value of an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptionType {
    /// `true`, `yes`, `on`, `1`, or their opposites; any case.
    Boolean,
    /// Lines, each the words of a command.
    Commands,
    /// A whole number that is not negative.
    Integer,
    /// Lines.
    Lines,
    /// Values separated by commas; white space around them does not count.
    List,
    /// A number.
    Number,
    /// The name of a part of a buildout.
    Part,
    /// A port, 1 to 65535.
    Port,
    /// Whole seconds.
    Seconds,
    /// Anything.
    #[default]
    Text,
    /// Anything, in which `$(name)s` and `$(name:-default)s` stand for properties.
    TextWithProperties,
    /// Words of a command, quoted as in a shell.
    Words,
}

impl OptionType {
    /// What to write, for messages.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Boolean => "`true` or `false`",
            Self::Commands => "lines with the words of a command each, as in a shell",
            Self::Integer => "a whole number",
            Self::Lines => "lines",
            Self::List => "values separated by commas",
            Self::Number => "a number",
            Self::Part => "the name of a part: one word without any of `: = # ; / [ ] { }`",
            Self::Port => "a port, 1 to 65535",
            Self::Seconds => "a number of seconds",
            Self::Text => "a text",
            Self::TextWithProperties => "a text, in which `$(name)s` is a property",
            Self::Words => "words of a command, as in a shell",
        }
    }

    /// What to write where there is a least number.
    pub fn expected_from(self, minimum: Option<u64>) -> String {
        let least = minimum.map_or(String::new(), |minimum| format!(", {minimum} or more"));
        format!("{}{least}", self.expected())
    }

    /// A value as it would be written.
    pub fn written(self, value: &Value) -> String {
        match value {
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::List(words) if self == Self::Words => shell_words::join(words),
            Value::List(items) => items.join(", "),
            Value::Text(text) => text.clone(),
        }
    }

    /// Reads a value; none if `text` is not one of this type.
    pub fn read(self, text: &str) -> Option<Value> {
        let trimmed = text.trim();
        Some(match self {
            Self::Boolean => Value::Boolean(match trimmed.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => true,
                "false" | "no" | "off" | "0" => false,
                _ => return None,
            }),
            Self::Integer | Self::Seconds => Value::Integer(trimmed.parse().ok()?),
            Self::Number => {
                trimmed.parse::<f64>().ok().filter(|number| number.is_finite())?;
                Value::Text(trimmed.to_owned())
            }
            Self::Part => {
                let odd = |c: char| c.is_whitespace() || ":=#;/[]{}".contains(c);
                let fine = !trimmed.is_empty() && !trimmed.starts_with('-') && !trimmed.contains(odd);
                fine.then(|| Value::Text(trimmed.to_owned()))?
            }
            Self::Port => Value::Integer(trimmed.parse::<u16>().ok().filter(|port| *port > 0)?.into()),
            Self::Text => Value::Text(trimmed.to_owned()),
            Self::TextWithProperties => no_reference(trimmed).is_none().then(|| Value::Text(trimmed.to_owned()))?,
            Self::Commands => {
                let commands = split(text.lines());
                let fine = commands.iter().all(|command| shell_words::split(command).is_ok());
                fine.then_some(Value::List(commands))?
            }
            Self::Lines => Value::List(split(text.lines())),
            Self::List => Value::List(split(text.split([',', '\n']))),
            Self::Words => Value::List(shell_words::split(text).ok()?),
        })
    }
}

fn split<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The value of an option, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Of a boolean.
    Boolean(bool),
    /// Of an integer, a port or seconds.
    Integer(u64),
    /// Of commands, lines, a list or words.
    List(Vec<String>),
    /// Of anything else.
    Text(String),
}

impl Value {
    /// Whether it is no number that is less.
    pub fn is_at_least(&self, minimum: Option<u64>) -> bool {
        match self {
            Self::Integer(number) => minimum.is_none_or(|minimum| *number >= minimum),
            Self::Boolean(_) | Self::List(_) | Self::Text(_) => true,
        }
    }

    /// Whether it is set to something that is not `false`.
    pub fn is_on(&self) -> bool {
        *self != Self::Boolean(false) && !self.is_empty()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Boolean(_) | Self::Integer(_) => false,
            Self::List(items) => items.is_empty(),
            Self::Text(text) => text.is_empty(),
        }
    }
}

/// An option as it is declared, in data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Declared {
    /// What its value is.
    #[serde(rename = "type")]
    pub kind: OptionType,
    /// Its value where it is not set, as it would be written. In step templates, `{{ … }}` is filled in.
    #[serde(default)]
    pub default: Option<String>,
    /// What it means.
    pub help: String,
    /// Other spellings that are read too.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Whether a build that uses the template must set it.
    #[serde(default)]
    pub required: bool,
    /// The values that it may have; empty if any will do.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The least that it may be, if it is a number without fraction.
    #[serde(default)]
    pub minimum: Option<u64>,
    /// Whether it may not be set to nothing.
    #[serde(default)]
    pub non_empty: bool,
    /// Another option of the template, a number too, than which it may not be less.
    #[serde(default)]
    pub not_below: Option<String>,
    /// Options of the template of which one must be set, and not to `false`, for it to count.
    #[serde(default)]
    pub only_with: Vec<String>,
}

impl Declared {
    /// Whether the value is one of those that it may have.
    pub fn allows(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.choices.is_empty() || self.choices.contains(text),
            _ => true,
        }
    }

    /// Whether the value is nothing, and may not be. A command of which the first word is nothing has no program.
    pub fn lacks(&self, value: &Value) -> bool {
        let nothing = match value {
            Value::List(items) => items.first().is_none_or(String::is_empty),
            value => value.is_empty(),
        };
        self.non_empty && nothing
    }
}

/// Options by name.
pub type DeclaredOptions = IndexMap<String, Declared>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_type() {
        let list = |items: &[&str]| Some(Value::List(items.iter().map(|item| (*item).to_owned()).collect()));
        assert_eq!(OptionType::Boolean.read("Yes"), Some(Value::Boolean(true)));
        assert_eq!(OptionType::Boolean.read("maybe"), None);
        assert_eq!(OptionType::Port.read("65536"), None);
        assert_eq!(OptionType::List.read(" crm , sale,\n stock"), list(&["crm", "sale", "stock"]));
        assert_eq!(OptionType::Words.read("a 'b c' \"d\\\"e\" f\\ g"), list(&["a", "b c", "d\"e", "f g"]));
        assert_eq!(OptionType::Words.read("a 'b"), None);
        assert_eq!(OptionType::Commands.read("a 'b c'\n\n d"), list(&["a 'b c'", "d"]));
        assert_eq!(OptionType::Commands.read("a\nb 'c"), None);
        assert_eq!(OptionType::Number.read("NaN"), None);
        assert_eq!(OptionType::Part.read(" odoo-8.0_x "), Some(Value::Text("odoo-8.0_x".to_owned())));
        for part in ["", "a b", "a:b", "a=b", "-a", "a/b", "${a}"] {
            assert_eq!(OptionType::Part.read(part), None, "{part}");
        }
        assert_eq!(OptionType::TextWithProperties.read("$(a"), None);
    }
}
