//! What a run would do, for a person: the builders in order, and each plan in full.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;

use super::dry_run::dry_run;
use crate::plan::Plan;
use crate::report::duration;
use crate::runner::{Preview, Previewed};

const DIM: Style = Style::new().dimmed();

/// The preview of a run of these plans.
pub fn preview(plans: &[Plan], preview: &Preview) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_preview(&mut text, plans, preview);
    text
}

fn write_preview(text: &mut String, plans: &[Plan], preview: &Preview) -> std::fmt::Result {
    let (count, jobs) = (preview.builders.len(), preview.jobs);
    let plural = if count == 1 { "" } else { "s" };
    let slave = plans.first().map_or("", |plan| plan.slave.as_str());
    writeln!(text, "{count} builder{plural} on the slave {slave}, {jobs} at a time; nothing is done now")?;
    for (place, builder) in preview.builders.iter().enumerate() {
        let plan = &plans[builder.index];
        let expected = builder.expected.map(|seconds| duration(Duration::from_secs_f64(seconds)));
        let expected = expected.map(|time| format!(", about {time}")).unwrap_or_default();
        writeln!(text, "  {}. {}{expected}", place + 1, plan.builder)?;
        write_left_out(text, plan, builder)?;
    }
    for builder in &preview.builders {
        write!(text, "\n{}", dry_run(&plans[builder.index]))?;
    }
    Ok(())
}

/// The steps that are left out, those with the same reason in a line.
fn write_left_out(text: &mut String, plan: &Plan, builder: &Previewed) -> std::fmt::Result {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (step, reason) in plan.steps.iter().zip(&builder.left_out) {
        let Some(reason) = reason else { continue };
        match groups.last_mut().filter(|(known, _)| known == reason) {
            Some((_, steps)) => steps.push(&step.name),
            None => groups.push((reason, vec![&step.name])),
        }
    }
    for (reason, steps) in groups {
        writeln!(text, "     {DIM}left out: {} ({reason}){DIM:#}", steps.join(", "))?;
    }
    Ok(())
}
