//! How a builder fared over its runs: the model in, what is drawn and said of it out.

use serde::Serialize;

use super::model::{Builder, Past};
use super::words::{rounded, took};
use crate::runner::Outcome;

/// The drawing's size, in its own units.
const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 48.0;
/// The widest that a bar gets.
const WIDEST: f64 = 12.0;

/// Durations of a builder as bars, the oldest first, this run's last.
#[derive(Debug, Serialize)]
pub(super) struct History {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) bars: Vec<Bar>,
    /// The same in words.
    pub(super) text: String,
    /// Whether it is new that it fails or succeeds.
    pub(super) turn: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    outcome: Outcome,
    title: String,
}

impl History {
    /// The history of a builder that was in an earlier run.
    pub(super) fn of(builder: &Builder) -> Option<Self> {
        let outcome = builder.outcome.filter(|outcome| *outcome != Outcome::Skipped)?;
        if builder.past.is_empty() {
            return None;
        }
        let now = Past { run: "this run".to_owned(), outcome, seconds: builder.seconds };
        let all: Vec<&Past> = builder.past.iter().chain([&now]).collect();
        let most = all.iter().map(|past| past.seconds).fold(0.001, f64::max);
        let pitch = (WIDTH / all.len() as f64).min(WIDEST + 3.0);
        let bars = all.iter().enumerate().map(|(index, past)| {
            let height = (past.seconds / most * HEIGHT).max(2.0);
            Bar {
                x: rounded(index as f64 * pitch),
                y: rounded(HEIGHT - height),
                width: rounded(pitch * 0.8),
                height: rounded(height),
                outcome: past.outcome,
                title: format!("{}: {}, {}", past.run, past.outcome.word(), took(past.seconds)),
            }
        });
        let bars = bars.collect();
        let text = text(&builder.past, &now);
        Some(Self {
            width: rounded(pitch * all.len() as f64),
            height: HEIGHT,
            bars,
            text,
            turn: turn(&builder.past, &now),
        })
    }
}

fn text(past: &[Past], now: &Past) -> String {
    let mut seconds: Vec<f64> = past.iter().map(|past| past.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let (count, now) = (past.len(), took(now.seconds));
    match (seconds.first(), seconds.get(seconds.len() / 2), seconds.last()) {
        (Some(&least), Some(&middle), Some(&most)) if count > 1 => {
            let (least, middle, most) = (took(least), took(middle), took(most));
            format!("{now}; in {count} earlier runs {least} to {most}, half of them under {middle}")
        }
        (_, _, most) => format!("{now}; in the run before {}", took(most.copied().unwrap_or_default())),
    }
}

/// Since when it fails, or that it does not any more.
fn turn(past: &[Past], now: &Past) -> Option<String> {
    let red = |past: &&Past| past.outcome == Outcome::Failure;
    let streak = past.iter().rev().take_while(red).count();
    match (red(&now), streak) {
        (true, 0) => Some("new failure".to_owned()),
        (true, _) => {
            let first = past.len() - streak;
            let since = past.get(first).map(|past| past.run.as_str()).unwrap_or_default();
            // Of earlier runs, more may have failed than are kept.
            let at_least = if first == 0 && streak > 1 { "at least " } else { "" };
            Some(format!("failing for {at_least}{} runs, since {since}", streak + 1))
        }
        (false, 0) => None,
        (false, _) => (now.outcome != Outcome::Interrupted).then(|| "fixed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(outcomes: &[Outcome]) -> Option<String> {
        let all: Vec<Past> = outcomes
            .iter()
            .enumerate()
            .map(|(number, &outcome)| Past { run: format!("r{number}"), outcome, seconds: 60.0 })
            .collect();
        let (now, past) = all.split_last().unwrap();
        turn(past, now)
    }

    #[test]
    fn a_turn_is_told() {
        use Outcome::{Failure, Interrupted, Success, Warnings};
        assert_eq!(told(&[Success, Success]), None);
        assert_eq!(told(&[Success, Failure]).unwrap(), "new failure");
        assert_eq!(told(&[Success, Failure, Failure]).unwrap(), "failing for 2 runs, since r1");
        assert_eq!(told(&[Failure, Failure, Failure]).unwrap(), "failing for at least 3 runs, since r0");
        assert_eq!(told(&[Failure, Warnings]).unwrap(), "fixed");
        assert_eq!(told(&[Failure, Interrupted]), None);
    }
}
