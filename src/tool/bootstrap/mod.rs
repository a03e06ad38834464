//! `farmout tool bootstrap`: a Python and a buildout configuration in, a private environment with zc.buildout and `bin/buildout`
//! out. Writes to the environment's directory and, through zc.buildout, to the current one. Nothing of the caller's virtual
//! environment gets in.

mod configuration;
mod environment;
mod error;
mod python;
mod store;
mod versions;

use std::path::{Path, PathBuf, absolute};

pub use configuration::{Configuration, Pins};
pub use environment::Manner;
pub use error::Error;
pub use python::Python;
pub use versions::Versions;

use crate::tool::{process, say};
use environment::Environment;
use store::Store;

/// What to make.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// A Python: a name to look up on PATH, or a path.
    pub python: String,
    /// The buildout configuration.
    pub configuration: PathBuf,
    /// Where the environment is made.
    pub environment: PathBuf,
    /// How the environment is made.
    pub manner: Manner,
    /// The version of zc.buildout, if the caller has an opinion.
    pub version: Option<String>,
    /// The version of setuptools, if the caller has an opinion.
    pub setuptools: Option<String>,
    /// What `buildout:eggs-directory` is to be.
    pub eggs_directory: Option<PathBuf>,
    /// Where the distributions are kept that builds have in common.
    pub dists: Option<PathBuf>,
}

/// Makes the environment, or uses it again, and has zc.buildout make `bin/buildout` in the current directory.
///
/// # Errors
/// See [`Error`].
pub fn bootstrap(wanted: &Bootstrap) -> Result<(), Error> {
    let configuration = Configuration::read(&wanted.configuration)?;
    let python = Python::find(&wanted.python, &configuration.conditions())?;
    let pins = configuration.pins(&python);
    if let (Some(version), Some(pin)) = (&wanted.version, &pins.buildout)
        && version != pin
    {
        say(format_args!(
            "zc.buildout {version} is asked for, and the configuration pins {pin}: it will replace itself"
        ));
    }
    if let (Some(version), Some(pin)) = (&wanted.setuptools, &pins.setuptools)
        && version != pin
    {
        say(format_args!("setuptools {version} is asked for, and the configuration pins {pin}"));
    }
    let versions = Versions::choose(&python, wanted.version.clone(), wanted.setuptools.clone(), &pins);
    versions.check(&python)?;
    say(format_args!("Python {} ({})", python.version_text(), python.executable.display()));
    say(&versions);
    if let (Some(tried), Some(chosen)) = (&versions.tried, &versions.setuptools) {
        let by = if wanted.setuptools.is_some() { "asked for" } else { "pinned" };
        say(format_args!("setuptools {chosen} is {by}; what is known to work with this zc.buildout is {tried}"));
    }
    if !versions.advice.is_empty() {
        say(format_args!("Not pinned by the configuration's [{}]: {}", pins.section, versions.advice.join(", ")));
    }
    let full = |path: &Path| absolute(path).map_err(error::file("find", path));
    let directory = full(&wanted.environment)?;
    let dists = wanted.dists.as_deref().map(full).transpose()?;
    let eggs = wanted.eggs_directory.as_deref().map(full).transpose()?;
    let store = Store::open(dists.as_deref(), eggs.as_deref())?;
    let environment = Environment::make(&directory, &python, &wanted.manner, &versions, &store)?;
    // In the place of the user's ~/.buildout/default.cfg: a build must not depend on who runs it.
    let defaults = directory.join("default.cfg");
    let text = versions.defaults(&pins.section);
    std::fs::write(&defaults, text).map_err(error::file("write", &defaults))?;

    let script = Path::new("bin/buildout");
    // One of a former build would pass for the one that zc.buildout fails to make.
    crate::tool::files::remove(script).map_err(error::file("remove", script))?;
    let mut command = environment.command("buildout");
    command.env("BUILDOUT_HOME", &directory);
    // -N: what is installed is what was chosen; without it zc.buildout looks for newer ones of itself and of setuptools.
    command.arg("-N").arg("-c").arg(&wanted.configuration);
    if let Some(eggs) = &eggs {
        std::fs::create_dir_all(eggs).map_err(error::file("make", eggs))?;
        command.arg(format!("buildout:eggs-directory={}", eggs.display()));
    }
    if let Some(version) = &wanted.version {
        command.arg(format!("{}:zc.buildout={version}", pins.section));
    }
    if let Some(version) = &wanted.setuptools {
        command.arg(format!("{}:setuptools={version}", pins.section));
    }
    let ran = process::stream(command.arg("bootstrap"), str::to_owned).map_err(error::file("run", &directory))?;
    if !ran.status.success() {
        return Err(Error::Bootstrap {
            buildout: versions.buildout_requirement(),
            setuptools: versions.setuptools_requirement(),
            python: python.version_text(),
            said: error::last_line(&ran.text()),
            fits: versions.tried,
        });
    }
    if !script.exists() {
        return Err(Error::NoScript { configuration: wanted.configuration.display().to_string() });
    }
    Ok(())
}
