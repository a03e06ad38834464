//! `farmout clean`: what earlier runs left, removed as far as nobody needs it.

use std::fmt::Write as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::Exit;
use super::compile::print;
use super::execute::site_at;
use super::farm::{RootArgument, farm_file, read, right};
use super::machine::state;
use super::secret::{places, read_all};
use crate::diagnostic::Failure;
use crate::host::{account, place};
use crate::model::{Retention, Secrets, Size, age};
use crate::resolve::Layout;
use crate::runner::{self, Cache, Cleaned, Database, Keep};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    root: RootArgument,
    /// Where runs are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// Remove runs that are older: 12h, 30d, 4w
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Keep this many runs, the newest
    #[arg(long, value_name = "N")]
    keep: Option<u64>,
    /// Keep as many runs, the newest, as take no more room than this: 500MB, 5GiB
    #[arg(long, value_name = "SIZE")]
    max_size: Option<Size>,
    /// Remove the last failure of a builder as well, where it is beyond the limits
    #[arg(long)]
    failures: bool,
    /// Remove the databases that `farmout run --keep-db` kept
    #[arg(long)]
    databases: bool,
    /// Remove what builds have downloaded, and eggs, of slaves that are not at work; builds get them again
    #[arg(long)]
    caches: bool,
    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// The user that steps run as, where root starts them; for --databases
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How it is told
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Done {
    dry_run: bool,
    /// In bytes; databases not counted.
    freed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<Cleaned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    databases: Option<Vec<Database>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caches: Option<Vec<Cache>>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = Layout { root: arguments.root.root(), ..Layout::default() };
    let state = state(arguments.state.as_ref(), Some(&layout.root));
    let keep = limits(arguments, &layout)?;
    // First what needs the runs that may go.
    let databases = arguments.databases.then(|| databases(arguments, &layout, &state)).transpose()?;
    let runs = keep.map(|keep| runner::clean(&state, &keep, arguments.dry_run)).transpose()?;
    let caches = arguments.caches.then(|| runner::remove_caches(&state, &place::homes(&state), arguments.dry_run));
    let of_caches =
        caches.iter().flatten().filter(|cache| cache.problem.is_none()).map(|cache| cache.size).sum::<u64>();
    let freed = runs.as_ref().map_or(0, Cleaned::freed) + of_caches;
    let done = Done { dry_run: arguments.dry_run, freed, runs, databases, caches };
    let text = match arguments.format {
        Format::Text => done.text(),
        Format::Json => serde_json::to_string_pretty(&done)
            .map(|text| text + "\n")
            .map_err(|error| Failure::error(error.to_string()))?,
    };
    print(&text)?;
    Ok(if done.is_fine() { Exit::Fine } else { Exit::Errors })
}

/// Which runs are kept: what the call says, else what the farm does. None where only something else is to be removed.
fn limits(arguments: &Arguments, layout: &Layout) -> Result<Option<Keep>, Failure> {
    let size = arguments.max_size.map(|size| size.0);
    let given = Keep { runs: arguments.keep, age: arguments.older_than, size, failures: arguments.failures };
    if given.runs.is_some() || given.age.is_some() || given.size.is_some() {
        return Ok(Some(given));
    }
    let farm = farm_file(layout)?.keep;
    if farm.is_limited() {
        return Ok(Some(Keep { failures: arguments.failures, ..keep(&farm) }));
    }
    if arguments.databases || arguments.caches {
        return Ok(None);
    }
    Err(Failure::misuse("nothing says which runs are to be kept").help(
        "say --keep N, --older-than AGE or --max-size SIZE, or write it into farm.yaml: `keep: {runs: 50}`; \
         --databases and --caches are removed on request",
    ))
}

/// The limits of `farm.yaml` as the runner has them.
pub(super) fn keep(retention: &Retention) -> Keep {
    let day = |days: u64| Duration::from_secs(days.saturating_mul(24 * 60 * 60));
    let size = retention.size.map(|size| size.0);
    Keep { runs: retention.runs, age: retention.days.map(day), size, failures: false }
}

fn databases(arguments: &Arguments, layout: &Layout, state: &Utf8Path) -> Result<Vec<Database>, Failure> {
    let told = |error: std::io::Error| Failure::misuse(format!("cannot read the records in {state}: {error}"));
    let kept = runner::databases(state).map_err(told)?;
    if arguments.dry_run || kept.is_empty() {
        return Ok(kept);
    }
    // The passwords by which servers are reached are the farm's.
    let secrets = match read(layout) {
        // Plans that came from elsewhere need no farm.
        Err(_) if !arguments.root.is_named() => Secrets::new(),
        // Which of them are needed is not known: one that cannot be had is missed where it is.
        farm => read_all(places(&right(farm?)?)),
    };
    let account = account::choose(arguments.user.as_deref())?;
    let mut basedirs: Vec<&Utf8Path> = kept.iter().map(|database| database.basedir.as_path()).collect();
    basedirs.dedup();
    let mut done = Vec::new();
    for (number, basedir) in basedirs.iter().enumerate() {
        if basedirs[..number].contains(basedir) {
            continue;
        }
        let place = place::Place { basedir: (*basedir).to_owned(), moved: false };
        let site = site_at(secrets.clone(), state, place, account.clone())?;
        done.extend(runner::remove_databases(&site, &mut |_| {})?);
    }
    Ok(done)
}

/// What became of runs, in a line.
pub(super) fn summary(cleaned: &Cleaned, rehearsed: bool) -> String {
    let runs = |count: usize| format!("{count} run{}", if count == 1 { "" } else { "s" });
    let gone = cleaned.removed.iter().filter(|removed| removed.problem.is_none()).count();
    let (removed, freed) = if rehearsed { ("would be removed", "free") } else { ("removed", "freed") };
    let left = if cleaned.kept == 1 { "is left" } else { "are left" };
    let left = format!("{} {left}, {}", runs(cleaned.kept), Size(cleaned.size));
    match (gone, cleaned.freed()) {
        (0, 0) => format!("nothing to remove; {left}"),
        (0, bytes) => format!("leftovers {removed}, {} {freed}; {left}", Size(bytes)),
        (_, bytes) => format!("{} {removed}, {} {freed}; {left}", runs(gone), Size(bytes)),
    }
}

impl Done {
    fn is_fine(&self) -> bool {
        let databases = self.databases.iter().flatten().all(|database| database.problem.is_none());
        let caches = self.caches.iter().flatten().all(|cache| cache.problem.is_none());
        databases && caches && self.runs.iter().all(|runs| runs.troubles().next().is_none())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let removed = if self.dry_run { "would go" } else { "removed" };
        let fate = |problem: &Option<String>| match problem {
            None => (removed, String::new()),
            Some(problem) => ("kept", format!("  {problem}")),
        };
        for database in self.databases.iter().flatten() {
            let (word, problem) = fate(&database.problem);
            writeln!(text, "database of {}, run {}  {word}{problem}", database.builder, database.run)?;
        }
        if self.databases.as_ref().is_some_and(Vec::is_empty) {
            writeln!(text, "no database is kept")?;
        }
        if let Some(runs) = &self.runs {
            self.write_runs(text, runs, removed)?;
        }
        for cache in self.caches.iter().flatten() {
            let (word, problem) = fate(&cache.problem);
            writeln!(text, "{}  {word}  {}{problem}", cache.path, Size(cache.size))?;
        }
        if self.caches.as_ref().is_some_and(Vec::is_empty) {
            writeln!(text, "there are no caches")?;
        }
        Ok(())
    }

    fn write_runs(&self, text: &mut String, runs: &Cleaned, removed: &str) -> std::fmt::Result {
        if runs.busy {
            return writeln!(text, "another farmout is cleaning up here already");
        }
        let gone = runs.removed.iter().map(|run| match &run.problem {
            None => (&run.run, removed, Size(run.size).to_string(), format!("beyond the {}", limit(&run.why))),
            Some(problem) => (&run.run, "kept", Size(run.size).to_string(), problem.clone()),
        });
        let spared = runs.spared.iter().map(|run| (&run.run, "kept", "-".to_owned(), run.why.clone()));
        let mut rows: Vec<_> = gone.chain(spared).collect();
        rows.sort();
        let widest = rows.iter().map(|(run, ..)| run.len()).max().unwrap_or_default();
        for (run, word, size, why) in rows {
            writeln!(text, "{run:<widest$}  {word:<8}  {size:>9}  {why}")?;
        }
        for problem in &runs.problems {
            writeln!(text, "{problem}")?;
        }
        writeln!(text, "{}", summary(runs, self.dry_run))
    }
}

/// The limit by which a run had to go, in words.
fn limit(why: &str) -> &str {
    match why {
        "number" => "number of runs to keep",
        "size" => "room for runs",
        _ => "age of runs to keep",
    }
}
