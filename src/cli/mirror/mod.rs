//! `farmout mirror`: local mirrors of what farms watch. A file a subcommand; what they share is here.

mod gc;
mod hooks;
mod status;
mod update;

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Subcommand;

use super::Exit;
use super::machine;
use crate::Compilation;
use crate::diagnostic::{self, Failure};
use crate::host::{Account, account, place};
use crate::mirror::{Mirrors, Repository, Surroundings, watched};
use crate::resolve::{Layout, find_farm};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Remove mirrors of what no farm watches any more
    ///
    /// Name all farms that use the mirrors: a repository that none of them watches loses its mirror, and of the others the
    /// branches go that nothing watches. Nothing is removed while one of the farms does not compile, and never anything
    /// that is no mirror.
    ///
    /// Asks no questions. Does nothing, and exits 0, while another process works on the mirrors.
    ///
    /// Exits 0 when done, 1 where a farm does not compile or something cannot be removed, 2 for wrong use.
    Gc(gc::Arguments),
    /// Have the farm's scheduler told of what comes into mirrors
    ///
    /// Puts hooks into the mirrors, and repairs those that are there: git's `reference-transaction` and Mercurial's `changegroup`,
    /// which call `farmout notify`. `farmout mirror update` runs no hook; once this was called it tells by itself of all
    /// that it fetches, of Bazaar's branches too, and gives new mirrors their hooks. A hook of somebody else is left alone.
    ///
    /// --print prints a hook for the server on which a repository is, so that nobody need ask it for news:
    /// `farmout mirror hooks --print git --url https://git.example/shop`.
    ///
    /// No password is in any hook.
    ///
    /// Exits 0 when done, 1 where somebody else's hook is in the way or one cannot be written, 2 for wrong use.
    Hooks(hooks::Arguments),
    /// Show how old mirrors are, where their branches are, and what went wrong
    ///
    /// Calls nobody, and needs no farm that compiles.
    ///
    /// Exits 0, or 1 where the last update of one did not work, or 2 where the mirrors cannot be read.
    Status(status::Arguments),
    /// Bring mirrors of all watched repositories up to date
    ///
    /// For cron and systemd timers: makes a mirror of each repository that builds of the farms watch, with the branches that they
    /// watch, and brings those up to date that are there. Farms that share a directory of mirrors share the mirrors. A branch
    /// may be rewritten or vanish; a mirror that cannot be read any more is made anew. What is wrong with one repository
    /// stops no other.
    ///
    /// Nothing asks questions: keys and passwords are those of the user's ssh and git settings, or in the farm's addresses. No
    /// hook of the user runs, and no password is in any output.
    ///
    /// While another process works on the mirrors, this says so and exits 0.
    ///
    /// Run by root, the mirrors belong to the user of --user, else to the system account `farmout`, which is made if it is missing,
    /// and clients run as that user.
    ///
    /// Exits 0 when all is up to date, 1 where something did not work, 2 for wrong use, 130 when stopped.
    Update(update::Arguments),
}

/// Which mirrors, of which farms.
#[derive(Debug, clap::Args)]
struct Which {
    /// A farm's directory (may be repeated) [default: the nearest one upwards with a farm.yaml or buildouts/MANIFEST.cfg]
    #[arg(long, value_name = "DIR")]
    farm: Vec<Utf8PathBuf>,
    /// Where the mirrors are [default: .farmout/mirrors in the first farm's directory]
    #[arg(long, value_name = "DIR")]
    mirrors: Option<Utf8PathBuf>,
}

/// As whom mirrors are changed.
#[derive(Debug, clap::Args)]
struct User {
    /// The user that the mirrors belong to, where root starts this
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table
    Text,
    /// For programs
    Json,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Gc(arguments) => gc::main(arguments),
        Command::Hooks(arguments) => hooks::main(arguments),
        Command::Status(arguments) => status::main(arguments),
        Command::Update(arguments) => update::main(arguments),
    }
}

/// What farms watch.
struct Read {
    repositories: Vec<Repository>,
    /// How many of the farms could not be understood in full. What is wrong with them has been told.
    broken: usize,
}

impl Which {
    fn roots(&self) -> Vec<Utf8PathBuf> {
        if self.farm.is_empty() { vec![find_farm(None)] } else { self.farm.clone() }
    }

    /// Compiles the farms. Of one that has mistakes, what can be understood counts; if none can be read, that is a failure.
    fn read(&self) -> Result<Read, Failure> {
        let (mut compiled, mut broken): (Vec<(Utf8PathBuf, Compilation)>, usize) = (Vec::new(), 0);
        let mut unread = None;
        for root in self.roots() {
            match super::farm::read(&Layout { root: root.clone(), ..Layout::default() }) {
                Ok(compilation) => {
                    if compilation.diagnostics.has_errors() {
                        let counts = diagnostic::print(&compilation.diagnostics, &compilation.sources);
                        Failure::error(format!("the farm {root} does not compile: {counts}")).print();
                        broken += 1;
                    }
                    compiled.push((root, compilation));
                }
                Err(failure) => {
                    broken += 1;
                    if let Some(earlier) = unread.replace(failure) {
                        earlier.print();
                    }
                }
            }
        }
        match unread {
            Some(failure) if compiled.is_empty() => return Err(failure),
            Some(failure) => {
                failure.print();
            }
            None => {}
        }
        let graphs = compiled.iter().map(|(root, compilation)| (root.as_str(), &compilation.graph));
        Ok(Read { repositories: watched(graphs), broken })
    }

    fn state(&self) -> Utf8PathBuf {
        machine::state(None, self.roots().first().map(Utf8PathBuf::as_path))
    }

    /// The mirrors as they are; none where there are none yet.
    fn existing(&self) -> Option<Mirrors> {
        let named = self.mirrors.clone().filter(|directory| directory.is_dir());
        let found = if self.mirrors.is_some() { named } else { place::existing_mirrors(&self.state()) };
        found.map(|root| Mirrors::new(machine::absolute(&root)))
    }

    /// The mirrors, as whoever they belong to: root becomes that user for good.
    fn take(&self, user: &User) -> Result<(Mirrors, Surroundings), Failure> {
        let account = account::choose(user.user.as_deref())?;
        let root = match &self.mirrors {
            Some(directory) => place::mirrors_at(directory, account.as_ref())?,
            None => place::mirrors(&self.state(), account.as_ref())?,
        };
        let account = account.map(|account| become_account(account, &root)).transpose()?;
        let mirrors = Mirrors::new(root);
        let surroundings = Surroundings::new(&mirrors, account.as_ref());
        Ok((mirrors, surroundings))
    }
}

/// Makes this process the account's. One without a home gets one beside the mirrors, for settings and keys.
fn become_account(account: Account, root: &camino::Utf8Path) -> Result<Account, Failure> {
    account.assume()?;
    if account.home.is_dir() && account.can_reach(&account.home) {
        return Ok(account);
    }
    let home = root.join("home");
    match std::fs::create_dir(&home) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Failure::error(format!("cannot make {home}: {error}")))
        }
        _ => Ok(account.at_home(home)),
    }
}

/// Reads a time.
pub(in crate::cli) fn time(text: &str) -> Result<Duration, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse::<u32>().ok());
    let seconds = number.map(|number| u64::from(number) * unit).filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(|| "write a time such as 90s, 10m or 2h".to_owned())
}

/// Says that somebody else is at it.
fn busy(mirrors: &Mirrors, holder: &str) -> Exit {
    say!("nothing done: {holder} is at work on the mirrors in {}", mirrors.root());
    Exit::Fine
}

/// Prints a value for programs.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::error(error.to_string()))?;
    super::compile::print(&format!("{text}\n"))
}
