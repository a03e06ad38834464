//! Templates of a user's own. The farm and the text of a template come in, what the template makes of the farm goes out, or
//! what is wrong with the template and where.

use std::sync::Arc;

use minijinja::value::{Kwargs, Serde, StringInput, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, filters};

use super::context::Context;
use crate::Compilation;
use crate::plan::{bind, lower};

/// What filling in a template may cost, in instructions or in 64 bytes that are made: ten for each pair of 5,000 builders and 500
/// slaves.
const FUEL: u64 = 25_000_000;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file that it is in, as it was given, or as another one includes it.
    pub file: String,
    /// The line, from 1; none where it is about the whole.
    pub line: Option<usize>,
    /// The column of its first character, from 1.
    pub column: Option<usize>,
    /// What is wrong, in a clause.
    pub message: String,
    /// The line itself, and below it what of it is meant.
    pub excerpt: Option<String>,
}

/// Fills in a template. `read` gives it the files that it includes, by the names by which it does.
///
/// # Errors
/// What is wrong with the template.
pub fn fill_in(
    compilation: Arc<Compilation>,
    name: &str,
    text: &str,
    read: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> Result<String, Mistake> {
    let context = Context::new(&compilation.graph);
    let mut environment = Environment::new();
    let mut syntax = minijinja::syntax::SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    let syntax = syntax.build().map_err(|error| Mistake::of(&error, name, text))?;
    environment.set_syntax(syntax);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_loader(move |name| Ok(read(name)));
    environment.set_formatter(write);
    environment.add_filter("sh", sh);
    environment.add_filter("tojson", json);
    environment.add_filter("yaml", yaml);
    environment.add_filter("e", escape);
    environment.add_filter("escape", escape);
    environment.add_filter("join", join);
    environment.add_function("plan", move |builder: &str, slave: &str| plan(&compilation, builder, slave));
    let template = environment.template_from_named_str(name, text);
    let filled = template.and_then(|template| template.render(Value::from(Serde(context))));
    filled.map_err(|error| Mistake::of(&error, name, text))
}

impl Mistake {
    fn of(error: &Error, name: &str, text: &str) -> Self {
        // What an included file has done wrong is the cause of what is wrong with the including one.
        let causes = std::iter::successors(Some(error), |error| {
            std::error::Error::source(*error).and_then(|cause| cause.downcast_ref::<Error>())
        });
        let error = causes.filter(|error| error.line().is_some()).last().unwrap_or(error);
        let file = error.name().unwrap_or(name).to_owned();
        let source = error.template_source().unwrap_or(if file == name { text } else { "" });
        let place = error.range().and_then(|range| Excerpt::of(source, range));
        Self {
            file,
            line: error.line(),
            column: place.as_ref().map(|place| place.column),
            message: message(error),
            excerpt: place.zip(error.line()).map(|(place, line)| place.drawn(line)),
        }
    }
}

fn message(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too long, or makes too long a text".to_owned(),
        (ErrorKind::UndefinedError | ErrorKind::TemplateNotFound | ErrorKind::InvalidOperation, Some(detail)) => {
            detail.to_owned()
        }
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

/// A line, and what of it is meant.
struct Excerpt {
    line: String,
    column: usize,
    meant: String,
}

impl Excerpt {
    fn of(source: &str, range: std::ops::Range<usize>) -> Option<Self> {
        let before = source.get(..range.start)?;
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = source[start..].lines().next().unwrap_or_default();
        let end = range.end.min(start + line.len()).max(range.start);
        Some(Self {
            line: line.replace('\t', " "),
            column: source[start..range.start].chars().count() + 1,
            meant: source.get(range.start..end)?.to_owned(),
        })
    }

    fn drawn(&self, number: usize) -> String {
        let number = number.to_string();
        let blank = " ".repeat(number.len());
        let carets = "^".repeat(self.meant.chars().count().max(1));
        format!("{blank} |\n{number} | {}\n{blank} | {}{carets}", self.line, " ".repeat(self.column - 1))
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The plan of a builder on a slave.
fn plan(compilation: &Compilation, builder: &str, slave: &str) -> Result<Value, Error> {
    let graph = &compilation.graph;
    let known = graph.builders.iter().find(|known| known.name == builder);
    let known = known.ok_or_else(|| invalid(format!("there is no builder `{builder}`")))?;
    let (index, host) = graph.slave(slave).ok_or_else(|| invalid(format!("there is no slave `{slave}`")))?;
    if !known.slaves.contains(index) {
        return Err(invalid(format!("the slave `{slave}` does not take the builder `{builder}`")));
    }
    let plan = lower(compilation, known, None).and_then(|procedure| bind(&procedure, host, &graph.farm.declarations));
    let plan = plan.map_err(|error| invalid(format!("builder {builder} cannot be planned: {error}")))?;
    Ok(Value::from(Serde(plan)))
}

/// How deep lists and mappings may be in each other. Deeper ones are of a template that runs away.
const DEEPEST: usize = 100;

/// Demands that nothing in a value is undefined: a list or a mapping may hold what a misspelt name stands for, and would be written
/// as if it were empty.
fn defined(state: &State, value: &Value) -> Result<(), Error> {
    all_defined(state, value, DEEPEST)
}

fn all_defined(state: &State, value: &Value, depth: usize) -> Result<(), Error> {
    if value.is_undefined() {
        // This error knows which name it was.
        StringInput::new(state, value)?;
        return Err(Error::new(ErrorKind::UndefinedError, "this has no value"));
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Err(invalid(format!("it has lists or mappings that are more than {DEEPEST} deep in each other")));
    };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|item| all_defined(state, &item, depth)),
        ValueKind::Map => value.try_iter()?.try_for_each(|key| all_defined(state, &value.get_item(&key)?, depth)),
        _ => Ok(()),
    }
}

/// Writes a value where the template has it.
fn write(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    // One that is undefined as a whole is the engine's to refuse.
    if !value.is_undefined() {
        defined(state, value)?;
    }
    minijinja::escape_formatter(out, state, value)
}

/// The engine's own filter takes what is undefined for an empty text.
fn escape(state: &mut State, value: &Value) -> Result<Value, Error> {
    defined(state, value)?;
    filters::escape(state, value)
}

/// So does this one of the engine's, of items and of their attributes.
fn join(
    state: &mut State,
    value: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    options: Kwargs,
) -> Result<Value, Error> {
    defined(state, value)?;
    if let Some(attribute) = attribute.map_or_else(|| options.get("attribute"), |given| Ok(Some(given)))? {
        for item in value.try_iter()? {
            let found = attribute.split('.').try_fold(item, |item, name| match name.parse::<usize>() {
                Ok(index) => item.get_item(&Value::from(index)),
                Err(_) => item.get_attr(name),
            })?;
            if found.is_undefined() {
                return Err(Error::new(ErrorKind::UndefinedError, format!("an item has no `{attribute}`")));
            }
        }
    }
    filters::join(state, value, joiner, attribute, options)
}

/// A word of the shell; of a list, all of its words.
fn sh(state: &State, value: &Value) -> Result<String, Error> {
    defined(state, value)?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let words: Result<Vec<_>, _> = value.try_iter()?.map(|item| word(&item)).collect();
            Ok(words?.join(" "))
        }
        _ => word(value),
    }
}

fn word(value: &Value) -> Result<String, Error> {
    let text = match value.kind() {
        ValueKind::String | ValueKind::Number => value.to_string(),
        // As JSON and YAML have it, and not as Python does.
        ValueKind::Bool => value.is_true().to_string(),
        ValueKind::None => {
            return Err(invalid(
                "`none` cannot be a word of the shell: `default('', true) | sh` makes it an empty one".to_owned(),
            ));
        }
        other => return Err(invalid(format!("a {other} cannot be a word of the shell: `tojson | sh` makes it one"))),
    };
    if text.contains('\0') {
        return Err(invalid("a text with a NUL character cannot be a word of the shell".to_owned()));
    }
    Ok(super::sh::quote(&text))
}

fn json(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    defined(state, value)?;
    let written = match indent {
        None | Some(0) => serde_json::to_string(value).map_err(|error| error.to_string()),
        Some(indent) => {
            let blanks = " ".repeat(indent.min(16));
            let layout = serde_json::ser::PrettyFormatter::with_indent(blanks.as_bytes());
            let mut text = Vec::new();
            serde::Serialize::serialize(value, &mut serde_json::Serializer::with_formatter(&mut text, layout))
                .map_err(|error| error.to_string())
                .and_then(|()| String::from_utf8(text).map_err(|error| error.to_string()))
        }
    };
    written.map_err(|error| invalid(format!("it cannot be written as JSON: {error}")))
}

fn yaml(state: &State, value: &Value) -> Result<String, Error> {
    defined(state, value)?;
    serde_yaml::to_string(value).map_err(|error| invalid(format!("it cannot be written as YAML: {error}")))
}
