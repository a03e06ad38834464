//! Events of a run in, the lines that show where it is now out: one for each builder at work, and one that sums up. They fit
//! the terminal, however small it is. Nothing here draws, or reads a clock.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::duration;
use super::telling::{BOLD, DIM, style};
use crate::runner::{Entry, Event, Outcome, Planned};

/// What is known of a run.
#[derive(Debug, Default)]
pub(super) struct Board {
    jobs: usize,
    builders: Vec<Builder>,
    interrupted: bool,
}

#[derive(Debug)]
struct Builder {
    name: String,
    expected: Option<f64>,
    state: State,
}

#[derive(Debug)]
enum State {
    Ahead,
    AtWork { since: f64, step: Option<Step>, waits: Option<(String, f64)> },
    Ended(Outcome),
}

#[derive(Debug)]
struct Step {
    name: String,
    index: usize,
    total: usize,
    since: f64,
    expected: Option<f64>,
}

impl Board {
    /// Takes the next event.
    pub(super) fn take(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.event {
            Event::RunStarted { jobs, builders, .. } => {
                let ahead = |planned: &Planned| Builder {
                    name: planned.builder.clone(),
                    expected: planned.expected,
                    state: State::Ahead,
                };
                (self.jobs, self.builders) = (*jobs, builders.iter().map(ahead).collect());
            }
            Event::Interrupted { .. } => self.interrupted = true,
            Event::BuilderStarted { builder, .. } => {
                self.set(builder, State::AtWork { since: at, step: None, waits: None });
            }
            Event::Waiting { builder, lock, holder } => {
                let holder = holder.as_ref().map(|holder| format!(", held by {holder}")).unwrap_or_default();
                if let Some(State::AtWork { waits, .. }) = self.find(builder) {
                    *waits = Some((format!("waits for the lock `{lock}`{holder}"), at));
                }
            }
            Event::StepStarted { builder, step: name, index, total, expected } => {
                let (name, index, total, expected) = (name.clone(), *index, *total, *expected);
                if let Some(State::AtWork { step, waits, .. }) = self.find(builder) {
                    *step = Some(Step { name, index, total, since: at, expected });
                    *waits = None;
                }
            }
            Event::ProcessStarted { builder, .. } => {
                if let Some(State::AtWork { waits, .. }) = self.find(builder) {
                    *waits = None;
                }
            }
            Event::StepRetried { builder, step, attempt, .. } => {
                if let Some(State::AtWork { waits, .. }) = self.find(builder) {
                    *waits = Some((format!("waits before attempt {attempt} at {step}"), at));
                }
            }
            Event::BuilderFinished { builder, outcome, .. } => self.set(builder, State::Ended(*outcome)),
            Event::Recovering { .. }
            | Event::Recovered { .. }
            | Event::Output { .. }
            | Event::StepFinished { .. }
            | Event::DatabaseKept { .. }
            | Event::RunFinished { .. } => {}
        }
    }

    fn find(&mut self, name: &str) -> Option<&mut State> {
        self.builders.iter_mut().find(|builder| builder.name == name).map(|builder| &mut builder.state)
    }

    fn set(&mut self, name: &str, state: State) {
        if let Some(found) = self.find(name) {
            *found = state;
        }
    }

    /// What there is to see at a moment, in seconds since the run began, on a terminal of this size.
    pub(super) fn lines(&self, now: f64, (width, height): (usize, usize)) -> Vec<String> {
        // The cursor needs a line, and one that is full would be two on some terminals.
        let (width, height) = (width.saturating_sub(1), height.saturating_sub(1));
        if self.builders.is_empty() || height == 0 {
            return Vec::new();
        }
        let at_work: Vec<_> = self.builders.iter().filter(|it| matches!(it.state, State::AtWork { .. })).collect();
        let widest = at_work.iter().map(|builder| builder.name.width()).max().unwrap_or(0).min(width / 3);
        // The last line sums the run up; the one above it the builders for which there is no room.
        let room = height - 1;
        let shown = if at_work.len() <= room { at_work.len() } else { room.saturating_sub(1) };
        let mut lines: Vec<_> = at_work[..shown].iter().map(|builder| builder.line(now, widest)).collect();
        if shown < at_work.len() && room > 0 {
            let more = at_work.len() - shown;
            lines.push(format!("… and {more} more at work"));
        }
        let mut lines: Vec<_> = lines.iter().map(|line| cut(line, width)).map(dimmed).collect();
        lines.push(self.summary(now, width));
        lines
    }

    fn summary(&self, now: f64, width: usize) -> String {
        let count = |wanted: fn(&State) -> bool| self.builders.iter().filter(|it| wanted(&it.state)).count();
        let fine = count(|state| matches!(state, State::Ended(Outcome::Success | Outcome::Warnings)));
        let failed = count(|state| matches!(state, State::Ended(Outcome::Failure)));
        let stopped = count(|state| matches!(state, State::Ended(Outcome::Interrupted | Outcome::Skipped)));
        let at_work = count(|state| matches!(state, State::AtWork { .. }));
        let left = count(|state| matches!(state, State::Ahead));
        let parts = [(fine, "done"), (failed, "failed"), (stopped, "stopped"), (at_work, "at work"), (left, "left")];
        let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let mut text = parts.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("; {}", span(now, self.expected(now))));
        if self.interrupted {
            text.push_str("; ending");
        }
        let style = if failed > 0 { style(Outcome::Failure) } else { BOLD };
        format!("{style}{}{style:#}", cut(&text, width))
    }

    /// How long the run takes in all, if all builders are known to take some time: each next one begins when one ends.
    fn expected(&self, now: f64) -> Option<f64> {
        let mut free = Vec::new();
        for builder in &self.builders {
            if let State::AtWork { since, .. } = builder.state {
                free.push((since + builder.expected?).max(now));
            }
        }
        free.resize(self.jobs.max(free.len()).max(1), now);
        for builder in self.builders.iter().filter(|builder| matches!(builder.state, State::Ahead)) {
            let first = free.iter_mut().min_by(|left, right| left.total_cmp(right))?;
            *first += builder.expected?;
        }
        free.into_iter().reduce(f64::max)
    }
}

impl Builder {
    fn line(&self, now: f64, widest: usize) -> String {
        let State::AtWork { since, step, waits } = &self.state else { return self.name.clone() };
        let name = cut(&self.name, widest);
        let padding = " ".repeat(widest.saturating_sub(name.width()));
        let in_all = span(now - since, self.expected);
        let what = match (step, waits) {
            (step, Some((why, since))) => {
                let step = step.as_ref().map(|step| format!("{} ({} of {})  ", step.name, step.index, step.total));
                format!("{}{why}, {}", step.unwrap_or_default(), span(now - since, None))
            }
            (Some(Step { name, index, total, since, expected }), None) => {
                format!("{name} ({index} of {total})  {}", span(now - since, *expected))
            }
            (None, None) => "begins".to_owned(),
        };
        format!("{name}{padding}  {what}  [{in_all}]")
    }
}

/// A time, and how long it is expected to be.
fn span(took: f64, expected: Option<f64>) -> String {
    // Tenths of seconds would flicker.
    let whole = |seconds: f64| {
        let text = duration(Duration::from_secs_f64(seconds.max(0.0).trunc()));
        text.replace(".0s", "s")
    };
    match expected {
        Some(expected) => format!("{} of about {}", whole(took), whole(expected.round())),
        None => whole(took),
    }
}

fn dimmed(line: String) -> String {
    format!("{DIM}{line}{DIM:#}")
}

/// As much of a text as fits, with a mark where something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), 0);
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used >= width {
            break;
        }
        cut.push(character);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run of six builders, three at a time: one has ended, one failed, one waits.
    pub(in crate::report) fn entries() -> Vec<Entry> {
        let builder = |name: &str| name.to_owned();
        let planned = ["demo-pg15", "demo-pg16", "sale", "crm", "doc", "functional"].map(|name| Planned {
            builder: name.to_owned(),
            build: name.to_owned(),
            directory: name.to_owned(),
            steps: 7,
            expected: Some(60.0),
        });
        let began =
            |name: &str, index| Event::BuilderStarted { builder: builder(name), index, total: 6, folder: name.into() };
        let step = |name: &str, step: &str, index, expected| Event::StepStarted {
            builder: builder(name),
            step: step.to_owned(),
            index,
            total: 7,
            expected,
        };
        let ended = |name: &str, outcome| Event::BuilderFinished {
            builder: builder(name),
            outcome,
            seconds: 1.0,
            reason: None,
            properties: indexmap::IndexMap::new(),
        };
        let waiting = Event::Waiting {
            builder: builder("crm"),
            lock: "buildout".to_owned(),
            holder: Some("pid 4711, builder sale".to_owned()),
        };
        let (run, folder) = ("20261122-181500-k3f9".to_owned(), "runs/x".into());
        let (farmout, slave, format) = ("0.1.0".to_owned(), "atlas".to_owned(), crate::runner::FORMAT);
        let builders = planned.to_vec();
        let events = [
            (0.0, Event::RunStarted { format, farmout, run, folder, slave, jobs: 3, builders, trigger: None }),
            (0.0, began("demo-pg15", 1)),
            (0.0, began("demo-pg16", 2)),
            (1.0, began("sale", 3)),
            (2.0, step("sale", "fetch", 1, Some(1.0))),
            (5.0, ended("demo-pg15", Outcome::Success)),
            (5.0, began("crm", 4)),
            (6.0, step("crm", "buildout", 2, None)),
            (6.0, waiting),
            (7.0, ended("demo-pg16", Outcome::Failure)),
            (7.0, began("doc", 5)),
            (9.0, step("sale", "install-modules-test", 5, Some(75.0))),
        ];
        events.map(|(at, event)| Entry { time: jiff::Timestamp::UNIX_EPOCH, at, event }).to_vec()
    }

    fn board() -> Board {
        let mut board = Board::default();
        entries().iter().for_each(|entry| board.take(entry));
        board
    }

    fn shown(board: &Board, now: f64, size: (usize, usize)) -> Vec<String> {
        let lines = board.lines(now, size);
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn each_builder_at_work_has_a_line_and_the_last_sums_up() {
        assert_eq!(
            shown(&board(), 20.0, (120, 24)),
            [
                "sale  install-modules-test (5 of 7)  11s of about 1m 15s  [19s of about 1m 00s]",
                "crm   buildout (2 of 7)  waits for the lock `buildout`, held by pid 4711, builder sale, 14s  [15s of about 1m 00s]",
                "doc   begins  [13s of about 1m 00s]",
                "1 done, 1 failed, 3 at work, 1 left; 20s of about 2m 01s",
            ]
        );
    }

    #[test]
    fn a_small_terminal_is_enough() {
        assert_eq!(
            shown(&board(), 20.0, (30, 4)),
            ["sale  install-modules-test (…", "… and 2 more at work", "1 done, 1 failed, 3 at work,…",]
        );
        for width in 0..90 {
            for height in 0..8 {
                let lines = shown(&board(), 20.0, (width, height));
                assert!(lines.len() <= height.saturating_sub(1), "{height}: {lines:?}");
                assert!(lines.iter().all(|line| line.width() < width.max(1)), "{width}: {lines:?}");
            }
        }
    }

    #[test]
    fn what_is_overdue_or_unknown_promises_nothing() {
        assert!(shown(&board(), 500.0, (120, 24))[3].ends_with("8m 20s of about 9m 20s"));
        let mut board = board();
        board.builders[5].expected = None;
        assert!(shown(&board, 20.0, (120, 24))[3].ends_with("1 left; 20s"));
        assert_eq!(shown(&Board::default(), 20.0, (120, 24)), [""; 0]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(cut("数値の表", 8), "数値の表");
        assert_eq!(cut("数値の表", 7), "数値の…");
        assert_eq!(cut("数値の表", 6), "数値…");
        assert_eq!(cut("abc", 0), "");
    }
}
