//! `farmout tool fetch`.

use std::path::PathBuf;

use camino::Utf8PathBuf;
use clap::Subcommand;

use crate::diagnostic::Failure;
use crate::tool::fetch::{
    Address, CREDENTIALS, Error, Expected, Repository, System, archive, bazaar, git, mercurial, reach,
};
use crate::tool::say;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Unpack an archive, after its checksum was verified
    ///
    /// Unpacks ROOT/DIRECTORY/NAME.tar.bz2 if its MD5 sum is what the .md5 beside it says. What is in the archive's one
    /// directory takes the place of all that DIR holds, except what --keep names. An archive with anything in it that leads
    /// out of DIR is refused.
    ///
    /// The last line of the output is the MD5 sum.
    Archive(Archive),
    /// Branch from a Bazaar branch, or bring a branch of it up to date
    ///
    /// Brings DIR to the head of the branch, by brz or bzr, whichever there is. DIR belongs to the build: what a former build
    /// changed or left in it is discarded, except files that are ignored, repositories in it, and what --keep names. A
    /// branch of another address, and one that was killed half-way, is replaced. No settings and no plugins of the user count.
    ///
    /// A password does not belong on a command line, where every user of the machine can read it: give what would stand
    /// before the `@` of the address, `user:password` or a token, as FARMOUT_CREDENTIALS in the environment.
    ///
    /// The last line of the output is the revision's number and its full identifier.
    Bzr(Bzr),
    /// Clone a Git repository, or bring its clone up to date
    ///
    /// Brings DIR to the head of the branch. DIR belongs to the build: what a former build changed or left in it is discarded,
    /// except files that the repository ignores, repositories in it, and what --keep names. A clone of another repository,
    /// and one that was killed half-way, is replaced. Submodules are ignored, and no hooks run.
    ///
    /// A password does not belong on a command line, where every user of the machine can read it: give what would stand
    /// before the `@` of the address, `user:password` or a token, as FARMOUT_CREDENTIALS in the environment.
    ///
    /// The last line of the output is the full revision.
    Git(Git),
    /// Clone a Mercurial repository, or bring its clone up to date
    ///
    /// Brings DIR to the head of the branch. DIR belongs to the build: what a former build changed or left in it is discarded,
    /// except files that the repository ignores, repositories in it, and what --keep names. A clone of another repository,
    /// and one that was killed half-way, is replaced. No settings of the user count, and no hooks run.
    ///
    /// A password does not belong on a command line, where every user of the machine can read it: give what would stand
    /// before the `@` of the address, `user:password` or a token, as FARMOUT_CREDENTIALS in the environment.
    ///
    /// The last line of the output is the full revision.
    Hg(Hg),
    /// Clone a Mercurial repository, or bring its clone up to date, at a tag
    ///
    /// The same as `fetch hg`, for a tag: neither a branch nor the beginning of a revision will do.
    ///
    /// A password does not belong on a command line, where every user of the machine can read it: give what would stand
    /// before the `@` of the address, `user:password` or a token, as FARMOUT_CREDENTIALS in the environment.
    ///
    /// The last line of the output is the full revision.
    Hgtag(HgTag),
    /// Ask a repository whether it is there; the last line of the output is `null`, or a JSON object that says what is wrong
    #[command(hide = true)]
    Reach(Reach),
}

#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    /// The system: bzr, git or hg
    #[arg(value_parser = system)]
    system: System,
    #[command(flatten)]
    source: Source,
    /// The branch [default: any]
    #[arg(long, allow_hyphen_values = true)]
    branch: Option<String>,
    /// A directory for the client to work in
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

fn system(name: &str) -> Result<System, &'static str> {
    match name {
        "bzr" => Ok(System::Bazaar),
        "git" => Ok(System::Git),
        "hg" => Ok(System::Mercurial),
        _ => Err("it is bzr, git or hg"),
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Archive {
    /// Where all archives are
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// The archive's directory below that; `.` for that one itself
    #[arg(long, allow_hyphen_values = true)]
    directory: String,
    /// The archive's name, without .tar.bz2
    #[arg(long, allow_hyphen_values = true)]
    name: String,
    /// The MD5 sum of the archive that is wanted, as the last line of an earlier fetch said it: no other one is taken
    #[arg(long, value_name = "SUM")]
    md5: Option<String>,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
pub(super) struct Bzr {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
pub(super) struct Git {
    #[command(flatten)]
    source: Source,
    /// A branch, a tag, or HEAD
    #[arg(long, allow_hyphen_values = true)]
    branch: String,
    #[command(flatten)]
    target: Target,
    /// Get the last commit only; a clone that is whole already stays so
    #[arg(long)]
    shallow: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Hg {
    #[command(flatten)]
    source: Source,
    /// A branch, a bookmark or a tag
    #[arg(long, allow_hyphen_values = true)]
    branch: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
pub(super) struct HgTag {
    #[command(flatten)]
    source: Source,
    /// The tag
    #[arg(long, allow_hyphen_values = true)]
    tag: String,
    #[command(flatten)]
    target: Target,
}

/// Where a repository is.
#[derive(Debug, clap::Args)]
struct Source {
    /// The repository's address
    #[arg(long, allow_hyphen_values = true)]
    url: String,
    /// An exact revision that the repository still has, as the last line of an earlier fetch said it, instead of the newest
    #[arg(long)]
    revision: Option<String>,
}

/// Where things are put.
#[derive(Debug, clap::Args)]
struct Target {
    /// The working directory
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// A path in DIR that is not cleaned away; may be repeated
    #[arg(long, value_name = "PATH")]
    keep: Vec<String>,
    /// A file that must be in DIR afterwards; may be repeated
    #[arg(long, value_name = "PATH")]
    expect: Vec<Utf8PathBuf>,
}

pub(super) fn main(command: Command) -> Result<(), Failure> {
    let revision = match command {
        Command::Archive(Archive { root, directory, name, md5, target: Target { into, keep, expect } }) => {
            let expected = Expected::new(&expect)?;
            archive::fetch(&archive::Archive { root, directory, name, md5, into, keep, expected })
        }
        Command::Bzr(Bzr { source, target }) => bazaar::fetch(&repository(source, target)?),
        Command::Git(Git { source, branch, target, shallow }) => {
            git::fetch(&repository(source, target)?, &branch, shallow)
        }
        Command::Hg(Hg { source, branch, target }) => {
            mercurial::fetch(&repository(source, target)?, &mercurial::Wanted::Branch(branch))
        }
        Command::Hgtag(HgTag { source, tag, target }) => {
            mercurial::fetch(&repository(source, target)?, &mercurial::Wanted::Tag(tag))
        }
        Command::Reach(Reach { system, source, branch, into }) => {
            let target = Target { into, keep: Vec::new(), expect: Vec::new() };
            let trouble = reach(system, &repository(source, target)?, branch.as_deref()).err();
            return json(&trouble);
        }
    };
    say(revision?);
    Ok(())
}

/// Says an answer for a program.
pub(super) fn json(answer: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(answer);
    say(text.map_err(|error| Failure::error(format!("the answer cannot be written: {error}")))?);
    Ok(())
}

fn repository(source: Source, Target { into, keep, expect }: Target) -> Result<Repository, Error> {
    let credentials = std::env::var(CREDENTIALS).unwrap_or_default();
    let Source { url, revision } = source;
    let (url, expected) = (Address::with_credentials(&url, &credentials), Expected::new(&expect)?);
    Ok(Repository { url, into, keep, revision, expected })
}
