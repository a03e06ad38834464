//! Options: of manifests, of slave fragments, of step templates and of capabilities.

use std::fmt::Write as _;

use super::{Knowledge, Writer, kind};
use crate::diagnostic::suggest::list;
use crate::model::{Declaration, Declared, DeclaredOptions};
use crate::steps::{Template, Use};

/// Writes every option of this name.
pub(super) fn explain(knowledge: &Knowledge, name: &str, writer: &mut Writer) {
    let before = writer.len();
    let wanted = name.to_lowercase();
    if let Some(declared) = knowledge.options.manifest.get(&wanted) {
        let places = match wanted.as_str() {
            "inherit" => "a section of a manifest",
            _ => "a section of a manifest, or its `[DEFAULT]`",
        };
        option(&wanted, "option of manifests", declared, places, writer);
        let templates: Vec<_> =
            knowledge.templates.iter().filter(|template| template.place.option() == Some(&*wanted)).collect();
        if !templates.is_empty() {
            writer.fact("templates", &list(templates.iter().map(|template| template.name.as_str())));
        }
    }
    of_templates(knowledge, &wanted, writer);
    if let Some(declared) = knowledge.options.slave.get(&wanted) {
        option(&wanted, "option of slaves", declared, "a section of a slave fragment, or its `[DEFAULT]`", writer);
    }
    for declaration in knowledge.declarations.iter() {
        of_capability(declaration, &wanted, writer);
    }
    if writer.len() == before
        && let Some(why) = knowledge.options.deprecated(&wanted)
    {
        writer.head(&wanted, "option of manifests, once");
        writer.blank();
        writer.paragraph(&format!("It does nothing any more: {why}. `farmout compile` says so in a notice."));
    }
}

fn option(name: &str, what: &str, declared: &Declared, places: &str, writer: &mut Writer) {
    writer.head(name, what);
    writer.blank();
    writer.paragraph(&declared.help);
    writer.blank();
    writer.fact("value", &expected(declared));
    writer.fact("default", &default(declared));
    writer.fact("stands in", places);
    writer.fact("other names", &declared.aliases.join(", "));
}

/// What the value of an option is.
fn expected(declared: &Declared) -> String {
    match declared.choices.as_slice() {
        [] => declared.kind.expected_from(declared.minimum),
        choices => super::one_of(choices),
    }
}

/// The default as it is told: in a step template it may be made of other options.
fn default(declared: &Declared) -> String {
    match &declared.default {
        Some(default) => default.replace("{{ option['", "<").replace("'] }}", ">"),
        None if declared.required => "none: it must be set".to_owned(),
        None => "none".to_owned(),
    }
}

/// An option of step templates. Those that declare it alike, as templates do that use the same one, are told together.
fn of_templates(knowledge: &Knowledge, wanted: &str, writer: &mut Writer) {
    let mut declarations: Vec<(&str, &Declared, Vec<&Template>)> = Vec::new();
    for template in knowledge.templates.iter().filter(|template| template.place != Use::Part) {
        let spelled = |(option, declared): &(&String, &Declared)| {
            *option == wanted || declared.aliases.iter().any(|alias| alias == wanted)
        };
        let Some((option, declared)) = template.options.iter().find(spelled) else { continue };
        let same = |(_, other, readers): &&mut (&str, &Declared, Vec<&Template>)| {
            *other == declared && readers.iter().all(|reader| reader.place == template.place)
        };
        match declarations.iter_mut().find(same) {
            Some((_, _, readers)) => readers.push(template),
            None => declarations.push((option, declared, vec![template])),
        }
    }
    for (name, declared, readers) in declarations {
        let names = readers.iter().map(|template| template.name.as_str()).collect::<Vec<_>>().join(", ");
        let many = if readers.len() > 1 { "s" } else { "" };
        let places = "a section of a manifest that uses the template, or its `[DEFAULT]`";
        option(name, &format!("option of the step template{many} {names}"), declared, places, writer);
        let read = readers.first().and_then(|template| template.place.option());
        let which = if readers.len() > 1 { "one of them" } else { "it" };
        let read = read.map_or(String::new(), |list| format!(", in builds whose `{list}` names {which}"));
        writer.fact("read by", &format!("{names}{read}"));
    }
}

/// An option of a capability, as `port` or `postgresql.port`, or the plain property `pg_port` that stands for it.
fn of_capability(declaration: &Declaration, wanted: &str, writer: &mut Writer) {
    let name = &declaration.name;
    let short = wanted.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(wanted);
    if let Some(declared) = declaration.options.get(short) {
        writer.head(&format!("{name}.{short}"), &format!("option of the capability {name}"));
        writer.blank();
        writer.paragraph(&declared.help);
        writer.blank();
        writer.fact("value", &kind(declared));
        writer.fact("stands in", &format!("a `capability` line of a slave: `{name} VERSION {short}=…`"));
        let property = declaration.properties.as_ref().and_then(|properties| properties.options.get(short));
        writer.fact("old property", property.map_or("", String::as_str));
        writer.fact("secret", if declared.secret { "its value is never shown" } else { "" });
        writer.fact("unused", declared.unused.as_deref().unwrap_or_default());
    }
    let Some(properties) = &declaration.properties else { return };
    let version = (properties.version == wanted).then(|| "the version".to_owned());
    let option = properties.options.iter().find(|(_, property)| *property == wanted);
    if let Some(what) = version.or_else(|| option.map(|(option, _)| format!("the option `{option}`"))) {
        writer.head(wanted, "plain property of slaves");
        writer.blank();
        writer.paragraph(&format!(
            "How old fragments give {what} of the capability `{name}`. With `{}` beside it the slave offers that one version; \
             `False` means that it is not set. See `farmout explain {name}`.",
            properties.version
        ));
    }
}

/// A table of options in Markdown, for `docs/`.
pub fn option_table(options: &DeclaredOptions) -> String {
    let mut table = String::from("| option | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for (name, declared) in options {
        let names = std::iter::once(name).chain(&declared.aliases).map(|name| format!("`{name}`"));
        let names = names.collect::<Vec<_>>().join(", ");
        let default = if declared.default.is_none() { default(declared) } else { format!("`{}`", default(declared)) };
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {names} | {} | {default} | {} |", expected(declared), cell(&declared.help));
    }
    table
}

/// The table of a capability's options in Markdown, for `docs/`.
pub fn capability_table(declaration: &Declaration) -> String {
    let mut table = String::from("| option | value | old property | meaning |\n| --- | --- | --- | --- |\n");
    for (name, declared) in &declaration.options {
        let property = declaration.properties.as_ref().and_then(|properties| properties.options.get(name));
        let property = property.map_or(String::new(), |property| format!("`{property}`"));
        let unused = declared.unused.as_ref().map_or(String::new(), |why| format!(" Unused: {why}."));
        let _ = writeln!(table, "| `{name}` | {} | {property} | {}{unused} |", kind(declared), cell(&declared.help));
    }
    table
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
