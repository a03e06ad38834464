//! The farm that is watched: compiled, and compiled again when its files change. One with a mistake is told of, and the last
//! one without stays.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::{IndexMap, IndexSet};

use super::super::aftermath::Aftermath;
use super::super::farm::{Pick, slave};
use super::super::machine::{self, LOCAL};
use super::super::plan::{Besides, plans};
use super::super::property::{PropertyArguments, complete};
use super::super::secret::{places, read};
use crate::Compilation;
use crate::diagnostic::{Failure, Format, Levels, Report};
use crate::host::Machine;
use crate::mirror::identity;
use crate::model::{Change, Secrets, Vcs, Watch, WatchedBranch};
use crate::plan::Plan;
use crate::resolve::Layout;
use crate::watch::Terms;
use crate::watch::address::Index;

/// A farm without mistakes.
#[derive(Debug)]
pub(super) struct Farm {
    compilation: Compilation,
    /// The index of the slave that this machine is.
    slave: usize,
    /// The builders of each build that the slave takes.
    builders: IndexMap<String, Vec<String>>,
    branches: HashSet<WatchedBranch>,
    /// The same, for finding those that a change is of.
    index: Index,
    layout: Layout,
}

/// Where a farm is, and what it is compiled with.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) layout: Layout,
    pub(super) slave: Option<&'a str>,
    /// What this machine offers, for farms without slave fragments; looked at when it is first needed.
    pub(super) machine: Option<Machine>,
}

impl Farm {
    /// Compiles the farm.
    ///
    /// # Errors
    /// It does not compile, or has no such slave. What is wrong with it has been printed.
    pub(super) fn read(
        site: &mut Site<'_>,
        look: &mut dyn FnMut() -> Result<Machine, Failure>,
    ) -> Result<Self, Failure> {
        Self::compile(site, look, &str::to_owned).map_err(|wrong| {
            wrong.print_told();
            wrong.failure
        })
    }

    /// Compiles the farm, whose files are called by what `shown` makes of their names.
    ///
    /// # Errors
    /// See [`Farm::read`]; nothing has been printed.
    pub(super) fn compile(
        site: &mut Site<'_>,
        look: &mut dyn FnMut() -> Result<Machine, Failure>,
        shown: &dyn Fn(&str) -> String,
    ) -> Result<Self, Wrong> {
        let mut compilation = right(crate::compile(&site.layout), shown)?;
        if !compilation.has_fragments {
            if site.machine.is_none() {
                site.machine = Some(look()?);
                say!("no slave fragments in this farm: this machine is the slave `{LOCAL}`");
            }
            if let Some(machine) = &site.machine {
                compilation = right(machine::local(&site.layout, machine).map_err(|failure| vec![failure]), shown)?;
            }
        }
        let (slave, _) = slave(site.slave, &compilation)?;
        let mut builders: IndexMap<String, Vec<String>> = IndexMap::new();
        for builder in compilation.graph.builders.iter().filter(|builder| builder.slaves.contains(slave)) {
            let build = compilation.graph.build(builder).name.clone();
            builders.entry(build).or_default().push(builder.name.clone());
        }
        let builds = compilation.graph.farm.builds.iter().filter(|build| builders.contains_key(&build.name));
        let index = Index::new(builds.clone().flat_map(|build| &build.watch), &compilation.rewrites);
        let branches = builds.flat_map(|build| &build.watch).map(branch).collect();
        Ok(Self { compilation, slave, builders, branches, index, layout: site.layout.clone() })
    }

    /// The builds that the slave takes, and when each is due.
    pub(super) fn terms(&self) -> IndexMap<String, Terms> {
        let builds = &self.compilation.graph.farm.builds;
        let taken = builds.iter().filter(|build| self.builders.contains_key(&build.name));
        let terms = taken.map(|build| {
            let branches = build.watch.iter().map(branch).collect();
            (build.name.clone(), Terms { quiet: Duration::from_secs(build.tree_stable_timer), branches })
        });
        terms.collect()
    }

    /// The watched branches that a change is of.
    pub(super) fn branches_of(&self, change: &Change) -> Vec<WatchedBranch> {
        let found: IndexSet<WatchedBranch> = self.index.find(change).into_iter().map(branch).collect();
        found.into_iter().collect()
    }

    /// Whether a build that the slave takes watches the branch.
    pub(super) fn watches(&self, branch: &WatchedBranch) -> bool {
        self.branches.contains(branch)
    }

    /// The slave's name.
    pub(super) fn slave(&self) -> &str {
        &self.compilation.graph.farm.slaves[self.slave].name
    }

    /// How many builders the slave runs at a time.
    pub(super) fn jobs(&self) -> usize {
        self.compilation.graph.farm.slaves[self.slave].max_builds.map_or(1, |most| most as usize).max(1)
    }

    /// How many builds there are to watch for.
    pub(super) fn builds(&self) -> usize {
        self.builders.len()
    }

    /// The plans of a build's builders.
    ///
    /// # Errors
    /// The build lacks a property that nobody gave, or the like.
    pub(super) fn plans(&self, build: &str, properties: &PropertyArguments) -> Result<Vec<Plan>, Failure> {
        let names = self.builders.get(build).map(Vec::as_slice).unwrap_or_default();
        let pick = Pick::of(names);
        let given = properties.given(&self.compilation)?;
        let slave = &self.compilation.graph.farm.slaves[self.slave];
        let besides = Besides { given: &given, locked: None };
        complete(plans(&self.compilation, self.slave, slave, &pick, &besides)?, &pick)
    }

    /// What steps of these plans need and no plan has. It is read each time: a password may have changed since.
    ///
    /// # Errors
    /// One is not where it should be.
    pub(super) fn secrets(&self, plans: &[Plan]) -> Result<Secrets, Failure> {
        read(places(&self.compilation), plans)
    }

    /// What comes with a run of this farm's.
    pub(super) fn aftermath(&self, secrets: &Secrets) -> Aftermath {
        let slave = &self.compilation.graph.farm.slaves[self.slave];
        Aftermath::of(&self.layout, &self.compilation.notify, self.compilation.keep).on_slave(
            &slave.name,
            &slave.notify_on_missing,
            secrets,
        )
    }

    /// The files that it was read from.
    pub(super) fn files(&self) -> impl Iterator<Item = Utf8PathBuf> {
        self.compilation.sources.iter().map(|(_, source)| Utf8PathBuf::from(source.name()))
    }
}

/// Why a farm is not taken over.
#[derive(Debug)]
pub(super) struct Wrong {
    /// What was found in its files, for a person.
    told: String,
    failure: Failure,
}

impl Wrong {
    pub(super) fn print(&self) {
        self.print_told();
        self.failure.print();
    }

    fn print_told(&self) {
        if !self.told.is_empty() {
            note!("{}", self.told.trim_end());
        }
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self { told: String::new(), failure }
    }
}

/// A farm without errors.
fn right(compiled: Result<Compilation, Vec<Failure>>, shown: &dyn Fn(&str) -> String) -> Result<Compilation, Wrong> {
    let mut compilation = compiled.map_err(|mut failures| {
        failures.iter_mut().for_each(|failure| failure.message = shown(&failure.message));
        let last = failures.pop().unwrap_or_else(|| Failure::error("the farm cannot be read"));
        Wrong { told: failures.iter().map(|failure| format!("{failure}\n")).collect(), failure: last }
    })?;
    if !compilation.diagnostics.has_errors() {
        return Ok(compilation);
    }
    compilation.sources.rename(shown);
    let report = Report::new(&compilation.diagnostics, &compilation.sources, &Levels::default()).with_names(shown);
    let mut told = Vec::new();
    // A text takes all that is written.
    let _ = Format::Human.write(&report, &mut told);
    let failure = Failure::error(format!("the farm does not compile: {}", report.counts()));
    Err(Wrong { told: String::from_utf8_lossy(&told).into_owned(), failure })
}

/// The branch of a build's watch.
fn branch(watch: &Watch) -> WatchedBranch {
    watched(watch.vcs, &watch.url, watch.branch.as_deref())
}

/// A branch in the one spelling that stands for all.
pub(super) fn watched(vcs: Vcs, url: &str, branch: Option<&str>) -> WatchedBranch {
    let branch = match vcs {
        Vcs::Bzr => None,
        Vcs::Git => branch.map(|branch| branch.strip_prefix("refs/heads/").unwrap_or(branch)),
        Vcs::Hg => branch,
    };
    WatchedBranch { vcs, url: identity(vcs, url), branch: branch.map(str::to_owned) }
}

/// What files and directories look like from outside: another look says whether any has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stamp(BTreeMap<Utf8PathBuf, Option<(u64, u64, i64, i64)>>);

impl Stamp {
    /// Looks at these files, and at the directories that they are in: a new fragment changes its directory.
    pub(super) fn of(root: &Utf8Path, files: impl Iterator<Item = Utf8PathBuf>) -> Self {
        let mut stamp = Self::default();
        for path in files {
            let above = path.parent().map(Utf8Path::to_owned);
            for path in above.into_iter().chain([path]) {
                stamp.look(path);
            }
        }
        for path in ["", "farm.yaml", "slaves.cfg", "slaves.d", "buildouts"] {
            stamp.look(root.join(path));
        }
        stamp
    }

    /// The same paths, looked at now.
    pub(super) fn again(&self) -> Self {
        let mut stamp = Self::default();
        self.0.keys().for_each(|path| stamp.look(path.clone()));
        stamp
    }

    fn look(&mut self, path: Utf8PathBuf) {
        let path = if path == "" { ".".into() } else { path };
        let seen = path.metadata().ok().map(|seen| {
            // What is kept beside the farm changes its directory all the time, and an editor's work on a file moves its time.
            let size = if seen.is_dir() { 0 } else { seen.len() };
            (seen.ino(), size, seen.mtime(), seen.mtime_nsec())
        });
        self.0.insert(path, seen);
    }
}
