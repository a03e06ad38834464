//! Builders and builds of a farm: where they come from, and which slaves take them.

use super::{Writer, place};
use crate::Compilation;
use crate::diagnostic::Diagnostics;
use crate::dispatch::{Builder, candidates, refusal, why_not};
use crate::model::{Build, OfferValue, Slave, Version, Watch};
use crate::resolve::{Files, Layout, Sheet};
use crate::source::Sources;
use crate::syntax::ini::{self, DEFAULT};

/// Writes the builder or the build of this name.
pub(super) fn explain(layout: &Layout, compilation: &Compilation, name: &str, writer: &mut Writer) {
    let graph = &compilation.graph;
    for builder in graph.builders.iter().filter(|builder| builder.name == name) {
        write(layout, compilation, builder, writer);
        errors(compilation, writer);
    }
    let named = graph.builders.iter().any(|builder| builder.name == name);
    for (index, build) in graph.farm.builds.iter().enumerate().filter(|(_, build)| build.name == name && !named) {
        writer.head(name, "build");
        writer.blank();
        section(layout, compilation, build, writer);
        let builders: Vec<_> = graph.builders.iter().filter(|builder| builder.build == index).collect();
        writer.fact("builders", &join(builders.iter().map(|builder| builder.name.clone()), ", "));
        if build.buildout.is_none() {
            writer.fact("builders", "none: it has no `buildout`");
        } else if builders.is_empty() {
            let slaves = graph.farm.slaves.iter();
            let reason = |slave: &Slave| why_not(build, slave).map_or_else(String::new, |reason| reason.to_string());
            let why =
                if graph.farm.slaves.is_empty() { "none: the farm has no slave" } else { "none: no slave can take it" };
            writer.fact("builders", why);
            writer.fact("", &join(slaves.map(|slave| format!("{}: {}", slave.name, reason(slave))), "\n"));
        }
        errors(compilation, writer);
    }
}

/// What has a mistake is left out of the graph.
fn errors(compilation: &Compilation, writer: &mut Writer) {
    if compilation.diagnostics.has_errors() {
        writer.fact("errors", "the farm has some, and what they are about is missing here: see `farmout compile`");
    }
}

fn write(layout: &Layout, compilation: &Compilation, builder: &Builder, writer: &mut Writer) {
    let graph = &compilation.graph;
    let build = graph.build(builder);
    writer.head(&builder.name, "builder");
    writer.blank();
    section(layout, compilation, build, writer);
    let mut label = "build-for";
    for dispatch in &build.dispatch {
        let name = &dispatch.requirement.capability;
        // The default has no line of its own: it stands where the section does.
        let span = dispatch.requirement.span;
        let from = if span == build.span { "the default".to_owned() } else { place(&compilation.sources, span) };
        let line = format!("{} ({from})", dispatch.requirement);
        let text = if dispatch.not_used {
            format!("{line}: not used, so its versions make no builders")
        } else {
            let chosen = builder.chosen.get(name).map_or_else(String::new, |chosen| version(chosen.as_ref()));
            let others = graph.builders.iter().filter(|other| other.build == builder.build);
            let mut versions: Vec<_> = others.filter_map(|other| other.chosen.get(name).cloned()).collect();
            versions.sort();
            versions.dedup();
            match versions.len() {
                1 => format!("{line}: for {chosen}, the only version that matches"),
                _ => {
                    let offered = join(versions.iter().map(|offered| version(offered.as_ref())), ", ");
                    format!("{line}: for {chosen}, of {offered}, which match")
                }
            }
        };
        writer.fact(std::mem::take(&mut label), &text);
    }
    if build.dispatch.is_empty() {
        writer.fact("build-for", "empty: one builder, whatever the slaves offer");
    }
    let siblings = graph.builders.iter().filter(|other| other.build == builder.build && other.name != builder.name);
    writer.fact("other builders", &join(siblings.map(|other| other.name.clone()), ", "));
    slaves(compilation, builder, writer);
    let watch = |watch: &Watch| {
        let vcs = format!("{:?}", watch.vcs).to_lowercase();
        format!("{vcs} {} {}", watch.url, watch.branch.as_deref().unwrap_or_default()).trim_end().to_owned()
    };
    match build.watch.as_slice() {
        [] => writer.fact("watches", "nothing: no change ever starts it"),
        watches => {
            writer.fact("watches", &join(watches.iter().map(watch), "\n"));
            writer.fact("", &format!("it starts after {} seconds without a change", build.tree_stable_timer));
        }
    }
    let properties = graph.properties(builder);
    writer.fact("properties", &join(properties.iter().map(|(name, value)| format!("{name}={value}")), "\n"));
}

/// The section of a build: where it is, and what it has from where.
fn section(layout: &Layout, compilation: &Compilation, build: &Build, writer: &mut Writer) {
    writer.fact("section", &format!("[{}] of {}", build.name, place(&compilation.sources, build.span)));
    writer.fact("category", build.category.as_deref().unwrap_or_default());
    writer.fact("buildout", build.buildout.as_ref().map_or("", |buildout| buildout.written.as_str()));
    writer.fact("inherited", &inherited(layout, build).join("\n"));
    writer.fact("steps", &join(build.steps.iter().map(|step| step.template.clone()), ", "));
}

/// A line for each section from which the build has options. The graph keeps values only, so the manifest is asked again.
fn inherited(layout: &Layout, build: &Build) -> Vec<String> {
    let (mut sources, mut ignored) = (Sources::default(), Diagnostics::default());
    let Ok(files) = Files::read(layout, &mut sources, &mut ignored) else { return Vec::new() };
    let Some((id, _)) = files.manifests.iter().find(|(id, _)| sources.get(*id).name() == build.manifest.as_str())
    else {
        return Vec::new();
    };
    let mut sheet = Sheet::new(ini::parse(&sources, *id, &mut ignored), &mut ignored);
    sheet.inherit(&mut ignored);
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for origin in sheet.origins(&build.name).into_iter().filter(|origin| origin.section != build.name) {
        let from = if origin.section == DEFAULT { "[DEFAULT]".to_owned() } else { format!("[{}]", origin.section) };
        let (line, _) = sources.get(origin.span.source).position(origin.span.range().start);
        let option = format!("{} (line {line})", origin.option);
        match lines.iter_mut().find(|(section, _)| *section == from) {
            Some((_, options)) => options.push(option),
            None => lines.push((from, vec![option])),
        }
    }
    lines.into_iter().map(|(section, options)| format!("from {section}: {}", options.join(", "))).collect()
}

/// The slaves that take a builder, the first choice first, and why the others do not.
fn slaves(compilation: &Compilation, builder: &Builder, writer: &mut Writer) {
    let graph = &compilation.graph;
    let build = graph.build(builder);
    let mut name = "slaves";
    for (rank, index) in builder.slaves.iter().enumerate() {
        let slave = &graph.farm.slaves[index];
        let offers: Vec<String> = builder
            .chosen
            .iter()
            .map(|(capability, version)| (capability, version.clone()))
            .chain(build.requires.iter().filter_map(|requirement| {
                let capability = &requirement.capability;
                let highest = candidates(&build.requires, capability, slave).pop()?;
                (!builder.chosen.contains_key(capability)).then_some((capability, highest))
            }))
            .map(|(capability, version)| offer(slave, capability, version.as_ref()))
            .collect();
        let offers = if offers.is_empty() { String::new() } else { format!(", offers {}", offers.join(", ")) };
        let text = format!("choice {}, priority {}{offers}", rank + 1, slave.priority.text);
        writer.item(name, &slave.name, &text);
        name = "";
    }
    if builder.slaves.len() > 1 {
        writer.fact("", "the first idle one takes it: highest priority first, then by name");
    }
    let mut name = "not on";
    for (index, slave) in graph.farm.slaves.iter().enumerate() {
        if builder.slaves.contains(index) {
            continue;
        }
        let missing = builder.chosen.iter().find(|(name, version)| slave.offer(name, version.as_ref()).is_none());
        let missing = || missing.map(|(name, chosen)| format!("it does not offer {name} {}", version(chosen.as_ref())));
        let reason = refusal(build, slave).map(|reason| reason.to_string()).or_else(missing).unwrap_or_default();
        writer.item(name, &slave.name, &reason);
        name = "";
    }
}

/// What a slave offers of a capability, without its secrets.
fn offer(slave: &Slave, capability: &str, chosen: Option<&Version>) -> String {
    let mut text = format!("{capability} {}", version(chosen));
    for (name, option) in slave.offer(capability, chosen).into_iter().flat_map(|offer| &offer.options) {
        if let OfferValue::Plain(value) = &option.value {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    text
}

fn version(version: Option<&Version>) -> String {
    version.map_or_else(|| "without version".to_owned(), ToString::to_string)
}

fn join(parts: impl Iterator<Item = String>, with: &str) -> String {
    parts.collect::<Vec<_>>().join(with)
}
