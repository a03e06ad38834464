//! Runners that are interrupted, or killed, and what later runs do about it.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use camino::Utf8PathBuf;
use farmout::plan::Plan;
use farmout::runner::Outcome::{Interrupted, Skipped, Success};
use farmout::runner::{Event, RunResult};
use nix::sys::signal::Signal;

use crate::support::{Slave, StepExt as _, eventually, outcomes, pid_in, plan, runs, step};

/// Goes on for ever, deaf to everything but a kill, with a child that is too.
const HANG: &str = "trap '' TERM; echo $$ > leader; ls -d ${socket-dir} > sockets; touch ${tmp-dir}/x
    sh -c 'trap \"\" TERM; echo $$ > child; while :; do sleep 1; done'; sleep 1000";

fn hanging() -> Plan {
    plan(
        "a",
        vec![
            step("port", "echo 6069").with(|step| step.property = Some("port".to_owned())),
            step("hang", HANG),
            step("never", "touch ${basedir}/never"),
            step("tidy", "echo tidied ${property.port}; test -e ${tmp-dir}/x && touch ${basedir}/tidied").always(),
        ],
    )
}

fn recovered(events: &[Event]) -> Vec<Option<&str>> {
    let problems = events.iter().filter_map(|event| match event {
        Event::Recovered { problem, .. } => Some(problem.as_deref()),
        _ => None,
    });
    problems.collect()
}

fn only_run(slave: &Slave) -> Utf8PathBuf {
    let target = slave.path("state/latest").read_link_utf8().unwrap();
    slave.path("state").join(target)
}

fn result(run: &Utf8PathBuf) -> RunResult {
    serde_json::from_str(&std::fs::read_to_string(run.join("result.json")).unwrap()).unwrap()
}

#[test]
fn after_a_killed_runner_the_next_one_cleans_up() {
    let slave = Slave::new();
    let mut runner = slave.spawn(&[hanging(), plan("b", vec![])]);
    let child = pid_in(&slave.path("slave/a/build/child"));
    let leader = pid_in(&slave.path("slave/a/build/leader"));
    let sockets = slave.read("slave/a/build/sockets");
    eventually("the step is on record", || {
        slave.read("state/latest/events.jsonl").contains(r#""event":"process-started","builder":"a","step":"hang""#)
    });
    runner.signal(Signal::SIGKILL);
    assert_eq!(runner.wait(), None);
    assert!(runs(child) && runs(leader));
    let killed = only_run(&slave);

    let (later, events) = slave.run(&[plan("c", vec![step("one", "true")])]);
    assert_eq!(later.outcome, Some(Success));
    assert_eq!(recovered(&events), [None]);
    eventually("the strays are gone", || !runs(child) && !runs(leader));
    assert!(slave.path("slave/tidied").exists() && !slave.path("slave/never").exists());
    assert!(!std::path::Path::new(sockets.trim()).exists());
    assert_eq!(slave.path("slave/a/tmp").read_dir().unwrap().count(), 0);
    assert!(slave.records().is_empty());
    assert_eq!(std::fs::read_to_string(killed.join("a/04-tidy.recovery.log")).unwrap(), "tidied 6069\n");
    let result = result(&killed);
    assert_eq!(result.outcome, Some(Interrupted));
    assert_eq!(result.builders[0].reason.as_deref(), Some("the runner was killed"));
    assert_eq!(outcomes(&result, 0), [("port", Success), ("tidy", Success)]);
    assert_eq!(result.builders[1].outcome, Some(Skipped));
}

#[test]
fn a_runner_at_work_is_left_alone() {
    let slave = Slave::new();
    let runner = slave.spawn(&[hanging()]);
    let child = pid_in(&slave.path("slave/a/build/child"));
    let (later, events) = slave.run(&[plan("c", vec![step("one", "true")])]);
    assert_eq!(later.outcome, Some(Success));
    assert!(recovered(&events).is_empty());
    assert!(runs(child));
    assert_eq!(slave.records().len(), 1);
    // Leaves nothing behind on the machine that tests run on.
    runner.signal(Signal::SIGINT);
    eventually("the runner is done", || slave.records().is_empty());
}

#[test]
fn an_interruption_ends_the_step_and_cleans_up() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        let slave = Slave::new();
        let mut runner = slave.spawn(&[hanging(), plan("b", vec![step("one", "true")])]);
        let child = pid_in(&slave.path("slave/a/build/child"));
        runner.signal(signal);
        assert_eq!(runner.wait(), Some(130));
        eventually("the child is gone", || !runs(child));
        let result = result(&only_run(&slave));
        assert_eq!(
            outcomes(&result, 0),
            [("port", Success), ("hang", Interrupted), ("never", Skipped), ("tidy", Success)]
        );
        assert_eq!(result.outcome, Some(Interrupted));
        assert_eq!(result.builders[0].reason.as_deref(), Some("interrupted in step `hang`"));
        assert_eq!(result.builders[1].outcome, Some(Skipped));
        assert!(slave.path("slave/tidied").exists() && slave.records().is_empty());
    }
}

#[test]
fn a_second_interruption_ends_everything_and_the_next_run_cleans_up() {
    let slave = Slave::new();
    let mut plan_a = hanging();
    plan_a.steps[3] =
        step("tidy", "echo $$ > ${basedir}/tidying; trap '' TERM; test -e ${basedir}/../go || sleep 1000").always();
    let mut runner = slave.spawn(&[plan_a]);
    pid_in(&slave.path("slave/a/build/child"));
    runner.signal(Signal::SIGINT);
    let tidying = pid_in(&slave.path("slave/tidying"));
    // At once with the first it would be the same request.
    std::thread::sleep(std::time::Duration::from_millis(150));
    runner.signal(Signal::SIGINT);
    assert_eq!(runner.wait(), Some(130));
    eventually("the clean-up is gone", || !runs(tidying));
    assert_eq!(slave.records().len(), 1);
    let interrupted = only_run(&slave);
    assert_eq!(outcomes(&result(&interrupted), 0)[3], ("tidy", Interrupted));

    std::fs::write(slave.path("go"), "").unwrap();
    let (_, events) = slave.run(&[]);
    assert_eq!(recovered(&events), [None]);
    assert!(slave.records().is_empty());
    assert_eq!(outcomes(&result(&interrupted), 0)[4], ("tidy", Success));
}

#[test]
fn an_interrupted_wait_for_a_lock_ends() {
    let slave = Slave::new();
    let locked =
        |name: &str| step(name, "touch ${basedir}/began; sleep 1000").with(|step| step.lock = Some("l".to_owned()));
    let mut holder = slave.spawn(&[plan("a", vec![locked("hold")])]);
    eventually("the lock is held", || slave.path("slave/began").exists());
    let mut waiter = slave.spawn(&[plan("b", vec![step("first", "true"), locked("want")])]);
    eventually("the other waits", || slave.records().len() == 2 && slave.path("slave/b/build").exists());
    waiter.signal(Signal::SIGTERM);
    assert_eq!(waiter.wait(), Some(130));
    holder.signal(Signal::SIGTERM);
    assert_eq!(holder.wait(), Some(130));
}

#[test]
fn a_clean_up_that_fails_is_told_of_tried_again_and_given_up_at_last() {
    let slave = Slave::new();
    let mut plan_a = hanging();
    plan_a.steps[3] = step("tidy", "exit 7").always();
    let mut runner = slave.spawn(&[plan_a]);
    let leader = pid_in(&slave.path("slave/a/build/leader"));
    eventually("the step is on record", || {
        slave.read("state/latest/events.jsonl").contains(r#""event":"process-started","builder":"a","step":"hang""#)
    });
    runner.signal(Signal::SIGKILL);
    runner.wait();
    for attempt in 1..=5 {
        let (later, events) = slave.run(&[plan("c", vec![step("one", "true")])]);
        assert_eq!(later.outcome, Some(Success));
        let [Some(problem)] = recovered(&events)[..] else { panic!("{events:?}") };
        assert!(problem.contains("step `tidy`: exit status 7"), "{problem}");
        assert_eq!(problem.contains("given up after 5 tries"), attempt == 5, "{problem}");
        assert_eq!(slave.records().len(), usize::from(attempt < 5));
    }
    assert!(!runs(leader));
}

#[test]
fn a_record_that_cannot_be_read_is_told_of_and_kept() {
    let slave = Slave::new();
    std::fs::create_dir_all(slave.path("state/active")).unwrap();
    std::fs::write(slave.path("state/active/20260101-000000-aaaa--x.json"), "{").unwrap();
    let (result, events) = slave.run(&[plan("c", vec![step("one", "true")])]);
    assert_eq!(result.outcome, Some(Success));
    assert!(recovered(&events)[0].unwrap().contains("cannot be read"));
    assert_eq!(slave.records().len(), 1);
}

#[test]
fn a_later_process_with_the_number_of_the_stray_is_spared() {
    let slave = Slave::new();
    let mut runner = slave.spawn(&[hanging()]);
    let leader = pid_in(&slave.path("slave/a/build/leader"));
    eventually("the step is on record", || {
        slave.read("state/latest/events.jsonl").contains(r#""event":"process-started","builder":"a","step":"hang""#)
    });
    runner.signal(Signal::SIGKILL);
    runner.wait();
    let mut other = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
    let journal = slave.path("state/latest/events.jsonl");
    let change = |line: &str| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        if value["leader"].is_object() {
            value["leader"]["pid"] = other.id().into();
            value["leader"]["start"] = 1.into();
        }
        format!("{value}\n")
    };
    let changed: String = slave.log("events.jsonl").lines().map(change).collect();
    std::fs::write(&journal, changed).unwrap();
    let (_, events) = slave.run(&[]);
    assert_eq!(recovered(&events), [None]);
    assert!(runs(other.id().cast_signed()));
    // That one is found by its mark.
    assert!(!runs(leader));
    other.kill().unwrap();
    other.wait().unwrap();
}
