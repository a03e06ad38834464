//! Templates that use others: the files of all templates come in, templates with the options and steps of what they use
//! go out. What cannot be used is reported at the place of its `use:`, and the template that says so is left out.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::file::{self, Written};
use super::shelf::{Key, Shelf};
use super::template::{Item, LinkedStep, StepPlace, StepTemplate, Template, TemplateFile, Use};
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::model::DeclaredOptions;
use crate::source::Span;

/// No template needs more; without a limit, a few that use each other twice would fill the memory.
const MOST_STEPS: usize = 500;

/// Nor goes any that a person wrote deeper.
const DEEPEST: usize = 50;

impl Shelf {
    /// Links all templates; the names of those that cannot be are added to the broken ones.
    pub(super) fn link(mut self, diagnostics: &mut Diagnostics) -> (IndexMap<String, Arc<Template>>, IndexSet<String>) {
        let mut linking = Linking { shelf: &self, diagnostics, done: IndexMap::new(), open: Vec::new() };
        let mut templates = IndexMap::new();
        let mut broken = Vec::new();
        for key in self
            .builtin
            .keys()
            .map(|name| (name.as_str(), false))
            .chain(self.own.keys().map(|name| (name.as_str(), true)))
        {
            match linking.template(key) {
                Some(template) => {
                    templates.insert(key.0.to_owned(), template);
                }
                None => broken.push(key.0.to_owned()),
            }
        }
        self.broken.extend(broken);
        templates.sort_keys();
        (templates, self.broken)
    }
}

struct Linking<'a> {
    shelf: &'a Shelf,
    diagnostics: &'a mut Diagnostics,
    /// What is linked; none for what cannot be.
    done: IndexMap<Key<'a>, Option<Arc<Template>>>,
    /// The templates that are being linked, each with the place of the `use:` that led on from it.
    open: Vec<(Key<'a>, Option<Span>)>,
}

impl<'a> Linking<'a> {
    fn template(&mut self, key: Key<'a>) -> Option<Arc<Template>> {
        if let Some(done) = self.done.get(&key) {
            return done.clone();
        }
        let written = self.shelf.get(key)?;
        self.open.push((key, None));
        let template = self.linked(key, written).map(Arc::new);
        self.open.pop();
        self.done.insert(key, template.clone());
        template
    }

    /// The template with all that it uses. Every `use:` is looked at, also after one that is wrong.
    fn linked(&mut self, key: Key<'a>, written: &'a Written) -> Option<Template> {
        let file = &written.file;
        let mut places = written.uses.iter();
        let mut template = Template {
            name: file.name.clone(),
            written: file.written.clone(),
            help: file.help.clone(),
            place: file.place,
            aliases: file.aliases.clone(),
            uses: Vec::new(),
            needs: file.needs.clone(),
            options: IndexMap::new(),
            steps: Vec::new(),
            clean_up: Vec::new(),
            continues: None,
            surroundings: written.reads.surroundings,
            builder: written.reads.builder,
        };
        // Built-in files have no place that could be shown.
        let (_, own) = key;
        let place = |place: Option<&Arc<StepPlace>>| place.filter(|_| own).cloned();
        let mut step_places = written.step_places.iter();
        let mut clean_up = Vec::new();
        let mut fine = true;
        for item in &file.steps {
            match item {
                Item::Step(step) => {
                    let (name, step) = (file.name.clone(), StepTemplate::clone(step));
                    template.steps.push(LinkedStep { template: name, step, place: place(step_places.next()) });
                }
                Item::Use { r#use: name } => {
                    let Some(used) = self.used(key, file, name, places.next().copied()) else {
                        fine = false;
                        continue;
                    };
                    for (option, declared) in &used.options {
                        template.options.entry(option.clone()).or_insert_with(|| declared.clone());
                    }
                    template.uses.push(used.name.clone());
                    template.needs.extend(used.needs.iter().cloned());
                    template.surroundings |= used.surroundings;
                    template.builder |= used.builder;
                    template.steps.extend(used.steps.iter().cloned());
                    clean_up.push(used);
                }
            }
            if template.steps.len() > MOST_STEPS {
                let last = written.uses.last().copied();
                self.report(problem::Step::TooManySteps { template: file.name.clone(), most: MOST_STEPS }, last);
                return None;
            }
        }
        fine &= self.needs(written);
        if fine {
            fine = self.options(written, &template.options);
        }
        template.options.extend(file.options.clone());
        let own = file.clean_up.iter().map(|step| {
            let place = place(step_places.next());
            LinkedStep { template: file.name.clone(), step: step.clone(), place }
        });
        template.clean_up = own.chain(clean_up.iter().rev().flat_map(|used| used.clean_up.iter().cloned())).collect();
        let of_used = clean_up.iter().rev().find_map(|used| used.continues.clone());
        template.continues = file.continues.clone().or(of_used);
        fine.then_some(template)
    }

    /// Looks at the templates that one needs before it. Whether all are there.
    fn needs(&mut self, written: &Written) -> bool {
        let mut fine = true;
        for (name, place) in written.file.needs.iter().zip(&written.needs) {
            let listed = |other: &&Written| other.file.place.option().is_some();
            if self.shelf.written().filter(listed).any(|other| other.file.name == *name)
                || self.shelf.broken.contains(name)
            {
                continue;
            }
            let mut known: Vec<_> = self.shelf.written().filter(listed).map(|other| other.file.name.clone()).collect();
            known.sort();
            known.dedup();
            self.diagnostics.push(problem::Step::NeedsUnknown { template: name.clone(), known }, *place);
            fine = false;
        }
        fine
    }

    /// Looks at the options that a template's expressions read, and those that nothing reads. `used` are those of the
    /// templates that it uses. Whether all are known.
    fn options(&mut self, written: &Written, used: &DeclaredOptions) -> bool {
        for (option, place) in file::unread(written, used) {
            self.diagnostics.push(problem::Step::UnusedOption { option: option.clone() }, place);
        }
        // The steps of every build see each other's options.
        let every = self.shelf.written().filter(|other| other.file.place == Use::Every);
        let common: IndexSet<&str> = every.flat_map(|other| other.file.options.keys().map(String::as_str)).collect();
        let known = |option: &str| {
            written.file.options.contains_key(option)
                || used.contains_key(option)
                || common.contains(option)
                || option == "buildout-part"
        };
        let mut fine = true;
        for (option, place) in written.reads.options.iter().filter(|(option, _)| !known(option)) {
            let names = written.file.options.keys().chain(used.keys()).map(String::as_str);
            let names = names.chain(common.iter().copied()).chain(["buildout-part"]).map(str::to_owned).collect();
            self.diagnostics.push(problem::Step::Option { option: option.clone(), known: names }, *place);
            fine = false;
        }
        fine
    }

    /// The template that another one uses, if there is such a one and it may stand there.
    fn used(&mut self, by: Key<'a>, file: &TemplateFile, name: &str, place: Option<Span>) -> Option<Arc<Template>> {
        let Some(key) = self.shelf.used(by, name) else {
            if !self.shelf.broken.contains(name) {
                let mut known: Vec<_> = self.usable(file).filter(|known| *known != file.name).collect();
                known.sort();
                known.dedup();
                self.report(problem::Step::UseUnknown { template: name.to_owned(), known }, place);
            }
            return None;
        };
        if let Some((_, leads_on)) = self.open.last_mut() {
            *leads_on = place;
        }
        if let Some(begin) = self.open.iter().position(|(open, _)| *open == key) {
            self.circle(begin, place);
            return None;
        }
        if self.open.len() > DEEPEST {
            self.report(problem::Step::UseDeep { most: DEEPEST }, place);
            return None;
        }
        let other = self.shelf.get(key)?.file.place;
        if !file.place.may_use(other) {
            let problem =
                problem::Step::UsePlace { template: name.to_owned(), place: other.name(), by: file.place.name() };
            self.report(problem, place);
            return None;
        }
        self.template(key)
    }

    /// The names of the templates that a template of this place may use.
    fn usable(&self, file: &TemplateFile) -> impl Iterator<Item = String> + use<'a> {
        let place = file.place;
        self.shelf.written().filter(move |other| place.may_use(other.file.place)).map(|other| other.file.name.clone())
    }

    fn circle(&mut self, begin: usize, place: Option<Span>) {
        let circle = &self.open[begin..];
        let chain: Vec<String> = circle.iter().chain(circle.first()).map(|((name, _), _)| (*name).to_owned()).collect();
        let Some(place) = place else { return };
        let uses = circle.iter().zip(chain.windows(2)).filter_map(|((_, span), pair)| Some(((*span)?, pair)));
        let problem = problem::Step::UseCycle { chain: chain.clone() };
        let diagnostic = self.diagnostics.push(problem, place);
        for (span, pair) in uses.filter(|(span, _)| *span != place) {
            diagnostic.label(span, Label::Uses(pair[0].clone(), pair[1].clone()));
        }
    }

    fn report(&mut self, problem: problem::Step, place: Option<Span>) {
        // Built-in templates have no place, and no mistake: a test loads them all.
        if let Some(place) = place {
            self.diagnostics.push(problem, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn shelf(own: &[&str]) -> Shelf {
        let mut sources = Sources::default();
        let mut shelf = Shelf::default();
        let mut diagnostics = Diagnostics::default();
        let environment = super::super::expand::environment();
        let mut read = |text: &str| {
            let id = sources.add("x", text);
            file::read(&sources, id, &environment, &mut diagnostics)
        };
        shelf.builtin.extend(read(BASE).written.map(|written| (written.file.name.clone(), written)));
        let own = own.iter().map(|text| read(text)).collect();
        shelf.add(own, &mut diagnostics);
        assert!(diagnostics.sorted().is_empty(), "{diagnostics:?}");
        shelf
    }

    fn names(steps: &[LinkedStep]) -> Vec<String> {
        steps.iter().map(|LinkedStep { template, step, .. }| format!("{template}/{}", step.name)).collect()
    }

    fn messages(shelf: Shelf) -> Vec<String> {
        let mut diagnostics = Diagnostics::default();
        let (_, _) = shelf.link(&mut diagnostics);
        diagnostics.sorted().iter().map(|diagnostic| diagnostic.problem.wording().message).collect()
    }

    const BASE: &str = "{template: base, help: h, place: post-buildout-steps, options: {size: {type: integer, help: h}, \
        speed: {type: text, help: h}}, steps: [{name: make, help: h, run: [x, '{{ option.size }}{{ option.speed }}']}], clean-up: [{name: unmake, help: h, run: [x]}]}";
    const PART: &str = "{template: piece, help: h, place: part, steps: [{name: piece, help: h, run: [x]}], \
        clean-up: [{name: unpiece, help: h, run: [x]}]}";

    #[test]
    fn what_is_used_comes_at_its_point() {
        let top = "{template: top, help: h, place: post-buildout-steps, options: {size: {type: integer, help: mine}}, \
            steps: [{name: first, help: h, run: [x]}, {use: base}, {name: then, help: h, run: [x]}, {use: piece}], \
            clean-up: [{name: untop, help: h, run: [x]}]}";
        let mut diagnostics = Diagnostics::default();
        let (templates, broken) = shelf(&[PART, top]).link(&mut diagnostics);
        assert!(broken.is_empty() && diagnostics.sorted().is_empty());
        let top = &templates["top"];
        assert_eq!(names(&top.steps), ["top/first", "base/make", "top/then", "piece/piece"]);
        assert_eq!(names(&top.clean_up), ["top/untop", "piece/unpiece", "base/unmake"]);
        assert_eq!(
            top.options.iter().map(|(name, option)| format!("{name} {}", option.help)).collect::<Vec<_>>(),
            ["size mine", "speed h"]
        );
    }

    #[test]
    fn a_farms_own_template_can_use_the_built_in_one_that_it_replaces() {
        let base = "{template: base, help: h, place: post-buildout-steps, steps: [{use: base}, {name: more, help: h, run: [x]}]}";
        let user = "{template: user, help: h, place: post-buildout-steps, steps: [{use: base}]}";
        let (templates, _) = shelf(&[base, user]).link(&mut Diagnostics::default());
        assert_eq!(names(&templates["user"].steps), ["base/make", "base/more"]);
    }

    #[test]
    fn what_cannot_be_used_is_told_once() {
        let template = |name: &str, place: &str, uses: &[&str]| {
            let uses: Vec<String> = uses.iter().map(|name| format!("{{use: {name}}}")).collect();
            format!("{{template: {name}, help: h, place: {place}, steps: [{}]}}", uses.join(", "))
        };
        let post = |name: &str, uses: &[&str]| template(name, "post-buildout-steps", uses);
        let [a, b, c] = [post("a", &["b"]), post("b", &["c"]), post("c", &["b", "bass"])];
        assert_eq!(
            messages(shelf(&[&a, &b, &c])),
            ["templates use each other in a circle: b → c → b", "there is no step template `bass` to use",]
        );
        let [part, list] = [template("part", "part", &["base"]), template("list", "db-steps", &["base"])];
        assert_eq!(
            messages(shelf(&[&part, &list])),
            [
                "a template of the place `part` cannot use one of the place `post-buildout-steps`",
                "a template of the place `db-steps` cannot use one of the place `post-buildout-steps`",
            ]
        );
        let mut doubling: Vec<String> = vec![post("x0", &["base"])];
        for at in 1..64 {
            let below = format!("x{}", at - 1);
            let name = format!("x{at}");
            doubling.push(post(&name, &[&below, &below]));
        }
        let mut chain: Vec<String> = vec![post("x0", &["base"])];
        for at in 1..2000 {
            let (name, below) = (format!("x{at}"), format!("x{}", at - 1));
            chain.insert(0, post(&name, &[&below]));
        }
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        let said = messages(shelf(&chain));
        assert!(!said.is_empty() && said.iter().all(|said| said == "templates use each other more than 50 deep"));
        let doubling: Vec<&str> = doubling.iter().map(String::as_str).collect();
        assert_eq!(messages(shelf(&doubling)), ["`x9` makes more than 500 steps with what it uses"]);
    }
}
