//! Where the secrets come from that plans only name.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use crate::diagnostic::{Failure, suggest};
use crate::model::{Secret, Secrets};
use crate::plan::Plan;

/// Where secrets come from that plans only name.
#[derive(Debug, clap::Args)]
pub(super) struct SecretArguments {
    /// A YAML file with the secrets that plans name, a line NAME: VALUE each; for its owner's eyes only [default: the farm of
    /// --farm has them]
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

    /// The secrets that the plans need: those of the file, else those of the farm, if there is one.
    ///
    /// # Errors
    /// The file cannot be read, others can read it too, or a secret is in neither.
    pub(super) fn of(
        &self,
        plans: &[Plan],
        farm: impl FnOnce() -> Result<Option<Secrets>, Failure>,
    ) -> Result<Secrets, Failure> {
        let mut secrets = farm()?.unwrap_or_default();
        if let Some(path) = &self.secrets {
            secrets.extend(read_secrets(path)?);
        }
        let wanted: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.secrets).map(String::as_str).collect();
        let lacking: Vec<&str> = wanted.into_iter().filter(|name| !secrets.contains_key(*name)).collect();
        if lacking.is_empty() {
            return Ok(secrets);
        }
        let plural = if lacking.len() == 1 { "the secret" } else { "the secrets" };
        let message = format!("these plans need {plural} {}", suggest::list(lacking.iter().copied()));
        Err(Failure::misuse(message).help(format!(
            "name their farm with --farm, or give them in a file of yours: --secrets FILE, with lines such as `{}: VALUE`",
            lacking[0]
        )))
    }
}

fn read_secrets(path: &Utf8Path) -> Result<Secrets, Failure> {
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
    let values: indexmap::IndexMap<String, String> = serde_yaml::from_str(&text).map_err(|error| {
        let place = error.location().map(|place| format!(", line {}", place.line())).unwrap_or_default();
        Failure::misuse(format!("{path}{place}: not a line `NAME: VALUE`"))
            .help("a value that is a number needs quotes")
    })?;
    Ok(values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
}
