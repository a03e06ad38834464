//! Templates of a user's own. The farm and the text of a template come in, what the template makes of the farm goes out, or
//! what is wrong with the template and where.

use std::sync::Arc;

use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

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
    environment.add_filter("sh", sh);
    environment.add_filter("tojson", json);
    environment.add_filter("yaml", yaml);
    environment.add_function("plan", move |builder: &str, slave: &str| plan(&compilation, builder, slave));
    let template = environment.template_from_named_str(name, text);
    let filled = template.and_then(|template| template.render(minijinja::Value::from(Serde(context))));
    filled.map_err(|error| Mistake::of(&error, name, text))
}

impl Mistake {
    fn of(error: &minijinja::Error, name: &str, text: &str) -> Self {
        // What an included file has done wrong is the cause of what is wrong with the including one.
        let causes = std::iter::successors(Some(error), |error| {
            std::error::Error::source(*error).and_then(|cause| cause.downcast_ref::<minijinja::Error>())
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

fn message(error: &minijinja::Error) -> String {
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

fn invalid(message: String) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, message)
}

/// The plan of a builder on a slave.
fn plan(compilation: &Compilation, builder: &str, slave: &str) -> Result<minijinja::Value, minijinja::Error> {
    let graph = &compilation.graph;
    let known = graph.builders.iter().find(|known| known.name == builder);
    let known = known.ok_or_else(|| invalid(format!("there is no builder `{builder}`")))?;
    let (index, host) = graph.slave(slave).ok_or_else(|| invalid(format!("there is no slave `{slave}`")))?;
    if !known.slaves.contains(index) {
        return Err(invalid(format!("the slave `{slave}` does not take the builder `{builder}`")));
    }
    let plan = lower(compilation, known, None).and_then(|procedure| bind(&procedure, host, &graph.farm.declarations));
    let plan = plan.map_err(|error| invalid(format!("builder {builder} cannot be planned: {error}")))?;
    Ok(minijinja::Value::from(Serde(plan)))
}

/// A word of the shell; of a list, all of its words.
fn sh(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    let quote = |value: &minijinja::Value| {
        let text = value.to_string();
        match text.contains('\0') {
            true => Err(invalid("a text with a NUL character cannot be a word of the shell".to_owned())),
            false => Ok(super::sh::quote(&text)),
        }
    };
    if value.kind() != minijinja::value::ValueKind::Seq {
        return quote(value);
    }
    let words: Result<Vec<_>, _> = value.try_iter()?.map(|value| quote(&value)).collect();
    Ok(words?.join(" "))
}

fn json(value: &minijinja::Value, options: Kwargs) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
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

fn yaml(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    serde_yaml::to_string(value).map_err(|error| invalid(format!("it cannot be written as YAML: {error}")))
}
