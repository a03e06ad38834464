//! The build graph: builds, slaves, builders and schedulers, and the form in which `--emit json` writes it.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;

use super::offers::Offers;
use super::{Chosen, Excess, Slaves};
use crate::each::Each;
use crate::model::{Build, Farm, OfferValue, Requirement, Slave, Version, Watch};

/// A build at given versions of capabilities.
#[derive(Debug, Clone)]
pub struct Builder {
    /// Its name, unique in the farm.
    pub name: String,
    /// The index of its build.
    pub build: usize,
    /// The versions, in the order of `build-for`.
    pub chosen: Arc<Chosen>,
    /// The slaves that take it, the best first.
    pub slaves: Slaves,
}

/// What starts the builders of a build when a watched repository changes.
#[derive(Debug)]
pub struct Scheduler {
    /// Its name: the build's.
    pub name: String,
    /// The index of the build.
    pub build: usize,
    /// The indices of the builders.
    pub builders: Vec<usize>,
}

/// The build graph.
#[derive(Debug)]
pub struct Graph {
    /// Builds, slaves and capabilities.
    pub farm: Farm,
    /// The builders, in the order of builds, then of versions.
    pub builders: Vec<Builder>,
    /// The schedulers, in the order of builds.
    pub schedulers: Vec<Scheduler>,
    /// The builds that have no builders because these would be too many.
    pub excess: IndexMap<usize, Excess>,
    /// Who offers what.
    pub(crate) offers: Offers,
}

impl Graph {
    pub(super) fn new(farm: Farm, offers: Offers, builders: Vec<Builder>, excess: IndexMap<usize, Excess>) -> Self {
        let mut schedulers: IndexMap<usize, Scheduler> = IndexMap::new();
        for (index, builder) in builders.iter().enumerate() {
            let build = &farm.builds[builder.build];
            if !build.watch.is_empty() {
                let new = || Scheduler { name: build.name.clone(), build: builder.build, builders: Vec::new() };
                schedulers.entry(builder.build).or_insert_with(new).builders.push(index);
            }
        }
        Self { farm, builders, schedulers: schedulers.into_values().collect(), excess, offers }
    }

    /// The build of a builder.
    pub fn build(&self, builder: &Builder) -> &Build {
        &self.farm.builds[builder.build]
    }

    /// The slave of this name.
    pub fn slave(&self, name: &str) -> Option<(usize, &Slave)> {
        self.farm.slaves.iter().enumerate().find(|(_, slave)| slave.name == name)
    }

    /// The properties that a builder has on every slave.
    pub fn properties(&self, builder: &Builder) -> IndexMap<String, String> {
        let mut properties = IndexMap::new();
        for (capability, version) in builder.chosen.iter() {
            let property = self.farm.declarations.version_property(capability);
            properties.extend(version.as_ref().map(|version| (property, version.to_string())));
        }
        let requires: Vec<_> = self.build(builder).requires.iter().map(Requirement::to_string).collect();
        if !requires.is_empty() {
            properties.insert("build_requires".to_owned(), requires.join(", "));
        }
        properties
    }

    /// The graph as `farmout compile --emit json` writes it. It holds no secret.
    ///
    /// Only as it is written does it become builders and their slaves by name: a big farm's would fill the memory.
    pub fn emit(&self) -> impl Serialize {
        Emitted {
            builds: Each(move || self.farm.builds.iter().map(emit_build)),
            slaves: Each(move || self.farm.slaves.iter().map(emit_slave)),
            builders: Each(move || self.builders.iter().map(|builder| self.emit_builder(builder))),
            schedulers: Each(move || self.schedulers.iter().map(|scheduler| self.emit_scheduler(scheduler))),
        }
    }

    fn emit_builder<'a>(&'a self, builder: &'a Builder) -> EmittedBuilder<'a> {
        EmittedBuilder {
            name: &builder.name,
            build: &self.build(builder).name,
            category: self.build(builder).category.as_deref(),
            slaves: builder.slaves.iter().map(|slave| self.farm.slaves[slave].name.as_str()).collect(),
            properties: self.properties(builder),
        }
    }

    fn emit_scheduler<'a>(&'a self, scheduler: &'a Scheduler) -> EmittedScheduler<'a> {
        EmittedScheduler {
            name: &scheduler.name,
            builders: scheduler.builders.iter().map(|index| self.builders[*index].name.as_str()).collect(),
            tree_stable_timer: self.farm.builds[scheduler.build].tree_stable_timer,
            watch: &self.farm.builds[scheduler.build].watch,
        }
    }
}

fn emit_build(build: &Build) -> EmittedBuild<'_> {
    EmittedBuild {
        name: &build.name,
        manifest: build.manifest.as_str(),
        buildout: build.buildout.as_ref().map(|buildout| buildout.written.as_str()),
        category: build.category.as_deref(),
        watch: &build.watch,
        tree_stable_timer: build.tree_stable_timer,
    }
}

fn emit_slave(slave: &Slave) -> EmittedSlave<'_> {
    let capabilities = slave.capabilities.iter().map(|(name, offers)| {
        let versions = offers.iter().map(|offer| {
            // A secret option is left out: the graph goes to files and logs.
            let options = offer.options.iter().filter_map(|(name, option)| match &option.value {
                OfferValue::Plain(value) => Some((name.as_str(), value.as_str())),
                OfferValue::Secret(_) => None,
            });
            (offer.version.as_ref().map_or("", Version::as_str), options.collect())
        });
        (name.as_str(), versions.collect())
    });
    EmittedSlave {
        name: &slave.name,
        capabilities: capabilities.collect(),
        max_builds: slave.max_builds,
        priority: slave.priority.number(),
        notify_on_missing: &slave.notify_on_missing,
        properties: &slave.properties,
    }
}

#[derive(Serialize)]
struct Emitted<B, S, R, T> {
    builds: B,
    slaves: S,
    builders: R,
    schedulers: T,
}

#[derive(Serialize)]
struct EmittedBuild<'a> {
    name: &'a str,
    manifest: &'a str,
    buildout: Option<&'a str>,
    category: Option<&'a str>,
    watch: &'a [Watch],
    tree_stable_timer: u64,
}

#[derive(Serialize)]
struct EmittedSlave<'a> {
    name: &'a str,
    capabilities: IndexMap<&'a str, IndexMap<&'a str, IndexMap<&'a str, &'a str>>>,
    max_builds: Option<u64>,
    priority: serde_json::Number,
    notify_on_missing: &'a [String],
    properties: &'a IndexMap<String, String>,
}

#[derive(Serialize)]
struct EmittedBuilder<'a> {
    name: &'a str,
    build: &'a str,
    category: Option<&'a str>,
    slaves: Vec<&'a str>,
    properties: IndexMap<String, String>,
}

#[derive(Serialize)]
struct EmittedScheduler<'a> {
    name: &'a str,
    builders: Vec<&'a str>,
    tree_stable_timer: u64,
    watch: &'a [Watch],
}
