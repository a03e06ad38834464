//! `farmout log`: what the steps of a builder have written, as it was written.

use std::io::{self, Write as _};
use std::time::Duration;

use camino::Utf8PathBuf;

use super::Exit;
use super::report::ignore_closed;
use super::rerun::kept_plan;
use super::state::StateArguments;
use crate::diagnostic::{Failure, suggest};
use crate::runner::{self, BuilderResult, GrowingLog, JournalReader, Log, Logs, Outcome, Progress, Recorded};

/// Between two looks at a run at work.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run, by its id, or `latest`
    #[arg(value_name = "RUN")]
    run: String,
    /// The builder
    #[arg(value_name = "BUILDER")]
    builder: String,
    /// The step: its last log alone, without a heading [default: the logs of all steps]
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Go on with what is written from now on, until the builder or the step ends
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    state: StateArguments,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let run = arguments.state.open(&arguments.run)?;
    let builder = runner::builder(&run.result, &arguments.builder)?;
    let mut show = Show {
        folder: run.result.folder.join(&builder.directory),
        step: arguments.step.clone(),
        out: io::stdout().lock(),
        headed: false,
        ends_line: true,
    };
    let logs = run.logs(&builder.builder);
    if let Some(step) = &arguments.step {
        let may_come = arguments.follow && run.progress == Progress::AtWork && builder.outcome.is_none();
        check_step(&run, builder, (step, &logs), may_come)?;
    }
    if logs.is_empty() && !(arguments.follow && run.progress == Progress::AtWork) {
        let why = builder.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        note!("no step of {} has run in {}{why}", builder.builder, run.result.run);
    }
    let shown = if arguments.follow && run.progress == Progress::AtWork {
        follow(&run, builder, &mut show)?
    } else {
        let shown = show.all(&logs);
        if arguments.follow && run.progress == Progress::Killed && builder.outcome.is_none() {
            tell_of_end();
        }
        shown
    };
    shown.or_else(ignore_closed).map_err(|error| Failure::misuse(format!("cannot show the log: {error}")))?;
    Ok(Exit::Fine)
}

/// Says what there is instead, where a step has no log.
fn check_step(
    run: &Recorded,
    builder: &BuilderResult,
    (step, logs): (&str, &[Log]),
    may_come: bool,
) -> Result<(), Failure> {
    if logs.iter().any(|log| log.step == *step) {
        return Ok(());
    }
    let (name, id) = (&builder.builder, &run.result.run);
    if let Some(result) = builder.steps.iter().find(|result| result.name == step) {
        let reason = result.reason.as_deref().unwrap_or_default();
        let failure = Failure::misuse(format!("the step `{step}` of {name} has no log: it was skipped in run {id}"));
        return Err(failure.help(reason));
    }
    let plan = kept_plan(&run.result, builder).ok();
    let planned = plan.iter().flat_map(|plan| &plan.steps).map(|step| step.name.as_str());
    let mut names: Vec<&str> = planned.collect();
    if names.is_empty() {
        names = logs.iter().map(|log| log.step.as_str()).collect();
    }
    if names.contains(&step) {
        if may_come {
            return Ok(());
        }
        let failure = Failure::misuse(format!("the step `{step}` of {name} has not begun in run {id}"));
        return Err(if builder.outcome.is_none() { failure.help("--follow waits for it") } else { failure });
    }
    let failure = Failure::misuse(format!("{name} has no step `{step}` in run {id}"));
    Err(match suggest::nearest(step, names.iter().copied()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(format!("its steps are {}", suggest::list(names))),
    })
}

/// Shows logs as they grow, until there will be no more.
fn follow(run: &Recorded, builder: &BuilderResult, show: &mut Show<'_>) -> Result<io::Result<()>, Failure> {
    let mut journal = JournalReader::open(&run.result.folder)?;
    let mut logs = Logs::new(&builder.builder);
    // How far the logs have been shown: their number, and the open one.
    let (mut next, mut open) = (0, None);
    loop {
        let at_work = journal.is_written();
        journal.read()?.iter().for_each(|entry| logs.take(entry));
        // What has ended by now was written before it was said to have ended.
        while let Some(log) = logs.logs.get(next) {
            let shown = if show.wants(log) { show.more(log, &mut open) } else { Ok(()) };
            if let Err(error) = shown.and_then(|()| show.out.flush()) {
                return Ok(Err(error));
            }
            if !log.ended && at_work {
                break;
            }
            (next, open) = (next + 1, None);
        }
        let enough = logs.ended || show.step.as_ref().is_some_and(|step| logs.is_done(step));
        if enough && next == logs.logs.len() {
            break;
        }
        if !at_work {
            tell_of_end();
            break;
        }
        std::thread::sleep(LOOK);
    }
    if logs.outcome(show.step.as_deref()) == Some(Outcome::Skipped) {
        let what = show.step.as_deref().map_or(builder.builder.clone(), |step| format!("the step `{step}`"));
        note!("{what} was skipped");
    }
    Ok(Ok(()))
}

fn tell_of_end() {
    note!("the runner was killed; what there is of the log ends here");
}

/// Writes logs on standard output, byte by byte as they are.
struct Show<'a> {
    folder: Utf8PathBuf,
    /// The only step that is wanted.
    step: Option<String>,
    out: io::StdoutLock<'a>,
    headed: bool,
    /// Whether a heading can follow.
    ends_line: bool,
}

impl Show<'_> {
    fn wants(&self, log: &Log) -> bool {
        self.step.as_ref().is_none_or(|step| log.step == *step)
    }

    fn all(&mut self, logs: &[Log]) -> io::Result<()> {
        let last = logs.iter().rposition(|log| self.wants(log));
        for (number, log) in logs.iter().enumerate() {
            // Of a step that was tried again, the last attempt is what came of it.
            if self.wants(log) && (self.step.is_none() || Some(number) == last) {
                self.more(log, &mut None)?;
            }
        }
        self.out.flush()
    }

    /// Shows what of a log has not been shown yet.
    fn more(&mut self, log: &Log, open: &mut Option<GrowingLog>) -> io::Result<()> {
        let path = self.folder.join(log.name());
        let open = match open {
            Some(open) => open,
            None => match GrowingLog::open(&path) {
                // One that has only begun may not have it yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                opened => {
                    self.head(log)?;
                    open.insert(opened.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?)
                }
            },
        };
        let mut counted = Counted { out: &mut self.out, last: None };
        open.more(log.ended, &mut counted)?;
        if let Some(last) = counted.last {
            self.ends_line = last == b'\n';
        }
        Ok(())
    }

    fn head(&mut self, log: &Log) -> io::Result<()> {
        if self.step.is_some() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.ends_line, true) {
            writeln!(self.out)?;
        }
        let blank = if std::mem::replace(&mut self.headed, true) { "\n" } else { "" };
        writeln!(self.out, "{blank}==> {} <==", log.name())
    }
}

/// A writer that knows the last byte.
struct Counted<'a, W> {
    out: &'a mut W,
    last: Option<u8>,
}

impl<W: io::Write> io::Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.last = bytes[..count].last().copied().or(self.last);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
