//! Sections of manifests to builds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::{IndexMap, IndexSet};

use super::buildout::{Library, Live, live};
use super::relation::{Idle, Place, relations};
use super::sheet::Found;
use super::source::{Places, buildout, watches};
use super::typed::typed;
use super::{FarmFile, Sheet, Within, requirement};
use crate::diagnostic::{Diagnostics, Label, problem, suggest};
use crate::model::{Build, Buildout, BuildoutSource, Dispatch, Inside, Requirement, StepUse, Value, Watch};
use crate::source::{Sources, Span, Text};
use crate::steps::{CoreOptions, Templates, Use};
use crate::syntax::ini::DEFAULT;

/// A manifest, resolved.
pub struct Manifest {
    /// How the farm spells its path.
    pub name: Arc<Utf8Path>,
    /// The directory that it is in.
    pub directory: Utf8PathBuf,
    /// Its sections.
    pub sheet: Sheet,
}

/// What reading the builds needs to know.
pub struct Knowledge<'a> {
    /// The farm's directory.
    pub root: &'a Utf8Path,
    /// What the farm says about itself.
    pub farm: &'a FarmFile,
    /// The options of manifests.
    pub options: &'a CoreOptions,
    /// The step templates.
    pub templates: &'a Templates,
}

/// Makes the builds of all manifests. A build with a mistake is kept as far as it can be understood, or left out where
/// it would only cause more reports.
pub fn builds(
    manifests: &[Manifest],
    knowledge: &Knowledge<'_>,
    library: &mut Library,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Vec<Build> {
    let mut builds: Vec<Build> = Vec::new();
    let mut known: HashMap<&str, Span> = HashMap::new();
    let mut shared = Arc::default();
    let mut idle = Idle::default();
    for manifest in manifests {
        let mut unclear = HashSet::new();
        for (name, span) in manifest.sheet.sections() {
            if let Some(first) = known.get(name) {
                let problem = problem::Build::Duplicate { build: name.to_owned() };
                diagnostics.push(problem, span).label(*first, Label::FirstHere);
                // Nothing reads the section's options now: that is this mistake, and not one of theirs.
                unclear.insert(name.to_owned());
                continue;
            }
            known.insert(name, span);
            let (unclear, shared, idle) = (&mut unclear, &mut shared, &mut idle);
            builds.extend(
                Reading { manifest, name, span, knowledge, library, sources, unclear, shared, idle, diagnostics }
                    .build(),
            );
        }
        unread(manifest, knowledge, &unclear, diagnostics);
    }
    idle.report(diagnostics);
    builds
}

/// Reports the options that nothing reads, each with the nearest name that would be read.
fn unread(manifest: &Manifest, knowledge: &Knowledge<'_>, unclear: &HashSet<String>, diagnostics: &mut Diagnostics) {
    for (section, setting) in manifest.sheet.unread() {
        if unclear.contains(section) {
            // One of its step templates could not be found or read: it may be the one that reads this.
            continue;
        }
        let readers = knowledge.templates.readers(&setting.name);
        let known = knowledge.options.manifest.contains_key(&setting.name) || !readers.is_empty();
        let problem = if section == DEFAULT && known && manifest.sheet.is_set(&setting.name) {
            problem::Setting::Shadowed { option: setting.name.clone() }
        } else if let Some(why) = knowledge.options.deprecated(&setting.name) {
            problem::Setting::Unused { option: setting.name.clone(), why: why.to_owned() }
        } else if readers.is_empty() {
            let core = knowledge.options.manifest.keys().map(String::as_str);
            let near = suggest::nearest(&setting.name, core.chain(knowledge.templates.option_names()));
            problem::Setting::Unread { option: setting.name.clone(), near: near.map(str::to_owned) }
        } else {
            let section = section.to_owned();
            problem::Setting::OfOtherTemplate { option: setting.name.clone(), section, readers }
        };
        diagnostics.push(problem, setting.span);
    }
}

struct Reading<'a> {
    manifest: &'a Manifest,
    name: &'a str,
    span: Span,
    knowledge: &'a Knowledge<'a>,
    library: &'a mut Library,
    sources: &'a mut Sources,
    /// The sections of which not all step templates are known.
    unclear: &'a mut HashSet<String>,
    /// The options of the build before: most have the same.
    shared: &'a mut Arc<IndexMap<String, Value>>,
    idle: &'a mut Idle,
    diagnostics: &'a mut Diagnostics,
}

impl Reading<'_> {
    fn build(mut self) -> Option<Build> {
        let errors = self.diagnostics.errors();
        let found = self.found("buildout");
        let wanted = found.is_some();
        let within = Within::new(self.knowledge.root).and(&self.manifest.directory);
        let places = Places { manifest: &self.manifest.directory, farm: self.knowledge.root, within: &within };
        let text = found.and_then(|found| found.value);
        let buildout = text.and_then(|text| buildout(&text, &places, self.diagnostics));
        let inside = buildout.as_ref().and_then(|buildout| self.inside(buildout));
        let watch = self.watch(buildout.as_ref(), inside.as_ref());
        let tree_stable_timer = match self.value("tree-stable-timer") {
            Some(Value::Integer(seconds)) => seconds,
            _ => self.knowledge.farm.tree_stable_timer,
        };
        let category = self.text("build-category").map(|text| text.to_string()).filter(|text| !text.is_empty());
        let requires = self.requires();
        let dispatch = self.dispatch(buildout.is_some());
        let mut build = Build {
            name: self.name.to_owned(),
            span: self.span,
            manifest: Arc::clone(&self.manifest.name),
            buildout: buildout.map(Box::new),
            inside,
            category,
            watch,
            tree_stable_timer,
            dispatch,
            requires,
            steps: Vec::new(),
            options: Arc::default(),
            whole: true,
        };
        if let Some(buildout) = &build.buildout {
            build.steps = self.steps(buildout);
            self.needs(&build.steps);
            let options = self.options(&build.steps);
            if **self.shared != options {
                *self.shared = Arc::new(options);
            }
            build.options = Arc::clone(self.shared);
        } else if wanted {
            // Which step templates it would have is not known, so none of their options is there for nothing.
            let options = self.knowledge.templates.iter().flat_map(|template| &template.options);
            for name in options.flat_map(|(name, declared)| std::iter::once(name).chain(&declared.aliases)) {
                self.found(name);
            }
        }
        build.whole = self.diagnostics.errors() == errors && !self.unclear.contains(self.name);
        // A buildout with a mistake has been reported: without its builders nothing else can be said of it.
        (build.buildout.is_some() || !wanted).then_some(build)
    }

    fn found(&mut self, option: &str) -> Option<Found> {
        self.manifest.sheet.get(self.name, option, self.diagnostics)
    }

    fn text(&mut self, option: &str) -> Option<Text> {
        self.found(option)?.value
    }

    /// The value of one of the manifest's own options, its default where it has one.
    fn value(&mut self, option: &str) -> Option<Value> {
        let declared = self.knowledge.options.manifest.get(option)?;
        match self.text(option) {
            Some(text) => typed(option, declared.kind, declared.minimum, &text, self.diagnostics),
            None => declared.default.as_deref().and_then(|default| declared.kind.read(default)),
        }
    }

    /// Looks into a buildout whose configuration is at hand.
    fn inside(&mut self, buildout: &Buildout) -> Option<Inside> {
        let BuildoutSource::Standalone { file, with } = &buildout.source else { return None };
        let configuration =
            self.library.configuration(file, with.as_deref(), buildout.span, self.sources, self.diagnostics);
        // A part that is none has been reported: of it nothing else can be said.
        self.value("buildout-part")?;
        let (part, part_span) = match self.found("buildout-part") {
            Some(found) => found.value.map(|part| (part.to_string(), part.whole()))?,
            None => (self.knowledge.options.manifest.get("buildout-part")?.default.clone()?, buildout.span),
        };
        Some(Inside { configuration, part, part_span })
    }

    /// The buildout's own repository, `watch`, and what the buildout itself names. Set but empty: nothing.
    fn watch(&mut self, buildout: Option<&Buildout>, inside: Option<&Inside>) -> Vec<Watch> {
        let rewrites = &self.knowledge.farm.rewrite_urls;
        let mut watch = IndexSet::new();
        let wanted = self.value("auto-watch") != Some(Value::Boolean(false));
        // Read in any case: mistakes in the sources are mistakes of the buildout.
        let live = inside.map(|inside| live(&inside.configuration, &inside.part, self.diagnostics));
        let live = live.filter(|_| wanted);
        if let Some(text) = self.text("watch") {
            if text.trim().is_empty() {
                return Vec::new();
            }
            watch = watches(&text, rewrites, self.diagnostics);
        }
        if let Some(BuildoutSource::Vcs { vcs, url, branch, .. }) = buildout.map(|buildout| &buildout.source) {
            let own = super::watch(*vcs, url, branch.clone(), rewrites);
            if !watch.contains(&own) {
                watch.shift_insert(0, own);
            }
        }
        for Live { vcs, url, branch } in live.into_iter().flatten() {
            watch.insert(super::watch(vcs, &url, branch, rewrites));
        }
        watch.into_iter().collect()
    }

    fn requires(&mut self) -> Vec<Requirement> {
        let text = self.text("build-requires");
        text.map_or_else(Vec::new, |text| requirement::requirements(&text, self.diagnostics))
    }

    fn dispatch(&mut self, has_buildout: bool) -> Vec<Dispatch> {
        match self.found("build-for") {
            Some(found) => found.value.map_or_else(Vec::new, |text| requirement::dispatch(&text, self.diagnostics)),
            None if !has_buildout => Vec::new(),
            None => {
                let default =
                    self.knowledge.options.manifest.get("build-for").and_then(|declared| declared.default.as_deref());
                default.map_or_else(Vec::new, |default| {
                    requirement::dispatch(&Text::derived(default, self.span), self.diagnostics)
                })
            }
        }
    }

    /// The step templates of the build, in the order in which they run.
    fn steps(&mut self, buildout: &Buildout) -> Vec<StepUse> {
        let mut steps = vec![StepUse { template: buildout.source.template().to_owned(), span: buildout.span }];
        steps.extend(self.listed("post-dl-steps", Use::PostDl));
        for template in ["bootstrap", "buildout"] {
            steps.push(StepUse { template: template.to_owned(), span: self.span });
        }
        steps.extend(self.listed("db-steps", Use::Db));
        steps.extend(self.listed("post-buildout-steps", Use::PostBuildout));
        steps
    }

    fn listed(&mut self, option: &str, place: Use) -> Vec<StepUse> {
        let text = match self.found(option) {
            Some(found) => found.value,
            None => {
                let default =
                    self.knowledge.options.manifest.get(option).and_then(|declared| declared.default.as_deref());
                default.map(|default| Text::derived(default, self.span))
            }
        };
        let Some(text) = text else { return Vec::new() };
        let templates = self.knowledge.templates;
        let mut steps: Vec<StepUse> = Vec::new();
        for line in text.lines() {
            let span = text.span_of(line);
            if templates.is_broken(line) {
                self.unclear.insert(self.name.to_owned());
                continue;
            }
            let Some(template) = templates.listed(line, place) else {
                let known = templates.of(place).map(|template| template.written().to_owned()).collect();
                let elsewhere = templates.find(line).and_then(|template| template.place.option());
                let problem =
                    problem::Step::Unknown { step: line.to_owned(), option: option.to_owned(), known, elsewhere };
                self.diagnostics.push(problem, span);
                self.unclear.insert(self.name.to_owned());
                continue;
            };
            if template.written() != line {
                let problem = problem::Step::Alias { alias: line.to_owned(), name: template.written().to_owned() };
                self.diagnostics.push(problem, span);
            }
            if let Some(first) = steps.iter().find(|step| step.template == template.name) {
                let problem = problem::Step::Twice { step: template.name.clone() };
                self.diagnostics.push(problem, span).label(first.span, Label::FirstHere);
                continue;
            }
            steps.push(StepUse { template: template.name.clone(), span });
        }
        steps
    }

    /// Reports the steps that make no sense without another one before them.
    fn needs(&mut self, steps: &[StepUse]) {
        if self.unclear.contains(self.name) {
            return;
        }
        let templates = self.knowledge.templates;
        for (at, step) in steps.iter().enumerate() {
            let Some(template) = templates.find(&step.template) else { continue };
            let before = |needed: &str| steps[..at].iter().any(|step| templates.includes(&step.template, needed));
            for needed in template.needs.iter().filter(|needed| !before(needed)) {
                let Some(needed) = templates.find(needed) else { continue };
                let (needs, option) = (needed.written().to_owned(), needed.place.option().unwrap_or_default());
                let problem = problem::Step::Needs { step: template.written().to_owned(), needs, option };
                self.diagnostics.push(problem, step.span);
            }
        }
    }

    /// The values of the options that the build's step templates declare, and of the manifest's own that they may use.
    fn options(&mut self, steps: &[StepUse]) -> IndexMap<String, Value> {
        let templates = self.knowledge.templates;
        let errors = self.diagnostics.errors();
        let mut values = IndexMap::new();
        let mut places = HashMap::new();
        let part = self.value("buildout-part");
        values.extend(part.map(|part| ("buildout-part".to_owned(), part)));
        let mut done: HashSet<&str> = HashSet::new();
        for step in steps {
            let Some(template) = templates.find(&step.template) else { continue };
            for (name, declared) in &template.options {
                if !done.insert(name) {
                    continue;
                }
                let spelled = std::iter::once(name).chain(&declared.aliases);
                let mut found = spelled.filter_map(|name| self.found(name)).collect::<Vec<_>>().into_iter();
                let first = found.next();
                if let Some(ignored) = found.next() {
                    let problem = problem::Setting::TwoSpellings { option: name.clone() };
                    let diagnostic = self.diagnostics.push(problem, ignored.name);
                    first.as_ref().map(|first| diagnostic.label(first.name, Label::FirstHere));
                }
                let required = || problem::Setting::Required { option: name.clone(), template: template.name.clone() };
                let value = match first {
                    Some(found) => {
                        let Some(text) = found.value else { continue };
                        places.insert(name.as_str(), Place { name: found.name, value: text.whole() });
                        let value = typed(name, declared.kind, declared.minimum, &text, self.diagnostics);
                        if value.as_ref().is_some_and(|value| !declared.allows(value)) {
                            let (option, choices) = (name.clone(), declared.choices.clone());
                            self.diagnostics.push(problem::Setting::Choice { option, choices }, text.whole());
                        }
                        if value.as_ref().is_some_and(|value| declared.lacks(value)) {
                            let program = template.runs(name);
                            let default = templates.default(declared, &values).ok().flatten();
                            let default = default.filter(|default| !default.is_empty());
                            let default = default.map(|default| declared.kind.written(&default));
                            let problem = problem::Setting::Empty { option: name.clone(), program, default };
                            self.diagnostics.push(problem, found.name);
                        }
                        if declared.required && value.as_ref().is_some_and(Value::is_empty) {
                            self.diagnostics.push(required(), step.span).label(found.name, Label::SetEmpty);
                        }
                        value
                    }
                    None => {
                        if declared.required {
                            self.diagnostics.push(required(), step.span);
                        }
                        templates.default(declared, &values).unwrap_or_else(|message| {
                            // It may ask for an option that has a mistake.
                            if self.diagnostics.errors() == errors {
                                let message = format!("option `{name}` of `{}`: {message}", template.name);
                                self.diagnostics.push(problem::Step::Expression { message }, step.span);
                            }
                            None
                        })
                    }
                };
                values.extend(value.map(|value| (name.clone(), value)));
            }
        }
        if self.diagnostics.errors() == errors {
            let used = steps.iter().filter_map(|step| templates.find(&step.template));
            relations(used, &values, &places, self.idle, self.diagnostics);
        }
        values
    }
}
