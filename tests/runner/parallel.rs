//! Several builders at a time.

use std::num::NonZeroUsize;

use farmout::plan::Plan;
use farmout::runner::Outcome::{Failure, Skipped, Success};
use farmout::runner::{Event, Options};

use crate::support::{Slave, StepExt as _, eventually, plan, step};

/// Waits until as many builders as that are at work at the same time.
fn meet(name: &str, count: usize) -> Plan {
    let script = format!(
        "touch ${{basedir}}/{name}.here; while test $(ls ${{basedir}}/*.here | wc -l) -lt {count}; do sleep 0.01; done"
    );
    plan(name, vec![step("meet", &script).with(|step| step.timeout = Some(20))])
}

fn jobs(number: usize) -> Options {
    Options { jobs: NonZeroUsize::new(number), ..Options::default() }
}

/// The most builders that were at work at the same time.
fn most(events: &[Event]) -> usize {
    let (mut now, mut most) = (0usize, 0);
    for event in events {
        match event {
            Event::BuilderStarted { .. } => now += 1,
            Event::BuilderFinished { .. } => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

#[test]
fn as_many_builders_as_jobs_are_at_work() {
    let slave = Slave::new();
    let plans: Vec<Plan> = ["a", "b", "c"].iter().map(|name| meet(name, 3)).collect();
    let (result, events) = slave.run_with(&plans, &jobs(3));
    assert_eq!(result.outcome, Some(Success), "{result:?}");
    assert_eq!((most(&events), result.jobs), (3, 3));
    assert!(slave.records().is_empty());
}

#[test]
fn no_more_builders_than_the_slave_allows() {
    let slave = Slave::new();
    let limited = |name: &str| Plan { max_builds: Some(2), ..plan(name, vec![step("one", "sleep 0.05")]) };
    let plans: Vec<Plan> = ["a", "b", "c", "d"].iter().map(|name| limited(name)).collect();
    let (result, events) = slave.run_with(&plans, &Options::default());
    assert_eq!((result.outcome, result.jobs, most(&events)), (Some(Success), 2, 2));
}

#[test]
fn two_runs_share_the_slots_of_a_slave() {
    let slave = Slave::new();
    let until_told = "touch ${basedir}/began; while ! test -e ${basedir}/../go; do sleep 0.02; done";
    let limited = |name: &str, script: &str| Plan { max_builds: Some(1), ..plan(name, vec![step("one", script)]) };
    let mut other = slave.spawn(&[limited("a", until_told)]);
    eventually("the other run is at work", || slave.path("slave/began").exists());
    let (go, mut waits) = (slave.path("go"), Vec::new());
    let plans = [limited("b", "test -e ${basedir}/../go")];
    let result = farmout::runner::run(&plans, &slave.site, &Options::default(), &mut |entry| {
        if let Event::Waiting { lock, holder, .. } = &entry.event {
            waits.push((lock.clone(), holder.clone().unwrap()));
            std::fs::write(&go, "").unwrap();
        }
    });
    assert_eq!(result.unwrap().outcome, Some(Success));
    assert_eq!(other.wait(), Some(0));
    let [(lock, holder)] = waits.as_slice() else { panic!("{waits:?}") };
    assert_eq!(lock, "one of 1 slots of the slave s");
    assert!(holder.ends_with(", builder a"), "{holder}");
}

#[test]
fn a_lock_lets_in_one_builder_at_a_time_in_the_order_in_which_they_came() {
    let slave = Slave::new();
    let script = "mkdir ${basedir}/one && sleep 0.01 && rmdir ${basedir}/one";
    let locked = |number: usize| step(&format!("s{number}"), script).with(|step| step.lock = Some("l".to_owned()));
    let plans: Vec<Plan> = (0..8).map(|number| plan(&format!("b{number}"), (0..4).map(locked).collect())).collect();
    let (result, events) = slave.run_with(&plans, &jobs(8));
    assert_eq!(result.outcome, Some(Success));
    let waited = |event: &&Event| matches!(event, Event::Waiting { lock, holder: Some(_), .. } if lock == "l");
    assert!(events.iter().filter(waited).count() > 8);
    let waited = result.builders.iter().flat_map(|builder| &builder.steps).map(|step| step.waited).sum::<f64>();
    assert!(waited > 0.0);
}

#[test]
fn after_the_first_failure_no_other_builder_begins() {
    let slave = Slave::new();
    let plans = [plan("a", vec![step("one", "false")]), plan("b", vec![step("one", "touch ${basedir}/b")])];
    let options = Options { fail_fast: true, ..Options::default() };
    let (result, _) = slave.run_with(&plans, &options);
    let outcomes: Vec<_> = result.builders.iter().map(|builder| builder.outcome.unwrap()).collect();
    assert_eq!((result.outcome, outcomes), (Some(Failure), vec![Failure, Skipped]));
    assert_eq!(result.builders[1].reason.as_deref(), Some("builder a failed"));
    assert!(!slave.path("slave/b").exists());
    // Without the option it does.
    assert_eq!(slave.run(&plans).0.builders[1].outcome, Some(Success));
}

#[test]
fn the_builders_that_take_longest_begin_first() {
    let slave = Slave::new();
    let lasting = |name: &str, seconds: &str| plan(name, vec![step("one", &format!("sleep {seconds}"))]);
    let plans = [lasting("short", "0"), lasting("long", "0.4"), lasting("middle", "0.2")];
    slave.run(&plans);
    let order = |events: &[Event]| -> Vec<String> {
        let planned = events.iter().find_map(|event| match event {
            Event::RunStarted { builders, .. } => {
                Some(builders.iter().map(|builder| builder.builder.clone()).collect())
            }
            _ => None,
        });
        planned.unwrap()
    };
    assert_eq!(order(&slave.run_with(&plans, &jobs(2)).1), ["long", "middle", "short"]);
    assert_eq!(order(&slave.run(&plans).1), ["short", "long", "middle"]);
    let (_, events) = slave.run(&plans);
    let expected = events.iter().find_map(|event| match event {
        Event::StepStarted { builder, expected, .. } if builder == "long" => *expected,
        _ => None,
    });
    assert!(expected.is_some_and(|seconds| seconds >= 0.4), "{expected:?}");
}
