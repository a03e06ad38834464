//! The first half of lowering: what a builder does, on whichever slave.

use std::sync::Arc;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use minijinja::context;

use super::carry::carry;
use super::{PlanFile, Step};
use crate::Compilation;
use crate::compile::address_secret;
use crate::dispatch::{Builder, Chosen, Graph};
use crate::model::inventory::Inventory;
use crate::model::{Build, BuildoutSource, Requirement, Value, credentials};
use crate::steps::{Continues, ExpandError, Expansion, PlacedStep, StepPlace, Template, Templates, values};
use crate::tool::fetch::CREDENTIALS;

/// What a builder does, options of capabilities left as placeholders `${capability.option}`.
#[derive(Debug, Clone)]
pub struct Procedure {
    /// The builder's name.
    pub builder: String,
    /// Its build's name.
    pub build: String,
    /// The manifest.
    pub manifest: Utf8PathBuf,
    /// The build's category.
    pub category: Option<String>,
    /// The versions that the builder was dispatched for.
    pub chosen: Chosen,
    /// What the build requires besides.
    pub requires: Vec<Requirement>,
    /// The properties that the builder has on every slave.
    pub properties: IndexMap<String, String>,
    /// The files that it carries.
    pub files: Vec<PlanFile>,
    /// Its steps.
    pub steps: Vec<ProcedureStep>,
}

/// A step, and when it is there.
#[derive(Debug, Clone)]
pub struct ProcedureStep {
    /// The step.
    pub step: Step,
    /// It is there only on slaves that offer a capability in a certain way.
    pub only_if: Option<Condition>,
    /// Where it is written; none where it is built in.
    pub place: Option<Arc<StepPlace>>,
}

/// A slave offers a capability with a certain value of an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The capability.
    pub capability: String,
    /// The option.
    pub option: String,
    /// The value.
    pub is: String,
}

/// Why a builder cannot be lowered.
#[derive(Debug, thiserror::Error)]
pub enum LowerError {
    /// A file that the plan should carry.
    #[error("{0}")]
    Carry(String),
    /// A template that makes no steps.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// There is no step template of this name.
    #[error("there is no step template `{0}`")]
    NoTemplate(String),
    /// A placeholder that nothing fills in.
    #[error("step `{step}`: {error}")]
    Placeholder {
        /// The step, or `environment`.
        step: String,
        /// What is wrong.
        error: super::placeholder::Error,
    },
}

/// Lowers a builder; with an inventory, so that it builds what that lists.
///
/// # Errors
/// See [`LowerError`]: files that cannot be carried, templates that make no steps.
pub fn lower(
    compilation: &Compilation,
    builder: &Builder,
    locked: Option<&Inventory>,
) -> Result<Procedure, LowerError> {
    let files = files(compilation.graph.build(builder)).map_err(LowerError::Carry)?;
    let (procedure, errors) = outline(&compilation.graph, &compilation.templates, builder, locked);
    errors.into_iter().next().map_or(Ok(Procedure { files, ..procedure }), Err)
}

/// Whether two builders have the same steps and files: they are of one build, on the same capabilities, and no template of
/// theirs asks for the builder's name.
pub fn alike(compilation: &Compilation, one: &Builder, other: &Builder) -> bool {
    let (graph, templates) = (&compilation.graph, &compilation.templates);
    let build = graph.build(one);
    let listed = || build.steps.iter().filter_map(|used| templates.find(&used.template));
    let brought = || variants(graph, templates, build, one).into_iter().map(|(template, _)| template);
    one.build == other.build
        && one.chosen.keys().eq(other.chosen.keys())
        && !listed().chain(brought()).any(|template| template.builder)
}

/// The files that a build carries.
///
/// # Errors
/// Why one of them cannot be carried.
pub(crate) fn files(build: &Build) -> Result<Vec<PlanFile>, String> {
    match build.buildout.as_ref().map(|buildout| &buildout.source) {
        Some(BuildoutSource::Standalone { file, with }) => carry(file, with.as_deref()),
        _ => Ok(Vec::new()),
    }
}

/// Lowers a builder, but for the files that it carries: no file is read. What is wrong comes with what is not.
pub(crate) fn outline(
    graph: &Graph,
    templates: &Templates,
    builder: &Builder,
    locked: Option<&Inventory>,
) -> (Procedure, Vec<LowerError>) {
    let build = graph.build(builder);
    let mut errors = Vec::new();
    let mut location = Location::of(build);
    let locked = locked_values(build, locked);
    let surroundings = Surroundings { templates, build, builder: &builder.name, locked };
    let mut lowering = Lowering::default();
    for (template, condition) in variants(graph, templates, build, builder) {
        lowering.add(&surroundings, &location, template, Some(condition), &mut errors);
    }
    for used in &build.steps {
        let Some(template) = templates.find(&used.template) else {
            errors.push(LowerError::NoTemplate(used.template.clone()));
            continue;
        };
        lowering.add(&surroundings, &location, template, None, &mut errors);
        if let Some(continues) = &template.continues {
            location.go_on(continues);
        }
    }
    let mut steps = lowering.finish();
    if let Some(user) = build.buildout.as_ref().and_then(|buildout| buildout.source.url()).and_then(credentials) {
        // Plans are read and sent around: the password in the address is named, and the runner looks it up.
        let shown = format!("{}@", super::placeholder::escape(user));
        let named = format!("${{secret.{}}}", address_secret(&build.name));
        steps.iter_mut().for_each(|step| hide(&mut step.step, &shown, &named));
    }
    let procedure = Procedure {
        builder: builder.name.clone(),
        build: build.name.clone(),
        manifest: build.manifest.to_path_buf(),
        category: build.category.clone(),
        chosen: Chosen::clone(&builder.chosen),
        requires: build.requires.clone(),
        properties: graph.properties(builder),
        files: Vec::new(),
        steps,
    };
    (procedure, errors)
}

/// Puts the name of a password in the place of the `user:password@` in a step's arguments.
///
/// farmout's own commands are given it as a variable instead: every user of the machine can read the arguments of a process.
/// Any other command knows of no such variable.
fn hide(step: &mut Step, shown: &str, named: &str) {
    if !step.run.iter().any(|argument| argument.contains(shown)) {
        return;
    }
    let own = step.run.first().is_some_and(|program| program == "${farmout}");
    let instead = if own { String::new() } else { format!("{named}@") };
    for argument in &mut step.run {
        *argument = argument.replace(shown, &instead);
    }
    if own {
        step.environment.insert(CREDENTIALS.to_owned(), named.to_owned());
    }
}

/// What templates see as `locked`: the same names whether the plan is locked or not, so that an expression needs no guard.
fn locked_values(build: &Build, locked: Option<&Inventory>) -> minijinja::Value {
    let part = match build.options.get("buildout-part") {
        Some(Value::Text(part)) => part.as_str(),
        _ => "",
    };
    let version = |name: &str| locked.and_then(|inventory| inventory.environment.get(name));
    context! {
        // Of the repository that holds the buildout.
        revision => locked.and_then(|inventory| inventory.revision.as_deref()),
        buildout => version("zc.buildout"),
        setuptools => version("setuptools"),
        overrides => locked.map(|inventory| inventory.overrides(part)).unwrap_or_default(),
        // Serialising what was read from JSON does not fail.
        expected => locked.and_then(|inventory| serde_json::to_string(inventory).ok()),
    }
}

/// The templates that the builder's capabilities bring on some slaves.
fn variants<'a>(
    graph: &'a Graph,
    templates: &'a Templates,
    build: &Build,
    builder: &Builder,
) -> Vec<(&'a Template, Condition)> {
    let required = build.requires.iter().map(|requirement| &requirement.capability);
    let mut names: Vec<&String> = builder.chosen.keys().collect();
    names.extend(required.filter(|name| !builder.chosen.contains_key(*name)));
    let declarations = names.into_iter().filter_map(|name| graph.farm.declarations.get(name));
    declarations
        .flat_map(|declaration| declaration.variants.iter().map(move |variant| (declaration, variant)))
        .filter_map(|(declaration, variant)| {
            let template = templates.find(variant.template.as_deref()?)?;
            let (capability, option, is) = (declaration.name.clone(), variant.option.clone(), variant.is.clone());
            Some((template, Condition { capability, option, is }))
        })
        .collect()
}

/// What a builder's templates see, wherever its buildout is.
struct Surroundings<'a> {
    templates: &'a Templates,
    build: &'a Build,
    builder: &'a str,
    locked: minijinja::Value,
}

impl Surroundings<'_> {
    fn context(&self, location: &Location) -> minijinja::Value {
        let Self { build, builder, .. } = self;
        context! {
            build => context! { name => &build.name, category => build.category.clone() },
            builder => *builder,
            configuration => &location.configuration,
            source => &location.source,
            subdir => &location.subdir,
            inside => location.subdir.strip_prefix('/').map_or(String::new(), |subdir| format!("{subdir}/")),
            option => values(&build.options),
            locked => &self.locked,
        }
    }
}

#[derive(Default)]
struct Lowering {
    steps: Vec<ProcedureStep>,
    /// In the order in which they were asked for; they run in the reverse order.
    clean_up: Vec<Vec<ProcedureStep>>,
}

impl Lowering {
    fn add(
        &mut self,
        surroundings: &Surroundings<'_>,
        location: &Location,
        template: &Template,
        only_if: Option<Condition>,
        errors: &mut Vec<LowerError>,
    ) {
        let context = surroundings.context(location);
        let directory = format!("${{build-dir}}{}", super::placeholder::escape(&location.subdir));
        let templates = surroundings.templates;
        let options = &surroundings.build.options;
        let expansion = Expansion { templates, template, options, context: &context, directory: &directory };
        let conditional = |PlacedStep { step, place }| ProcedureStep { step, only_if: only_if.clone(), place };
        let mut fine = |steps: Result<Vec<PlacedStep>, ExpandError>| {
            steps.unwrap_or_else(|error| {
                errors.push(error.into());
                Vec::new()
            })
        };
        self.steps.extend(fine(expansion.steps()).into_iter().map(conditional));
        self.clean_up.push(fine(expansion.clean_up()).into_iter().map(conditional).collect());
    }

    /// All steps, each name once: logs and lock holders go by it.
    fn finish(self) -> Vec<ProcedureStep> {
        let mut steps = self.steps;
        steps.extend(self.clean_up.into_iter().rev().flatten());
        let mut known: IndexMap<String, usize> = IndexMap::new();
        for ProcedureStep { step, .. } in &mut steps {
            let count = known.entry(step.name.clone()).or_insert(0);
            *count += 1;
            if *count > 1 {
                step.name = format!("{}-{count}", step.name);
            }
        }
        steps
    }
}

/// Where the buildout is in the build directory.
struct Location {
    configuration: String,
    /// Begins with a slash where there is one.
    subdir: String,
    source: minijinja::Value,
}

impl Location {
    fn of(build: &Build) -> Self {
        let repository = |configuration: &str, subdir: Option<&String>, source| Self {
            configuration: configuration.to_owned(),
            subdir: subdir.map_or(String::new(), |subdir| format!("/{}", subdir.trim_matches('/'))),
            source,
        };
        match build.buildout.as_ref().map(|buildout| &buildout.source) {
            Some(BuildoutSource::Standalone { file, .. }) => Self {
                configuration: file.file_name().unwrap_or_default().to_owned(),
                subdir: String::new(),
                source: context! {},
            },
            Some(BuildoutSource::Vcs { url, branch, path, subdir, .. }) => {
                repository(path, subdir.as_ref(), context! { url, branch })
            }
            Some(BuildoutSource::HgTag { url, path }) => repository(path, None, context! { url }),
            Some(BuildoutSource::Archive { directory_property, name_property, path }) => {
                repository(path, None, context! { directory_property, name_property })
            }
            None => repository("", None, context! {}),
        }
    }

    /// A template made another buildout, which is the one from there on.
    fn go_on(&mut self, Continues { subdir, configuration }: &Continues) {
        self.subdir = format!("/{}", subdir.trim_matches('/'));
        self.configuration.clone_from(configuration);
    }
}
