//! Processes that leave their step: daemons, orphans, those that cannot be counted.

use std::time::{Duration, Instant};

use farmout::runner::Outcome::{Failure, Interrupted, Success, Warnings};
use nix::sys::signal::Signal;

use crate::support::{Slave, StepExt as _, eventually, outcomes, pid_in, plan, reason, runs, step};

/// A daemon in a session of its own, whose parents are gone, with a child. It notes who it is and holds no output.
const DAEMON: &str = r#"cat > daemon.sh <<'END'
trap '' TERM
echo $$ > daemon
sh -c 'echo $$ > child; exec sleep 1000'
sleep 1000
END
setsid sh -c 'sh daemon.sh > /dev/null 2>&1 &' &
while ! test -s daemon || ! test -s child; do sleep 0.01; done"#;

#[test]
fn a_limit_ends_the_daemons_of_its_step_too() {
    let slave = Slave::new();
    let script = format!("{DAEMON}\nsleep 1000");
    let (result, _) = slave.run(&[plan("a", vec![step("hang", &script).with(|step| step.timeout = Some(1))])]);
    assert_eq!(reason(&result, "hang"), "ended after 1.0s, its time limit");
    let (daemon, child) = (pid_in(&slave.path("slave/a/build/daemon")), pid_in(&slave.path("slave/a/build/child")));
    assert!(!runs(daemon) && !runs(child));
    // They ended with the step, and were not left behind by it.
    assert_eq!(result.builders[0].reason.as_deref(), Some("step `hang`: ended after 1.0s, its time limit"));
}

#[test]
fn an_interruption_ends_the_daemons_of_its_step_but_not_those_of_earlier_ones() {
    let slave = Slave::new();
    let server = "setsid sh -c 'echo $$ > ../server; exec sleep 1000' & while ! test -s ../server; do sleep 0.01; done";
    let script = format!("{DAEMON}\ntouch ../ready; sleep 1000");
    let stop = "kill -0 $(cat ../server) && kill $(cat ../server) && ! grep -q 'State:.[^Z]' /proc/$(cat daemon)/status && touch ../stopped";
    let mut runner =
        slave.spawn(&[plan("a", vec![step("serve", server), step("hang", &script), step("stop", stop).always()])]);
    eventually("the daemon is there", || slave.path("slave/a/ready").exists());
    runner.signal(Signal::SIGINT);
    assert_eq!(runner.wait(), Some(130));
    assert!(slave.path("slave/a/stopped").exists());
}

#[test]
fn what_is_left_at_the_end_of_a_builder_is_ended_and_named() {
    let slave = Slave::new();
    let (result, _) = slave.run(&[plan("a", vec![step("start", DAEMON), step("after", "kill -0 $(cat daemon)")])]);
    assert_eq!(outcomes(&result, 0), [("start", Success), ("after", Success)]);
    let (daemon, child) = (pid_in(&slave.path("slave/a/build/daemon")), pid_in(&slave.path("slave/a/build/child")));
    assert!(!runs(daemon) && !runs(child));
    assert_eq!(result.builders[0].outcome, Some(Warnings));
    let told = result.builders[0].reason.as_deref().unwrap();
    assert!(told.starts_with("its steps left processes running, which were ended: "), "{told}");
    assert!(told.contains(&format!("`sleep 1000` (pid {child})")), "{told}");
}

#[test]
fn a_daemon_that_cleared_its_environment_is_found_by_its_parents() {
    let slave = Slave::new();
    let kept = "env -i sh -c 'setsid sh -c \"echo \\$\\$ > kept; exec sleep 1000\" & sleep 1000'";
    let steps = vec![step("hang", kept).with(|step| step.timeout = Some(1))];
    let (result, _) = slave.run(&[plan("a", steps)]);
    assert_eq!(outcomes(&result, 0), [("hang", Failure)]);
    assert!(!runs(pid_in(&slave.path("slave/a/build/kept"))));
}

#[test]
fn a_killed_runner_leaves_daemons_that_the_next_one_ends() {
    let slave = Slave::new();
    let script = format!("{DAEMON}\ntouch ../ready; sleep 1000");
    let server = "setsid sh -c 'echo $$ > ../server; exec sleep 1000' & while ! test -s ../server; do sleep 0.01; done";
    // Whoever adopted it may not have taken note of its end.
    let check = "kill -0 $(cat ../server) && ! grep -q 'State:.[^Z]' /proc/$(cat daemon)/status && touch ../checked";
    let steps = vec![step("serve", server), step("hang", &script), step("check", check).always()];
    let mut runner = slave.spawn(&[plan("a", steps)]);
    eventually("the daemon is there", || slave.path("slave/a/ready").exists());
    runner.signal(Signal::SIGKILL);
    assert_eq!(runner.wait(), None);
    let (daemon, server) = (pid_in(&slave.path("slave/a/build/daemon")), pid_in(&slave.path("slave/a/server")));
    assert!(runs(daemon) && runs(server));
    slave.run(&[]);
    assert!(!runs(daemon) && !runs(server));
    assert!(slave.path("slave/a/checked").exists());
}

#[test]
fn a_process_that_closes_its_output_goes_on_until_its_end() {
    let slave = Slave::new();
    let script = "echo before; exec > /dev/null 2>&1; sleep 1; touch ended; exit 3";
    let (result, _) = slave.run(&[plan("a", vec![step("quiet", script)])]);
    assert_eq!(result.builders[0].steps[0].exit, Some(3));
    assert!(slave.path("slave/a/build/ended").exists());
    assert_eq!(slave.log("a/01-quiet.log"), "before\n");
}

#[test]
fn a_process_that_closes_its_output_meets_its_limits() {
    let slave = Slave::new();
    let script = "exec > /dev/null 2>&1; sleep 1000";
    let (result, _) = slave.run(&[plan("a", vec![step("quiet", script).with(|step| step.idle_timeout = Some(1))])]);
    assert_eq!(reason(&result, "quiet"), "ended after 1.0s without output");
}

#[test]
fn a_step_that_forks_and_exits_is_over_when_its_group_is() {
    let slave = Slave::new();
    let script = "sh -c 'trap \"\" TERM; echo $$ > forked; exec sleep 1000' > /dev/null 2>&1 & while ! test -s forked; do sleep 0.01; done; exit 4";
    let began = Instant::now();
    let (result, _) = slave.run(&[plan("a", vec![step("fork", script)])]);
    assert_eq!(result.builders[0].steps[0].exit, Some(4));
    assert!(!runs(pid_in(&slave.path("slave/a/build/forked"))));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_step_that_fills_the_process_table_is_ended_whole() {
    let slave = Slave::new();
    // Bounded twice: by the limit of the user's processes, and by the count.
    let script =
        "ulimit -u 400; i=0; while test $i -lt 300; do i=$((i+1)); setsid sleep 1000 & sleep 1000 & done; wait";
    let steps = vec![step("bomb", script).with(|step| step.timeout = Some(3)), step("after", "true").always()];
    let (result, _) = slave.run(&[plan("a", steps)]);
    assert_eq!(outcomes(&result, 0), [("bomb", Failure), ("after", Success)]);
    let mark = format!("FARMOUT_STEP={}/a/", result.run);
    assert_eq!(carriers(&mark), Vec::<i32>::new());
}

#[test]
fn a_bomb_that_goes_on_forking_is_ended() {
    let slave = Slave::new();
    // Each process starts another in a session of its own and ends; there are never many, and it ends by itself at last.
    let script =
        "echo 'test $1 -lt 300 || exit; sleep 0.05; setsid sh ./hop $(($1 + 1)) &' > hop; sh ./hop 0; sleep 1000";
    let (result, _) = slave.run(&[plan("a", vec![step("hop", script).with(|step| step.timeout = Some(1))])]);
    assert_eq!(reason(&result, "hop"), "ended after 1.0s, its time limit");
    let mark = format!("FARMOUT_STEP={}/a/", result.run);
    assert_eq!(carriers(&mark), Vec::<i32>::new());
}

#[test]
fn a_stopped_step_is_ended_by_its_limit() {
    let slave = Slave::new();
    let script =
        "setsid sh -c 'echo $$ > aside; kill -STOP $$' & while ! test -s aside; do sleep 0.01; done; kill -STOP $$";
    let mut runner = slave.spawn(&[plan("a", vec![step("stop", script).with(|step| step.timeout = Some(2))])]);
    let aside = pid_in(&slave.path("slave/a/build/aside"));
    assert_eq!(runner.wait(), Some(1));
    assert!(!runs(aside));
}

#[test]
fn orphans_leave_no_dead_behind_while_their_step_works() {
    let slave = Slave::new();
    let script = "echo $PPID > runner; i=0; while test $i -lt 50; do i=$((i+1)); sh -c 'setsid true &'; done; touch ../made; sleep 1000";
    let mut runner = slave.spawn(&[plan("a", vec![step("orphans", script)])]);
    let pid = pid_in(&slave.path("slave/a/build/runner"));
    eventually("they are made", || slave.path("slave/a/made").exists());
    eventually("they are gone", || children(pid).iter().all(|&child| runs(child)));
    runner.signal(Signal::SIGINT);
    assert_eq!(runner.wait(), Some(130));
}

#[test]
fn an_interruption_is_heard_by_a_step_that_says_nothing() {
    let slave = Slave::new();
    let mut runner = slave.spawn(&[plan("a", vec![step("quiet", "touch ../began; exec sleep 1000")])]);
    eventually("it began", || slave.path("slave/a/began").exists());
    let began = Instant::now();
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.wait(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(20));
    let result = slave.read("state/latest/result.json");
    let result: farmout::runner::RunResult = serde_json::from_str(&result).unwrap();
    assert_eq!(result.outcome, Some(Interrupted));
}

/// The processes that run and have this in their environment.
fn carriers(text: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(text.len()).any(|window| window == text.as_bytes())
    };
    processes().filter(|pid| has(pid) && runs(*pid)).collect()
}

/// The children of a process, dead ones too.
fn children(parent: i32) -> Vec<i32> {
    let parent_of = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<i32>().ok()
    };
    processes().filter(|&pid| parent_of(pid) == Some(parent)).collect()
}

fn processes() -> impl Iterator<Item = i32> {
    let names = std::fs::read_dir("/proc").unwrap().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
