//! What templates of a user's own are filled in with: the graph as plain data, versioned. The graph comes in; nothing secret
//! goes out, and no plan: those are made when a template asks for one.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::dispatch::{self, Graph};
use crate::model::{self, OfferValue, Vcs, Version, masked};

/// The version of the context. It goes up when something that templates could use is gone, or means something else.
pub const CONTEXT: u32 = 1;

/// What a template sees of a farm.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Context {
    /// The version of this context.
    pub farmout_context: u32,
    /// The version of farmout.
    pub farmout: String,
    /// The sections of the manifests, in their order.
    pub builds: Vec<Build>,
    /// The builders, in the order of builds, then of versions.
    pub builders: Vec<Builder>,
    /// The slaves, in the order of the fragments.
    pub slaves: Vec<Slave>,
}

/// A section of a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Build {
    /// Its name.
    pub name: String,
    /// The manifest, as the farm spells it.
    pub manifest: String,
    /// Where its buildout comes from, as the manifest has it, without passwords; none where it has none.
    pub buildout: Option<String>,
    /// Its category.
    pub category: Option<String>,
    /// The branches whose changes schedule it.
    pub watch: Vec<Watch>,
    /// Seconds without a change before it starts.
    pub tree_stable_timer: u64,
    /// What a slave must offer to take it, a line of `build-requires` each.
    pub requires: Vec<String>,
    /// Its step templates, in the order in which they run.
    pub steps: Vec<String>,
    /// The names of its builders.
    pub builders: Vec<String>,
}

/// A branch of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Watch {
    /// `bzr`, `git` or `hg`.
    pub vcs: String,
    /// The repository's address, rewritten as the farm says.
    pub url: String,
    /// The branch; none for Bazaar, where an address is a branch.
    pub branch: Option<String>,
}

/// A build at given versions of capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Builder {
    /// Its name, unique in the farm.
    pub name: String,
    /// The name of its build.
    pub build: String,
    /// The build's category.
    pub category: Option<String>,
    /// By capability of `build-for`, in that order: the version; none for a capability without one.
    pub versions: IndexMap<String, Option<String>>,
    /// The properties that it has on every slave.
    pub properties: IndexMap<String, String>,
    /// The names of the slaves that take it, the best first.
    pub slaves: Vec<String>,
}

/// A build host.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Slave {
    /// Its name.
    pub name: String,
    /// How many builds run at once, if it says.
    pub max_builds: Option<u64>,
    /// The highest is chosen first.
    pub priority: f64,
    /// Who is told when it is away.
    pub notify_on_missing: Vec<String>,
    /// The first half of its testing databases' names.
    pub db_prefix: String,
    /// What it offers, in the order written.
    pub capabilities: Vec<Capability>,
    /// What else its section says.
    pub properties: IndexMap<String, String>,
}

/// A version of a capability that a slave offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Capability {
    /// The capability.
    pub name: String,
    /// The version, if it has one.
    pub version: Option<String>,
    /// Its options, but for those that are secret.
    pub options: IndexMap<String, String>,
}

impl Context {
    /// What a template sees of this graph.
    pub fn new(graph: &Graph) -> Self {
        let mut builders: Vec<Vec<String>> = vec![Vec::new(); graph.farm.builds.len()];
        for builder in &graph.builders {
            builders[builder.build].push(builder.name.clone());
        }
        Self {
            farmout_context: CONTEXT,
            farmout: env!("CARGO_PKG_VERSION").to_owned(),
            builds: graph
                .farm
                .builds
                .iter()
                .zip(builders)
                .map(|(build, builders)| Build::new(build, builders))
                .collect(),
            builders: graph.builders.iter().map(|builder| Builder::new(graph, builder)).collect(),
            slaves: graph.farm.slaves.iter().map(Slave::new).collect(),
        }
    }
}

impl Build {
    fn new(build: &model::Build, builders: Vec<String>) -> Self {
        let watch = build.watch.iter().map(|watch| Watch {
            vcs: match watch.vcs {
                Vcs::Bzr => "bzr",
                Vcs::Git => "git",
                Vcs::Hg => "hg",
            }
            .to_owned(),
            url: watch.url.clone(),
            branch: watch.branch.clone(),
        });
        Self {
            name: build.name.clone(),
            manifest: build.manifest.to_string(),
            buildout: build.buildout.as_ref().map(|buildout| masked(&buildout.written)),
            category: build.category.clone(),
            watch: watch.collect(),
            tree_stable_timer: build.tree_stable_timer,
            requires: build.requires.iter().map(ToString::to_string).collect(),
            steps: build.steps.iter().map(|step| step.template.clone()).collect(),
            builders,
        }
    }
}

impl Builder {
    fn new(graph: &Graph, builder: &dispatch::Builder) -> Self {
        let build = graph.build(builder);
        let version =
            |(name, version): (&String, &Option<Version>)| (name.clone(), version.as_ref().map(ToString::to_string));
        Self {
            name: builder.name.clone(),
            build: build.name.clone(),
            category: build.category.clone(),
            versions: builder.chosen.iter().map(version).collect(),
            properties: graph.properties(builder),
            slaves: builder.slaves.iter().map(|slave| graph.farm.slaves[slave].name.clone()).collect(),
        }
    }
}

impl Slave {
    fn new(slave: &model::Slave) -> Self {
        let capabilities = slave.capabilities.iter().flat_map(|(name, offers)| {
            offers.iter().map(|offer| {
                let options = offer.options.iter().filter_map(|(name, option)| match &option.value {
                    OfferValue::Plain(value) => Some((name.clone(), value.clone())),
                    OfferValue::Secret(_) => None,
                });
                let version = offer.version.as_ref().map(ToString::to_string);
                Capability { name: name.clone(), version, options: options.collect() }
            })
        });
        Self {
            name: slave.name.clone(),
            max_builds: slave.max_builds,
            priority: slave.priority.value,
            notify_on_missing: slave.notify_on_missing.clone(),
            db_prefix: slave.db_prefix.clone(),
            capabilities: capabilities.collect(),
            properties: slave.properties.clone(),
        }
    }
}
