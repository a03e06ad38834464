//! Locks between processes, and runs at the same time.

use farmout::runner::Outcome::Success;
use farmout::runner::{Event, Options};

use crate::support::{Slave, StepExt as _, eventually, plan, step};

const UNTIL_TOLD: &str = "touch ${basedir}/began; while ! test -e ${basedir}/../go; do sleep 0.02; done";

fn locked(name: &str, script: &str) -> farmout::plan::Step {
    step(name, script).with(|step| step.lock = Some("buildout".to_owned()))
}

#[test]
fn a_step_waits_for_a_lock_that_another_process_holds() {
    let slave = Slave::new();
    let mut other = slave.spawn(&[plan("a", vec![locked("hold", UNTIL_TOLD)])]);
    eventually("the other run holds the lock", || slave.path("slave/began").exists());
    let mut waits = Vec::new();
    let go = slave.path("go");
    let steps = vec![step("before", "test ! -e ${basedir}/../go"), locked("want", "test -e ${basedir}/../go")];
    let result = farmout::runner::run(&[plan("b", steps)], &slave.site, &Options::default(), &mut |entry| {
        if let Event::Waiting { builder, lock, holder } = &entry.event {
            waits.push((builder.clone(), lock.clone(), holder.clone().unwrap()));
            std::fs::write(&go, "").unwrap();
        }
    });
    assert_eq!(result.unwrap().outcome, Some(Success));
    assert_eq!(other.wait(), Some(0));
    let [(builder, lock, holder)] = waits.as_slice() else { panic!("{waits:?}") };
    assert_eq!((builder.as_str(), lock.as_str()), ("b", "buildout"));
    assert!(holder.starts_with("pid ") && holder.ends_with(", builder a"), "{holder}");
}

#[test]
fn two_runs_never_work_in_one_builders_directory() {
    let slave = Slave::new();
    let mut other = slave.spawn(&[plan("a", vec![step("hold", UNTIL_TOLD)])]);
    eventually("the other run is at work", || slave.path("slave/began").exists());
    let (mut waited, go) = (false, slave.path("go"));
    let steps = vec![step("want", "test -e ${basedir}/../go")];
    let result = farmout::runner::run(&[plan("a", steps)], &slave.site, &Options::default(), &mut |entry| {
        if let Event::Waiting { .. } = entry.event {
            waited = true;
            std::fs::write(&go, "").unwrap();
        }
    });
    assert_eq!(result.unwrap().outcome, Some(Success));
    assert!(waited);
    assert_eq!(other.wait(), Some(0));
}

#[test]
fn two_runs_share_a_slave_and_a_lock_lets_one_in_at_a_time() {
    let slave = Slave::new();
    let steps = || {
        (0..5).map(|number| locked(&format!("s{number}"), "mkdir ${basedir}/one && sleep 0.02 && rmdir ${basedir}/one"))
    };
    std::thread::scope(|scope| {
        for builder in ["a", "b", "c"] {
            let (slave, steps) = (&slave, steps().collect());
            scope.spawn(move || assert_eq!(slave.run(&[plan(builder, steps)]).0.outcome, Some(Success)));
        }
    });
    assert!(slave.records().is_empty());
}
