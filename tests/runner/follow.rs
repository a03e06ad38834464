//! Files that steps follow: their growth is output, and what was added is kept.

use farmout::model::Secret;
use farmout::plan::Step;
use farmout::runner::Followed;
use farmout::runner::Options;
use farmout::runner::Outcome::{Failure, Success};

use crate::support::{Slave, StepExt as _, outcomes, plan, reason, step};

/// A step that writes to a file only, every 0.2 s, so many times.
fn quiet(times: usize, after: &str) -> Step {
    let script = format!("for i in $(seq {times}); do echo $i >> test.log; sleep 0.2; done; {after}");
    step("test", &script).with(|step| step.idle_timeout = Some(1))
}

fn following(files: &[&str]) -> impl FnOnce(&mut Step) {
    let files = files.iter().map(|&file| file.to_owned()).collect();
    move |step| step.follow = files
}

#[test]
fn a_file_that_grows_keeps_a_step_from_being_idle() {
    let slave = Slave::new();
    let plans = [plan("a", vec![quiet(12, "true").with(following(&["test.log"]))]), plan("b", vec![quiet(12, "true")])];
    let (result, _) = slave.run(&plans);
    assert_eq!(outcomes(&result, 0), [("test", Success)]);
    assert_eq!(outcomes(&result, 1), [("test", Failure)]);
    assert_eq!(result.builders[1].steps[0].reason.as_deref(), Some("ended after 1.0s without output"));
}

#[test]
fn a_file_that_grows_no_more_does_not() {
    let slave = Slave::new();
    // For half of the time that is looked at the file first, which is again when it has been silent for a second.
    let steps = vec![quiet(3, "sleep 60").with(following(&["test.log", "never.log"]))];
    let (result, _) = slave.run(&[plan("a", steps)]);
    assert_eq!(reason(&result, "test"), "ended after 1.0s without output");
    let seconds = result.builders[0].steps[0].seconds;
    assert!((1.4..1.9).contains(&seconds), "it counts from when it was written to: {seconds}");
    assert_eq!(slave.log("a/01-test.followed-1.log"), "1\n2\n3\n");
}

#[test]
fn what_is_added_is_kept_beside_the_log() {
    let mut slave = Slave::new();
    slave.site.secrets.insert("pw".to_owned(), Secret::new("hunter2-xyzzy"));
    let script = "echo with $PW >> ../logs/server.log; echo said; echo own > own.log; false";
    let mut plan = plan(
        "a",
        vec![
            step("make", "mkdir ../logs; echo before > ../logs/server.log"),
            step("test", script).with(following(&["${builder-dir}/logs/server.log", "own.log", "never.log"])),
        ],
    );
    plan.environment.insert("PW".to_owned(), "${secret.pw}".to_owned());
    plan.secrets.push("pw".to_owned());
    let (result, _) = slave.run(&[plan]);
    let test = &result.builders[0].steps[1];
    assert_eq!(test.reason.as_deref(), Some("exit status 1"));
    let followed = |file: &str, number: usize| Followed {
        file: slave.path(file).into_string(),
        log: format!("02-test.followed-{number}.log"),
    };
    assert_eq!(test.followed, [followed("slave/a/logs/server.log", 1), followed("slave/a/build/own.log", 2)]);
    assert_eq!(slave.log("a/02-test.followed-1.log"), "with ***\n");
    assert_eq!(slave.log("a/02-test.followed-2.log"), "own\n");
    assert_eq!(slave.log("a/02-test.log"), "said\n");
}

#[test]
fn each_attempt_keeps_its_own() {
    let slave = Slave::new();
    let steps =
        vec![step("fetch", "echo $FARMOUT_STEP >> x.log; wc -l < x.log; test $(wc -l < x.log) = 2").with(|step| {
            step.infrastructure = true;
            step.follow = vec!["x.log".to_owned()];
        })];
    let (result, _) = slave.run_with(&[plan("a", steps)], &Options { retries: 2, ..Options::default() });
    let fetch = &result.builders[0].steps[0];
    assert_eq!(fetch.outcome, Success);
    assert_eq!(fetch.retried[0].followed[0].log, "01-fetch.followed-1.log");
    assert_eq!(fetch.followed[0].log, "01-fetch.attempt-2.followed-1.log");
    assert_eq!(slave.log("a/01-fetch.attempt-2.followed-1.log").lines().count(), 1);
}

#[test]
fn of_much_both_ends_are_kept() {
    let mut slave = Slave::new();
    slave.site.log_limit = Some(1000);
    let (result, _) = slave.run(&[plan("a", vec![step("much", "seq 1000 1999 > x.log").with(following(&["x.log"]))])]);
    assert_eq!(result.outcome, Some(Success));
    assert_eq!(reason(&result, "much"), "x.log is cut: 4000 bytes in its middle are left out");
    let kept = slave.log("a/01-much.followed-1.log");
    assert!(kept.starts_with("1000\n1001\n") && kept.ends_with("1998\n1999\n"), "{kept}");
}

#[test]
fn what_cannot_be_filled_in_is_told() {
    let slave = Slave::new();
    let (result, _) = slave.run(&[plan("a", vec![step("x", "true").with(following(&["${property.lost}"]))])]);
    let said = reason(&result, "x");
    assert!(
        said.starts_with("a file to follow cannot be filled in: ") && said.ends_with("no step reports it"),
        "{said}"
    );
}

mod root {
    use super::*;

    #[test]
    fn a_link_leads_to_nothing_that_the_account_cannot_read() {
        assert!(nix::unistd::geteuid().is_root(), "this test switches users: run it as root");
        let slave = Slave::new();
        let private = slave.path("private");
        std::fs::write(&private, "the secret\n").unwrap();
        std::os::unix::fs::chown(&private, Some(0), Some(0)).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o600)).unwrap();
        let script = format!("ln -s {private} x.log; mkfifo y.log");
        let (result, _) = slave.run(&[plan("a", vec![step("lead", &script).with(following(&["x.log", "y.log"]))])]);
        assert_eq!(result.outcome, Some(Success));
        let said = "x.log is not kept: Permission denied; y.log is not kept: it is no plain file";
        assert_eq!(reason(&result, "lead"), said);
        assert!(result.builders[0].steps[0].followed.is_empty());
        assert!(!slave.path("state/latest/a/01-lead.followed-1.log").exists());
    }
}
