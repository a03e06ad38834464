//! Filling in step templates at compile time, by minijinja.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use super::Templates;
use super::properties;
use super::template::{Argument, Limit, LinkedStep, StepPlace, StepTemplate, Template};
use crate::model::Value;
use crate::plan::{NamedBy, OnFailure, Phase, Step, placeholder};
use crate::source::Span;

/// Steps have a default limit, so that nothing hangs for ever: an hour without output.
const IDLE: u64 = 3600;

/// What filling in one text may cost, in instructions or in 64 bytes that are made. No template that a person wrote comes
/// near.
const FUEL: u64 = 1_000_000;

/// A template makes no more steps for a build.
pub const MOST_STEPS: usize = 10_000;

/// The environment of all templates: unknown names are errors, nothing that is filled in can be a placeholder, and
/// filling in ends.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(|output, state, value| {
        if value.is_undefined() {
            return minijinja::escape_formatter(output, state, value);
        }
        output.write_str(&filled(value)).map_err(minijinja::Error::from)
    });
    environment.add_filter("properties", properties::fill_in);
    environment.add_filter("words", words);
    environment
}

/// A value as it stands in a step. What is safe has placeholders that are meant as such.
fn filled(value: &minijinja::Value) -> String {
    let text = value.to_string();
    if value.is_safe() { text } else { placeholder::escape(&text) }
}

/// The words of a command.
fn words(command: &str) -> Result<Vec<String>, minijinja::Error> {
    shell_words::split(command).map_err(|error| invalid(format!("`{command}`: {error}")))
}

/// The values of options, as expressions see them: `option['openerp-addons']`.
pub fn values(options: &IndexMap<String, Value>) -> minijinja::Value {
    let value = |value: &Value| match value {
        Value::Boolean(value) => minijinja::Value::from(*value),
        Value::Integer(value) => minijinja::Value::from(*value),
        Value::List(value) => minijinja::Value::from(value.clone()),
        Value::Text(value) => minijinja::Value::from(value),
    };
    minijinja::Value::from_pairs(options.iter().map(|(name, given)| (name.clone(), value(given))))
}

/// The default of an option.
pub(super) fn default(
    environment: &Environment<'_>,
    template: &str,
    option: &IndexMap<String, Value>,
) -> Result<String, String> {
    if !template.contains("{{") {
        return Ok(template.to_owned());
    }
    environment.render_str(template, minijinja::context! { option => values(option) }).map_err(|error| describe(&error))
}

/// What minijinja says, in one line.
pub(super) fn describe(error: &minijinja::Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "it takes too long, or makes too long a text".to_owned();
    }
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

/// Why a template makes no steps.
#[derive(Debug, thiserror::Error)]
#[error("step `{step}` of template `{template}`: {why}")]
pub struct ExpandError {
    /// The template.
    pub template: String,
    /// The step.
    pub step: String,
    /// Where that is written; none in a built-in template.
    pub place: Option<Span>,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a step for the options of a build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// An expression that cannot be evaluated.
    #[error("{0}")]
    Expression(String),
    /// A command without a program.
    #[error("its command comes out empty")]
    NoProgram,
    /// Far too many steps.
    #[error("it makes more than {MOST_STEPS} steps")]
    TooMany,
}

/// What is wrong, and the text of the step that it is about, if it is one.
struct Failed {
    text: Option<String>,
    why: Why,
}

impl Failed {
    fn of(text: &str, error: &minijinja::Error) -> Self {
        Self { text: Some(text.to_owned()), why: Why::Expression(describe(error)) }
    }

    fn invalid(text: &str, message: String) -> Self {
        Self { text: Some(text.to_owned()), why: Why::Expression(message) }
    }
}

/// A step of a plan, and where it is written, if it is of the farm's own.
#[derive(Debug, Clone)]
pub struct PlacedStep {
    /// The step.
    pub step: Step,
    /// Its place.
    pub place: Option<Arc<StepPlace>>,
}

/// A template being filled in for one builder.
#[derive(Debug)]
pub struct Expansion<'a> {
    /// All templates.
    pub templates: &'a Templates,
    /// The template.
    pub template: &'a Template,
    /// The values of the build's options.
    pub options: &'a IndexMap<String, Value>,
    /// What its expressions see.
    pub context: &'a minijinja::Value,
    /// Where its steps run unless they say otherwise, with placeholders.
    pub directory: &'a str,
}

impl Expansion<'_> {
    /// The template's steps.
    ///
    /// # Errors
    /// An expression that cannot be evaluated.
    pub fn steps(&self) -> Result<Vec<PlacedStep>, ExpandError> {
        let phase = self.template.place.phase(&self.template.name);
        self.all(&self.template.steps, phase)
    }

    /// The template's clean-up steps.
    ///
    /// # Errors
    /// An expression that cannot be evaluated.
    pub fn clean_up(&self) -> Result<Vec<PlacedStep>, ExpandError> {
        self.all(&self.template.clean_up, Phase::CleanUp)
    }

    fn all(&self, steps: &[LinkedStep], phase: Phase) -> Result<Vec<PlacedStep>, ExpandError> {
        let mut all = Vec::new();
        for LinkedStep { template, step, place } in steps {
            let failed = |Failed { text, why }| ExpandError {
                template: template.clone(),
                step: step.name.clone(),
                place: place.as_ref().map(|place| text.map_or(place.name, |text| place.of(&text))),
                why,
            };
            let placed = |step| PlacedStep { step, place: place.clone() };
            let Some(each) = &step.each else {
                all.extend(self.step(template, step, phase).map_err(failed)?.map(placed));
                continue;
            };
            for item in self.list(each).map_err(failed)? {
                let context = minijinja::context! { item, ..self.context.clone() };
                let expansion = Expansion { context: &context, ..*self };
                all.extend(expansion.step(template, step, phase).map_err(failed)?.map(placed));
                if all.len() > MOST_STEPS {
                    return Err(failed(Failed { text: Some(each.clone()), why: Why::TooMany }));
                }
            }
        }
        Ok(all)
    }

    fn step(&self, template: &str, step: &StepTemplate, phase: Phase) -> Result<Option<Step>, Failed> {
        if let Some(when) = &step.when
            && !self.value(when)?.is_true()
        {
            return Ok(None);
        }
        let environment = step.environment.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?)));
        let clean_up = phase == Phase::CleanUp;
        let run = self.command(&step.run)?;
        if !step.write && run.first().is_none_or(String::is_empty) {
            return Err(Failed { text: None, why: Why::NoProgram });
        }
        let (idle, timeout) = (self.limit(step.idle_timeout.as_ref())?, self.limit(step.timeout.as_ref())?);
        Ok(Some(Step {
            name: step.name.clone(),
            phase,
            template: template.to_owned(),
            help: step.help.clone(),
            run,
            write: step.write,
            directory: step
                .directory
                .as_deref()
                .map_or_else(|| Ok(self.directory.to_owned()), |text| self.text(text))?,
            environment: environment.collect::<Result<_, Failed>>()?,
            lock: step.lock.clone(),
            makes_way: step.makes_way,
            infrastructure: step.infrastructure,
            permanent: step.permanent.clone(),
            // A limit on the whole time that is no longer needs no other.
            idle_timeout: idle.or((!step.write && timeout.is_none_or(|total| total > IDLE)).then_some(IDLE)),
            timeout,
            on_failure: step.on_failure.unwrap_or(if clean_up { OnFailure::Warn } else { OnFailure::Halt }),
            always_run: clean_up,
            property: step.property.clone(),
            keep: step.keep.clone(),
            follow: step.follow.iter().map(|file| self.text(file)).collect::<Result<_, _>>()?,
            named_by: step.program.as_deref().and_then(|option| self.named_by(option)),
        }))
    }

    /// What names the program of a step: an option, and the line of it that the step is there for.
    fn named_by(&self, option: &str) -> Option<NamedBy> {
        let value = self.options.get(option)?;
        let declared = self.template.options.get(option);
        let default = declared.and_then(|declared| self.templates.default(declared, self.options).ok().flatten());
        let item = self.context.get_attr("item").ok();
        let item = item.as_ref().and_then(minijinja::Value::as_str);
        let written = match (value, item) {
            (Value::List(_), Some(item)) => item.to_owned(),
            (Value::List(words), None) => shell_words::join(words),
            (Value::Text(text), _) => text.clone(),
            (Value::Boolean(_) | Value::Integer(_), _) => return None,
        };
        Some(NamedBy { option: option.to_owned(), value: written, default: default.as_ref() == Some(value) })
    }

    fn text(&self, text: &str) -> Result<String, Failed> {
        // Parsing costs more than the rest of a step; without a tag nothing but a line's end would change.
        if ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag)) || text.ends_with('\n') {
            let filled = self.templates.environment().render_str(text, self.context.clone());
            filled.map_err(|error| Failed::of(text, &error))
        } else {
            Ok(text.to_owned())
        }
    }

    fn value(&self, expression: &str) -> Result<minijinja::Value, Failed> {
        let compiled = self.templates.environment().compile_expression(expression);
        let value = compiled.and_then(|compiled| compiled.eval(self.context.clone()));
        value.map_err(|error| Failed::of(expression, &error))
    }

    fn list(&self, expression: &str) -> Result<Vec<minijinja::Value>, Failed> {
        let list = self.value(expression)?;
        if list.kind() == ValueKind::Seq {
            return Ok(list.try_iter().map_err(|error| Failed::of(expression, &error))?.collect());
        }
        Err(Failed::invalid(expression, format!("`{expression}` is no list")))
    }

    fn limit(&self, limit: Option<&Limit>) -> Result<Option<u64>, Failed> {
        let expression = match limit {
            None => return Ok(None),
            Some(Limit::Seconds(seconds)) => return Ok(Some(seconds.get())),
            Some(Limit::Expression(expression)) => expression,
        };
        let seconds = u64::try_from(self.value(expression)?).ok().filter(|seconds| *seconds > 0);
        let wrong = || Failed::invalid(expression, format!("`{expression}` is no number of seconds, 1 or more"));
        seconds.map(Some).ok_or_else(wrong)
    }

    fn command(&self, arguments: &[Argument]) -> Result<Vec<String>, Failed> {
        let mut command = Vec::new();
        for argument in arguments {
            match argument {
                Argument::One(one) => command.push(self.text(one)?),
                Argument::When { when, arguments } => {
                    if self.value(when)?.is_true() {
                        for argument in arguments {
                            command.push(self.text(argument)?);
                        }
                    }
                }
                Argument::Each { each, with } => {
                    for item in self.list(each)? {
                        if let Some(word) = with {
                            command.push(self.text(word)?);
                        }
                        command.push(filled(&item));
                    }
                }
                Argument::CommandOf { command_of } => command.extend(self.command_of(command_of.template())?),
            }
        }
        Ok(command)
    }

    /// The command of another template, which is part of every build, so that its options are known.
    fn command_of(&self, name: &str) -> Result<Vec<String>, Failed> {
        let invalid = |message| Failed { text: None, why: Why::Expression(message) };
        let step = self
            .templates
            .find(name)
            .and_then(|template| template.steps.iter().find(|step| step.step.name == name && step.step.each.is_none()));
        let Some(LinkedStep { step, .. }) = step else {
            return Err(invalid(format!("the template `{name}` has no step `{name}`")));
        };
        // One that asks for its own command would never end.
        let asks = |argument: &Argument| matches!(argument, Argument::CommandOf { .. });
        if step.run.iter().any(asks) {
            return Err(invalid(format!("the command of `{name}` is made of another one")));
        }
        self.command(&step.run)
    }
}

fn invalid(message: String) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message)
}
