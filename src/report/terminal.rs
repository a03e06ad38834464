//! Events of a run in, lines for a person who watches, or for the log of whatever called farmout, out.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use camino::{Utf8Path, Utf8PathBuf};

use super::duration;
use super::excerpt::{Excerpt, Lines, Window};
use crate::runner::{Cause, Entry, Event, Outcome, Stream};

/// How much is said, and to whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// All output is shown as it comes, each line with its builder.
    pub verbose: bool,
    /// Somebody watches: the line of the step at work is rewritten when it ends.
    pub interactive: bool,
}

/// Reports a run in text. Give it a stream of [`anstream`]'s, which leaves the colours out where they do not belong.
///
/// What cannot be written is left unwritten: a closed terminal is no reason to end a run.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    manner: Manner,
    lines: HashMap<Stream, Lines>,
    /// The run's folder.
    run: Utf8PathBuf,
    /// Where the logs of the builder at work are.
    folder: Utf8PathBuf,
    /// Steps that were skipped for the same reason, told in one line.
    skipped: Option<(String, Vec<String>)>,
    /// The builders that ended: name, outcome, time, why.
    ended: Vec<(String, Outcome, Duration, Option<String>)>,
    /// Whether the line of the step at work is there to be rewritten.
    transient: bool,
}

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

impl<W: Write> Terminal<W> {
    /// Reports to `out`.
    pub fn new(out: W, manner: Manner) -> Self {
        let (lines, run, folder) = (HashMap::new(), Utf8PathBuf::new(), Utf8PathBuf::new());
        Self { out, manner, lines, run, folder, skipped: None, ended: Vec::new(), transient: false }
    }

    /// Takes the next event.
    pub fn observe(&mut self, entry: &Entry) {
        match &entry.event {
            Event::RunStarted { run, folder, builders, .. } => {
                self.run.clone_from(folder);
                let count = builders.len();
                let plural = if count == 1 { "" } else { "s" };
                self.say(&format!("run {run}: {count} builder{plural}, logs in {folder}"));
            }
            Event::Recovering { run, builder, folder, cause } => {
                self.folder.clone_from(folder);
                let builder = format!("{BOLD}{builder}{BOLD:#}");
                self.say(&match cause {
                    Cause::Killed => format!("cleaning up {builder} of run {run}, whose runner was killed"),
                    Cause::Failed => format!("cleaning up {builder} of run {run}, whose own clean-up failed"),
                    Cause::Kept => format!("removing the database that run {run} kept for {builder}"),
                });
            }
            Event::Recovered { run, builder, problem } => {
                self.flush_skipped();
                if let Some(problem) = problem {
                    let yellow = style(Outcome::Warnings);
                    self.say(&format!(
                        "{yellow}warning{yellow:#}: {builder} of run {run} is not cleaned up: {problem}"
                    ));
                }
            }
            Event::Interrupted { again: false } => {
                self.say("interrupted: ending this step and cleaning up; once more to kill everything");
            }
            Event::Interrupted { again: true } => self.say("interrupted again: the next run will clean up"),
            Event::BuilderStarted { builder, index, total, folder } => {
                self.folder.clone_from(folder);
                self.say(&format!("\n[{index}/{total}] {BOLD}{builder}{BOLD:#}"));
            }
            Event::Waiting { lock, holder, .. } => {
                let holder = holder.as_ref().map(|holder| format!(", held by {holder}")).unwrap_or_default();
                self.say(&format!("  {DIM}waiting for the lock `{lock}`{holder}{DIM:#}"));
            }
            Event::StepStarted { step, index, total, .. } => self.step_started(step, *index, *total),
            Event::Output { builder, stream, bytes, .. } if self.manner.verbose => {
                self.output(builder, *stream, bytes);
            }
            Event::StepFinished { result, .. } if result.outcome == Outcome::Skipped => {
                self.step_skipped(&result.name, result.reason.as_deref().unwrap_or_default());
            }
            Event::StepFinished { builder, result } => {
                self.end_of_output(builder);
                let took = Duration::from_secs_f64(result.seconds);
                self.step_finished(&result.name, result.outcome, took, result.reason.as_deref());
                if let (Outcome::Failure | Outcome::Warnings, Some(log)) = (result.outcome, &result.log) {
                    let log = self.folder.join(log);
                    self.show_excerpt(&result.name, &log);
                    self.say(&format!("    {DIM}log: {log}{DIM:#}"));
                }
            }
            Event::StepRetried { step, attempt, reason, pause, .. } => {
                let pause = duration(Duration::from_secs_f64(*pause));
                self.say(&format!("  retry     {step}: {reason}; attempt {attempt} in {pause}"));
            }
            Event::DatabaseKept { database, environment, .. } => {
                self.flush_skipped();
                let variables = environment.iter().map(|(name, value)| (name.as_str(), shell_words::quote(value)));
                let variables: String = variables.map(|(name, value)| format!("{name}={value} ")).collect();
                self.say(&format!("  kept      {variables}psql {}", shell_words::quote(database)));
            }
            Event::BuilderFinished { builder, outcome, seconds, reason, .. } => {
                self.flush_skipped();
                let took = Duration::from_secs_f64(*seconds);
                self.ended.push((builder.clone(), *outcome, took, reason.clone()));
            }
            Event::RunFinished { .. } => {
                self.table();
                self.say(&format!("\nlogs and result.json: {}", self.run));
            }
            Event::Output { .. } | Event::ProcessStarted { .. } => {}
        }
        let _ = self.out.flush();
    }

    fn step_started(&mut self, step: &str, index: usize, total: usize) {
        self.flush_skipped();
        let line = format!("  {DIM}…         {step} ({index} of {total}){DIM:#}");
        if self.manner.interactive && !self.manner.verbose {
            self.transient = write!(self.out, "{line}").is_ok();
        } else {
            // A log that is written to a file should show what is at work, too.
            self.say(&line);
        }
    }

    fn step_skipped(&mut self, step: &str, reason: &str) {
        match &mut self.skipped {
            Some((before, steps)) if before == reason => steps.push(step.to_owned()),
            _ => {
                self.flush_skipped();
                self.skipped = Some((reason.to_owned(), vec![step.to_owned()]));
            }
        }
    }

    fn flush_skipped(&mut self) {
        if let Some((reason, steps)) = self.skipped.take() {
            self.say(&format!("  {DIM}skipped   {}: {reason}{DIM:#}", steps.join(", ")));
        }
    }

    fn step_finished(&mut self, step: &str, outcome: Outcome, time: Duration, reason: Option<&str>) {
        let style = style(outcome);
        let word = match outcome {
            Outcome::Success => "ok",
            Outcome::Warnings => "warning",
            Outcome::Failure => "failed",
            Outcome::Interrupted | Outcome::Skipped => "stopped",
        };
        let reason = reason.map(|reason| format!("  {reason}")).unwrap_or_default();
        self.say(&format!("  {style}{word:<9}{style:#} {step:<34} {:>8}{reason}", duration(time)));
    }

    fn output(&mut self, builder: &str, stream: Stream, bytes: &[u8]) {
        let mut fresh = Vec::new();
        self.lines.entry(stream).or_default().push(bytes, |line| fresh.push(line));
        for line in fresh {
            self.line(builder, line);
        }
    }

    fn end_of_output(&mut self, builder: &str) {
        for stream in [Stream::Out, Stream::Err] {
            if let Some(line) = self.lines.remove(&stream).and_then(|mut lines| lines.finish()) {
                self.line(builder, line);
            }
        }
    }

    fn line(&mut self, builder: &str, line: String) {
        self.say(&format!("{DIM}{builder} |{DIM:#} {line}"));
    }

    /// Shows what matters of a log. Where all of it was shown as it came, that was enough.
    fn show_excerpt(&mut self, step: &str, log: &Utf8Path) {
        if self.manner.verbose {
            return;
        }
        for line in Excerpt::of(log, Window::of(step)).unwrap_or_default() {
            self.say(&format!("    {DIM}|{DIM:#} {line}"));
        }
    }

    fn table(&mut self) {
        let ended = std::mem::take(&mut self.ended);
        let widest = ended.iter().map(|(builder, ..)| builder.chars().count()).fold("BUILDER".len(), usize::max);
        let time = |time: Duration, outcome| if outcome == Outcome::Skipped { "-".to_owned() } else { duration(time) };
        self.say(&format!("\n{BOLD}{:<widest$}  {:<11}  {:>7}{BOLD:#}", "BUILDER", "RESULT", "TIME"));
        for (builder, outcome, took, reason) in ended {
            let style = style(outcome);
            let reason = reason.map(|reason| format!("  {reason}")).unwrap_or_default();
            let (word, took) = (outcome.word(), time(took, outcome));
            self.say(&format!("{builder:<widest$}  {style}{word:<11}{style:#}  {took:>7}{reason}"));
        }
    }

    /// Writes a line, in the place of a transient one.
    fn say(&mut self, line: &str) {
        if std::mem::take(&mut self.transient) {
            let _ = write!(self.out, "\r\x1b[2K");
        }
        let _ = writeln!(self.out, "{line}");
    }
}

fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Success => AnsiColor::Green.on_default(),
        Outcome::Warnings => AnsiColor::Yellow.on_default(),
        Outcome::Failure => AnsiColor::Red.on_default().bold(),
        Outcome::Interrupted => AnsiColor::Magenta.on_default(),
        Outcome::Skipped => DIM,
    }
}
