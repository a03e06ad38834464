//! The section of one builder: the model and the builder's logs in, its HTML and the blocks of its logs out.

use std::io;

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use super::finding::{self, Finding, finding};
use super::history::History;
use super::logs::{Blocks, Log};
use super::model::{Builder, Followed, Step};
use super::words::{Axis, Tick, anchor, machine, moment, took};
use crate::plan::Phase;
use crate::runner::Outcome;

/// A builder's part of the page.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) html: String,
    /// Packed logs.
    pub(super) blocks: Vec<String>,
}

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    anchor: String,
    outcome: Option<Outcome>,
    reason: Option<&'a str>,
    took: String,
    began: Option<String>,
    /// Open from the start.
    open: bool,
    properties: Vec<(&'a str, &'a str)>,
    findings: Vec<Finding>,
    history: Option<History>,
    rows: Vec<Row<'a>>,
    ticks: Vec<Tick>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Row<'a> {
    Step(Box<StepView<'a>>),
    /// Steps that were skipped for the same reason, one after the other.
    Skipped {
        names: Vec<&'a str>,
        reason: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct StepView<'a> {
    name: &'a str,
    phase: Phase,
    outcome: Outcome,
    reason: Option<&'a str>,
    began: String,
    machine: String,
    took: String,
    /// Its bar: where it begins and how wide it is, in percent.
    at: f64,
    width: f64,
    /// Among those that took the most.
    long: bool,
    waited: Option<Waited>,
    retried: Vec<AttemptView<'a>>,
    exit: Option<i32>,
    signal: Option<i32>,
    command: String,
    directory: Option<&'a str>,
    log: Option<LogView>,
    followed: Vec<FollowedView<'a>>,
}

#[derive(Serialize)]
struct FollowedView<'a> {
    number: usize,
    /// Its name, and where it is.
    name: &'a str,
    file: &'a str,
    log: LogView,
}

#[derive(Serialize)]
struct AttemptView<'a> {
    number: usize,
    reason: &'a str,
    took: String,
    log: Option<LogView>,
    followed: Vec<FollowedView<'a>>,
}

#[derive(Serialize)]
struct Waited {
    at: f64,
    width: f64,
    took: String,
}

#[derive(Serialize)]
struct LogView {
    block: usize,
    from: usize,
    to: usize,
    lines: u64,
    gap_after: u64,
    gap_lines: u64,
    /// Why it is not there.
    problem: Option<String>,
}

/// Makes the section of the builder with this number, open or not. `share` is how many bytes of each log it may hold.
pub(super) fn section(
    environment: &Environment<'_>,
    (number, builder): (usize, &Builder),
    open: bool,
    share: u64,
) -> io::Result<Section> {
    let mut blocks = Blocks::default();
    let span = builder.span();
    let axis = span.map_or(Axis::new(0.0, 1.0), |(from, to)| Axis::new(from, to));
    let long = longest(builder);
    let (mut findings, mut rows) = (Vec::new(), Vec::new());
    for step in &builder.steps {
        if step.outcome == Outcome::Skipped {
            skip(&mut rows, step);
            continue;
        }
        let log = step.log.as_ref().map(|path| Log::read(path, share));
        findings.extend(finding(step, log.as_ref().and_then(|log| log.as_ref().ok())));
        let log = log.map(|log| place(&mut blocks, log)).transpose()?;
        let followed = followed(&step.followed, &mut blocks, share)?;
        let retried = retried(step, &mut blocks, share)?;
        rows.push(Row::Step(Box::new(StepView { log, followed, retried, ..view(step, axis, step.seconds >= long) })));
    }
    finding::sort(&mut findings);
    let view = View {
        name: &builder.name,
        anchor: anchor(&builder.name),
        outcome: builder.outcome,
        reason: builder.reason.as_deref(),
        took: took(builder.seconds),
        began: builder.begun().map(|step| step.started).min().map(moment),
        open,
        properties: builder.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        findings,
        history: History::of(builder),
        ticks: if span.is_some() { axis.ticks() } else { Vec::new() },
        rows,
    };
    let template = environment.get_template("builder.html").map_err(io::Error::other)?;
    let html = template.render(minijinja::context! { builder => Serde(&view), number }).map_err(io::Error::other)?;
    Ok(Section { html, blocks: blocks.finish()? })
}

/// How long a step takes at least that is among the three longest, and no trifle.
fn longest(builder: &Builder) -> f64 {
    let mut seconds: Vec<f64> = builder.begun().map(|step| step.seconds).collect();
    seconds.sort_by(|one, other| other.total_cmp(one));
    seconds.get(2).or(seconds.last()).copied().unwrap_or(0.0).max(builder.seconds / 10.0)
}

fn skip<'a>(rows: &mut Vec<Row<'a>>, step: &'a Step) {
    match rows.last_mut() {
        Some(Row::Skipped { names, reason }) if *reason == step.reason.as_deref() => names.push(&step.name),
        _ => rows.push(Row::Skipped { names: vec![&step.name], reason: step.reason.as_deref() }),
    }
}

fn retried<'a>(step: &'a Step, blocks: &mut Blocks, share: u64) -> io::Result<Vec<AttemptView<'a>>> {
    let attempts = step.retried.iter().enumerate().map(|(index, attempt)| {
        let log = attempt.log.as_ref().map(|path| place(blocks, Log::read(path, share))).transpose()?;
        let followed = followed(&attempt.followed, blocks, share)?;
        Ok(AttemptView { number: index + 1, reason: &attempt.reason, took: took(attempt.seconds), log, followed })
    });
    attempts.collect()
}

fn followed<'a>(all: &'a [Followed], blocks: &mut Blocks, share: u64) -> io::Result<Vec<FollowedView<'a>>> {
    let views = all.iter().enumerate().map(|(index, Followed { file, log })| {
        let name = file.rsplit('/').next().unwrap_or(file);
        Ok(FollowedView { number: index + 1, name, file, log: place(blocks, Log::read(log, share))? })
    });
    views.collect()
}

fn place(blocks: &mut Blocks, log: io::Result<Log>) -> io::Result<LogView> {
    let nothing = LogView { block: 0, from: 0, to: 0, lines: 0, gap_after: 0, gap_lines: 0, problem: None };
    Ok(match log {
        Ok(log) => {
            let place = blocks.add(&log.bytes)?;
            let (gap_after, gap_lines) = log.gap.map_or((0, 0), |gap| (gap.after, gap.lines));
            LogView {
                block: place.block,
                from: place.from,
                to: place.to,
                lines: log.lines,
                gap_after,
                gap_lines,
                ..nothing
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            LogView { problem: Some("the log is not kept any more".to_owned()), ..nothing }
        }
        Err(error) => LogView { problem: Some(format!("the log cannot be read: {error}")), ..nothing },
    })
}

/// What there is of a step but its logs.
fn view(step: &Step, axis: Axis, long: bool) -> StepView<'_> {
    let (at, width) = axis.bar(step.at, step.ends());
    let waited = step.has_waited().then(|| {
        let (at, width) = axis.bar(step.begins(), step.at);
        Waited { at, width, took: took(step.waited) }
    });
    StepView {
        name: &step.name,
        phase: step.phase,
        outcome: step.outcome,
        reason: step.reason.as_deref(),
        began: moment(step.started),
        machine: machine(step.started),
        took: took(step.seconds),
        at,
        width,
        long,
        waited,
        retried: Vec::new(),
        exit: step.exit,
        signal: step.signal,
        command: shell_words::join(&step.command),
        directory: step.directory.as_deref(),
        log: None,
        followed: Vec::new(),
    }
}
