//! Which steps of a plan are performed: what the user asked for in, a reason for each step that is left out, out.

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
    let mut reasons: Vec<_> = (0..plan.steps.len()).map(|index| reason(plan, options, inherited, index)).collect();
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

fn reason(plan: &Plan, options: &Options, inherited: &[String], index: usize) -> Option<String> {
    let step = &plan.steps[index];
    if step.always_run {
        return kept(plan, options, step).then(|| "the testing database is kept".to_owned());
    }
    let from = options.from.as_ref().and_then(|name| plan.steps.iter().position(|step| step.name == *name));
    let last = plan.steps.iter().rposition(|step| options.only.contains(&step.name));
    let provides = plan.steps.iter().any(|other| cleans_up_after(other, step));
    let is_there = inherited.contains(&step.template);
    if let Some(first) = from.filter(|&first| index < first && (!provides || is_there)) {
        return Some(format!("before step `{}`", plan.steps[first].name));
    }
    if options.only.is_empty() || options.only.contains(&step.name) {
        return None;
    }
    let needed = provides && !is_there && last.is_some_and(|last| index < last);
    (!needed).then(|| "not asked for".to_owned())
}

/// The templates whose clean-up is left out so that the testing database can be looked at.
pub(super) fn kept_templates(plan: &Plan, options: &Options) -> Vec<String> {
    let kept = plan.steps.iter().filter(|step| step.always_run && kept(plan, options, step));
    let templates: IndexSet<&str> = kept.map(|step| step.template.as_str()).collect();
    templates.into_iter().map(str::to_owned).collect()
}

/// Whether a clean-up would take the database away, or the server that it is on.
fn kept(plan: &Plan, options: &Options, clean_up: &Step) -> bool {
    let of_database = |step: &Step| cleans_up_after(clean_up, step) && matches!(step.phase, Phase::Prepare | Phase::Db);
    options.keep_db && plan.steps.iter().any(of_database)
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
