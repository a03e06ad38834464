//! Runs of a part of a plan, on what the last run has left.

use farmout::plan::{Phase, Plan, Step};
use farmout::runner::Outcome::{Failure, Skipped, Success};
use farmout::runner::{Cause, Event, Options};

use crate::support::{Slave, StepExt as _, outcomes, plan, reason, step};

/// What comes before a test: a revision that is reported, a server with clean-up, a database with clean-up.
fn steps() -> Vec<Step> {
    let of = |template: &'static str, phase: Phase| {
        move |step: &mut Step| {
            step.template = template.to_owned();
            step.phase = phase;
        }
    };
    vec![
        step("server", "echo up > ${builder-dir}/server").with(of("server", Phase::Prepare)),
        step("fetch", "echo r1").with(|step| step.property = Some("revision".to_owned())),
        step("create", "echo x >> ${builder-dir}/database").with(of("database", Phase::Db)),
        step("install", "touch ${builder-dir}/installed"),
        step("forget", "rm -f log").with(of("test", Phase::PostBuildout)).with(|step| step.makes_way = true),
        step(
            "test",
            "echo ${property.revision}; cat ${builder-dir}/server ${builder-dir}/database; echo 1 >> log; cat log",
        )
        .with(of("test", Phase::PostBuildout)),
        step("drop", "rm ${builder-dir}/database").with(of("database", Phase::CleanUp)).always(),
        step("stop", "rm ${builder-dir}/server").with(of("server", Phase::CleanUp)).always(),
    ]
}

fn from(step: &str) -> Options {
    Options { from: Some(step.to_owned()), ..Options::default() }
}

fn performed(slave: &Slave, plan: &Plan, options: &Options) -> Vec<String> {
    let (result, _) = slave.run_with(std::slice::from_ref(plan), options);
    let performed = result.builders[0].steps.iter().filter(|step| step.outcome != Skipped);
    performed.map(|step| format!("{} {}", step.name, step.outcome.word())).collect()
}

#[test]
fn a_run_begins_with_a_step_on_what_was_left() {
    let slave = Slave::new();
    let plan = plan("a", steps());
    assert_eq!(slave.run(std::slice::from_ref(&plan)).0.outcome, Some(Success));
    // What the end of the last run took away is made again; the rest is there.
    let all = ["server success", "create success", "forget success", "test success", "drop success", "stop success"];
    assert_eq!(performed(&slave, &plan, &from("test")), all);
    assert_eq!(slave.log("a/06-test.log"), "r1\nup\nx\n1\n");
    // And again: what the first run reported is not forgotten by the second.
    assert_eq!(performed(&slave, &plan, &from("test")), all);
}

#[test]
fn a_builder_that_was_never_built_has_nothing_to_go_on_with() {
    let slave = Slave::new();
    let (result, _) = slave.run_with(&[plan("a", steps())], &from("test"));
    assert_eq!(result.outcome, Some(Failure));
    let reason = result.builders[0].reason.as_deref().unwrap();
    assert!(reason.starts_with("there is nothing to go on with: it was never built here"), "{reason}");
    assert!(slave.records().is_empty());
}

#[test]
fn a_step_is_performed_alone() {
    let slave = Slave::new();
    let plan = plan("a", steps());
    slave.run(std::slice::from_ref(&plan));
    std::fs::remove_file(slave.path("slave/a/installed")).unwrap();
    let only = Options { only: vec!["install".to_owned()], ..Options::default() };
    let done = ["server success", "create success", "install success", "drop success", "stop success"];
    assert_eq!(performed(&slave, &plan, &only), done);
    assert!(slave.path("slave/a/installed").exists());
    let only = Options { only: vec!["fetch".to_owned()], ..Options::default() };
    assert_eq!(performed(&slave, &plan, &only), ["server success", "fetch success", "stop success"]);
}

#[test]
fn a_database_is_kept_and_gone_on_with_and_removed_by_the_next_run() {
    let slave = Slave::new();
    let mut plan = plan("a", steps());
    plan.environment.insert("PGHOST".to_owned(), "${socket-dir}".to_owned());
    let keep = Options { keep_db: true, ..Options::default() };
    let (result, events) = slave.run_with(std::slice::from_ref(&plan), &keep);
    assert_eq!(result.outcome, Some(Success));
    assert_eq!(reason(&result, "drop"), "the testing database is kept");
    let Some(Event::DatabaseKept { database, environment, .. }) =
        events.iter().find(|event| matches!(event, Event::DatabaseKept { .. }))
    else {
        panic!("{events:?}");
    };
    assert_eq!(database, "d");
    let sockets = std::path::PathBuf::from(&environment["PGHOST"]);
    assert!(sockets.is_dir() && slave.path("slave/a/database").exists());
    // A run of another builder leaves it alone.
    slave.run(&[crate::support::plan("b", vec![])]);
    assert!(slave.path("slave/a/database").exists() && sockets.is_dir());

    // Going on with it makes neither the server nor the database anew.
    let options = Options { keep_db: true, ..from("test") };
    assert_eq!(performed(&slave, &plan, &options), ["forget success", "test success"]);
    assert_eq!(slave.log("a/06-test.log"), "r1\nup\nx\n1\n");
    assert!(sockets.is_dir());
    assert_eq!(slave.records().len(), 1);

    let (result, events) = slave.run(std::slice::from_ref(&plan));
    assert_eq!(result.outcome, Some(Success));
    assert!(events.iter().any(|event| matches!(event, Event::Recovering { cause: Cause::Kept, .. })));
    assert_eq!(slave.log("a/06-test.log"), "r1\nup\nx\n1\n");
    assert!(!sockets.exists() && slave.records().is_empty());
    assert!(!slave.path("slave/a/database").exists());
}

#[test]
fn going_on_without_keeping_cleans_up_what_was_kept() {
    let slave = Slave::new();
    let plan = plan("a", steps());
    slave.run_with(std::slice::from_ref(&plan), &Options { keep_db: true, ..Options::default() });
    assert_eq!(
        performed(&slave, &plan, &from("test")),
        ["forget success", "test success", "drop success", "stop success"]
    );
    assert!(slave.records().is_empty());
}

#[test]
fn steps_that_no_plan_has_are_refused() {
    let slave = Slave::new();
    let plan = plan("a", steps());
    let refused = |options: &Options| {
        let plans = std::slice::from_ref(&plan);
        let failure = farmout::runner::run(plans, &slave.site, options, &mut |_| {}).unwrap_err();
        format!("{}; {}", failure.message, failure.help.unwrap_or_default())
    };
    assert_eq!(refused(&from("tset")), "the plan of builder a has no step `tset`; did you mean `test`?");
    assert_eq!(
        refused(&Options { only: vec!["stop".to_owned()], ..Options::default() }),
        "the step `stop` of builder a cleans up; it always runs; --only takes another step"
    );
    assert!(!slave.path("state").exists());
}

#[test]
fn only_what_depends_on_other_machines_is_tried_again() {
    let slave = Slave::new();
    let script = "echo try >> ${basedir}/tries; test $(wc -l < ${basedir}/tries) -ge 2";
    let fetch = step("fetch", script).with(|step| step.infrastructure = true);
    let options = Options { retries: 3, ..Options::default() };
    let (result, events) = slave.run_with(&[plan("a", vec![fetch.clone()])], &options);
    assert_eq!(outcomes(&result, 0), [("fetch", Success)]);
    let [attempt] = result.builders[0].steps[0].retried.as_slice() else { panic!("{result:?}") };
    assert_eq!((attempt.reason.as_str(), attempt.log.as_deref()), ("exit status 1", Some("01-fetch.log")));
    assert_eq!(result.builders[0].steps[0].log.as_deref(), Some("01-fetch.attempt-2.log"));
    assert!(events.iter().any(|event| matches!(event, Event::StepRetried { attempt: 2, .. })));

    // What the step says another attempt would not change, and what such a step does not say.
    for (status, tries) in [(3, "try\n"), (4, "try\ntry\n")] {
        let script = format!("echo try >> ${{basedir}}/{status}; exit {status}");
        let fetch = step("fetch", &script).with(|step| (step.infrastructure, step.permanent) = (true, vec![2, 3]));
        let once = Options { retries: 1, ..Options::default() };
        assert_eq!(slave.run_with(&[plan("a", vec![fetch])], &once).0.outcome, Some(Failure));
        assert_eq!(slave.read(&format!("slave/{status}")), tries);
    }

    let test = step("test", "echo try >> ${basedir}/tests; false");
    assert_eq!(slave.run_with(&[plan("a", vec![test])], &options).0.outcome, Some(Failure));
    assert_eq!(slave.read("slave/tests"), "try\n");
}
