//! `farmout tool package`: its arguments.

use std::path::PathBuf;

use clap::Subcommand;

use crate::diagnostic::Failure;
use crate::tool::{package, say};

#[derive(Debug, Subcommand)]
pub(super) enum Package {
    /// Make an archive of a directory, and the file with its MD5 sum
    ///
    /// Makes DIR/NAME.tar.bz2 and DIR/NAME.tar.bz2.md5. All is below one directory NAME in it, in the order of the names, without
    /// owners, and of one time: the same files give the same bytes. What version control systems keep in a directory and
    /// compiled Python files are left out.
    Archive(Archive),
    /// Put the files of a tag into a directory
    ///
    /// The clone is one of Git, Mercurial or Bazaar, and stays as it is. A directory that is there already is replaced.
    ///
    /// The last line of the output is the time of the tagged commit, in seconds since 1970.
    Source(Source),
}

#[derive(Debug, clap::Args)]
pub(super) struct Archive {
    /// The archive's name, without `.tar.bz2`
    #[arg(long, allow_hyphen_values = true)]
    name: String,
    /// Where the archive is put
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// The time of all files in it, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    time: u64,
    /// The directory
    tree: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The clone
    #[arg(long, value_name = "DIR")]
    clone: PathBuf,
    /// The tag
    #[arg(long, allow_hyphen_values = true)]
    tag: String,
    /// Take this directory of the clone only
    #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
    subdir: PathBuf,
    /// The directory to make
    into: PathBuf,
}

impl Package {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Archive(Archive { name, into, time, tree }) => {
                package::Pack { tree, name, into, time }.pack()?;
            }
            Self::Source(Source { clone, tag, subdir, into }) => {
                say(package::Source { clone, tag, subdir, into }.export()?);
            }
        }
        Ok(())
    }
}
