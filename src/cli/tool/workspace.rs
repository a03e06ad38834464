//! `farmout tool workspace` and `write-files`: what the bundled runner does around steps, for those that it does not perform.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Subcommand;

use super::Exit;
use crate::diagnostic::Failure;
use crate::tool::say;
use crate::tool::workspace::{self, Build, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Workspace {
    /// Make the folders of a build that begins, after whatever an interrupted one has left in them is gone
    ///
    /// Makes buildout-caches, DIRECTORY/build and an empty DIRECTORY/tmp below the base directory. Processes that an earlier build
    /// of the directory has left running are ended.
    ///
    /// A build of another directory that began and neither ended nor is named by --at-work was interrupted, unless both began
    /// at the same time. Its processes are ended, its temporary files removed, and it is named in `left-behind`: what it has made
    /// elsewhere, such as a database, is for its clean-up steps. Call `workspace end` for it after them, with its directory and
    /// this RUN. Until then it is named again.
    ///
    /// The last line of the output is a JSON object with `tmp-dir`, `socket-dir` and `left-behind`; and with what steps have
    /// otherwise than this process: `unset`, the variables that are about its caller's Python, database or repository, and `path`.
    ///
    /// Exits 1 if the folders cannot be made.
    Begin(Begin),
    /// End what a build has left running, and remove its temporary files
    ///
    /// Each process that had to be ended is told; that is no failure. What is gone already is fine, and what another run has begun
    /// in the directory is left alone.
    ///
    /// Exits 1 if something stays.
    End(Of),
}

#[derive(Debug, clap::Args)]
pub(super) struct Of {
    /// The base directory of the worker
    #[arg(long, value_name = "DIR")]
    basedir: Utf8PathBuf,
    /// The builder's directory in it
    #[arg(long, value_name = "NAME")]
    directory: String,
    /// The run, with which the marks of its steps begin: a name that no other run on this machine has
    #[arg(long, value_name = "RUN")]
    run: String,
    /// How long processes that are asked to end may take before they are killed
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=3600))]
    grace: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct Begin {
    #[command(flatten)]
    of: Of,
    /// Directories in which other builds of this worker are at work
    #[arg(long, value_name = "NAME", num_args = 1..)]
    at_work: Vec<String>,
    /// Make a private folder with a short path, for Unix sockets
    #[arg(long)]
    sockets: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct WriteFiles {
    /// The base directory of the worker
    #[arg(long, value_name = "DIR")]
    basedir: Utf8PathBuf,
    /// Where to: an absolute path in a builder's directory; made if it is missing
    #[arg(long, value_name = "DIR")]
    directory: Utf8PathBuf,
    /// A list in JSON: [{"path", "executable", "content"}], paths relative to --directory
    #[arg(long, value_name = "FILE")]
    files: Utf8PathBuf,
}

impl From<Of> for Build {
    fn from(Of { basedir, directory, run, grace }: Of) -> Self {
        Self { basedir, directory, run, grace: Duration::from_secs(grace) }
    }
}

impl Workspace {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        Ok(match self {
            Self::Begin(Begin { of, at_work, sockets }) => exit(Build::from(of).begin(&at_work, sockets)?, |begun| {
                let json = serde_json::to_string(&begun);
                say(json.map_err(|error| Failure::error(format!("what was made cannot be told: {error}")))?);
                Ok(())
            })?,
            Self::End(of) => exit(Build::from(of).end()?, |()| Ok(()))?,
        })
    }
}

fn exit<T>(outcome: Outcome<T>, done: impl FnOnce(T) -> Result<(), Failure>) -> Result<Exit, Failure> {
    match outcome {
        Outcome::Done(value) => done(value).map(|()| Exit::Fine),
        Outcome::Interrupted => {
            note!("interrupted");
            Ok(Exit::Interrupted)
        }
        Outcome::Left => Ok(Exit::Errors),
    }
}

impl WriteFiles {
    pub(super) fn run(self) -> Result<(), Failure> {
        Ok(workspace::write_files(&self.basedir, &self.directory, &self.files)?)
    }
}
