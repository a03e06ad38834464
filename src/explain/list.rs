//! Everything that can be explained.

use super::{Knowledge, Writer, pages};

/// Writes all names.
pub(super) fn list(knowledge: &Knowledge, writer: &mut Writer) {
    writer.head("codes", "what `farmout compile` can say");
    let mut families: Vec<(String, Vec<String>)> = Vec::new();
    for page in pages() {
        let name = page.code.name.rsplit("::").next().unwrap_or_default().to_owned();
        match families.last_mut() {
            Some((family, names)) if *family == page.family() => names.push(name),
            _ => families.push((page.family().to_owned(), vec![name])),
        }
    }
    for (family, names) in families {
        writer.fact(&format!("{family}::"), &names.join(", "));
    }
    writer.head("options", "of manifests, step templates, slaves and capabilities");
    let join = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(", ");
    writer.fact("manifests", &join(&mut knowledge.options.manifest.keys().map(String::as_str)));
    writer.fact("step templates", &join(&mut knowledge.templates.option_names()));
    writer.fact("slaves", &join(&mut knowledge.options.slave.keys().map(String::as_str)));
    for declaration in knowledge.declarations.iter().filter(|declaration| !declaration.options.is_empty()) {
        writer.fact(&declaration.name, &join(&mut declaration.options.keys().map(String::as_str)));
    }
    writer.head("step templates", "what builds are made of");
    writer.fact("", &join(&mut knowledge.templates.iter().map(|template| template.name.as_str())));
    writer.head("capabilities", "what slaves offer");
    writer.fact("", &join(&mut knowledge.declarations.iter().map(|declaration| declaration.name.as_str())));
    match &knowledge.farm {
        Some((_, compilation)) => {
            writer.head("builders", "of this farm");
            let names = compilation.graph.builders.iter().map(|builder| builder.name.as_str());
            writer.fact("", &join(&mut names.into_iter()));
            if compilation.graph.builders.is_empty() {
                writer.fact("", "none");
            }
        }
        None => {
            writer.blank();
            writer.paragraph("In a farm, its builders, step templates and capabilities can be explained too.");
        }
    }
}
