//! References inside buildouts: to sections and options that exist, and in no circle.
//!
//! zc.buildout looks at a section when it is a part or something refers to it. Sections that nothing reaches may say what
//! they like, and so may those that others only take options from.

use std::collections::HashSet;

use super::{is_closed, values, words};
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::model::{Configuration, ConfigurationSection};
use crate::source::{Span, Text};
use crate::syntax::buildout::{Fragment, Reference, fragments};

/// The options that zc.buildout gives itself, and those that the step template `buildout` gives it.
const OWN: [&str; 30] = [
    "abi-tag-eggs",
    "allow-hosts",
    "allow-picked-versions",
    "allow-unknown-extras",
    "bin-directory",
    "develop-eggs-directory",
    "directory",
    "download-cache",
    "eggs-directory",
    "executable",
    "extends-cache",
    "find-links",
    "include-site-packages",
    "install-from-cache",
    "installed",
    "log-format",
    "log-level",
    "newest",
    "offline",
    "openerp-downloads-directory",
    "parts-directory",
    "prefer-final",
    "python",
    "show-picked-versions",
    "socket-timeout",
    "unzip",
    "update-versions-file",
    "use-dependency-links",
    "verbosity",
    "versions",
];

/// Circles are looked for no deeper: zc.buildout itself could not follow.
const DEEPEST: usize = 200;

/// Checks the references in all sections that zc.buildout may look at.
pub(super) fn check(configuration: &Configuration, diagnostics: &mut Diagnostics) {
    let seen = closure(configuration, |section| section.has_recipe() && !section.is_macro);
    let mut circles = Circles { configuration, finished: HashSet::new(), stack: Vec::new(), diagnostics };
    for (name, section) in &configuration.sections {
        if !seen.contains(&**name) {
            continue;
        }
        for (option, setting) in &section.options {
            for value in &setting.values {
                for reference in references(value) {
                    one(configuration, name, value, reference, circles.diagnostics);
                }
            }
            circles.follow(name, option, None);
        }
    }
}

/// The sections that are reached from what is installed.
pub(super) fn reached(configuration: &Configuration) -> HashSet<&str> {
    closure(configuration, |_| false)
}

/// The sections that are reached from `[buildout]`, from its parts, and from those that `root` takes.
fn closure(configuration: &Configuration, root: impl Fn(&ConfigurationSection) -> bool) -> HashSet<&str> {
    let section = |name: &str| configuration.sections.get_key_value(name).map(|(name, _)| &**name);
    let listed = values(configuration, "parts");
    let listed = words(&listed).filter_map(|(_, word)| section(word)).collect::<Vec<_>>();
    let roots = configuration.sections.iter().filter(|(_, section)| root(section)).map(|(name, _)| &**name);
    let pins = values(configuration, "versions");
    let pins = pins.iter().map(|name| name.trim()).chain(["versions"]).filter_map(section);
    let mut open: Vec<&str> = section("buildout").into_iter().chain(pins).chain(listed).chain(roots).collect();
    let mut reached = HashSet::new();
    while let Some(name) = open.pop() {
        if !reached.insert(name) {
            continue;
        }
        let options = configuration.sections.get(name).into_iter().flat_map(|section| section.options.values());
        for value in options.flat_map(|option| &option.values) {
            open.extend(references(value).filter_map(|reference| section(reference.target?.0)));
        }
    }
    reached
}

fn references(value: &Text) -> impl Iterator<Item = Reference<'_>> {
    // Most values hold none: they are not worth being taken apart.
    let fragments = if value.contains("${") { fragments(value) } else { Vec::new() };
    fragments.into_iter().filter_map(|fragment| match fragment {
        Fragment::Reference(reference) => Some(reference),
        _ => None,
    })
}

fn one(
    configuration: &Configuration,
    own: &str,
    value: &Text,
    reference: Reference<'_>,
    diagnostics: &mut Diagnostics,
) {
    let span = value.span_of(reference.whole);
    let Some((named, option)) = reference.target else {
        diagnostics.push(problem::Buildout::Reference { written: reference.whole.to_owned() }, span);
        return;
    };
    let named = if named.is_empty() { own } else { named };
    if !is_closed(configuration) {
        return;
    }
    match configuration.sections.get(named) {
        None if named == "buildout" || named == "versions" => {}
        None => super::missing(configuration, named, span, diagnostics),
        // A recipe gives its part options of its own.
        Some(section) if section.has_recipe() || section.options.contains_key(option) => {}
        Some(_) if option.starts_with('_') || named == "buildout" && OWN.contains(&option) => {}
        Some(section) => {
            let own = OWN.iter().filter(|_| named == "buildout").map(ToString::to_string);
            let known = section.options.keys().map(ToString::to_string).chain(own).collect();
            let problem = problem::Buildout::Option { section: named.to_owned(), option: option.to_owned(), known };
            diagnostics.push(problem, span);
        }
    }
}

/// The search for values that are made of themselves.
struct Circles<'a, 'd> {
    configuration: &'a Configuration,
    finished: HashSet<(&'a str, &'a str)>,
    /// The options that led here, and where they are referred to.
    stack: Vec<(&'a str, &'a str, Option<Span>)>,
    diagnostics: &'d mut Diagnostics,
}

impl<'a> Circles<'a, '_> {
    fn follow(&mut self, section: &'a str, option: &'a str, place: Option<Span>) {
        if self.stack.len() > DEEPEST || self.finished.contains(&(section, option)) {
            return;
        }
        let Some(setting) = self.configuration.option(section, option) else { return };
        // Most options refer to nothing: they are not worth being remembered.
        if !setting.values.iter().any(|value| value.contains("${")) {
            return;
        }
        self.stack.push((section, option, place));
        for value in &setting.values {
            for reference in references(value) {
                let Some((named, option)) = reference.target else { continue };
                let named = if named.is_empty() { section } else { named };
                let place = value.span_of(reference.whole);
                if let Some(at) = self.stack.iter().position(|(section, name, _)| (*section, *name) == (named, option))
                {
                    let circle = &self.stack[at..];
                    let steps = circle.iter().map(|(section, option, _)| (*section, *option)).chain([(named, option)]);
                    let chain: Vec<String> =
                        steps.map(|(section, option)| format!("${{{section}:{option}}}")).collect();
                    let places: Vec<Span> = circle.iter().skip(1).filter_map(|(_, _, place)| *place).collect();
                    let problem = problem::Buildout::ReferenceCycle { chain: chain.clone() };
                    self.diagnostics.push(problem, place).circle(&chain, &places, Label::RefersTo);
                } else {
                    self.follow(named, option, Some(place));
                }
            }
        }
        self.stack.pop();
        self.finished.insert((section, option));
    }
}
