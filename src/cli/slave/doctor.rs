//! `farmout slave doctor`: whether this machine can do what the slave's fragment promises. In: the arguments. Out: findings,
//! exit 1 where a build would fail. The looking is done by [`crate::doctor`].

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use signal_hook::flag;

use super::super::Exit;
use super::super::farm::{FarmArguments, read, right, slave};
use super::super::machine::{Embedded, LOCAL, local, look, state};
use super::note;
use crate::Compilation;
use crate::diagnostic::{Failure, suggest};
use crate::doctor::{self, Family, Patient, Report, Severity, fix};
use crate::host::{Account, account};
use crate::interrupt::SIGNALS;
use crate::resolve::Layout;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The slave that this machine is [default: the farm's only one; without slave fragments, this machine as it is found]
    #[arg(long, value_name = "NAME")]
    slave: Option<String>,
    /// Where builds, logs and downloads are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// The user that builds run as, where root starts them
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Look at this family alone (may be repeated): account, surroundings, disk, postgresql, python, needs or vcs
    #[arg(long, value_name = "FAMILY", value_parser = family, hide_possible_values = true)]
    only: Vec<Family>,
    /// Run the commands that mend what was found, those that do no harm, after asking for each
    #[arg(long)]
    fix: bool,
    /// Do not ask: for scripts
    #[arg(long, requires = "fix")]
    yes: bool,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "fix")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

fn family(name: &str) -> Result<Family, String> {
    let known = || Family::ALL.into_iter().map(Family::name);
    Family::ALL.into_iter().find(|family| family.name() == name).ok_or_else(|| {
        let near = suggest::nearest(name, known()).map(|near| format!("did you mean `{near}`? "));
        format!("{}there are {}", near.unwrap_or_default(), suggest::list(known()))
    })
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.fix && !arguments.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::misuse("--fix asks before each command, and there is no terminal to answer at")
            .help("give --yes too, and what does no harm is run without asking"));
    }
    let layout = arguments.farm.layout();
    let state = state(arguments.state.as_ref(), Some(&layout.root));
    let compilation = right(read(&layout)?)?;
    let account = match account::choose(arguments.user.as_deref()) {
        Ok(account) => account,
        // Without an account nothing can be looked at as builds would see it.
        Err(failure) if failure.exit == Exit::Errors => return hopeless(arguments, &compilation, &failure),
        Err(failure) => return Err(failure),
    };
    if let Some(account) = account.as_ref().filter(|account| account.created) {
        note(&format!("made the system account {}, which builds run as", account.name));
    }
    let compilation =
        if compilation.has_fragments { compilation } else { as_found(&layout, &state, account.as_ref())? };
    let interrupted = interrupted()?;
    let patient = Patient::new(&compilation, slave(arguments.slave.as_deref(), &compilation)?, account, &state)?;
    let families: Vec<Family> =
        Family::ALL.into_iter().filter(|family| arguments.only.is_empty() || arguments.only.contains(family)).collect();
    if std::io::stderr().is_terminal() {
        note("trying out servers, Pythons and repositories takes up to a minute");
    }
    let mut report = Report::new(&patient, patient.examine(&families));
    if !interrupted.load(Ordering::SeqCst) {
        tell(&report, arguments.format)?;
        if arguments.fix {
            mend(&patient, &mut report, arguments.yes)?;
        }
    }
    if interrupted.load(Ordering::SeqCst) {
        return Ok(Exit::Interrupted);
    }
    Ok(exit(&report))
}

fn exit(report: &Report) -> Exit {
    if report.count(Severity::Error) > 0 { Exit::Errors } else { Exit::Fine }
}

/// The farm with this machine, as it is found, as its slave.
fn as_found(layout: &Layout, state: &Utf8Path, account: Option<&Account>) -> Result<Compilation, Failure> {
    let embedded = Embedded { majors: &[], fallback: false, state };
    let machine = look(&embedded, account, &mut |_| ())?;
    if machine.postgresql.is_empty() {
        note("no PostgreSQL server is installed here; `farmout run` downloads one");
    }
    right(local(layout, &machine)?)
}

fn hopeless(arguments: &Arguments, compilation: &Compilation, failure: &Failure) -> Result<Exit, Failure> {
    let named = if compilation.has_fragments {
        slave(arguments.slave.as_deref(), compilation)?.1.name.clone()
    } else {
        LOCAL.to_owned()
    };
    let checked = vec![doctor::without_account(failure)];
    let report = Report { slave: named, builders: 0, user: String::new(), checked };
    tell(&report, arguments.format)?;
    Ok(exit(&report))
}

/// Set when somebody wants this to end: what was started is ended first. The second time it ends at once.
fn interrupted() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(&flag))
            .and_then(|_| flag::register(signal, Arc::clone(&flag)))
            .map_err(|error| Failure::error(format!("cannot listen for signals: {error}")))?;
    }
    Ok(flag)
}

fn tell(report: &Report, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => say!("{}", report.text()),
        Format::Json => {
            let json =
                report.json().map_err(|error| Failure::error(format!("the report cannot be written: {error}")))?;
            say!("{json}");
        }
    }
    Ok(())
}

/// Runs the safe mends that are agreed to, looks again, and says what came of it.
fn mend(patient: &Patient<'_>, report: &mut Report, yes: bool) -> Result<(), Failure> {
    let findings = fix::safe(report);
    if findings.is_empty() {
        say!("\nnothing of this can be mended from here without harm");
        return Ok(());
    }
    let mut mended = Vec::new();
    for finding in &findings {
        let commands: Vec<_> = finding.mend.commands.iter().map(shell_words::join).collect();
        say!("\n{}: {}", finding.kind.name, commands.join(" && "));
        if !yes && !agreed()? {
            continue;
        }
        match fix::apply(&finding.mend) {
            Ok(()) => mended.push(finding),
            Err(problem) => say!("{}: {problem}", finding.kind.name),
        }
    }
    let mut families: Vec<Family> = mended.iter().map(|finding| finding.kind.family).collect();
    families.dedup();
    report.renew(patient.examine(&families));
    let green = anstyle::AnsiColor::Green.on_default();
    let red = anstyle::AnsiColor::Red.on_default().bold();
    for finding in mended {
        let still = report.findings().any(|now| now.kind == finding.kind && now.place == finding.place);
        if still {
            say!("{red}still there{red:#}: {}: {}", finding.kind.name, finding.what);
        } else {
            say!("{green}mended{green:#}: {}", finding.kind.name);
        }
    }
    say!("\n{}", report.verdict());
    Ok(())
}

/// Asks at the terminal; no is the answer to everything but yes.
fn agreed() -> Result<bool, Failure> {
    let unheard = |error: std::io::Error| Failure::error(format!("the answer cannot be read: {error}"));
    write!(std::io::stderr(), "run it? [y/N] ").map_err(unheard)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unheard)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
