//! What a run would do, without doing it.

use camino::Utf8Path;

use super::before::{history, summary};
use super::options::Options;
use super::schedule::{Room, order};
use super::{check, choice};
use crate::diagnostic::Failure;
use crate::plan::Plan;

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// How many builders at a time.
    pub jobs: usize,
    /// The builders, in the order in which they would be begun.
    pub builders: Vec<Previewed>,
}

/// What would be done of one plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Previewed {
    /// The plan's place among those that were given, from 0.
    pub index: usize,
    /// How long it took before, in seconds, if it did.
    pub expected: Option<f64>,
    /// For each step why it would be left out, if it would.
    pub left_out: Vec<Option<String>>,
}

/// Says what [`super::run`] would do with these plans, and the history in the folder `state`.
///
/// # Errors
/// A plan that cannot be executed.
pub fn preview(plans: &[Plan], state: &Utf8Path, options: &Options) -> Result<Preview, Failure> {
    check::check(plans)?;
    choice::check(plans, options)?;
    let history = history(state).unwrap_or_default();
    let befores = summary(&history);
    let expected: Vec<_> = plans.iter().map(|plan| befores.get(plan.builder.as_str())?.expected).collect();
    let jobs = Room::new(plans, options.jobs.map(Into::into)).jobs;
    let previewed = |index: usize| Previewed {
        index,
        expected: expected[index],
        left_out: choice::left_out(&plans[index], options, &[]),
    };
    Ok(Preview { jobs, builders: order(&expected, jobs).into_iter().map(previewed).collect() })
}
