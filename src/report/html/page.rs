//! What the page says of the run as a whole: the model in, heading, grid, overview and where the time went out.

use std::cmp::Ordering;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use super::history::History;
use super::model::{Builder, Run, Step};
use super::words::{Axis, Tick, anchor, machine, moment, rounded, took};
use crate::model::Version;
use crate::plan::Phase;
use crate::runner::Outcome;

/// Steps that are listed by the time they took.
const MOST_SPENT: usize = 8;
/// A bar of the overview that is narrower, in percent, is drawn as part of the one before it.
const NARROW: f64 = 0.2;

/// The run as a whole.
#[derive(Debug, Serialize)]
pub(super) struct Page<'a> {
    id: &'a str,
    outcome: Option<Outcome>,
    began: String,
    machine: String,
    took: String,
    slave: Option<&'a str>,
    jobs: usize,
    trigger: &'a [String],
    builders: usize,
    /// How many builders ended in which way, the worst first.
    counts: Vec<(&'static str, usize)>,
    red: Vec<Red<'a>>,
    grid: Grid<'a>,
    lanes: Vec<Lane<'a>>,
    ticks: Vec<Tick>,
    /// Whether any step waited for a lock.
    waited: bool,
    spent: Vec<Spent<'a>>,
}

#[derive(Debug, Serialize)]
struct Red<'a> {
    name: &'a str,
    anchor: String,
    outcome: Option<Outcome>,
    reason: Option<&'a str>,
    turn: Option<String>,
}

/// Builds by versions of PostgreSQL.
#[derive(Debug, Serialize)]
struct Grid<'a> {
    /// Versions; an empty one is for builders that have none.
    columns: Vec<&'a str>,
    rows: Vec<GridRow<'a>>,
}

#[derive(Debug, Serialize)]
struct GridRow<'a> {
    build: &'a str,
    cells: Vec<Vec<Cell<'a>>>,
}

#[derive(Debug, Serialize)]
struct Cell<'a> {
    name: &'a str,
    anchor: String,
    outcome: Option<Outcome>,
    took: String,
}

/// A builder on the run's axis of time.
#[derive(Debug, Serialize)]
struct Lane<'a> {
    name: &'a str,
    anchor: String,
    outcome: Option<Outcome>,
    took: String,
    bars: Vec<LaneBar<'a>>,
}

#[derive(Debug, Serialize)]
struct LaneBar<'a> {
    at: f64,
    width: f64,
    /// None for the wait for a lock.
    phase: Option<Phase>,
    bad: bool,
    /// The first of its steps, and how many more it stands for.
    step: &'a str,
    more: usize,
    took: String,
    #[serde(skip)]
    seconds: f64,
}

/// The time that steps of a name took in all builders.
#[derive(Debug, Serialize)]
struct Spent<'a> {
    /// The step; none for the waits for locks.
    step: Option<&'a str>,
    took: String,
    share: f64,
    /// Where it took longest.
    longest: String,
    builder: &'a str,
    anchor: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        let axis = Axis::new(0.0, length(run));
        let mut lanes: Vec<_> = run.builders.iter().filter_map(|builder| lane(builder, axis)).collect();
        lanes.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        Self {
            id: &run.id,
            outcome: run.outcome,
            began: moment(run.started),
            machine: machine(run.started),
            took: took(run.seconds),
            slave: run.slave.as_deref(),
            jobs: run.jobs,
            trigger: &run.trigger,
            builders: run.builders.len(),
            counts: counts(run.builders.iter().map(|builder| builder.outcome)),
            red: run.builders.iter().filter(|builder| builder.is_red()).map(red).collect(),
            grid: grid(&run.builders),
            lanes: lanes.into_iter().map(|(_, lane)| lane).collect(),
            ticks: axis.ticks(),
            waited: run.builders.iter().flat_map(Builder::begun).any(Step::has_waited),
            spent: spent(run),
        }
    }
}

/// How long the run took, or its steps say that it took: a run that was killed has kept no end.
fn length(run: &Run) -> f64 {
    run.builders.iter().filter_map(|builder| builder.span()).map(|(_, to)| to).fold(run.seconds, f64::max)
}

/// How many ended in which way, the worst first.
pub(super) fn counts(outcomes: impl Iterator<Item = Option<Outcome>>) -> Vec<(&'static str, usize)> {
    let words = ["failure", "interrupted", "unfinished", "warnings", "success", "skipped"];
    let mut counts = words.map(|word| (word, 0));
    for outcome in outcomes {
        let word = outcome.map_or("unfinished", Outcome::word);
        counts.iter_mut().filter(|(counted, _)| *counted == word).for_each(|(_, count)| *count += 1);
    }
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn red(builder: &Builder) -> Red<'_> {
    Red {
        name: &builder.name,
        anchor: anchor(&builder.name),
        outcome: builder.outcome,
        reason: builder.reason.as_deref(),
        turn: History::of(builder).and_then(|history| history.turn),
    }
}

fn grid(builders: &[Builder]) -> Grid<'_> {
    let columns: IndexSet<&str> = builders.iter().map(column).collect();
    let mut columns: Vec<&str> = columns.into_iter().collect();
    columns.sort_by(|one, other| by_version(one, other));
    let mut rows: IndexMap<&str, Vec<Vec<Cell<'_>>>> = IndexMap::new();
    for builder in builders {
        let row = rows.entry(&builder.build).or_insert_with(|| columns.iter().map(|_| Vec::new()).collect());
        let cell = Cell {
            name: &builder.name,
            anchor: anchor(&builder.name),
            outcome: builder.outcome,
            took: took(builder.seconds),
        };
        let place = columns.iter().position(|version| *version == column(builder));
        if let Some(cells) = place.and_then(|at| row.get_mut(at)) {
            cells.push(cell);
        }
    }
    Grid { columns, rows: rows.into_iter().map(|(build, cells)| GridRow { build, cells }).collect() }
}

/// The column that a builder is in.
fn column(builder: &Builder) -> &str {
    builder.postgresql.as_deref().unwrap_or_default()
}

/// Versions in their order; what is none comes last.
fn by_version(one: &str, other: &str) -> Ordering {
    match (Version::parse(one), Version::parse(other)) {
        (Some(first), Some(second)) => first.cmp(&second),
        (first, second) => second.is_some().cmp(&first.is_some()).then_with(|| one.cmp(other)),
    }
}

fn lane(builder: &Builder, axis: Axis) -> Option<(f64, Lane<'_>)> {
    let (from, _) = builder.span()?;
    let mut bars: Vec<LaneBar<'_>> = Vec::new();
    for step in builder.begun() {
        let bar = |phase: Option<Phase>, from, to, seconds| {
            let (at, width) = axis.bar(from, to);
            let bad = phase.is_some() && matches!(step.outcome, Outcome::Failure | Outcome::Interrupted);
            LaneBar { at, width, phase, bad, step: &step.name, more: 0, took: took(seconds), seconds }
        };
        if step.has_waited() {
            bars.push(bar(None, step.begins(), step.at, step.waited));
        }
        let bar = bar(Some(step.phase), step.at, step.ends(), step.seconds);
        match bars.last_mut() {
            Some(before) if joins(before, &bar) => join(before, &bar),
            _ => bars.push(bar),
        }
    }
    let (name, outcome) = (builder.name.as_str(), builder.outcome);
    Some((from, Lane { name, anchor: anchor(name), outcome, took: took(builder.seconds), bars }))
}

/// Whether a bar is too narrow to be seen beside the one before it.
fn joins(before: &LaneBar<'_>, bar: &LaneBar<'_>) -> bool {
    let near = bar.at - (before.at + before.width) < NARROW;
    let narrow = bar.width < NARROW || before.width < NARROW;
    near && narrow && before.phase == bar.phase && before.bad == bar.bad
}

fn join(before: &mut LaneBar<'_>, bar: &LaneBar<'_>) {
    before.width = rounded(bar.at + bar.width - before.at);
    before.seconds += bar.seconds;
    before.took = took(before.seconds);
    before.more += 1;
}

fn spent(run: &Run) -> Vec<Spent<'_>> {
    struct Sum<'a> {
        seconds: f64,
        longest: (f64, &'a Builder, &'a str),
    }
    let mut sums: IndexMap<Option<&str>, Sum<'_>> = IndexMap::new();
    let steps = run.builders.iter().flat_map(|builder| builder.begun().map(move |step| (builder, step)));
    for (builder, step) in steps {
        let waited = step.has_waited().then_some((None, step.waited));
        for (name, seconds) in [(Some(step.name.as_str()), step.seconds)].into_iter().chain(waited) {
            let longest = (seconds, builder, step.name.as_str());
            let sum = sums.entry(name).or_insert(Sum { seconds: 0.0, longest });
            sum.seconds += seconds;
            if seconds > sum.longest.0 {
                sum.longest = longest;
            }
        }
    }
    let total: f64 = sums.values().map(|sum| sum.seconds).sum();
    sums.sort_by(|_, one, _, other| other.seconds.total_cmp(&one.seconds));
    let spent = sums.into_iter().map(|(step, sum)| {
        let (seconds, builder, name) = sum.longest;
        let anchor = format!("{}/{}", anchor(&builder.name), anchor(name));
        let share = rounded(sum.seconds / total * 100.0);
        Spent { step, took: took(sum.seconds), share, longest: took(seconds), builder: &builder.name, anchor }
    });
    spent.filter(|spent| spent.share >= 0.5).take(MOST_SPENT).collect()
}
