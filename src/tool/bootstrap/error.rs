//! What can go wrong with a bootstrap: the wording of all of it.

use std::io;
use std::path::Path;

use crate::diagnostic::Failure;
use crate::tool::process::Streamed;

/// A bootstrap that did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// zc.buildout is installed and fails.
    #[error("{buildout} with {setuptools} on Python {python} did not make bin/buildout: {said}")]
    Bootstrap {
        /// What is installed.
        buildout: String,
        /// What is installed with it.
        setuptools: String,
        /// The Python's version.
        python: String,
        /// The last line of its output.
        said: String,
        /// The setuptools that is known to fit, where another is installed.
        fits: Option<String>,
    },
    /// zc.buildout cannot be installed.
    #[error("{buildout} did not fit Python {python} and {setuptools}: {said}")]
    Buildout {
        /// What was asked for.
        buildout: String,
        /// What is installed.
        setuptools: String,
        /// The Python's version.
        python: String,
        /// The last line of pip's output.
        said: String,
    },
    /// Files that extend each other.
    #[error("{path} extends itself")]
    Circle {
        /// The file.
        path: String,
    },
    /// A configuration that cannot be read.
    #[error("cannot read the buildout configuration {path}: {error}")]
    Configuration {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A file operation.
    #[error("cannot {what} {path}: {error}")]
    File {
        /// The operation, as in "cannot …".
        what: &'static str,
        /// The path.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A directory that is not ours to wipe.
    #[error("{0} holds files that `farmout tool bootstrap` did not put there")]
    Foreign(String),
    /// Versions of which nobody can make a working whole.
    #[error("zc.buildout {buildout} cannot work with Python {python}: {why}")]
    Impossible {
        /// zc.buildout's version.
        buildout: String,
        /// The Python's version.
        python: String,
        /// Why.
        why: String,
        /// What to write instead.
        instead: String,
    },
    /// No environment can be made.
    #[error("Python {python} cannot make a virtual environment: {said}")]
    NoEnvironment {
        /// The Python's version.
        python: String,
        /// Whether it is a Python 2.
        two: bool,
        /// The last line of what was tried last.
        said: String,
    },
    /// No such Python.
    #[error("there is no Python `{python}` that runs{}{said}", if said.is_empty() { "" } else { ": " })]
    NoPython {
        /// What was asked for.
        python: String,
        /// What the last one that was tried said.
        said: String,
    },
    /// The program that was to make the environment does not.
    #[error("{program} made no virtual environment: {said}")]
    Program {
        /// The program.
        program: String,
        /// The last line of its output.
        said: String,
    },
    /// bin/buildout is somewhere else.
    #[error("zc.buildout made its bin/buildout elsewhere than in the current directory")]
    NoScript {
        /// The configuration.
        configuration: String,
    },
    /// A Python that nothing is made for any more.
    #[error("`{python}` is Python {version}, and 2.7 is the oldest that works")]
    OldPython {
        /// What was asked for.
        python: String,
        /// Its version.
        version: String,
    },
    /// What is installed cannot be brought up to date.
    #[error("zc.buildout in {directory} cannot be brought up to date: {said}")]
    Renew {
        /// The environment.
        directory: String,
        /// The last line of the output.
        said: String,
    },
    /// setuptools cannot be installed.
    #[error("{setuptools} did not fit Python {python}: {said}")]
    Setuptools {
        /// What was asked for.
        setuptools: String,
        /// The Python's version.
        python: String,
        /// The last line of pip's output.
        said: String,
    },
    /// A line that zc.buildout would refuse.
    #[error("{path}:{line}: this is neither a section nor an option: {text}")]
    Syntax {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The line's text.
        text: String,
    },
    /// A setuptools that is known not to work there.
    #[error("setuptools {setuptools} cannot work with zc.buildout {buildout} on Python {python}: {why}")]
    Unfit {
        /// What was asked for.
        setuptools: String,
        /// zc.buildout's version.
        buildout: String,
        /// The Python's version.
        python: String,
        /// Why.
        why: String,
        /// The setuptools that is known to fit.
        fits: Option<String>,
    },
    /// The network.
    #[error("{wanted} is not there yet, and the package index cannot be reached: {said}")]
    Unreachable {
        /// What was to be installed.
        wanted: String,
        /// What pip said of the connection.
        said: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Bootstrap { fits: Some(fits), .. } => {
                Self::error(message).help(format!("pin a setuptools that fits in the configuration's [versions]: `setuptools = {fits}`"))
            }
            Error::Bootstrap { fits: None, .. } => {
                Self::error(message).help("pin versions that fit each other in the configuration's [versions]: zc.buildout and setuptools")
            }
            Error::Buildout { .. } => Self::error(message)
                .help("give the build another `bootstrap-version`, or pin another setuptools in the configuration's [versions]"),
            Error::Circle { .. } | Error::Syntax { .. } => Self::misuse(message),
            Error::Configuration { .. } => Self::misuse(message).help("the path is relative to the current directory"),
            Error::File { .. } => Self::error(message),
            Error::Foreign(_) => Self::misuse(message).help("give a directory that does not exist yet, or remove that one"),
            Error::Impossible { instead, .. } => Self::error(message).help(instead),
            Error::NoEnvironment { two: false, .. } => {
                Self::error(message).help("install its venv module (Debian: apt install python3-venv), or pip")
            }
            Error::NoEnvironment { two: true, .. } => {
                Self::error(message).help("virtualenv 16.7.12 must come from PyPI: install pip for any Python (Debian: apt install python3-venv python3-pip), and see that the index answers")
            }
            Error::NoPython { .. } => {
                Self::misuse(message).help("give its path, or put its directory on PATH: that is the slave's `python` capability with `bin`")
            }
            Error::NoScript { configuration } => Self::error(message).help(format!(
                "zc.buildout works in the directory of its configuration ({configuration}): run the build there (`subdir`), or set `directory` in its [buildout]"
            )),
            Error::OldPython { .. } => Self::misuse(message),
            Error::Renew { .. } => Self::error(message).help("remove that directory: it is made anew"),
            Error::Unfit { fits, .. } => {
                let failure = Self::error(message);
                match fits {
                    None => failure,
                    Some(fits) => failure.help(format!(
                        "setuptools {fits} is known to fit: ask for that (`--setuptools`), or pin it in the configuration's [versions]"
                    )),
                }
            }
            Error::Unreachable { .. } => Self::error(message).help(
                "what a build on this slave installed is kept for the next ones; else pip's own settings say how the index is reached (PIP_INDEX_URL, PIP_PROXY)",
            ),
            Error::Program { .. } => Self::error(message)
                .help("it is the slave's `python` capability's `venv`, called as `virtualenv --python PYTHON DIRECTORY`"),
            Error::Setuptools { .. } => {
                Self::error(message).help("pin another setuptools in the configuration's [versions], and see that the index answers")
            }
        }
    }
}

pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |error| Error::File { what, path, error }
}

/// What pip says when there is no way to the index, which it then calls a version that does not exist.
const CUT_OFF: [&str; 7] = [
    "NewConnectionError",
    "ConnectTimeoutError",
    "NameResolutionError",
    "ProxyError",
    "ReadTimeoutError",
    "connection broken by",
    // Said without a reason where pip is told not to retry: an index that answers lists some version.
    "(from versions: none)",
];

/// Whether a program's output says that it could not reach the index.
pub(super) fn cut_off(text: &str) -> bool {
    CUT_OFF.iter().any(|sign| text.contains(sign))
}

/// An error if what failed is the connection, and no version.
pub(super) fn unreachable(wanted: &str, ran: &Streamed) -> Result<(), Error> {
    let text = ran.text();
    let Some(line) = CUT_OFF.iter().find_map(|sign| text.lines().rfind(|line| line.contains(sign))) else {
        return Ok(());
    };
    // "Retrying (…) after connection broken by 'NewConnectionError('<… object at 0x…>: reason')': /simple/…"
    let reason = line.rsplit_once(">: ").map_or(line, |(_, reason)| reason);
    let said = reason.split(['\'', '"']).find(|part| !part.trim().is_empty()).unwrap_or(line);
    Err(Error::Unreachable { wanted: wanted.to_owned(), said: said.trim().to_owned() })
}

/// The line that says what is wrong: the last one with a word for it, else the last.
pub(super) fn last_line(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().rfind(|line| line.contains("No matching distribution") || line.starts_with("Error:"));
    error.or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}
