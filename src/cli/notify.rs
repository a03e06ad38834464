//! `farmout notify`.

use std::io::{IsTerminal as _, Read as _};

use camino::Utf8PathBuf;
use clap::ArgGroup;
use jiff::Timestamp;

use super::Exit;
use super::hand_over::{MasterArguments, Receivers, tell_left, warn};
use super::spool::SpoolArguments;
use crate::diagnostic::Failure;
use crate::model::{Secret, Vcs, without_credentials};
use crate::watch::Came;
use crate::watch::forward::Master;
use crate::watch::history::{self, Repository};

/// A push of more references than fit here is cut, in bytes.
const REFS: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").args(["rev", "git_refs", "hg_changegroup", "flush"]).required(true))]
pub(super) struct Arguments {
    /// The version control system
    #[arg(long, value_name = "git|hg|bzr", value_parser = vcs, required_unless_present = "flush")]
    vcs: Option<Vcs>,
    /// The repository's address, as the farm watches it or in another spelling; for Bazaar that of the branch
    #[arg(long, required_unless_present = "flush")]
    url: Option<String>,
    /// Another address of the same repository (may be repeated)
    #[arg(long, value_name = "URL")]
    other_url: Vec<String>,
    /// The branch that changed
    #[arg(long, value_name = "NAME", requires = "rev")]
    branch: Option<String>,
    /// The revision that the branch has now
    #[arg(long, value_name = "REVISION")]
    rev: Option<String>,
    /// The revision that it had before: all changes in between are read from the repository
    #[arg(long, value_name = "REVISION", requires = "rev", conflicts_with_all = ["author", "comment", "files"])]
    since: Option<String>,
    /// Who made the change
    #[arg(long, value_name = "NAME", requires = "rev")]
    author: Option<String>,
    /// What is said of it
    #[arg(long, value_name = "TEXT", requires = "rev")]
    comment: Option<String>,
    /// The files that it touches
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "rev")]
    files: Vec<String>,
    /// Read `OLD NEW REF` lines, as git gives them to post-receive and reference-transaction
    #[arg(long)]
    git_refs: bool,
    /// Tell what came since HG_NODE, as Mercurial's changegroup hook has it
    #[arg(long)]
    hg_changegroup: bool,
    /// Where the repository is on this machine [default: GIT_DIR, else the working directory]
    #[arg(long, value_name = "DIR")]
    repository: Option<Utf8PathBuf>,
    #[command(flatten)]
    spool: SpoolArguments,
    #[command(flatten)]
    master: MasterArguments,
    /// Send what masters have not got yet
    #[arg(long, conflicts_with_all = ["vcs", "url", "other_url", "repository", "quiet"])]
    flush: bool,
    /// Exit 1, not 0, where a change could not be handed over
    #[arg(long)]
    strict: bool,
    /// Say nothing when all is well
    #[arg(short, long)]
    quiet: bool,
}

/// The system of this name.
pub(super) fn vcs(text: &str) -> Result<Vcs, String> {
    match text {
        "git" => Ok(Vcs::Git),
        "hg" => Ok(Vcs::Hg),
        "bzr" => Ok(Vcs::Bzr),
        _ => Err("it is git, hg or bzr".to_owned()),
    }
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let (buildbot, login) = (arguments.master.url()?, arguments.master.login()?);
    if arguments.flush {
        return flush(arguments, buildbot, login.as_ref());
    }
    let came = came(arguments)?;
    came.warnings.iter().for_each(|why| warn(why));
    // What came, and could not be learned at all, is lost to the farm too.
    let mut fine = !came.changes.is_empty() || came.warnings.is_empty();
    if !came.changes.is_empty() {
        let receivers = Receivers {
            spools: &arguments.spool.folders(),
            outgoing: arguments.spool.outgoing(),
            buildbot,
            login: login.as_ref(),
        };
        let lost = receivers.hand_over(&came.changes);
        lost.iter().for_each(|why| warn(why));
        fine &= lost.is_empty();
    }
    if !arguments.quiet && fine {
        say!("{}", came.summary());
    }
    Ok(if fine || !arguments.strict { Exit::Fine } else { Exit::Errors })
}

/// What is to be told.
fn came(arguments: &Arguments) -> Result<Came, Failure> {
    let Arguments { vcs, url, rev, since, .. } = arguments;
    let (Some(vcs), Some(url)) = (*vcs, url) else { return Err(Failure::misuse("there is nothing to tell")) };
    let url = without_credentials(url.trim());
    if url.is_empty() {
        return Err(Failure::misuse("--url is empty"));
    }
    let repository = Repository {
        directory: directory(arguments),
        url,
        other_urls: arguments.other_url.iter().map(|url| without_credentials(url)).collect(),
        time: Timestamp::now(),
        home: None,
    };
    if let Some(wrong) =
        [(arguments.git_refs, Vcs::Git, "--git-refs"), (arguments.hg_changegroup, Vcs::Hg, "--hg-changegroup")]
            .iter()
            .find(|(given, of, _)| *given && *of != vcs)
    {
        return Err(Failure::misuse(format!("{} is of another system than --vcs says", wrong.2)));
    }
    if arguments.git_refs {
        return git_refs(&repository);
    }
    if arguments.hg_changegroup {
        let first = std::env::var("HG_NODE")
            .map_err(|_| Failure::misuse("HG_NODE is not set").help("call it from Mercurial's hook `changegroup`"))?;
        return Ok(history::changegroup(&repository, &first));
    }
    let rev = rev.as_deref().unwrap_or_default().trim();
    let branch = arguments.branch.as_deref().map(str::trim).filter(|branch| !branch.is_empty());
    let branch = match (vcs, branch) {
        (Vcs::Bzr, Some(_)) => {
            return Err(Failure::misuse("--branch is given for Bazaar").help("its --url is that of the branch"));
        }
        (Vcs::Git | Vcs::Hg, None) => return Err(Failure::misuse("--branch is missing: builds watch branches")),
        (_, branch) => branch.map(|branch| branch.strip_prefix("refs/heads/").unwrap_or(branch)),
    };
    if rev.is_empty() {
        return Err(Failure::misuse("--rev is empty"));
    }
    Ok(match (vcs, since.as_deref(), branch) {
        (Vcs::Bzr, Some(since), _) => history::bzr(&repository, since, rev),
        (Vcs::Git, Some(since), Some(branch)) => history::git(&repository, branch, Some(since), rev),
        (Vcs::Hg, Some(since), Some(branch)) => history::hg(&repository, branch, since, rev),
        _ => {
            let mut change = repository.bare(vcs, branch, rev);
            change.author.clone_from(&arguments.author);
            change.comment = arguments.comment.as_deref().and_then(history::comment);
            change.files = history::files(arguments.files.iter().cloned());
            Came { changes: vec![change], ..Came::default() }
        }
    })
}

/// What came, by the lines on the standard input.
fn git_refs(repository: &Repository) -> Result<Came, Failure> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Failure::misuse("--git-refs reads `OLD NEW REF` lines on its standard input")
            .help("it is called by git's hook `post-receive`; see `farmout mirror hooks --print git`"));
    }
    let mut bytes = Vec::new();
    let read = input.lock().take(REFS).read_to_end(&mut bytes);
    read.map_err(|error| Failure::misuse(format!("cannot read the standard input: {error}")))?;
    history::refs(repository, &String::from_utf8_lossy(&bytes)).map_err(Failure::misuse)
}

fn directory(arguments: &Arguments) -> Utf8PathBuf {
    let named = arguments.repository.clone();
    let hook = || std::env::var("GIT_DIR").ok().filter(|_| arguments.vcs == Some(Vcs::Git)).map(Utf8PathBuf::from);
    let directory = named.or_else(hook).unwrap_or_else(|| Utf8PathBuf::from("."));
    super::machine::absolute(&directory)
}

fn flush(arguments: &Arguments, buildbot: Option<&str>, login: Option<&Secret>) -> Result<Exit, Failure> {
    let outgoing = arguments.spool.outgoing();
    let failed = |error: std::io::Error| Failure::error(format!("cannot send what waits in {outgoing}: {error}"));
    let masters = match buildbot {
        Some(url) => vec![Master::open(&outgoing, url).map_err(failed)?],
        None => Master::all(&outgoing).map_err(failed)?,
    };
    let mut fine = true;
    for master in masters {
        let sent = master.send(login, None).map_err(failed)?;
        tell_left(&master, &sent);
        fine &= sent.left.is_none();
        if sent.sent > 0 {
            say!("sent {} {} to {}", sent.sent, if sent.sent == 1 { "push" } else { "pushes" }, master.url());
        }
    }
    Ok(if fine { Exit::Fine } else { Exit::Errors })
}
