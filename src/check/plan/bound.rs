//! What the steps of builders ask of slaves: placeholders `${capability.option}` that have no default. A procedure and the
//! builders that share it come in; what no slave, or one of the slaves, can fill in is reported.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::listed;
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::dispatch::{Builder, Graph};
use crate::model::{Build, Slave};
use crate::plan::placeholder::{self, Error, Value};
use crate::plan::{Condition, Offered, Procedure, capability_option};
use crate::source::Span;
use crate::steps::{StepPlace, Templates};

/// Pairs of builders and slaves that are looked at closely, in all: only of a farm in which very many slaves lack what
/// few builders ask for, some are left for `plan` to tell.
const MOST_PAIRS: usize = 200_000;

/// Binds procedures to all slaves at once.
pub(super) struct Binding<'a> {
    graph: &'a Graph,
    templates: &'a Templates,
    /// The slaves on which an option has no value, where a condition holds.
    lacking: HashMap<(String, String, Option<Condition>), Arc<Vec<usize>>>,
    /// The capabilities that are declared, or that a slave offers.
    capabilities: HashSet<&'a str>,
    pairs: usize,
}

/// A text that not every slave can fill in.
struct Risk<'p> {
    text: &'p str,
    condition: Option<&'p Condition>,
    origin: Origin<'p>,
}

/// Whose text it is.
#[derive(Clone, Copy)]
enum Origin<'p> {
    /// A step's, of this template; and where it is written.
    Step(&'p str, Option<&'p StepPlace>),
    /// The declaration's of a capability.
    Capability(&'p str),
}

impl<'a> Binding<'a> {
    pub(super) fn new(graph: &'a Graph, templates: &'a Templates) -> Self {
        let declared = graph.farm.declarations.iter().map(|declaration| declaration.name.as_str());
        let offered = graph.farm.slaves.iter().flat_map(|slave| slave.capabilities.keys().map(String::as_str));
        let capabilities = declared.chain(offered).collect();
        Self { graph, templates, lacking: HashMap::new(), capabilities, pairs: 0 }
    }

    /// Checks a procedure for the builders that share it. `had` are the capabilities that they have on every slave.
    pub(super) fn check(
        &mut self,
        procedure: &Procedure,
        had: &[&str],
        builders: &[&[Builder]],
        diagnostics: &mut Diagnostics,
    ) {
        let Some(build) = builders.first().and_then(|builders| builders.first()).map(|first| self.graph.build(first))
        else {
            return;
        };
        for risk in self.risks(procedure, had) {
            // Of what every slave lacks, its own mistake is told.
            if let Some(unknown) = unknown(risk.text, |capability, _| had.contains(&capability)) {
                self.unasked(&unknown, &risk, build, diagnostics);
            } else if let Some(unknown) = unknown(risk.text, |capability, option| self.exists(capability, option)) {
                self.nowhere(&unknown, &risk, build, diagnostics);
            } else {
                self.on_slaves(&risk, builders, diagnostics);
            }
        }
    }

    /// The texts with a placeholder that has no default, of the steps and of the declarations of capabilities.
    fn risks<'p>(&self, procedure: &'p Procedure, had: &[&str]) -> Vec<Risk<'p>>
    where
        'a: 'p,
    {
        let declared = had.iter().filter_map(|name| self.graph.farm.declarations.get(name));
        let declared = declared.flat_map(|declaration| {
            let texts = declaration.path.iter().chain(declaration.environment.values());
            texts.map(|text| Risk { text, condition: None, origin: Origin::Capability(&declaration.name) })
        });
        let steps = procedure.steps.iter().flat_map(|step| {
            let origin = Origin::Step(&step.step.template, step.place.as_deref());
            step.step.texts().map(move |text| Risk { text, condition: step.only_if.as_ref(), origin })
        });
        // What can be filled in with nothing known can always be.
        declared.chain(steps).filter(|risk| unknown(risk.text, |_, _| false).is_some()).collect()
    }

    /// Whether some slave may have a value for an option. Of a capability that nobody declared, all options are known.
    fn exists(&self, capability: &str, option: &str) -> bool {
        let Some(declared) = self.graph.farm.declarations.get(capability) else { return true };
        let offered = |slave: &Slave| {
            let mut offers = slave.capabilities.get(capability).into_iter().flatten();
            slave.unclear || offers.any(|offer| offer.options.contains_key(option))
        };
        option == "version" || declared.options.contains_key(option) || self.graph.farm.slaves.iter().any(offered)
    }

    /// Reports a placeholder of a capability that the build does not ask for.
    fn unasked(&self, name: &str, risk: &Risk<'_>, build: &Build, diagnostics: &mut Diagnostics) {
        let Some((capability, _)) = capability_option(name) else { return };
        let known = if self.capabilities.contains(capability) {
            Vec::new()
        } else {
            let mut known: Vec<String> = self.capabilities.iter().map(|name| (*name).to_owned()).collect();
            known.extend(["property", "secret"].map(str::to_owned));
            known.sort();
            known
        };
        let (build_name, capability) = (build.name.clone(), capability.to_owned());
        let problem = problem::Step::Capability { name: name.to_owned(), capability, build: build_name, known };
        self.push(problem, name, risk, build, diagnostics);
    }

    /// Reports a placeholder for an option that no slave has, and that nobody declares.
    fn nowhere(&self, name: &str, risk: &Risk<'_>, build: &Build, diagnostics: &mut Diagnostics) {
        let Some((capability, option)) = capability_option(name) else { return };
        let declared = self.graph.farm.declarations.get(capability);
        let options = declared.into_iter().flat_map(|declared| declared.options.keys().cloned());
        let known = options.chain(["version".to_owned()]).collect();
        let (capability, option) = (capability.to_owned(), option.to_owned());
        self.push(problem::Step::CapabilityOption { capability, option, known }, name, risk, build, diagnostics);
    }

    /// Reports what is wrong with a placeholder: where it is written, or where the build brings that in.
    fn push(&self, problem: problem::Step, name: &str, risk: &Risk<'_>, build: &Build, diagnostics: &mut Diagnostics) {
        let used = self.used(risk.origin, build);
        match risk.origin {
            Origin::Step(_, Some(place)) => {
                diagnostics.push(problem, place.of_placeholder(name)).label(used, Label::UsedHere);
            }
            _ => {
                diagnostics.push(problem, used);
            }
        }
    }

    /// Where a build brings in whose text it is.
    fn used(&self, origin: Origin<'_>, build: &Build) -> Span {
        match origin {
            Origin::Step(template, _) => listed(build, template, self.templates),
            Origin::Capability(name) => {
                let asked = build.dispatch.iter().map(|dispatch| &dispatch.requirement).chain(&build.requires);
                let mut asked = asked.filter(|requirement| requirement.capability == name);
                asked.next().map_or(build.span, |requirement| requirement.span)
            }
        }
    }

    /// Reports the slaves that take one of the builders and lack what it asks for.
    fn on_slaves(&mut self, risk: &Risk<'_>, builders: &[&[Builder]], diagnostics: &mut Diagnostics) {
        let names = placeholder::names(risk.text).unwrap_or_default();
        let options = names.iter().filter_map(|name| capability_option(name));
        let lacking: Vec<_> =
            options.map(|(capability, option)| self.lacking(capability, option, risk.condition)).collect();
        let mut slaves: Vec<usize> = lacking.iter().flat_map(|slaves| slaves.iter().copied()).collect();
        slaves.sort_unstable();
        slaves.dedup();
        for index in slaves {
            let slave = &self.graph.farm.slaves[index];
            let takes = builders.iter().copied().flatten().filter(|builder| builder.slaves.contains(index));
            for builder in takes {
                self.pairs += 1;
                if self.pairs > MOST_PAIRS {
                    return;
                }
                if self.fails(risk, builder, slave, diagnostics) {
                    break;
                }
            }
        }
    }

    /// Whether a slave lacks what a builder asks for, which is reported then.
    fn fails(&self, risk: &Risk<'_>, builder: &Builder, slave: &Slave, diagnostics: &mut Diagnostics) -> bool {
        let build = self.graph.build(builder);
        let offered = Offered::new(&builder.chosen, &build.requires, slave, &self.graph.farm.declarations);
        if !risk.condition.is_none_or(|condition| offered.meets(condition)) {
            return false;
        }
        let lookup = |name: &str| if capability_option(name).is_some() { offered.value(name) } else { Value::Later };
        let Err(Error::Unknown(name)) = placeholder::bind(risk.text, lookup) else { return false };
        let Some((capability, option)) = capability_option(&name) else { return false };
        let offers = slave.capabilities.get(capability).into_iter().flatten();
        let version = offered.version(capability);
        let place =
            offers.into_iter().find(|offer| offer.version.as_ref() == version).map_or(slave.span, |offer| offer.span);
        let used = self.used(risk.origin, build);
        let (slave, capability, option) = (slave.name.clone(), capability.to_owned(), option.to_owned());
        let problem = problem::Capability::Lacking { slave, capability, option, builder: builder.name.clone() };
        diagnostics.push(problem, place).label(
            match risk.origin {
                Origin::Step(_, Some(place)) => place.of_placeholder(&name),
                _ => used,
            },
            Label::AskedHere,
        );
        true
    }

    /// The slaves with an offer of a capability, at which a condition may hold, that has no such option.
    fn lacking(&mut self, capability: &str, option: &str, condition: Option<&Condition>) -> Arc<Vec<usize>> {
        let key = (capability.to_owned(), option.to_owned(), condition.cloned());
        if let Some(known) = self.lacking.get(&key) {
            return Arc::clone(known);
        }
        let declarations = &self.graph.farm.declarations;
        let lacks = |slave: &Slave| {
            !slave.unclear
                && slave.capabilities.get(capability).into_iter().flatten().any(|offer| {
                    let offered = Offered::one(capability, offer, slave, declarations);
                    let applies = condition
                        .is_none_or(|condition| condition.capability != capability || offered.meets(condition));
                    let name = format!("{capability}.{option}");
                    // An empty value is none where there is a default.
                    let has = match offered.value(&name) {
                        Value::Known(value) | Value::Text(value) => !value.is_empty(),
                        Value::Absent | Value::Later => false,
                    };
                    applies && !has
                })
        };
        let slaves = self.graph.farm.slaves.iter().enumerate();
        let slaves = Arc::new(slaves.filter(|(_, slave)| lacks(slave)).map(|(index, _)| index).collect());
        self.lacking.insert(key, Arc::clone(&slaves));
        slaves
    }
}

/// The placeholder of a text that cannot be filled in, where only some options of capabilities are known.
fn unknown(text: &str, known: impl Fn(&str, &str) -> bool) -> Option<String> {
    if !text.contains("${") {
        return None;
    }
    let lookup = |name: &str| match capability_option(name) {
        Some((capability, option)) if known(capability, option) => Value::Known("known".to_owned()),
        Some(_) => Value::Absent,
        // What the run knows, and what was looked at when the template was read.
        None => Value::Later,
    };
    match placeholder::bind(text, lookup) {
        Err(Error::Unknown(name)) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::steps::{Templates, Use};

    /// Builds that have only these are lowered once, whatever their options: a step that is there in one of them only must
    /// not ask for more.
    #[test]
    fn built_in_steps_ask_slaves_for_nothing_without_a_default() {
        let asked = regex::Regex::new(r"\$\{([a-z]+)\.[a-z-]+\}").unwrap();
        let mut seen = 0;
        for template in Templates::builtin().iter().filter(|template| template.place != Use::Capability) {
            let steps = format!("{:?}{:?}", template.steps, template.clean_up);
            for found in asked.captures_iter(&steps) {
                assert_eq!(&found[1], "property", "{}: {}", template.name, &found[0]);
                seen += 1;
            }
        }
        assert!(seen > 0);
    }
}
