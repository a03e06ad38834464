//! Where the secrets come from that plans only name.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use crate::Compilation;
use crate::compile::{NamedSecret, secret_sources};
use crate::diagnostic::{Failure, suggest};
use crate::host::secret;
use crate::model::{Secret, SecretSource, Secrets};
use crate::plan::Plan;

/// Where the secrets are, by their names in plans.
pub(super) type Places = IndexMap<String, Place>;

/// Where a secret is.
#[derive(Debug)]
pub(super) struct Place {
    source: SecretSource,
    /// The slave that it is of, if it is one's.
    slave: Option<String>,
    /// What messages call the option, or the line, that says so.
    shown: String,
}

/// Where the secrets of a farm are.
pub(super) fn places(compilation: &Compilation) -> Places {
    let place = |(name, named): (String, NamedSecret)| {
        let file = compilation.sources.get(named.span.source);
        let (line, column) = file.position(named.span.range().start);
        let shown = format!("{}:{line}:{column}: `{}`", file.name(), named.option);
        (name, Place { source: named.source, slave: named.slave, shown })
    };
    secret_sources(&compilation.graph).into_iter().map(place).collect()
}

/// The secrets that plans name, and the others of their slaves as far as they can be had: a run also removes what earlier
/// ones left. Where no file need be read all are taken, so that none is told, and no variable handed down to steps.
///
/// # Errors
/// One that a plan names is not where it should be.
pub(super) fn read(places: Places, plans: &[Plan]) -> Result<Secrets, Failure> {
    let named: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.secrets).map(String::as_str).collect();
    let (mut secrets, mut failures) = (Secrets::new(), Vec::new());
    for (name, place) in places {
        let wanted = named.contains(name.as_str());
        let useful = place.slave.as_ref().is_some_and(|slave| plans.iter().any(|plan| plan.slave == *slave));
        if matches!(place.source, SecretSource::File { .. }) && !wanted && !useful {
            continue;
        }
        match place.read() {
            Ok(secret) => drop(secrets.insert(name, secret)),
            Err(failure) if wanted => failures.push(failure),
            Err(_) => {}
        }
    }
    let Some(last) = failures.pop() else { return Ok(secrets) };
    failures.iter().for_each(|failure| note!("{failure}"));
    Err(last)
}

/// All secrets that can be had.
pub(super) fn read_all(places: Places) -> Secrets {
    places.into_iter().filter_map(|(name, place)| Some((name, place.read().ok()?))).collect()
}

impl Place {
    fn read(&self) -> Result<Secret, Failure> {
        let found = secret::read(&self.source)
            .map_err(|missing| Failure::misuse(format!("{}: {}", self.shown, missing.message)).help(missing.help))?;
        if let Some((message, help)) = found.warning {
            let yellow = anstyle::AnsiColor::Yellow.on_default();
            note!("{yellow}warning{yellow:#}: {}: {message}\n  help: {help}", self.shown);
        }
        Ok(found.secret)
    }
}

/// Where secrets come from that plans only name.
#[derive(Debug, clap::Args)]
pub(super) struct SecretArguments {
    /// A YAML file with the secrets that plans name, a line NAME: VALUE each, where a value may be '@FILE' or $VARIABLE; for its
    /// owner's eyes only [default: the farm of --farm has them]
    #[arg(long, value_name = "FILE")]
    secrets: Option<Utf8PathBuf>,
}

impl SecretArguments {
    /// For a command that has a farm.
    ///
    /// # Errors
    /// A file was given.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        self.secrets.as_ref().map_or(Ok(()), |_| {
            Err(Failure::misuse("--secrets is for files with plans").help("a farm has its secrets in slaves.cfg"))
        })
    }

    /// The secrets that the plans need: those of the file, else those of the farm, if there is one. A rehearsal (`dry`) needs them
    /// named, and does not read them.
    ///
    /// # Errors
    /// The file cannot be read, others can read it too, or a secret is in neither, or not where they say.
    pub(super) fn of(
        &self,
        plans: &[Plan],
        dry: bool,
        farm: impl FnOnce() -> Result<Option<Places>, Failure>,
    ) -> Result<Secrets, Failure> {
        let mut places = farm()?.unwrap_or_default();
        if let Some(path) = &self.secrets {
            places.extend(listed(path)?);
        }
        let wanted: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.secrets).map(String::as_str).collect();
        let lacking: Vec<&str> = wanted.into_iter().filter(|name| !places.contains_key(*name)).collect();
        if lacking.is_empty() {
            return read(places, if dry { &[] } else { plans });
        }
        let plural = if lacking.len() == 1 { "the secret" } else { "the secrets" };
        let message = format!("these plans need {plural} {}", suggest::list(lacking.iter().copied()));
        Err(Failure::misuse(message).help(format!(
            "name their farm with --farm, or give them in a file of yours: --secrets FILE, with lines such as `{0}: VALUE`, `{0}: \
             '@PATH'` or `{0}: $VARIABLE`",
            lacking[0]
        )))
    }
}

/// Where the secrets are that a file of --secrets lists: it says so as fragments do.
fn listed(path: &Utf8Path) -> Result<Places, Failure> {
    let cannot = |error: std::io::Error| Failure::misuse(format!("cannot read {path}: {error}"));
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    // A pipe is nobody's to read but ours.
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(Failure::misuse(format!("others can read the secrets in {path}")).help(format!("chmod 600 {path}")));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(cannot)?;
    // What is wrong is said without a word of what stands there.
    let values: IndexMap<String, String> = serde_yaml::from_str(&text).map_err(|error| {
        let place = error.location().map(|place| format!(", line {}", place.line())).unwrap_or_default();
        Failure::misuse(format!("{path}{place}: not a line `NAME: VALUE`"))
            .help("a value that is a number, or begins with `@`, needs quotes")
    })?;
    let directory = path.parent().unwrap_or(Utf8Path::new(""));
    let place = |(name, value): (String, String)| {
        let shown = format!("{path}: `{name}`");
        (name, Place { source: SecretSource::parse(&value, directory), slave: None, shown })
    };
    Ok(values.into_iter().map(place).collect())
}
