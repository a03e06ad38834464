//! Where the program of a step comes from: a plan and its step in, words for people out.

use camino::Utf8Path;

use crate::plan::{NamedBy, Plan, Step};

/// What names the step's program, to be added to a message that it cannot be started. Empty where the plan does not know,
/// or where it is the directory that is missing.
pub(super) fn origin(plan: &Plan, step: &Step, directory: &Utf8Path) -> String {
    match step.named_by.as_ref().filter(|_| directory.is_dir()) {
        None => String::new(),
        Some(NamedBy { option, value, default: false }) => format!("; [{}] has `{option} = {value}`", plan.build),
        Some(NamedBy { option, value, default: true }) => {
            format!("; `{option}` of [{}] is `{value}`, its default", plan.build)
        }
    }
}
