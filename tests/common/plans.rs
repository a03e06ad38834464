//! Plans that tests make by hand.

// Each test program uses its own part of this.
#![allow(dead_code)]

use farmout::plan::{OnFailure, Plan, Step};

/// A plan of these steps, whose builder and directory have this name.
pub fn plan(builder: &str, steps: Vec<Step>) -> Plan {
    let text = format!(
        "{{farmout-plan: 1, builder: {builder}, build: b, slave: s, manifest: m.cfg, directory: {builder}, database: d, steps: []}}"
    );
    let mut plan: Plan = serde_yaml::from_str(&text).unwrap();
    plan.steps = steps;
    plan
}

/// A step that runs a script.
pub fn step(name: &str, script: &str) -> Step {
    let mut step: Step =
        serde_yaml::from_str(&format!("{{name: {name}, phase: buildout, template: t, run: [sh, -c]}}")).unwrap();
    step.run.push(script.to_owned());
    step
}

/// A step that writes the plan's files.
pub fn write_step(name: &str, directory: &str) -> Step {
    serde_yaml::from_str(&format!("{{name: {name}, phase: fetch, template: t, write: true, directory: '{directory}'}}"))
        .unwrap()
}

/// Changes to a step, in a chain.
pub trait StepExt {
    fn always(self) -> Self;
    fn on_failure(self, on_failure: OnFailure) -> Self;
    fn with(self, change: impl FnOnce(&mut Step)) -> Self;
}

impl StepExt for Step {
    fn always(self) -> Self {
        self.with(|step| step.always_run = true)
    }

    fn on_failure(self, on_failure: OnFailure) -> Self {
        self.with(|step| step.on_failure = on_failure)
    }

    fn with(mut self, change: impl FnOnce(&mut Step)) -> Self {
        change(&mut self);
        self
    }
}
