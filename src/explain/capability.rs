//! Capabilities.

use super::{Knowledge, Writer, kind};
use crate::model::OptionType;

/// Writes the capability of this name.
pub(super) fn explain(knowledge: &Knowledge, name: &str, writer: &mut Writer) {
    let Some(declaration) = knowledge.declarations.get(name) else { return };
    writer.head(name, "capability");
    writer.blank();
    writer.paragraph(&declaration.help);
    writer.blank();
    writer.fact("abbreviation", &format!("{}, in names of builders", declaration.abbreviation()));
    writer.fact("version", &format!("{}, a property of the builder", declaration.version_property()));
    for (index, (option, declared)) in declaration.options.iter().enumerate() {
        let unused = declared.unused.as_ref().map_or(String::new(), |why| format!(" Unused: {why}."));
        let value = match declared.kind {
            OptionType::Text if declared.choices.is_empty() => String::new(),
            _ => format!(" Value: {}.", kind(declared)),
        };
        writer.item(if index == 0 { "options" } else { "" }, option, &format!("{}{value}{unused}", declared.help));
    }
    writer.fact("before PATH", &declaration.path.join("\n"));
    let pairs = |pairs: &indexmap::IndexMap<String, String>| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")
    };
    writer.fact("environment", &pairs(&declaration.environment));
    for variant in &declaration.variants {
        writer.fact("variant", &format!("with {}={}", variant.option, variant.is));
        writer.fact("", &pairs(&variant.options));
        writer.fact("", &pairs(&variant.environment));
        if let Some(template) = &variant.template {
            writer.fact("", &format!("made ready and cleaned up by the step template {template}"));
        }
    }
    if let Some(properties) = &declaration.properties {
        let options = properties.options.values().map(String::as_str);
        let names: Vec<_> = std::iter::once(properties.version.as_str()).chain(options).collect();
        writer.fact("properties", &names.join(", "));
    }
}
