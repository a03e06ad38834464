//! Whether plans can be executed at all. They may come from a file that somebody edited; nothing is touched before all
//! of them have passed.

use std::collections::HashSet;

use crate::diagnostic::Failure;
use crate::plan::{FORMAT, Plan, Step};
use crate::workspace::builder::{TAKEN, is_name};
use crate::workspace::files::is_plain;

/// Checks all plans of a run.
///
/// # Errors
/// The first thing that is wrong, as a misuse that names the builder.
pub(super) fn check(plans: &[Plan]) -> Result<(), Failure> {
    for (index, plan) in plans.iter().enumerate() {
        check_plan(plan).map_err(|what| Failure::misuse(format!("the plan of builder `{}` {what}", plan.builder)))?;
        if let Some(other) = plans[..index].iter().find(|other| other.directory == plan.directory) {
            return Err(Failure::misuse(format!(
                "the builders `{}` and `{}` have the same directory, `{}`",
                other.builder, plan.builder, plan.directory
            ))
            .help("run them one after the other"));
        }
        if plan.slave != plans[0].slave {
            let message = format!("these plans are of two slaves, `{}` and `{}`", plans[0].slave, plan.slave);
            return Err(Failure::misuse(message).help("a machine is one slave: run the plans of each by themselves"));
        }
    }
    Ok(())
}

fn check_plan(plan: &Plan) -> Result<(), String> {
    if plan.farmout_plan != FORMAT {
        return Err(format!("has format {}, and this farmout reads {FORMAT}", plan.farmout_plan));
    }
    if !is_name(&plan.directory) || TAKEN.contains(&plan.directory.as_str()) {
        return Err(format!("has the directory `{}`, which cannot be one of a builder", plan.directory));
    }
    for file in &plan.files {
        if file.path.as_str().is_empty() || !is_plain(&file.path) {
            return Err(format!("has a file `{}`: its path must be relative, without `..`", file.path));
        }
    }
    let mut names = HashSet::new();
    for step in &plan.steps {
        check_step(step).map_err(|what| format!("has a step `{}` that {what}", step.name))?;
        if !names.insert(step.name.as_str()) {
            return Err(format!("has two steps `{}`", step.name));
        }
    }
    Ok(())
}

fn check_step(step: &Step) -> Result<(), String> {
    let fits = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '-');
    if step.name.is_empty() || step.name.len() > 50 || !step.name.chars().all(fits) {
        return Err("should have a name of at most 50 of the characters a-z, 0-9 and -".to_owned());
    }
    if step.write != step.run.is_empty() {
        return Err("should have one of `run` and `write`".to_owned());
    }
    if let Some(file) = step.keep.as_ref().filter(|file| !is_name(file)) {
        return Err(format!("keeps `{file}`, which is not the name of a file in its directory"));
    }
    match &step.lock {
        Some(lock) if !is_name(lock) => Err(format!("has the lock `{lock}`, which cannot be the name of a file")),
        _ => Ok(()),
    }
}
