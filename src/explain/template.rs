//! Step templates.

use super::{Knowledge, Writer};
use crate::steps::{Argument, LinkedStep, Template, Use};

/// Writes the template of this name or alias.
pub(super) fn explain(knowledge: &Knowledge, name: &str, writer: &mut Writer) {
    let Some(template) = knowledge.templates.find(name) else { return };
    writer.head(&template.name, "step template");
    writer.blank();
    writer.paragraph(&template.help);
    writer.blank();
    writer.fact("place", &place(template));
    writer.fact("written", template.written.as_deref().unwrap_or_default());
    writer.fact("old names", &template.aliases.join(", "));
    writer.fact("uses", &template.uses.join(", "));
    writer.fact("needs", &template.needs.join(", "));
    for (index, (option, declared)) in template.options.iter().enumerate() {
        let default = match &declared.default {
            Some(default) => format!(" (default: {default})"),
            None if declared.required => " (required)".to_owned(),
            None => String::new(),
        };
        writer.item(if index == 0 { "options" } else { "" }, option, &format!("{}{default}", declared.help));
    }
    steps("steps", &template.steps, writer);
    steps("clean-up", &template.clean_up, writer);
}

/// Where a template stands.
pub(super) fn place(template: &Template) -> String {
    match (template.place, template.place.option()) {
        (_, Some(option)) => format!("a line of `{option}`"),
        (Use::Source, _) => format!("builds whose `buildout` begins with `{}`", template.name),
        (Use::Part, _) => "other templates, which use it".to_owned(),
        (Use::Capability, _) => "brought by a capability that a slave offers".to_owned(),
        _ => "every build".to_owned(),
    }
}

fn steps(name: &str, steps: &[LinkedStep], writer: &mut Writer) {
    for (index, LinkedStep { step, .. }) in steps.iter().enumerate() {
        writer.item(if index == 0 { name } else { "" }, &step.name, &step.help);
        let command: Vec<String> = step.run.iter().map(argument).collect();
        if !command.is_empty() {
            writer.command(&command);
        }
        if let Some(each) = &step.each {
            writer.detail(&format!("once for each `item` of {each}"));
        }
        if let Some(when) = &step.when {
            writer.detail(&format!("only if {when}"));
        }
    }
}

fn argument(argument: &Argument) -> String {
    match argument {
        Argument::One(one) => one.clone(),
        Argument::When { arguments, .. } => format!("[{}]", arguments.join(" ")),
        Argument::CommandOf { command_of } => format!("(the command of {})", command_of.template()),
        Argument::Each { each, with: None } => format!("{{{{ {each} }}}}…"),
        Argument::Each { each, with: Some(word) } => format!("({word} {{{{ {each} }}}})…"),
    }
}
