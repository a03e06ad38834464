//! What the world does to a runner: kills at any moment, full disks, damaged files, clocks that are set.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use farmout::plan::Plan;
use farmout::runner::Outcome::{Interrupted, Success};
use farmout::runner::{Entry, Event, Options, replay};
use nix::sys::signal::Signal;

use crate::support::{Slave, StepExt as _, eventually, plan, step};

/// Two builders whose steps leave a mark each, and whose clean-up takes one away.
fn marking() -> Vec<Plan> {
    let builder = |name: &str| {
        let mut steps = vec![step("make", "touch ${builder-dir}/made").with(|step| step.template = "thing".to_owned())];
        steps.extend(
            (0..20).map(|number| step(&format!("s{number}"), &format!("echo s{number} >> ${{builder-dir}}/done"))),
        );
        steps
            .push(step("unmake", "rm -f ${builder-dir}/made").with(|step| step.template = "thing".to_owned()).always());
        plan(name, steps)
    };
    vec![builder("a"), builder("b")]
}

/// The steps of a builder that ended well, as the journal of a run has it.
fn finished(entries: &[Entry], wanted: &str) -> Vec<String> {
    let ended = entries.iter().filter_map(|entry| match &entry.event {
        Event::StepFinished { builder, result } if builder == wanted && result.outcome == Success => Some(&result.name),
        _ => None,
    });
    ended.filter(|name| name.starts_with('s')).cloned().collect()
}

fn journal(path: &camino::Utf8Path) -> Vec<Entry> {
    let text = fs::read_to_string(path.join("events.jsonl")).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn whenever_the_runner_is_killed_results_stay_and_the_next_run_cleans_up() {
    for round in 0..12u64 {
        let slave = Slave::new();
        let mut runner = slave.spawn(&marking());
        eventually("the run begins", || slave.path("state/latest").exists());
        std::thread::sleep(Duration::from_millis(round * round));
        runner.signal(Signal::SIGKILL);
        runner.wait();
        let run = slave.path("state/latest").canonicalize_utf8().unwrap();
        let (result, events) = slave.run(&[plan("c", vec![])]);
        assert_eq!(result.outcome, Some(Success), "round {round}");
        let problems: Vec<_> =
            events.iter().filter(|event| matches!(event, Event::Recovered { problem: Some(_), .. })).collect();
        assert!(problems.is_empty(), "round {round}: {problems:?}");
        assert!(slave.records().is_empty(), "round {round}");
        for builder in ["a", "b"] {
            assert!(
                !slave.path(&format!("slave/{builder}/made")).exists(),
                "round {round}: {builder} is not cleaned up"
            );
            let done = fs::read_to_string(slave.path(&format!("slave/{builder}/done"))).unwrap_or_default();
            let told = finished(&journal(&run), builder);
            let done: Vec<&str> = done.lines().collect();
            // The last one may have ended with nobody there to note it.
            assert!(told.len() == done.len() || told.len() + 1 == done.len(), "round {round}: {told:?}, {done:?}");
            assert!(told.iter().zip(&done).all(|(told, done)| told == done));
        }
        let killed = farmout::runner::read(&run).unwrap();
        let begun = killed.builders.iter().any(|builder| !builder.steps.is_empty());
        assert!(!begun || killed.outcome.is_some(), "round {round}: {killed:?}");
    }
}

/// Whoever watches the later run sees no end of the killed one, which took no longer than it was at work.
#[test]
fn a_killed_run_ends_in_its_own_journal_at_the_time_it_died() {
    let slave = Slave::new();
    let mut runner = slave.spawn(&[plan("a", vec![step("hang", "touch ${basedir}/began; sleep 1000")])]);
    eventually("the step is at work", || slave.path("slave/began").exists());
    runner.signal(Signal::SIGKILL);
    runner.wait();
    let run = slave.path("state/latest").canonicalize_utf8().unwrap();
    let died = farmout::runner::read(&run).unwrap().seconds;
    std::thread::sleep(Duration::from_millis(1500));
    let (_, events) = slave.run(&[plan("b", vec![])]);
    let ends = events.iter().filter(|event| matches!(event, Event::RunFinished { .. })).count();
    assert_eq!(ends, 1, "{events:?}");
    let killed = farmout::runner::read(&run).unwrap();
    assert_eq!((killed.outcome, killed.seconds), (Some(Interrupted), died));
    assert!(killed.builders[0].seconds <= died);
}

/// A runner that was killed between making its folder and its journal leaves a note and a folder that tell nothing.
#[test]
fn a_run_that_was_killed_before_it_began_is_removed() {
    let slave = Slave::new();
    slave.run(&[plan("a", vec![])]);
    let (folder, note) = (slave.path("state/runs/20010101-000000-aaaa"), "state/active/20010101-000000-aaaa.run");
    let dead = r#"{"pid": 1, "start": 1, "session": 1, "boot": "another"}"#;
    for journal in [None, Some("")] {
        fs::create_dir_all(folder.join("a")).unwrap();
        if let Some(text) = journal {
            fs::write(folder.join("events.jsonl"), text).unwrap();
        }
        fs::write(slave.path(note), dead).unwrap();
        slave.run(&[plan("a", vec![])]);
        assert!(!folder.exists() && !slave.path(note).exists());
    }
}

#[test]
fn a_damaged_end_of_a_journal_loses_nothing_but_itself() {
    for damage in [&b"{\"time\":\"2026-11-2"[..], b"\xff\xfe\0\0garbage\n\n", b"{}\n[1]\n"] {
        let slave = Slave::new();
        let hang = step("hang", "touch ${basedir}/began; sleep 1000");
        let mut runner = slave.spawn(&[plan("a", vec![step("one", "true"), hang, step("end", "true").always()])]);
        eventually("the step is at work", || slave.path("slave/began").exists());
        runner.signal(Signal::SIGKILL);
        runner.wait();
        let run = slave.path("state/latest").canonicalize_utf8().unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(run.join("events.jsonl")).unwrap();
        file.write_all(damage).unwrap();
        slave.run(&[plan("b", vec![])]);
        let result = farmout::runner::read(&run).unwrap();
        assert_eq!(result.outcome, Some(Interrupted));
        let names: Vec<_> = result.builders[0].steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["one", "end"]);
        assert!(slave.records().is_empty());
    }
}

#[test]
fn what_a_later_farmout_wrote_is_left_alone() {
    let slave = Slave::new();
    slave.run(&[plan("a", vec![])]);
    let run = slave.path("state/latest").canonicalize_utf8().unwrap();
    fs::write(run.join("events.jsonl"), "{\"event\":\"run-started\",\"format\":2,\"news\":[]}\n").unwrap();
    let failure = farmout::runner::read(&run).unwrap_err();
    assert_eq!(failure.message, format!("cannot read {run}/events.jsonl: it has format 2, and this farmout reads 1"));
    fs::write(slave.path("state/format"), "2\n").unwrap();
    let failure =
        farmout::runner::run(&[plan("a", vec![])], &slave.site, &Options::default(), &mut |_| {}).unwrap_err();
    assert_eq!(
        failure.message,
        format!("a later farmout made {}: it has format 2, and this one knows 1", slave.site.state)
    );
    assert_eq!(failure.exit as i32, 2);
    assert_eq!(slave.path("state/runs").read_dir().unwrap().count(), 1);
}

#[test]
fn a_clock_that_is_set_back_changes_no_duration() {
    let slave = Slave::new();
    let (result, _) = slave.run(&[plan("a", vec![step("one", "sleep 0.2"), step("two", "true")])]);
    let mut entries = journal(&result.folder);
    for (number, entry) in entries.iter_mut().enumerate().skip(1) {
        let hours = i64::try_from(number).unwrap();
        entry.time = entry.time.checked_sub(jiff::SignedDuration::from_hours(hours)).unwrap();
    }
    let replayed = replay(&entries, result.folder.clone()).unwrap();
    assert_eq!(replayed, result);
    let steps = &result.builders[0].steps;
    assert!(steps[0].seconds >= 0.2 && steps[1].at >= steps[0].at + 0.2);
}

/// These need a file system of their own.
mod root {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};

    use super::*;

    /// A small file system in place of a folder, until it is dropped.
    struct Small<'a>(&'a str);

    impl<'a> Small<'a> {
        fn new(path: &'a str, size: &str) -> Self {
            fs::create_dir_all(path).unwrap();
            let size = format!("size={size}");
            mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
            Self(path)
        }
    }

    impl Drop for Small<'_> {
        fn drop(&mut self) {
            let _ = umount2(self.0, MntFlags::MNT_DETACH);
        }
    }

    #[test]
    fn a_run_that_cannot_begin_leaves_nothing() {
        let slave = Slave::new();
        let state = slave.path("state");
        let _small = Small::new(state.as_str(), "1m");
        slave.run(&[plan("a", vec![])]);
        fs::write(state.join("filler"), vec![0; 850_000]).unwrap();
        let failed =
            farmout::runner::run(&[plan("a", vec![])], &slave.site, &Options::default(), &mut |_| {}).unwrap_err();
        assert!(failed.message.contains("No space left on device"), "{}", failed.message);
        assert_eq!(state.join("runs").read_dir().unwrap().count(), 1);
        assert_eq!(state.join("active").read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_costs_logs_and_no_results() {
        let slave = Slave::new();
        let state = slave.path("state");
        let _small = Small::new(state.as_str(), "1m");
        let flood = step("flood", "head -c 4000000 /dev/zero; touch ${basedir}/went-on");
        let after = step("after", "echo here");
        let (result, _) = slave.run(&[plan("a", vec![step("before", "true"), flood, after])]);
        assert_eq!(result.outcome, Some(Success), "{result:?}");
        assert!(slave.path("slave/went-on").exists());
        let reason = crate::support::reason(&result, "flood");
        assert!(reason.starts_with("its log is incomplete: No space left on device"), "{reason}");
        // All of it is there to be read, though there was no room left.
        let kept = farmout::runner::read(&result.folder).unwrap();
        assert_eq!(kept, result);
        assert!(result.folder.join("result.json").exists());
        assert!(slave.records().is_empty());
    }
}
