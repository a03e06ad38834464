//! From the graph to what a Buildbot master has to know. Every builder is lowered; what several have alike is kept once.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use indexmap::{IndexMap, IndexSet};
use sha2::{Digest as _, Sha256};

use super::apart::{Texts, taken_apart, text, variant};
use super::branches::Branches;
use super::document::{
    Branch, Build, Builder, Document, File, Pairs, Procedure, Property, Setting, Step, Text, Worker,
};
use super::names::{password_name, worker_name};
use crate::Compilation;
use crate::compile::secret_sources;
use crate::diagnostic::Failure;
use crate::dispatch::{self, Graph};
use crate::model::{self, Requirement, Slave, Version};
use crate::plan::placeholder::Piece;
use crate::plan::{LowerError, Offered, PlanFile, ProcedureStep, alike, database, directory, lower};

/// Why a farm cannot be written for Buildbot.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A builder that cannot be lowered.
    #[error("builder {builder} cannot be planned: {error}")]
    Lower {
        /// The builder.
        builder: String,
        /// What is wrong.
        error: LowerError,
    },
    /// A builder whose name Buildbot keeps for itself.
    #[error("the build `{0}` begins with an underscore, and Buildbot takes no builder whose name does")]
    Underscore(String),
    /// No builder at all, which no master takes.
    #[error("this farm has no builders, and a Buildbot master without any does not start")]
    NoBuilders {
        /// Whether there are slaves that could take some.
        slaves: bool,
    },
}

impl From<MakeError> for Failure {
    fn from(error: MakeError) -> Self {
        let failure = Self::error(error.to_string());
        match error {
            MakeError::NoBuilders { slaves: true } => {
                failure.help("`farmout plan --slave NAME --why` says why a slave takes none")
            }
            MakeError::NoBuilders { slaves: false } => failure.help(
                "it has no slaves: `farmout slave detect --name NAME > slaves.cfg` writes the fragment of the machine where it is called",
            ),
            MakeError::Lower { .. } | MakeError::Underscore(_) => failure,
        }
    }
}

/// Makes the document of a farm.
///
/// # Errors
/// See [`MakeError`].
pub fn make(compilation: &Compilation) -> Result<Document, MakeError> {
    let graph = &compilation.graph;
    if graph.builders.is_empty() {
        return Err(MakeError::NoBuilders { slaves: !graph.farm.slaves.is_empty() });
    }
    let mut making = Making::new(compilation);
    let mut builders = Vec::with_capacity(graph.builders.len());
    let mut builds: IndexMap<usize, Build> = IndexMap::new();
    let mut wanted: Vec<Asks> = Vec::new();
    for builder in &graph.builders {
        let made = making.builder(builder)?;
        let entry = builds.entry(builder.build);
        let number = entry.index();
        entry.or_insert_with(|| build(graph.build(builder))).builders.push(made.name.clone());
        if number == wanted.len() {
            wanted.push(Asks::new());
        }
        for (name, required) in making.wanted(builder, &made) {
            *wanted[number].entry(name.clone()).or_default() |= required;
        }
        builders.push(made);
    }
    let mut branches = Branches::new(&compilation.rewrites);
    for ((index, build), wanted) in builds.iter_mut().zip(wanted) {
        let watched: IndexSet<usize> =
            graph.farm.builds[*index].watch.iter().map(|watch| branches.number(watch)).collect();
        build.watch = watched.into_iter().collect();
        build.properties = wanted.into_iter().map(|(name, required)| Property { name, required }).collect();
    }
    let branches = branches.finish();
    let workers = making.workers();
    Ok(Document {
        master: None,
        settings: making.settings.into_items(),
        offers: making.offers,
        files: making.files,
        steps: making.steps.into_items(),
        procedures: making.procedures.into_items(),
        builders,
        builds: builds.into_values().collect(),
        elsewhere: Vec::new(),
        secrets: secrets(graph, &workers, branches.iter()),
        branches,
        workers,
    })
}

/// Things that are there once, by their numbers.
struct Pool<T>(IndexSet<T>);

impl<T: Hash + Eq> Pool<T> {
    fn number(&mut self, item: T) -> usize {
        self.0.insert_full(item).0
    }

    fn into_items(self) -> Vec<T> {
        self.0.into_iter().collect()
    }
}

/// What decides which workers take a builder, and what they make of it.
type Class = (Vec<(String, Option<String>)>, Vec<String>, Vec<usize>);
/// Properties that something asks for, and whether it has no default for them.
type Asks = BTreeMap<String, bool>;

struct Making<'a> {
    compilation: &'a Compilation,
    graph: &'a Graph,
    /// The builder before, and the number of its procedure.
    last: Option<(&'a dispatch::Builder, usize)>,
    settings: Pool<Setting>,
    /// Of each setting, what it asks for.
    of_settings: Vec<Asks>,
    offers: Vec<IndexMap<String, usize>>,
    classes: HashMap<Class, usize>,
    /// The slaves that take any builder.
    taken: IndexSet<usize>,
    files: IndexMap<String, String>,
    steps: Pool<Step>,
    procedures: Pool<Procedure>,
    /// Of a procedure, all that it asks for.
    asks: HashMap<usize, Asks>,
    /// Of a procedure with offers, what is left to whoever starts the builder.
    wanted: HashMap<(usize, usize), Asks>,
    texts: Texts,
}

impl<'a> Making<'a> {
    fn new(compilation: &'a Compilation) -> Self {
        Self {
            compilation,
            graph: &compilation.graph,
            last: None,
            settings: Pool(IndexSet::new()),
            of_settings: Vec::new(),
            offers: Vec::new(),
            classes: HashMap::new(),
            taken: IndexSet::new(),
            files: IndexMap::new(),
            steps: Pool(IndexSet::new()),
            procedures: Pool(IndexSet::new()),
            asks: HashMap::new(),
            wanted: HashMap::new(),
            texts: Texts::default(),
        }
    }

    fn builder(&mut self, builder: &'a dispatch::Builder) -> Result<Builder, MakeError> {
        if builder.name.starts_with('_') {
            return Err(MakeError::Underscore(builder.name.clone()));
        }
        let failed = |error| MakeError::Lower { builder: builder.name.clone(), error };
        let procedure = match self.last {
            // Mostly the builders of a build have the same steps.
            Some((last, procedure)) if alike(self.compilation, last, builder) => procedure,
            _ => {
                let lowered = lower(self.compilation, builder, None).map_err(failed)?;
                self.procedure(lowered.steps, &lowered.files).map_err(failed)?
            }
        };
        self.last = Some((builder, procedure));
        let build = self.graph.build(builder);
        Ok(Builder {
            name: builder.name.clone(),
            build: build.name.clone(),
            directory: directory(&builder.name),
            databases: self.databases(builder),
            category: build.category.clone(),
            properties: self.graph.properties(builder),
            offers: self.offers(builder).map_err(failed)?,
            procedure,
        })
    }

    /// The number of a builder's offers.
    fn offers(&mut self, builder: &dispatch::Builder) -> Result<usize, LowerError> {
        let graph = self.graph;
        let requires = graph.build(builder).requires.as_slice();
        let chosen =
            builder.chosen.iter().map(|(name, version)| (name.clone(), version.as_ref().map(Version::to_string)));
        let class: Class =
            (chosen.collect(), requires.iter().map(Requirement::to_string).collect(), builder.slaves.iter().collect());
        if let Some(number) = self.classes.get(&class) {
            return Ok(*number);
        }
        let mut offers = IndexMap::new();
        for &index in &class.2 {
            let slave = &graph.farm.slaves[index];
            let offered = Offered::new(&builder.chosen, requires, slave, &graph.farm.declarations);
            let setting = offered.setting(&graph.farm.declarations);
            let setting = setting.map_err(|(part, error)| LowerError::Placeholder { step: part.to_owned(), error })?;
            let failed = |error| LowerError::Placeholder { step: "environment".to_owned(), error };
            let pairs = |texts: &IndexMap<String, String>| {
                let pair = |(name, value): (&String, &String)| Ok((name.clone(), text(value)?));
                texts.iter().map(pair).collect::<Result<_, _>>().map(Pairs).map_err(failed)
            };
            let setting = Setting {
                values: pairs(&setting.values)?,
                path: setting.path.iter().map(|path| text(path)).collect::<Result<_, _>>().map_err(failed)?,
                environment: pairs(&setting.environment)?,
                properties: Pairs(setting.properties.into_iter().collect()),
                variants: setting.conditions.iter().map(variant).collect(),
            };
            self.taken.insert(index);
            let number = self.settings.number(setting);
            if number == self.of_settings.len() {
                self.of_settings.push(asks_of(&self.settings.0[number]));
            }
            offers.insert(worker_name(&slave.name), number);
        }
        let number = self.offers.len();
        self.offers.push(offers);
        self.classes.insert(class, number);
        Ok(number)
    }

    /// The number of a procedure.
    fn procedure(&mut self, steps: Vec<ProcedureStep>, files: &[PlanFile]) -> Result<usize, LowerError> {
        let files = files.iter().map(|file| self.file(file)).collect();
        let steps = steps.into_iter().map(|step| Ok(self.steps.number(taken_apart(step, &mut self.texts)?)));
        let procedure = Procedure { steps: steps.collect::<Result<_, LowerError>>()?, files };
        let (number, _) = self.procedures.0.insert_full(procedure);
        self.asks.entry(number).or_insert_with(|| asks(&self.procedures.0[number], &self.steps.0));
        Ok(number)
    }

    /// The properties that whoever starts the builder can give it, and whether it cannot do without on some slave. As in plans,
    /// a property without a value is none.
    fn wanted(&mut self, builder: &dispatch::Builder, made: &Builder) -> &Asks {
        let (graph, asks, offers, settings) = (self.graph, &self.asks, &self.offers, &self.settings.0);
        let of_settings = &self.of_settings;
        let (procedure, steps) = (&self.procedures.0[made.procedure], &self.steps.0);
        self.wanted.entry((made.procedure, made.offers)).or_insert_with(|| {
            let given = |properties: &IndexMap<String, String>, name: &str| {
                properties.get(name).is_some_and(|value| !value.is_empty())
            };
            let reported: Vec<_> = procedure.steps.iter().filter_map(|&step| steps[step].property.as_ref()).collect();
            let mut wanted = Asks::new();
            for (index, &setting) in builder.slaves.iter().zip(offers[made.offers].values()) {
                let (slave, properties) = (&graph.farm.slaves[index], &settings[setting].properties.0);
                for (name, required) in asks[&made.procedure].iter().chain(&of_settings[setting]) {
                    let is_known = made.properties.contains_key(name)
                        || properties.iter().any(|(known, _)| known == name)
                        || reported.contains(&name);
                    if !is_known {
                        let required = *required && !given(&slave.properties, name);
                        *wanted.entry(name.clone()).or_default() |= required;
                    }
                }
            }
            wanted
        })
    }

    /// The workers of the slaves that take any builder, in the farm's order.
    fn workers(&self) -> IndexMap<String, Worker> {
        let slaves = self.graph.farm.slaves.iter().enumerate().filter(|(index, _)| self.taken.contains(index));
        slaves.map(|(_, slave)| (worker_name(&slave.name), worker(slave))).collect()
    }

    fn file(&mut self, file: &PlanFile) -> File {
        let digest: String = Sha256::digest(&file.content).iter().map(|byte| format!("{byte:02x}")).collect();
        self.files.entry(digest.clone()).or_insert_with(|| file.content.clone());
        File { path: file.path.to_string(), executable: file.executable, content: digest }
    }

    fn databases(&self, builder: &dispatch::Builder) -> IndexMap<String, String> {
        let slaves = builder.slaves.iter().map(|index| &self.graph.farm.slaves[index]);
        let prefixes: IndexSet<&String> = slaves.map(|slave| &slave.db_prefix).collect();
        prefixes.into_iter().map(|prefix| (prefix.clone(), database(prefix, &builder.name))).collect()
    }
}

fn build(build: &model::Build) -> Build {
    Build {
        name: build.name.clone(),
        builders: Vec::new(),
        tree_stable_timer: build.tree_stable_timer,
        watch: Vec::new(),
        properties: Vec::new(),
    }
}

/// The names of all secrets: of the workers, of what they offer, and of the repositories.
fn secrets<'a>(
    graph: &Graph,
    workers: &IndexMap<String, Worker>,
    branches: impl Iterator<Item = &'a Branch>,
) -> Vec<String> {
    let given = secret_sources(graph);
    let of_workers =
        |name: &&String| given[*name].slave.as_ref().is_none_or(|slave| workers.contains_key(&worker_name(slave)));
    let secrets = workers.values().map(|worker| &worker.password);
    let secrets = secrets.chain(given.keys().filter(of_workers));
    let secrets: IndexSet<&String> = secrets.chain(branches.filter_map(|branch| branch.secret.as_ref())).collect();
    secrets.into_iter().cloned().collect()
}

fn worker(slave: &Slave) -> Worker {
    Worker {
        slave: Some(&slave.name).filter(|name| worker_name(name) != **name).cloned(),
        max_builds: slave.max_builds,
        notify_on_missing: slave.notify_on_missing.clone(),
        priority: slave.priority.number(),
        db_prefix: slave.db_prefix.clone(),
        password: password_name(&slave.name),
        properties: slave.properties.clone(),
    }
}

/// The properties that steps ask for.
fn asks(procedure: &Procedure, steps: &IndexSet<Step>) -> Asks {
    let mut asks = Asks::new();
    for step in procedure.steps.iter().map(|&number| &steps[number]) {
        let texts = step.run.iter().chain(step.environment.0.iter().map(|(_, value)| value));
        texts.chain([&step.directory]).chain(&step.follow).for_each(|text| asked_by(text, &mut asks));
    }
    asks
}

/// The properties that the environment of a setting asks for.
fn asks_of(setting: &Setting) -> Asks {
    let mut asks = Asks::new();
    let texts = setting.environment.0.iter().map(|(_, value)| value).chain(&setting.path);
    texts.for_each(|text| asked_by(text, &mut asks));
    asks
}

fn asked_by(text: &Text, asks: &mut Asks) {
    if let Text::Pieces(pieces) = text {
        asked(pieces, asks);
    }
}

fn asked(pieces: &[Piece], asks: &mut Asks) {
    for piece in pieces {
        let Piece::Placeholder { name, default } = piece else { continue };
        if let Some(property) = name.strip_prefix("property.") {
            *asks.entry(property.to_owned()).or_default() |= default.is_none();
        }
        asked(default.as_deref().unwrap_or_default(), asks);
    }
}
