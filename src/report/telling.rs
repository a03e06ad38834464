//! Events of a run in, the lines that tell of them out: what is said, and about which builder. How the lines are laid out,
//! and where they go, is not known here. It reads the logs of steps that failed, and writes nothing.

use std::collections::HashMap;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use camino::{Utf8Path, Utf8PathBuf};

use super::excerpt::{Excerpt, Lines, Window};
use super::{duration, trigger};
use crate::runner::{Cause, Entry, Event, Outcome, StepResult, Stream};

pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const BOLD: Style = Style::new().bold();

/// One line, with its colours and without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The builder that it is about; none where it is about the run.
    pub(super) builder: Option<String>,
    pub(super) part: Part,
    pub(super) text: String,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Something about the run.
    Run,
    /// A builder begins.
    Head,
    /// A step begins, or waits: told for those who watch.
    Begun,
    /// A step ended, or will be tried again.
    Step,
    /// A line of a log.
    Excerpt,
    /// A line of output that has just come.
    Output,
    /// What whoever started the run has to know in any case.
    Note,
    /// A builder ended.
    End,
    /// A builder ended badly, for a reason that no step's line has.
    Trouble,
}

/// Tells of a run.
#[derive(Debug, Default)]
pub(super) struct Teller {
    verbose: bool,
    /// What of a line is there, for each builder's outputs.
    lines: HashMap<(String, Stream), Lines>,
    /// The run's folder.
    run: Utf8PathBuf,
    /// All builders of the run, in the order in which they are begun.
    order: Vec<String>,
    /// Where the logs of the builders at work are.
    folders: HashMap<String, Utf8PathBuf>,
    /// Steps of a builder that were skipped for the same reason, told in one line.
    skipped: HashMap<String, (String, Vec<String>)>,
    ended: HashMap<String, (Outcome, Duration, Option<String>)>,
}

impl Teller {
    /// Tells of all output too, where `verbose`.
    pub(super) fn new(verbose: bool) -> Self {
        Self { verbose, ..Self::default() }
    }

    /// What there is to say of the next event.
    pub(super) fn tell(&mut self, entry: &Entry) -> Vec<Line> {
        let mut said = Vec::new();
        match &entry.event {
            Event::RunStarted { run, folder, builders, trigger: why, .. } => {
                self.run.clone_from(folder);
                self.order = builders.iter().map(|planned| planned.builder.clone()).collect();
                let count = builders.len();
                let plural = if count == 1 { "" } else { "s" };
                said.push(run_line(format!("run {run}: {count} builder{plural}, logs in {folder}")));
                said.extend(why.iter().flat_map(trigger::lines).map(|line| run_line(format!("  {line}"))));
            }
            Event::Recovering { run, builder, folder, cause } => {
                self.folders.insert(builder.clone(), folder.clone());
                let builder = format!("{BOLD}{builder}{BOLD:#}");
                said.push(run_line(match cause {
                    Cause::Killed => format!("cleaning up {builder} of run {run}, whose runner was killed"),
                    Cause::Failed => format!("cleaning up {builder} of run {run}, whose own clean-up failed"),
                    Cause::Kept => format!("removing the database that run {run} kept for {builder}"),
                }));
            }
            Event::Recovered { run, builder, problem } => {
                said.extend(self.flush_skipped(builder));
                said.extend(problem.as_ref().map(|problem| {
                    let yellow = style(Outcome::Warnings);
                    run_line(format!("{yellow}warning{yellow:#}: {builder} of run {run} is not cleaned up: {problem}"))
                }));
            }
            Event::Interrupted { again } => said.push(run_line(
                if *again {
                    "interrupted again: the next run will clean up"
                } else {
                    "interrupted: ending this step and cleaning up; once more to kill everything"
                }
                .to_owned(),
            )),
            Event::BuilderStarted { builder, index, total, folder } => {
                self.folders.insert(builder.clone(), folder.clone());
                said.push(head(builder, *index, *total));
            }
            Event::Waiting { builder, lock, holder } => {
                let holder = holder.as_ref().map(|holder| format!(", held by {holder}")).unwrap_or_default();
                let text = format!("  {DIM}waiting for the lock `{lock}`{holder}{DIM:#}");
                said.push(line(builder, Part::Begun, text));
            }
            Event::StepStarted { builder, step, index, total, .. } => {
                said.extend(self.flush_skipped(builder));
                let text = format!("  {DIM}…         {step} ({index} of {total}){DIM:#}");
                said.push(line(builder, Part::Begun, text));
            }
            Event::Output { builder, stream, bytes, .. } if self.verbose => {
                let lines = self.lines.entry((builder.clone(), *stream)).or_default();
                lines.push(bytes, |text| said.push(line(builder, Part::Output, text)));
            }
            Event::StepFinished { builder, result } => self.step_finished(builder, result, &mut said),
            Event::StepRetried { builder, step, attempt, reason, pause } => {
                said.extend(self.end_of_output(builder));
                let pause = duration(Duration::from_secs_f64(*pause));
                let text = format!("  retry     {step}: {reason}; attempt {attempt} in {pause}");
                said.push(line(builder, Part::Step, text));
            }
            Event::DatabaseKept { builder, database, environment } => {
                said.extend(self.flush_skipped(builder));
                let variables = environment.iter().map(|(name, value)| (name.as_str(), shell_words::quote(value)));
                let variables: String = variables.map(|(name, value)| format!("{name}={value} ")).collect();
                let text = format!("  kept      {variables}psql {}", shell_words::quote(database));
                said.push(line(builder, Part::Note, text));
            }
            Event::BuilderFinished { builder, outcome, seconds, reason, .. } => {
                said.extend(self.flush_skipped(builder));
                let took = Duration::from_secs_f64(*seconds);
                let trouble = trouble(*outcome, reason.as_deref());
                if trouble.is_some() && !self.folders.contains_key(builder) {
                    // One that never began has no head yet that the line could stand below.
                    let place = self.order.iter().position(|name| name == builder);
                    said.extend(place.map(|place| head(builder, place + 1, self.order.len())));
                }
                let part = if trouble.is_some() { Part::Trouble } else { Part::End };
                said.push(line(builder, part, end(*outcome, took, reason.as_deref())));
                self.ended.insert(builder.clone(), (*outcome, took, reason.clone()));
            }
            Event::RunFinished { .. } => {
                said.extend(self.table(None));
                said.push(run_line(format!("\nlogs and result.json: {}", self.run)));
            }
            Event::Output { .. } | Event::ProcessStarted { .. } => {}
        }
        said
    }

    fn step_finished(&mut self, builder: &str, result: &StepResult, said: &mut Vec<Line>) {
        let (step, reason) = (&result.name, result.reason.as_deref());
        if result.outcome == Outcome::Skipped {
            said.extend(self.step_skipped(builder, step, reason.unwrap_or_default()));
            return;
        }
        said.extend(self.end_of_output(builder));
        let style = style(result.outcome);
        let word = match result.outcome {
            Outcome::Success => "ok",
            Outcome::Warnings => "warning",
            Outcome::Failure => "failed",
            Outcome::Interrupted | Outcome::Skipped => "stopped",
        };
        let (took, reason) = (duration(Duration::from_secs_f64(result.seconds)), aside(reason));
        said.push(line(builder, Part::Step, format!("  {style}{word:<9}{style:#} {step:<34} {took:>8}{reason}")));
        if let (Outcome::Failure | Outcome::Warnings, Some(log)) = (result.outcome, &result.log) {
            let log = self.folders.get(builder).map(|folder| folder.join(log)).unwrap_or_else(|| log.into());
            said.extend(self.excerpt(builder, step, &log));
            said.push(line(builder, Part::Step, format!("    {DIM}log: {log}{DIM:#}")));
        }
    }

    fn step_skipped(&mut self, builder: &str, step: &str, reason: &str) -> Option<Line> {
        if let Some((before, steps)) = self.skipped.get_mut(builder)
            && before == reason
        {
            steps.push(step.to_owned());
            return None;
        }
        let told = self.flush_skipped(builder);
        self.skipped.insert(builder.to_owned(), (reason.to_owned(), vec![step.to_owned()]));
        told
    }

    fn flush_skipped(&mut self, builder: &str) -> Option<Line> {
        let (reason, steps) = self.skipped.remove(builder)?;
        Some(line(builder, Part::Step, format!("  {DIM}skipped   {}: {reason}{DIM:#}", steps.join(", "))))
    }

    fn end_of_output(&mut self, builder: &str) -> Vec<Line> {
        let rest = |stream| self.lines.remove(&(builder.to_owned(), stream)).and_then(|mut lines| lines.finish());
        [Stream::Out, Stream::Err].into_iter().filter_map(rest).map(|text| line(builder, Part::Output, text)).collect()
    }

    /// What matters of a log. Where all of it was shown as it came, that was enough.
    fn excerpt(&self, builder: &str, step: &str, log: &Utf8Path) -> Vec<Line> {
        if self.verbose {
            return Vec::new();
        }
        let lines = Excerpt::of(log, Window::of(step)).unwrap_or_default();
        lines.into_iter().map(|text| line(builder, Part::Excerpt, text)).collect()
    }

    /// The run so far, of which some builders have not ended: because somebody is at work on it, or because its runner was
    /// killed.
    pub(super) fn unfinished(&mut self, at_work: bool) -> Vec<Line> {
        let mut said: Vec<Line> = Vec::new();
        for builder in self.order.clone() {
            said.extend(self.flush_skipped(&builder));
        }
        said.extend(self.table(Some(if at_work { "at work" } else { "killed" })));
        said.push(run_line(if at_work {
            format!("\nthe run is at work; logs: {}", self.run)
        } else {
            format!("\nthe runner was killed, and the next run cleans up; logs: {}", self.run)
        }));
        said
    }

    /// What came of the builders. Those that have begun and have not ended are called `otherwise`.
    fn table(&self, otherwise: Option<&str>) -> Vec<Line> {
        let known = |builder: &&String| self.ended.contains_key(*builder) || otherwise.is_some();
        let builders: Vec<_> = self.order.iter().filter(known).collect();
        let widest = builders.iter().map(|builder| builder.chars().count()).fold("BUILDER".len(), usize::max);
        let head = format!("\n{BOLD}{:<widest$}  {:<11}  {:>7}{BOLD:#}", "BUILDER", "RESULT", "TIME");
        let row = |builder: &String| match (self.ended.get(builder), otherwise) {
            (Some((outcome, took, reason)), _) => {
                let (style, word) = (style(*outcome), outcome.word());
                let (took, reason) = (time(*took, *outcome), aside(reason.as_deref()));
                format!("{builder:<widest$}  {style}{word:<11}{style:#}  {took:>7}{reason}")
            }
            (None, Some(word)) if self.folders.contains_key(builder) => format!("{builder:<widest$}  {word}"),
            (None, _) => format!("{builder:<widest$}  {DIM}not begun{DIM:#}"),
        };
        std::iter::once(head).chain(builders.into_iter().map(row)).map(run_line).collect()
    }
}

fn head(builder: &str, index: usize, total: usize) -> Line {
    line(builder, Part::Head, format!("[{index}/{total}] {BOLD}{builder}{BOLD:#}"))
}

fn run_line(text: String) -> Line {
    Line { builder: None, part: Part::Run, text }
}

fn line(builder: &str, part: Part, text: String) -> Line {
    Line { builder: Some(builder.to_owned()), part, text }
}

fn end(outcome: Outcome, took: Duration, reason: Option<&str>) -> String {
    let (style, word, reason) = (style(outcome), outcome.word(), aside(reason));
    match outcome {
        Outcome::Skipped => format!("  {style}{word:<9}{style:#}{reason}"),
        _ => format!("  {style}{word:<11}{style:#} in all {}{reason}", duration(took)),
    }
}

/// Why a builder failed or warned, where it was none of its steps that did: theirs has been told with them.
pub(super) fn trouble(outcome: Outcome, reason: Option<&str>) -> Option<&str> {
    let bad = matches!(outcome, Outcome::Failure | Outcome::Warnings);
    reason.filter(|reason| bad && !reason.starts_with("step `"))
}

fn aside(reason: Option<&str>) -> String {
    reason.map(|reason| format!("  {reason}")).unwrap_or_default()
}

fn time(took: Duration, outcome: Outcome) -> String {
    if outcome == Outcome::Skipped { "-".to_owned() } else { duration(took) }
}

/// How the word for an outcome is shown.
pub(super) fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Success => AnsiColor::Green.on_default(),
        Outcome::Warnings => AnsiColor::Yellow.on_default(),
        Outcome::Failure => AnsiColor::Red.on_default().bold(),
        Outcome::Interrupted => AnsiColor::Magenta.on_default(),
        Outcome::Skipped => DIM,
    }
}
