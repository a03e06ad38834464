//! Runs in, a table of them out.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::duration;
use super::telling::{BOLD, DIM, style};
use crate::runner::{Outcome, Progress, Recorded};

/// A run in a few words, as `farmout runs --format json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The run's id.
    pub run: String,
    /// When it began.
    pub started: jiff::Timestamp,
    /// The slave.
    pub slave: String,
    /// `ended`, `at-work` or `killed`.
    pub state: &'static str,
    /// How it ended; null while it has not.
    pub outcome: Option<Outcome>,
    /// How long it took, or has taken until now, in seconds.
    pub seconds: f64,
    /// How many builders it has.
    pub builders: usize,
    /// How many of them went well, warnings included.
    pub ok: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were skipped, or stopped in their work.
    pub stopped: usize,
    /// How many have not ended.
    pub left: usize,
    /// Where its logs and results are.
    pub folder: camino::Utf8PathBuf,
}

impl Summary {
    /// Sums a run up. `now` is for those that have not ended.
    pub fn of(run: &Recorded, now: jiff::Timestamp) -> Self {
        let result = &run.result;
        let count = |wanted: &[Outcome]| {
            result.builders.iter().filter_map(|builder| builder.outcome).filter(|it| wanted.contains(it)).count()
        };
        let (ok, failed) = (count(&[Outcome::Success, Outcome::Warnings]), count(&[Outcome::Failure]));
        let (stopped, builders) = (count(&[Outcome::Interrupted, Outcome::Skipped]), result.builders.len());
        let (state, seconds) = match run.progress {
            Progress::Ended => ("ended", result.seconds),
            Progress::AtWork => ("at-work", now.duration_since(result.started).as_secs_f64().max(0.0)),
            Progress::Killed => ("killed", result.seconds),
        };
        Self {
            run: result.run.clone(),
            started: result.started,
            slave: result.slave.clone(),
            state,
            outcome: result.outcome,
            seconds,
            builders,
            ok,
            failed,
            stopped,
            left: builders - ok - failed - stopped,
            folder: result.folder.clone(),
        }
    }

    fn builders(&self) -> String {
        let parts = [(self.ok, "ok"), (self.failed, "failed"), (self.stopped, "stopped"), (self.left, "left")];
        let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// The table, with colours. Times are those of `zone`.
pub fn table(runs: &[Summary], zone: &TimeZone) -> String {
    let builders: Vec<String> = runs.iter().map(Summary::builders).collect();
    let widest = builders.iter().map(String::len).fold("BUILDERS".len(), usize::max);
    let id = runs.iter().map(|run| run.run.len()).fold("RUN".len(), usize::max);
    let mut text = format!(
        "{BOLD}{:<id$}  {:<16}  {:<11}  {:<widest$}  {:>7}{BOLD:#}\n",
        "RUN", "BEGAN", "RESULT", "BUILDERS", "TIME"
    );
    for (run, builders) in runs.iter().zip(&builders) {
        let began = run.started.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M");
        let (style, word) = match run.outcome {
            Some(outcome) => (style(outcome), outcome.word()),
            None if run.state == "at-work" => (BOLD, "at work"),
            None => (DIM, "killed"),
        };
        let took = duration(Duration::try_from_secs_f64(run.seconds).unwrap_or_default());
        let name = &run.run;
        text += &format!("{name:<id$}  {began}  {style}{word:<11}{style:#}  {builders:<widest$}  {took:>7}\n");
    }
    text
}
