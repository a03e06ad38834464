//! The steps that Buildbot would run, beside the plans of the same builders on the same slaves. In: a loaded configuration. Out: the
//! plans as they are there, and where they differ from `farmout plan`, by whose doing.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use sha2::{Digest as _, Sha256};

use super::Master;
use super::finding::{Finding, count, some};
use super::loaded::{Loaded, LoadedPlan, LoadedStep, Pair, PlanStep, StepKind};
use crate::compare::compare_plan;
use crate::diagnostic::Failure;
use crate::dispatch::Builder;
use crate::plan::{OnFailure, Phase, Plan, Procedure, Step, bind, lower};
use crate::render;

/// What goes around the steps of a plan.
const BEFORE: [&str; 2] = ["GetFarmout", "Workspace"];
const AFTER: &str = "WorkspaceEnd";

/// The plans of `farmout plan`.
struct Plans<'a> {
    master: &'a Master<'a>,
    builders: HashMap<&'a str, &'a Builder>,
    /// The last one: several slaves in turn ask for the same.
    procedure: Option<Procedure>,
}

impl<'a> Plans<'a> {
    fn new(master: &'a Master<'a>) -> Self {
        let builders = &master.compilation.graph.builders;
        let builders = builders.iter().map(|builder| (builder.name.as_str(), builder)).collect();
        Self { master, builders, procedure: None }
    }

    /// The plan of a builder on a slave.
    fn of(&mut self, name: &str, worker: &str) -> Result<Plan, Failure> {
        let (Some(&builder), Some(slave)) = (self.builders.get(name), self.master.slave(worker)) else {
            return Err(Failure::error(format!("the configuration has {name} on {worker}, and the farm has not")));
        };
        let failed = |error| Failure::error(format!("builder {name} cannot be planned: {error}"));
        let procedure = match self.procedure.take().filter(|procedure| procedure.builder == name) {
            Some(procedure) => procedure,
            None => lower(self.master.compilation, builder, None).map_err(failed)?,
        };
        let plan = bind(&procedure, slave, &self.master.compilation.graph.farm.declarations).map_err(failed)?;
        self.procedure = Some(procedure);
        Ok(plan)
    }
}

/// A plan as it is on the master, and what cannot be said in the words of plans.
pub(super) struct Shown {
    pub(super) plan: Plan,
    odd: Vec<String>,
}

/// The plan that a builder has on the master.
pub(super) fn shown(plan: &Plan, loaded: &LoadedPlan) -> Shown {
    let mut odd = Vec::new();
    let path = loaded.path.clone();
    let environment = like(&loaded.environment, plan.environment.keys());
    let head = Head { path: &path, environment: &environment };
    let steps = steps(&loaded.steps, plan, &head, &mut odd);
    let mut files = plan.files.clone();
    let sum = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let alike = loaded.files.len() == files.len()
        && loaded.files.iter().zip(&files).all(|(loaded, file)| {
            loaded.path == file.path && loaded.executable == file.executable && loaded.content == sum(&file.content)
        });
    if !alike {
        odd.push(format!("files: {}", some(loaded.files.iter().map(|file| file.path.as_str()))));
        files.retain(|file| loaded.files.iter().any(|loaded| loaded.path == file.path));
    }
    let mut secrets: Vec<String> = plan.secrets.iter().filter(|name| loaded.secrets.contains(name)).cloned().collect();
    secrets.extend(loaded.secrets.iter().filter(|name| !plan.secrets.contains(name)).cloned());
    let shown = Plan {
        directory: loaded.directory.clone(),
        database: loaded.database.clone(),
        properties: like(&loaded.properties, plan.properties.keys()),
        secrets,
        path,
        environment,
        files,
        steps,
        ..plan.clone()
    };
    Shown { plan: shown, odd }
}

/// Pairs in the order of these names; those of other names after them.
fn like<'n>(pairs: &'n IndexMap<String, String>, names: impl Iterator<Item = &'n String>) -> IndexMap<String, String> {
    let names: IndexSet<&String> = names.chain(pairs.keys()).collect();
    names.into_iter().filter_map(|name| Some((name.clone(), pairs.get(name)?.clone()))).collect()
}

/// What a worker gives all steps.
struct Head<'a> {
    path: &'a [String],
    environment: &'a IndexMap<String, String>,
}

/// The steps, but for those that go around every plan.
fn steps(loaded: &[LoadedStep], plan: &Plan, head: &Head<'_>, odd: &mut Vec<String>) -> Vec<Step> {
    let around = |step: &LoadedStep| {
        matches!(step.kind, StepKind::Other) && (BEFORE.contains(&step.class.as_str()) || step.class == AFTER)
    };
    let there: Vec<&str> = loaded.iter().filter(|step| around(step)).map(|step| step.class.as_str()).collect();
    let usual = [BEFORE[0], BEFORE[1], AFTER];
    if there != usual {
        odd.push(format!("around the plan: {} → {}", usual.join(", "), there.join(", ")));
    }
    let mut phase = Phase::Prepare;
    let mut steps = Vec::new();
    for step in loaded.iter().filter(|step| !around(step)) {
        let planned = plan.steps.iter().find(|planned| planned.name == step.name);
        let made = match &step.kind {
            StepKind::Plan(of_plan) => of_a_plan(step, of_plan, planned, head, odd),
            StepKind::Other => other(step, phase),
        };
        phase = made.phase;
        steps.push(made);
    }
    steps
}

fn of_a_plan(
    step: &LoadedStep,
    of_plan: &PlanStep,
    planned: Option<&Step>,
    head: &Head<'_>,
    odd: &mut Vec<String>,
) -> Step {
    let mut tell = |what: String| odd.push(format!("step {} {what}", step.name));
    if let Some(problem) = &of_plan.problem {
        tell(format!("cannot be shown without a build: {problem}"));
    }
    if step.class != "PlanStep" {
        tell(format!("is of the class {}", step.class));
    }
    if !of_plan.wanted {
        tell("has a condition of its own: doStepIf".to_owned());
    }
    let on_failure = outcome(&step.on_failure).unwrap_or_else(|| {
        tell(format!("on failure: {}", step.on_failure));
        planned.map_or_else(OnFailure::default, |planned| planned.on_failure)
    });
    if of_plan.locks.len() > 1 {
        tell(format!("locks: {}", of_plan.locks.join(", ")));
    }
    let mut own: IndexMap<String, String> = IndexMap::new();
    for (name, value) in &of_plan.environment {
        if of_plan.own.contains(name) || head.environment.get(name) != Some(value) {
            own.insert(name.clone(), value.clone());
        }
    }
    // What is empty is not set.
    let unset = |name: &&String| !of_plan.environment.contains_key(*name);
    let emptied = head.environment.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name);
    own.extend(of_plan.own.iter().chain(emptied).filter(unset).map(|name| (name.clone(), String::new())));
    if of_plan.path != head.path {
        own.insert("PATH".to_owned(), of_plan.path.join(":"));
    }
    let environment = match planned {
        Some(planned) => like(&own, planned.environment.keys()),
        None => own,
    };
    Step {
        name: step.name.clone(),
        phase: of_plan.phase,
        template: of_plan.template.clone(),
        help: of_plan.help.clone(),
        run: step.run.clone(),
        write: of_plan.write,
        directory: of_plan.directory.clone(),
        environment,
        lock: of_plan.locks.first().cloned(),
        infrastructure: of_plan.infrastructure,
        permanent: of_plan.permanent.clone(),
        idle_timeout: of_plan.idle_timeout,
        timeout: of_plan.timeout,
        on_failure,
        always_run: step.always_run,
        property: of_plan.property.clone(),
        keep: of_plan.keep.clone(),
        follow: of_plan.follow.clone(),
        // What only the bundled runner makes use of.
        makes_way: planned.is_some_and(|planned| planned.makes_way),
        named_by: planned.and_then(|planned| planned.named_by.clone()),
    }
}

/// A step that is no plan's.
fn other(step: &LoadedStep, phase: Phase) -> Step {
    let place = step.place.as_ref().map(|place| format!("{}:{}, ", place.file, place.line)).unwrap_or_default();
    let run = if step.run.is_empty() { vec![step.class.clone()] } else { step.run.clone() };
    Step {
        name: step.name.clone(),
        phase,
        template: format!("{place}{}", step.class),
        help: "A step of the master's own.".to_owned(),
        run,
        write: false,
        directory: "${build-dir}".to_owned(),
        environment: IndexMap::new(),
        lock: None,
        makes_way: false,
        infrastructure: false,
        permanent: Vec::new(),
        idle_timeout: None,
        timeout: None,
        on_failure: outcome(&step.on_failure).unwrap_or_default(),
        always_run: step.always_run,
        property: None,
        keep: None,
        follow: Vec::new(),
        named_by: None,
    }
}

fn outcome(word: &str) -> Option<OnFailure> {
    match word {
        "halt" => Some(OnFailure::Halt),
        "flunk" => Some(OnFailure::Flunk),
        "warn" => Some(OnFailure::Warn),
        "ignore" => Some(OnFailure::Ignore),
        _ => None,
    }
}

/// What is different between a plan and what the master has instead, a line each.
pub(super) fn differences(plan: &Plan, shown: &Shown) -> Vec<String> {
    if shown.odd.is_empty() && *plan == shown.plan {
        return Vec::new();
    }
    let mut different: IndexMap<String, Vec<&str>> = IndexMap::new();
    for step in &shown.plan.steps {
        let Some(planned) = plan.steps.iter().find(|planned| planned.name == step.name) else { continue };
        let names: IndexSet<&String> = planned.environment.keys().chain(step.environment.keys()).collect();
        for name in names {
            let value = |step: &Step, plan: &Plan| {
                let value = step.environment.get(name).or_else(|| plan.environment.get(name));
                value.filter(|value| !value.is_empty()).map_or("not set", |value| value.as_str()).to_owned()
            };
            let (before, after) = (value(planned, plan), value(step, &shown.plan));
            if before != after {
                different.entry(format!("environment {name}: {before} → {after}")).or_default().push(&step.name);
            }
        }
    }
    let without = |plan: &Plan| {
        let mut plan = plan.clone();
        plan.steps.iter_mut().for_each(|step| step.environment.clear());
        plan
    };
    let details = compare_plan(&without(plan), &without(&shown.plan));
    let odd = shown.odd.iter().map(|line| format!("~ {line}"));
    let environment = different.into_iter().map(|(line, steps)| match steps.as_slice() {
        [step] => format!("~ step {step} {line}"),
        steps => format!("~ steps {}: {line}", some(steps.iter().copied())),
    });
    odd.chain(details.iter().map(render::difference_line)).chain(environment).collect()
}

/// Compares each kind of builder and worker that there is with the plan. Where there are differences, `plain` tells what farm.py
/// makes of these by itself: what is different there is farmout's doing, the rest the admin's.
pub(super) fn check(
    master: &Master<'_>,
    loaded: &Loaded,
    plain: impl FnOnce(&[Pair]) -> Result<Vec<LoadedPlan>, Failure>,
) -> Result<(String, Vec<Finding>), Failure> {
    let mut different = Vec::new();
    let mut plans = Plans::new(master);
    for found in &loaded.plans {
        let plan = plans.of(&found.builder, &found.worker)?;
        let mut differences = if found.there { differences(&plan, &shown(&plan, found)) } else { Vec::new() };
        if !found.there {
            differences.push(format!("- the builder on {}", found.worker));
        }
        if !differences.is_empty() {
            different.push((found, plan, differences));
        }
    }
    let mut findings = Vec::new();
    let mut overridden: IndexMap<Vec<String>, Vec<&LoadedPlan>> = IndexMap::new();
    let pairs: Vec<Pair> =
        different.iter().map(|(found, _, _)| (found.builder.clone(), found.worker.clone())).collect();
    let unchanged = if pairs.is_empty() { Vec::new() } else { plain(&pairs)? };
    for ((found, plan, of_master), unchanged) in different.into_iter().zip(&unchanged) {
        let of_farm = differences(&plan, &shown(&plan, unchanged));
        if of_farm.is_empty() {
            overridden.entry(of_master).or_default().push(found);
            continue;
        }
        let what = format!("{} on {} would not do what `farmout plan` shows", found.builder, found.worker);
        let finding = Finding::error("step-differs", what);
        let finding = finding.help("this is a mistake of farmout's: please report it, with these lines");
        findings.push(Finding { details: of_farm, ..finding });
    }
    for (details, of) in overridden {
        let builders: IndexSet<&str> = of.iter().map(|found| found.builder.as_str()).collect();
        let workers: IndexSet<&str> = of.iter().map(|found| found.worker.as_str()).collect();
        let all: usize = of.iter().map(|found| found.count).sum();
        let all =
            if all > builders.len() * workers.len() { format!(", and alike {all} in all") } else { String::new() };
        let what = format!("the configuration changes {} on {}{all}:", some(builders), some(workers));
        findings.push(Finding { details, ..Finding::note("overridden", what) });
    }
    if !loaded.lacking.is_empty() {
        let what = format!("the configuration leaves out {}", some(loaded.lacking.iter().map(String::as_str)));
        findings.push(Finding::note("overridden", what));
    }
    let all: usize = loaded.plans.iter().map(|found| found.count).sum();
    let compared = count(loaded.plans.len(), "plan");
    let all = if all > loaded.plans.len() { format!(", which stand for {all}") } else { String::new() };
    Ok((format!("{compared} compared with those of `farmout plan`{all}"), findings))
}

/// The plans as the master has them, and how they differ from those of `farmout plan`.
pub(super) fn dry_run(master: &Master<'_>, loaded: &Loaded) -> Result<(Vec<Plan>, Vec<String>), Failure> {
    let (mut plans, mut notes) = (Vec::new(), Vec::new());
    let mut planned = Plans::new(master);
    for found in &loaded.plans {
        let whose = format!("{} on {}", found.builder, found.worker);
        if !found.there {
            notes.push(format!("{whose}: the configuration leaves it out"));
            continue;
        }
        let plan = planned.of(&found.builder, &found.worker)?;
        let shown = shown(&plan, found);
        let different = differences(&plan, &shown);
        if !different.is_empty() {
            notes.push(format!("{whose} is not as planned:\n    {}", different.join("\n    ")));
        }
        plans.push(shown.plan);
    }
    Ok((plans, notes))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PLAN: &str = "{farmout-plan: 1, builder: shop, build: shop, slave: atlas, manifest: m.cfg, directory: shop, \
                        database: ci-shop, environment: {PGPORT: '5433'}, steps: [{name: test, phase: post-buildout, \
                        template: nose, run: [bin/test, '${build-dir}'], environment: {A: '1'}, lock: caches, timeout: 60}]}";

    fn loaded() -> Value {
        let around = |class: &str| json!({"kind": "other", "class": class, "name": class, "place": null, "run": [], "on_failure": "halt", "always_run": false});
        json!({
            "builder": "shop", "worker": "atlas", "there": true, "directory": "shop", "database": "ci-shop",
            "environment": {"PGPORT": "5433"},
            "steps": [around("GetFarmout"), around("Workspace"), {
                "kind": "plan", "class": "PlanStep", "name": "test", "place": null, "run": ["bin/test", "${build-dir}"],
                "on_failure": "halt", "always_run": false, "problem": null, "write": false, "directory": "${build-dir}",
                "path": [], "environment": {"PGPORT": "5433", "A": "1"}, "own": ["A"], "locks": ["caches"], "wanted": true,
                "phase": "post-buildout", "template": "nose", "help": "", "infrastructure": false, "permanent": [],
                "idle_timeout": null, "timeout": 60, "property": null, "keep": null, "follow": [],
            }, around("WorkspaceEnd")],
        })
    }

    fn told(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let plan: Plan = serde_yaml::from_str(PLAN).unwrap();
        let mut loaded = loaded();
        change(&mut loaded);
        let loaded: LoadedPlan = serde_json::from_value(loaded).unwrap();
        differences(&plan, &shown(&plan, &loaded))
    }

    #[test]
    fn any_difference_is_told() {
        assert_eq!(told(|_| ()), Vec::<String>::new());
        let step = |field: &'static str, value: Value| told(move |loaded| loaded["steps"][2][field] = value);
        assert_eq!(step("run", json!(["bin/test"])), ["- step test run: ${build-dir}"]);
        assert_eq!(step("directory", json!("${tmp-dir}")), ["+ step test directory: ${tmp-dir}"]);
        let unset = ["~ step test environment PGPORT: 5433 → not set", "~ step test environment A: 1 → 2"];
        let mut lines = step("environment", json!({"A": "2"}));
        lines.sort_by_key(|line| !line.contains("PGPORT"));
        assert_eq!(lines, unset);
        assert_eq!(step("path", json!(["/opt"])), ["~ step test environment PATH: not set → /opt"]);
        assert_eq!(step("locks", json!([])), ["- step test lock: caches"]);
        assert_eq!(step("timeout", json!(null)), ["- step test timeout: 60"]);
        assert_eq!(step("on_failure", json!("flunk")), ["~ step test on-failure: halt → flunk"]);
        assert_eq!(step("on_failure", json!("warnOnFailure")), ["~ step test on failure: warnOnFailure"]);
        assert_eq!(step("always_run", json!(true)), ["+ step test always-run: true"]);
        assert_eq!(step("wanted", json!(false)), ["~ step test has a condition of its own: doStepIf"]);
        assert_eq!(step("name", json!("check")).len(), 2);
        assert_eq!(told(|loaded| loaded["database"] = json!("ci")), ["~ database: ci-shop → ci"]);
        let around = told(|loaded| drop(loaded["steps"].as_array_mut().unwrap().pop()));
        assert_eq!(around, ["~ around the plan: GetFarmout, Workspace, WorkspaceEnd → GetFarmout, Workspace"]);
    }
}
