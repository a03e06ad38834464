//! Which steps of a plan are performed: what the user asked for in, a reason for each step that is left out, out.

use std::collections::HashSet;

use indexmap::IndexSet;

use super::options::Options;
use crate::diagnostic::{Failure, suggest};
use crate::plan::{Phase, Plan, Step};

/// Why each step of the plan is left out, if it is, whatever happens while it runs.
///
/// A step that a later one cleans up after makes what the run needs and its end takes away: a server, a cluster, a port. It
/// is performed even before the first step that was asked for, unless it is one of `inherited`, which are there still. So is
/// one that makes way for such a step.
pub(super) fn left_out(plan: &Plan, options: &Options, inherited: &[String]) -> Vec<Option<String>> {
    let wanted = Wanted::of(plan, options);
    let reason = |(index, step)| {
        if step_is_kept(plan, options, step) {
            return Some("the testing database is kept".to_owned());
        }
        wanted.left_out(plan, inherited, index, step)
    };
    let mut reasons: Vec<_> = plan.steps.iter().enumerate().map(reason).collect();
    for index in 0..reasons.len() {
        let step = &plan.steps[index];
        let follows = |later: usize| {
            let other = &plan.steps[later];
            reasons[later].is_none() && other.template == step.template && !other.always_run
        };
        if step.makes_way && (index + 1..reasons.len()).any(follows) {
            reasons[index] = None;
        }
    }
    reasons
}

/// The part of a plan that was asked for.
struct Wanted<'a> {
    providers: Providers<'a>,
    only: &'a [String],
    /// The place of the step to begin with.
    from: Option<usize>,
    /// The place of the last of those that are to be performed alone.
    last: Option<usize>,
}

impl<'a> Wanted<'a> {
    fn of(plan: &'a Plan, options: &'a Options) -> Self {
        let from = options.from.as_ref().and_then(|name| plan.steps.iter().position(|step| step.name == *name));
        let last = plan.steps.iter().rposition(|step| options.only.contains(&step.name));
        Self { providers: Providers::of(plan), only: &options.only, from, last }
    }

    fn left_out(&self, plan: &Plan, inherited: &[String], index: usize, step: &Step) -> Option<String> {
        if step.always_run {
            return None;
        }
        let made_again = self.providers.has(step) && !inherited.contains(&step.template);
        if let Some(first) = self.from.filter(|&first| index < first && !made_again) {
            return Some(format!("before step `{}`", plan.steps[first].name));
        }
        if self.only.is_empty() || self.only.contains(&step.name) {
            return None;
        }
        let needed = made_again && self.last.is_some_and(|last| index < last);
        (!needed).then(|| "not asked for".to_owned())
    }
}

/// The templates whose clean-up is left out so that the testing database can be looked at.
pub(super) fn kept_templates(plan: &Plan, options: &Options) -> Vec<String> {
    let kept = plan.steps.iter().filter(|step| step_is_kept(plan, options, step));
    let templates: IndexSet<&str> = kept.map(|step| step.template.as_str()).collect();
    templates.into_iter().map(str::to_owned).collect()
}

/// Whether the step would take away the database that is to be kept, or the server that it is on.
fn step_is_kept(plan: &Plan, options: &Options, clean_up: &Step) -> bool {
    let of_database = |step: &Step| cleans_up_after(clean_up, step) && matches!(step.phase, Phase::Prepare | Phase::Db);
    options.keep_db && clean_up.always_run && plan.steps.iter().any(of_database)
}

/// The templates that clean up: what their other steps make is taken away at the end.
#[derive(Debug)]
pub(super) struct Providers<'a>(HashSet<&'a str>);

impl<'a> Providers<'a> {
    /// Those of a plan.
    pub(super) fn of(plan: &'a Plan) -> Self {
        Self(plan.steps.iter().filter(|step| step.always_run).map(|step| step.template.as_str()).collect())
    }

    /// Whether the step makes what a later one takes away.
    pub(super) fn has(&self, step: &Step) -> bool {
        !step.always_run && self.0.contains(step.template.as_str())
    }
}

/// Whether the one always runs, and the other is one of those that make what it takes away.
pub(super) fn cleans_up_after(clean_up: &Step, step: &Step) -> bool {
    clean_up.always_run && !step.always_run && clean_up.template == step.template
}

/// Checks that every plan has the steps that were asked for.
///
/// # Errors
/// One has not.
pub(super) fn check(plans: &[Plan], options: &Options) -> Result<(), Failure> {
    for (option, wanted) in
        options.from.iter().map(|name| ("--from", name)).chain(options.only.iter().map(|name| ("--only", name)))
    {
        for plan in plans {
            let names = || plan.steps.iter().map(|step| step.name.as_str());
            match plan.steps.iter().find(|step| step.name == *wanted) {
                Some(step) if step.always_run => {
                    let message = format!("the step `{wanted}` of builder {} cleans up", plan.builder);
                    return Err(Failure::misuse(message).help(format!("it always runs; {option} takes another step")));
                }
                Some(_) => {}
                None => {
                    let message = format!("the plan of builder {} has no step `{wanted}`", plan.builder);
                    let help = match suggest::nearest(wanted, names()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it has {}", suggest::list(names())),
                    };
                    return Err(Failure::misuse(message).help(help));
                }
            }
        }
    }
    Ok(())
}
