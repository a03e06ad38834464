//! The arguments by which every command finds its farm, and the compiling that comes before anything else.

use camino::Utf8PathBuf;
use globset::Glob;

use super::Exit;
use crate::diagnostic::{self, Diagnostics, Failure, suggest};
use crate::dispatch::Builder;
use crate::model::{Build, Slave};
use crate::resolve::{FarmFile, Layout, find_farm};
use crate::source::Sources;
use crate::{Compilation, compile};

/// Where the farm's directory is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RootArgument {
    /// The farm's directory [default: the nearest one upwards with a farm.yaml or buildouts/MANIFEST.cfg]
    #[arg(long, value_name = "DIR")]
    farm: Option<Utf8PathBuf>,
}

impl RootArgument {
    /// Whether the farm was named, and not only looked for.
    pub(super) fn is_named(&self) -> bool {
        self.farm.is_some()
    }

    /// The directory, named or found.
    pub(super) fn root(&self) -> Utf8PathBuf {
        find_farm(self.farm.clone())
    }
}

/// Where the farm's files are.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct FarmArguments {
    #[command(flatten)]
    root: RootArgument,
    /// A manifest to read instead of the farm's own (may be given several times)
    #[arg(long, value_name = "FILE")]
    manifest: Vec<Utf8PathBuf>,
    /// A slave fragment to read instead of the farm's own (may be given several times)
    #[arg(long, value_name = "FILE")]
    slaves: Vec<Utf8PathBuf>,
}

impl FarmArguments {
    /// Whether the farm was named, and not only looked for.
    pub(super) fn is_named(&self) -> bool {
        self.root.farm.is_some() || !self.manifest.is_empty() || !self.slaves.is_empty()
    }

    /// The paths that were named, by the options that name them.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&'static str, &Utf8PathBuf)> {
        let farm = self.root.farm.iter().map(|path| ("--farm", path));
        let manifests = self.manifest.iter().map(|path| ("--manifest", path));
        farm.chain(manifests).chain(self.slaves.iter().map(|path| ("--slaves", path)))
    }

    /// Where the farm's files are.
    pub(super) fn layout(&self) -> Layout {
        Layout {
            root: self.root.root(),
            manifests: self.manifest.clone(),
            fragments: self.slaves.clone(),
            fragment: None,
        }
    }
}

/// Which builders a command is about, and on which slave.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BuilderArguments {
    /// The slave [default: the farm's only one; without slave fragments, this machine as it is found]
    #[arg(long, value_name = "NAME")]
    slave: Option<String>,
    /// The builders, by name or by pattern such as 'demo-*' [default: all that the slave takes]
    #[arg(value_name = "BUILDER")]
    builders: Vec<String>,
    /// Build what an earlier run built, named by its id or `latest`: the same zc.buildout, the same versions of all
    /// distributions, the same revisions of all sources
    #[arg(long, value_name = "RUN")]
    pub(super) locked: Option<String>,
}

impl BuilderArguments {
    /// The builders that were asked for, whether they exist or not.
    pub(super) fn pick(&self) -> Result<Pick, Failure> {
        Pick::new(&self.builders)
    }

    /// The names and patterns as they were given.
    pub(super) fn names(&self) -> &[String] {
        &self.builders
    }

    /// The slave that was named.
    pub(super) fn slave_name(&self) -> Option<&str> {
        self.slave.as_deref()
    }

    /// The slave: the one named, or the only one.
    pub(super) fn slave<'a>(&self, compilation: &'a Compilation) -> Result<(usize, &'a Slave), Failure> {
        slave(self.slave.as_deref(), compilation)
    }
}

/// The slave: the one named, or the only one.
pub(super) fn slave<'a>(named: Option<&str>, compilation: &'a Compilation) -> Result<(usize, &'a Slave), Failure> {
    let slaves = &compilation.graph.farm.slaves;
    let names = || slaves.iter().map(|slave| slave.name.as_str());
    match (named, slaves.as_slice()) {
        (Some(name), _) => compilation.graph.slave(name).ok_or_else(|| {
            let help = match suggest::nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`? The slaves are {}", suggest::list(names())),
                None => format!("the slaves are {}", suggest::list(names())),
            };
            Failure::misuse(format!("there is no slave `{name}` in this farm")).help(help)
        }),
        (None, [only]) => Ok((0, only)),
        (None, []) => Err(Failure::misuse("this farm has no slave")),
        (None, _) => Err(Failure::misuse("this farm has several slaves")
            .help(format!("name one with --slave: {}", suggest::list(names())))),
    }
}

/// For a command that needs the farm to be right: prints what is wrong, and ends there if it is an error. Warnings are
/// `compile`'s to print.
pub(super) fn right(compilation: Compilation) -> Result<Compilation, Failure> {
    if compilation.diagnostics.has_errors() {
        let counts = diagnostic::print(&compilation.diagnostics, &compilation.sources);
        return Err(Failure::error(format!("the farm does not compile: {counts}")));
    }
    Ok(compilation)
}

/// Reads and compiles a farm. Of several unreadable files, all but the last are printed here.
pub(super) fn read(layout: &Layout) -> Result<Compilation, Failure> {
    compile(layout).map_err(last)
}

/// Reads `farm.yaml` alone; its defaults where there is none.
pub(super) fn farm_file(layout: &Layout) -> Result<FarmFile, Failure> {
    let path = layout.path("farm.yaml");
    if !path.exists() {
        return Ok(FarmFile::default());
    }
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let read = sources.read(&path, path.as_str()).map_err(|error| Failure::misuse(error.to_string()))?;
    let reading = FarmFile::parse(&sources, read.id, &mut diagnostics);
    if diagnostics.has_errors() {
        let counts = diagnostic::print(&diagnostics, &sources);
        return Err(Failure::error(format!("{path} has mistakes: {counts}")));
    }
    Ok(reading.farm)
}

/// The last of several failures; the others are printed here.
pub(super) fn last(mut failures: Vec<Failure>) -> Failure {
    let last = failures.pop().unwrap_or_else(|| Failure::misuse("the farm cannot be read"));
    failures.iter().for_each(|failure| {
        failure.print();
    });
    last
}

/// Which builders a command is about: those whose names match one of the patterns; all where there is none.
pub(super) struct Pick {
    patterns: Vec<(String, globset::GlobMatcher)>,
}

impl Pick {
    /// Reads the patterns.
    pub(super) fn new(patterns: &[String]) -> Result<Self, Failure> {
        let matcher = |pattern: &String| {
            let glob = Glob::new(pattern).map_err(|error| {
                Failure::misuse(format!("`{pattern}` is no pattern: {}", error.kind()))
                    .help("`*` stands for any characters, `?` for one, `[ab]` for one of several")
            })?;
            Ok((pattern.clone(), glob.compile_matcher()))
        };
        Ok(Self { patterns: patterns.iter().map(matcher).collect::<Result<_, Failure>>()? })
    }

    /// These names and no others.
    pub(super) fn of(names: &[String]) -> Self {
        let matcher = |name: &String| Some((name.clone(), Glob::new(&globset::escape(name)).ok()?.compile_matcher()));
        Self { patterns: names.iter().filter_map(matcher).collect() }
    }

    /// Whether no pattern was given, so that all match.
    pub(super) fn is_all(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a name matches.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|(pattern, glob)| pattern == name || glob.is_match(name))
    }

    /// Says which pattern matches no builder of these builds, whatever slaves there are: a builder's name begins with that
    /// of its build.
    pub(super) fn check_builds(&self, builds: &[Build]) -> Result<(), Failure> {
        let names = || builds.iter().filter(|build| build.buildout.is_some()).map(|build| build.name.as_str());
        for (pattern, _) in &self.patterns {
            let plain = &pattern[..pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len())];
            let whole = plain.len() == pattern.len();
            if !names().any(|name| plain.starts_with(name) || (!whole && name.starts_with(plain))) {
                let failure = Failure::misuse(format!("no builder is called `{pattern}`"));
                return Err(match suggest::nearest(pattern, names()) {
                    _ if names().next().is_none() => failure.help("this farm has no builds"),
                    Some(near) => failure.help(format!("did you mean a builder of `{near}`, such as `{near}*`?")),
                    None => {
                        failure.help(format!("a builder's name begins with its build's: {}", some(names().collect())))
                    }
                });
            }
        }
        Ok(())
    }

    /// Says which pattern matches no builder at all: it is most probably a slip.
    pub(super) fn check(&self, builders: &[Builder]) -> Result<(), Failure> {
        for (pattern, glob) in &self.patterns {
            if !builders.iter().any(|builder| builder.name == *pattern || glob.is_match(&builder.name)) {
                let failure = Failure::misuse(format!("no builder is called `{pattern}`"));
                let names = || builders.iter().map(|builder| builder.name.as_str());
                return Err(match suggest::nearest(pattern, names()) {
                    Some(near) => failure.help(format!("did you mean `{near}`?")),
                    None if builders.is_empty() => failure.help("this farm has no builder at all"),
                    None => failure.help(format!("there are {}", some(names().collect()))),
                });
            }
        }
        Ok(())
    }
}

/// The first names of a long list.
fn some(names: Vec<&str>) -> String {
    const MOST: usize = 12;
    let more = names.len().saturating_sub(MOST);
    let list = suggest::list(names.into_iter().take(MOST));
    if more > 0 { format!("{list}, and {more} more") } else { list }
}

/// The exit code that the diagnostics call for.
pub(super) fn exit(errors: bool) -> Exit {
    if errors { Exit::Errors } else { Exit::Fine }
}
