//! Filling in step templates at compile time, by minijinja.

use indexmap::IndexMap;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::Templates;
use super::properties;
use super::template::{Argument, Limit, LinkedStep, StepTemplate, Template};
use crate::model::Value;
use crate::plan::{NamedBy, OnFailure, Phase, Step, placeholder};

/// Steps have a default limit, so that nothing hangs for ever: an hour without output.
const IDLE: u64 = 3600;

/// The environment of all templates: unknown names are errors, and nothing that is filled in can be a placeholder.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
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
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

/// Why a template makes no steps.
#[derive(Debug, thiserror::Error)]
#[error("step `{step}` of template `{template}`: {message}")]
pub struct ExpandError {
    /// The template.
    pub template: String,
    /// The step.
    pub step: String,
    /// What minijinja says.
    pub message: String,
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
    pub fn steps(&self) -> Result<Vec<Step>, ExpandError> {
        let phase = self.template.place.phase(&self.template.name);
        self.all(&self.template.steps, phase)
    }

    /// The template's clean-up steps.
    ///
    /// # Errors
    /// An expression that cannot be evaluated.
    pub fn clean_up(&self) -> Result<Vec<Step>, ExpandError> {
        self.all(&self.template.clean_up, Phase::CleanUp)
    }

    fn all(&self, steps: &[LinkedStep], phase: Phase) -> Result<Vec<Step>, ExpandError> {
        let mut all = Vec::new();
        for LinkedStep { template, step } in steps {
            let failed = |error: minijinja::Error| ExpandError {
                template: template.clone(),
                step: step.name.clone(),
                message: describe(&error),
            };
            let Some(each) = &step.each else {
                all.extend(self.step(template, step, phase).map_err(failed)?);
                continue;
            };
            for item in self.list(each).map_err(failed)? {
                let context = minijinja::context! { item, ..self.context.clone() };
                let expansion = Expansion { context: &context, ..*self };
                all.extend(expansion.step(template, step, phase).map_err(failed)?);
            }
        }
        Ok(all)
    }

    fn step(&self, template: &str, step: &StepTemplate, phase: Phase) -> Result<Option<Step>, minijinja::Error> {
        if let Some(when) = &step.when
            && !self.value(when)?.is_true()
        {
            return Ok(None);
        }
        let environment = step.environment.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?)));
        let clean_up = phase == Phase::CleanUp;
        let (idle, timeout) = (self.limit(step.idle_timeout.as_ref())?, self.limit(step.timeout.as_ref())?);
        Ok(Some(Step {
            name: step.name.clone(),
            phase,
            template: template.to_owned(),
            help: step.help.clone(),
            run: self.command(&step.run)?,
            write: step.write,
            directory: step
                .directory
                .as_deref()
                .map_or_else(|| Ok(self.directory.to_owned()), |text| self.text(text))?,
            environment: environment.collect::<Result<_, minijinja::Error>>()?,
            lock: step.lock.clone(),
            makes_way: step.makes_way,
            infrastructure: step.infrastructure,
            // A limit on the whole time that is no longer needs no other.
            idle_timeout: idle.or((!step.write && timeout.is_none_or(|total| total > IDLE)).then_some(IDLE)),
            timeout,
            on_failure: step.on_failure.unwrap_or(if clean_up { OnFailure::Warn } else { OnFailure::Halt }),
            always_run: clean_up,
            property: step.property.clone(),
            keep: step.keep.clone(),
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

    fn text(&self, text: &str) -> Result<String, minijinja::Error> {
        if text.contains('{') {
            self.templates.environment().render_str(text, self.context.clone())
        } else {
            Ok(text.to_owned())
        }
    }

    fn value(&self, expression: &str) -> Result<minijinja::Value, minijinja::Error> {
        self.templates.environment().compile_expression(expression)?.eval(self.context.clone())
    }

    fn list(&self, expression: &str) -> Result<Vec<minijinja::Value>, minijinja::Error> {
        let list = self.value(expression)?;
        if list.kind() == ValueKind::Seq {
            return Ok(list.try_iter()?.collect());
        }
        Err(invalid(format!("`{expression}` is no list")))
    }

    fn limit(&self, limit: Option<&Limit>) -> Result<Option<u64>, minijinja::Error> {
        let expression = match limit {
            None => return Ok(None),
            Some(Limit::Seconds(seconds)) => return Ok(Some(seconds.get())),
            Some(Limit::Expression(expression)) => expression,
        };
        let seconds = u64::try_from(self.value(expression)?);
        seconds.map(Some).map_err(|_| invalid(format!("`{expression}` is no number of seconds")))
    }

    fn command(&self, arguments: &[Argument]) -> Result<Vec<String>, minijinja::Error> {
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
    fn command_of(&self, name: &str) -> Result<Vec<String>, minijinja::Error> {
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
