//! Time limits, and the end of process groups.

use farmout::runner::Outcome::{Failure, Success};

use crate::support::{Slave, StepExt as _, eventually, outcomes, pid_in, plan, reason, runs, step};

/// A child and a grandchild that want to go on for ever, deaf to everything but a kill.
const STUBBORN: &str = "trap '' TERM INT HUP
    (trap '' TERM; echo $$ > leader; sh -c 'trap \"\" TERM; echo $$ > grandchild; while :; do sleep 1; done') & wait";

#[test]
fn silence_for_too_long_ends_the_whole_group() {
    let slave = Slave::new();
    let steps = vec![step("hang", STUBBORN).with(|step| step.idle_timeout = Some(1)), step("after", "true")];
    let (result, _) = slave.run(&[plan("a", steps)]);
    assert_eq!(reason(&result, "hang"), "ended after 1.0s without output");
    assert_eq!(result.builders[0].steps[0].signal, Some(9));
    assert!(!runs(pid_in(&slave.path("slave/a/build/grandchild"))));
    assert!(!runs(pid_in(&slave.path("slave/a/build/leader"))));
}

#[test]
fn output_does_not_help_against_the_total_limit() {
    let slave = Slave::new();
    let script = "echo $$ > leader; while :; do echo x; sleep 0.1; done";
    let steps = vec![step("hang", script).with(|step| {
        step.timeout = Some(1);
        step.idle_timeout = Some(60);
    })];
    let (result, _) = slave.run(&[plan("a", steps)]);
    assert_eq!(reason(&result, "hang"), "ended after 1.0s, its time limit");
    assert_eq!(result.builders[0].steps[0].signal, Some(15));
    assert!(!runs(pid_in(&slave.path("slave/a/build/leader"))));
}

#[test]
fn output_keeps_a_step_from_being_idle() {
    let slave = Slave::new();
    let script = "for i in 1 2 3 4 5 6; do echo $i >&2; sleep 0.4; done";
    let (result, _) = slave.run(&[plan("a", vec![step("slow", script).with(|step| step.idle_timeout = Some(2))])]);
    assert_eq!(outcomes(&result, 0), [("slow", Success)]);
}

#[test]
fn a_process_that_stopped_itself_is_ended_too() {
    let slave = Slave::new();
    let script = "echo $$ > leader; kill -STOP $$";
    let (result, _) = slave.run(&[plan("a", vec![step("stop", script).with(|step| step.timeout = Some(1))])]);
    assert_eq!(outcomes(&result, 0), [("stop", Failure)]);
    assert!(!runs(pid_in(&slave.path("slave/a/build/leader"))));
}

#[test]
fn a_background_process_that_holds_the_output_is_ended_with_the_step() {
    let slave = Slave::new();
    let script = "sh -c 'trap \"\" TERM; echo $$ > child; while :; do sleep 1; done' & while ! test -s child; do sleep 0.01; done; echo done";
    let (result, _) = slave.run(&[plan("a", vec![step("leave", script), step("after", "true")])]);
    assert_eq!(outcomes(&result, 0), [("leave", Success), ("after", Success)]);
    assert_eq!(slave.log("a/01-leave.log"), "done\n");
    let child = pid_in(&slave.path("slave/a/build/child"));
    eventually("the child is gone", || !runs(child));
}

#[test]
fn what_a_late_writer_of_the_group_says_is_kept() {
    let slave = Slave::new();
    let (result, _) = slave.run(&[plan("a", vec![step("tee", "(sleep 0.2; echo late) & echo early")])]);
    assert_eq!(result.outcome, Some(Success));
    assert_eq!(slave.log("a/01-tee.log"), "early\nlate\n");
}

#[test]
fn a_daemon_survives_its_step_even_if_it_holds_the_output() {
    let slave = Slave::new();
    let script = "setsid sh -c 'echo $$ > daemon; exec sleep 1000' & while ! test -s daemon; do sleep 0.01; done";
    let (result, _) = slave.run(&[plan("a", vec![step("start", script), step("after", "kill -0 $(cat daemon)")])]);
    assert_eq!(outcomes(&result, 0), [("start", Success), ("after", Success)]);
}
