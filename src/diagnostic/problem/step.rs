//! The words for problems with step templates.

use super::Severity::{Error, Notice, Warning};
use super::{Wording, closes, did_you_mean, names, word};

/// A problem with a step template, or with its name in a list. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Step {
    Alias { alias: String, name: String },
    Capability { name: String, capability: String, build: String, known: Vec<String> },
    CapabilityOption { capability: String, option: String, known: Vec<String> },
    Duplicate { template: String },
    Expression { message: String },
    Fails { step: String, template: String, build: String, message: String },
    Name { name: String, known: Vec<String> },
    Needs { step: String, needs: String, option: &'static str },
    NeedsUnknown { template: String, known: Vec<String> },
    NoCommand,
    NoProgram { step: String, build: String },
    Option { option: String, known: Vec<String> },
    Replaces { template: String, place: &'static str },
    RunAndWrite,
    SameName { step: String },
    TooManySteps { template: String, most: usize },
    Twice { step: String },
    Unknown { step: String, option: String, known: Vec<String>, elsewhere: Option<&'static str> },
    UnusedOption { option: String },
    UseCycle { chain: Vec<String> },
    UseDeep { most: usize },
    UsePlace { template: String, place: &'static str, by: &'static str },
    UseUnknown { template: String, known: Vec<String> },
}

impl Step {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Alias { alias, name } => word(
                "steps::alias",
                Notice,
                &format!("`{alias}` is an old name"),
                "still read",
                &format!("write `{name}`"),
            ),
            Self::Capability { name, capability, build, known } => word(
                "steps::capability",
                Error,
                &format!("`${{{name}}}` has a value only in builds that ask for the capability `{capability}`"),
                &format!("`{build}` does not"),
                &did_you_mean(capability, known).unwrap_or_else(|| {
                    format!("require it in `[{build}]`: `build-requires = {capability}`; or give a default: `${{{name}:-DEFAULT}}`")
                }),
            ),
            Self::CapabilityOption { capability, option, known } => word(
                "steps::capability",
                Error,
                &format!("the capability `{capability}` has no option `{option}`"),
                "no slave has one",
                &did_you_mean(option, known).unwrap_or_else(|| {
                    format!("its options are {}; or give a default: `${{{capability}.{option}:-DEFAULT}}`", names(known))
                }),
            ),
            Self::Duplicate { template } => word(
                "steps::duplicate",
                Error,
                &format!("two step templates of the farm are called `{template}`"),
                "and another here",
                "names and old names are each of one template: give this one another",
            ),
            Self::Expression { message } => {
                word("steps::expression", Error, "this step template has a mistake", message, "")
            }
            Self::Fails { step, template, build, message } => word(
                "steps::expression",
                Error,
                &format!("the step `{step}` cannot be made for the build `{build}`"),
                message,
                &match message.contains("option") {
                    true => format!("options have the types that they are declared with: see `farmout explain {template}`"),
                    false => String::new(),
                },
            ),
            Self::Name { name, known } => word(
                "steps::expression",
                Error,
                &format!("expressions know no `{name}` here"),
                "stands for nothing",
                &did_you_mean(name, known).unwrap_or_else(|| format!("they know {}", names(known))),
            ),
            Self::Needs { step, needs, option } => word(
                "steps::needs",
                Error,
                &format!("`{step}` here needs `{needs}` before it, in `{option}`"),
                "works with what that one makes",
                &format!("add `{needs}` to `{option}`, or remove this line"),
            ),
            Self::NeedsUnknown { template, known } => word(
                "steps::needs",
                Error,
                &format!("there is no step template `{template}` that a list of steps can have"),
                "not known here",
                &did_you_mean(template, known)
                    .unwrap_or_else(|| format!("`needs` names one of {}", names(known))),
            ),
            Self::NoCommand => word(
                "steps::command",
                Error,
                "this step does nothing",
                "neither `run` nor `write`",
                "give it a command, a word an item: `run: [program, argument]`",
            ),
            Self::NoProgram { step, build } => word(
                "steps::command",
                Error,
                &format!("the command of the step `{step}` comes out empty for the build `{build}`"),
                "names no program",
                "begin `run` with a program that is there in any case, or give the step a `when`",
            ),
            Self::Option { option, known } => word(
                "steps::option",
                Error,
                &format!("this template has no option `{option}`"),
                "declared nowhere",
                &did_you_mean(option, known).unwrap_or_else(|| "declare it under `options`".to_owned()),
            ),
            Self::Replaces { template, place } => word(
                "steps::use",
                Error,
                &format!("`{template}` is built in, with another place"),
                "not its place",
                &format!("to replace it, write `place: {place}`; else give this template another name"),
            ),
            Self::RunAndWrite => word(
                "steps::command",
                Error,
                "a step runs a command or writes the build's files, not both",
                "beside `run`",
                "make two steps of it",
            ),
            Self::SameName { step } => word(
                "steps::duplicate",
                Error,
                &format!("two steps of this template are called `{step}`"),
                "and another here",
                "logs go by the names of steps: give this one another",
            ),
            Self::TooManySteps { template, most } => word(
                "steps::use",
                Error,
                &format!("`{template}` makes more than {most} steps with what it uses"),
                "too many with this",
                "a template that uses another twice makes its steps twice: remove some `use`",
            ),
            Self::Twice { step } => word(
                "steps::twice",
                Warning,
                &format!("`{step}` is listed twice"),
                "left out",
                "a step template is run once: remove this line",
            ),
            Self::Unknown { step, option, known, elsewhere } => word(
                "steps::unknown",
                Error,
                &format!("`{step}` is no step template for `{option}`"),
                "not known here",
                &match elsewhere {
                    Some(place) => format!("it belongs into `{place}`"),
                    None => match did_you_mean(step, known) {
                        Some(near) => near,
                        None => format!(
                            "there are {}; a farm can add its own, in a folder named in farm.yaml",
                            names(known)
                        ),
                    },
                },
            ),
            Self::UnusedOption { option } => word(
                "steps::unused-option",
                Warning,
                &format!("nothing reads the option `{option}`"),
                "declared here",
                &format!("read it in an expression, as `{{{{ option['{option}'] }}}}`, or remove it"),
            ),
            Self::UseCycle { chain } => word(
                "steps::use-cycle",
                Error,
                &format!("templates use each other in a circle: {}", chain.join(" → ")),
                &closes(chain, "uses"),
                "remove one `use` of the circle",
            ),
            Self::UseDeep { most } => word(
                "steps::use",
                Error,
                &format!("templates use each other more than {most} deep"),
                "too deep with this",
                "use a template that is further down the chain",
            ),
            Self::UsePlace { template, place, by } => word(
                "steps::use",
                Error,
                &format!("a template of the place `{by}` cannot use one of the place `{place}`"),
                &format!("`{template}` belongs to `{place}`"),
                "a template uses those of its own place, and those of the place `part`",
            ),
            Self::UseUnknown { template, known } => word(
                "steps::use",
                Error,
                &format!("there is no step template `{template}` to use"),
                "not known here",
                &did_you_mean(template, known).unwrap_or_else(|| match known.is_empty() {
                    true => "a template uses those of its own place, and parts; there is none".to_owned(),
                    false => format!("a template uses those of its own place, and parts: {}", names(known)),
                }),
            ),
        }
    }
}
