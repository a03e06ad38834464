//! What steps write: kept to the byte, and without secrets.

use farmout::model::Secret;
use farmout::runner::Outcome::Success;
use farmout::runner::{Event, Stream};
use nix::sys::signal::Signal;

use crate::support::{Slave, StepExt as _, eventually, pid_in, plan, reason, step};

fn output(events: &[Event], wanted: Stream) -> Vec<u8> {
    let pieces = events.iter().filter_map(|event| match event {
        Event::Output { stream, bytes, .. } if *stream == wanted => Some(bytes.as_slice()),
        _ => None,
    });
    pieces.flatten().copied().collect()
}

#[test]
fn output_is_kept_to_the_byte() {
    let slave = Slave::new();
    let script = r"printf 'a\377\376b\r\n\0'; printf 'no end' >&2";
    let (_, events) = slave.run(&[plan("a", vec![step("odd", script)])]);
    assert_eq!(output(&events, Stream::Out), b"a\xff\xfeb\r\n\0no end");
    let log = std::fs::read(slave.path("state/latest/a/01-odd.log")).unwrap();
    assert_eq!(log, b"a\xff\xfeb\r\n\0no end");
}

#[test]
fn both_outputs_are_in_the_order_in_which_they_were_written() {
    let slave = Slave::new();
    let script = "i=0; while test $i -lt 500; do i=$((i+1)); echo out $i; echo err $i >&2; done";
    slave.run(&[plan("a", vec![step("mixed", script)])]);
    let wanted: String = (1..=500).map(|number| format!("out {number}\nerr {number}\n")).collect();
    assert_eq!(slave.log("a/01-mixed.log"), wanted);
}

#[test]
fn outputs_are_told_apart_where_one_is_a_property() {
    let slave = Slave::new();
    let script = "echo out; echo err >&2";
    let told = step("told", script).with(|step| step.property = Some("told".to_owned()));
    let (result, events) = slave.run(&[plan("a", vec![told])]);
    assert_eq!(output(&events, Stream::Out), b"out\n");
    assert_eq!(output(&events, Stream::Err), b"err\n");
    assert_eq!(result.builders[0].properties["told"], "out");
}

#[test]
fn a_line_of_ten_megabytes_is_kept() {
    let slave = Slave::new();
    let script = "head -c 10000000 /dev/zero | tr '\\0' x";
    let long = step("long", script).with(|step| step.property = Some("long".to_owned()));
    let (result, events) = slave.run(&[plan("a", vec![long])]);
    assert_eq!(output(&events, Stream::Out).len(), 10_000_000);
    assert_eq!(slave.log("a/01-long.log").len(), 10_000_000);
    let reason = result.builders[0].steps[0].reason.as_deref();
    assert_eq!(reason, Some("the property `long` has no value: the last line is too long"));
}

#[test]
fn secrets_are_seen_nowhere() {
    let mut slave = Slave::new();
    slave.site.secrets.insert("pw".to_owned(), Secret::new("hunter2-xyzzy"));
    let script = "echo \"$PW\"; printf hunter; sleep 0.3; printf '2-xyz'; sleep 0.3; echo zy; echo $PW >&2; echo ${secret.pw}; exit 1";
    let mut plan = plan(
        "a",
        vec![
            step("tell", script),
            step("missing", "").always().with(|step| step.run = vec!["/${secret.pw}".to_owned()]),
            step("check", "test $PW = hunter2-\"\"xyzzy").always(),
        ],
    );
    plan.environment.insert("PW".to_owned(), "${secret.pw}".to_owned());
    plan.secrets.push("pw".to_owned());
    let (result, events) = slave.run(&[plan]);
    assert_eq!(result.builders[0].steps[2].exit, Some(0));
    assert_eq!(output(&events, Stream::Out), b"***\n***\n***\n***\n");
    let told = format!("{events:?}{result:?}");
    assert!(!told.contains("hunter2-xyzzy"), "{told}");
    let found =
        std::process::Command::new("grep").args(["-rl", "hunter2-xyzzy", slave.path("state").as_str()]).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "");
}

#[test]
fn of_a_log_that_is_too_long_both_ends_are_kept() {
    let mut slave = Slave::new();
    slave.site.log_limit = Some(10_000);
    // Lines of ten bytes, 3,000 of them.
    let (result, events) = slave.run(&[plan("a", vec![step("long", "seq 1000000000 1000002999 | cut -c 2-")])]);
    assert_eq!(result.outcome, Some(Success));
    assert_eq!(reason(&result, "long"), "its log is cut: 20000 bytes in its middle are left out");
    let lines = |numbers: std::ops::Range<u32>| numbers.map(|number| format!("{number:09}\n")).collect::<String>();
    let cut = "\n[farmout: 20000 bytes are left out here: a log keeps 10000 bytes of a step's output; `keep: {log: …}` in farm.yaml is the limit]\n";
    assert_eq!(slave.log("a/01-long.log"), format!("{}{cut}{}", lines(0..500), lines(2500..3000)));
    assert_eq!(slave.path("state/latest/a").read_dir().unwrap().count(), 2, "the plan and the log");
    // Whoever watches sees all of it.
    assert_eq!(output(&events, Stream::Out).len(), 30_000);
}

#[test]
fn much_output_needs_little_memory() {
    let slave = Slave::new();
    let script = "echo $PPID > runner; head -c 200000000 /dev/zero; touch ../written; sleep 1000";
    let mut runner = slave.spawn(&[plan("a", vec![step("much", script)])]);
    let pid = pid_in(&slave.path("slave/a/build/runner"));
    eventually("it is written", || slave.path("slave/a/written").exists());
    let log = slave.path("state/latest/a/01-much.log");
    eventually("it is kept", || log.metadata().unwrap().len() == 200_000_000);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 60_000, "{most} kB");
    runner.signal(Signal::SIGINT);
    assert_eq!(runner.wait(), Some(130));
}

/// On a disk of one megabyte.
mod root {
    use std::process::Command;

    use farmout::runner::{Options, run};

    use super::*;

    struct Disk(camino::Utf8PathBuf);

    impl Disk {
        /// Mounted where the slave keeps its runs, with 700 kB in use.
        fn small(slave: &Slave) -> Self {
            let path = slave.path("state");
            std::fs::create_dir(&path).unwrap();
            let mount =
                Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=755", "disk", path.as_str()]).status();
            assert!(mount.unwrap().success());
            std::fs::write(path.join("ballast"), vec![0; 700_000]).unwrap();
            Self(path)
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }

    #[test]
    fn a_full_disk_ends_no_step_and_its_log_goes_on_when_there_is_room() {
        let slave = Slave::new();
        let disk = Disk::small(&slave);
        let script = "echo begin; head -c 2000000 /dev/zero | tr '\\0' x; echo; touch ../full; while ! test -e ../room; do sleep 0.1; done
            echo again; touch ../ended";
        let plans = [plan("a", vec![step("fill", script)])];
        let result = std::thread::scope(|scope| {
            let run = scope.spawn(|| slave.run(&plans).0);
            eventually("the disk is full", || slave.path("slave/a/full").exists());
            // Longer than between two tries.
            std::thread::sleep(std::time::Duration::from_millis(1500));
            std::fs::remove_file(disk.0.join("ballast")).unwrap();
            std::fs::write(slave.path("slave/a/room"), "").unwrap();
            run.join().unwrap()
        });
        assert!(slave.path("slave/a/ended").exists());
        assert_eq!(result.outcome, Some(Success), "{:?}", result.builders);
        let why = reason(&result, "fill");
        assert!(
            why.starts_with("its log is incomplete: No space left on device; ") && why.ends_with(" bytes are missing"),
            "{why}"
        );
        let log = slave.log("a/01-fill.log");
        let (before, after) = log.split_once("\n[farmout: ").unwrap();
        let (missing, after) = after.split_once(" bytes are missing here: No space left on device]\n").unwrap();
        assert!(before.starts_with("begin\nxxx"));
        assert_eq!(after, "again\n");
        assert_eq!(before.len() + missing.parse::<usize>().unwrap(), 2_000_007);
        assert!(why.contains(missing), "{why}");
    }

    #[test]
    fn on_a_disk_that_stays_full_the_log_says_so_at_its_end() {
        let slave = Slave::new();
        let disk = Disk::small(&slave);
        let plans = [plan("a", vec![step("fill", "head -c 2000000 /dev/zero | tr '\\0' x")])];
        let mut log = String::new();
        let result = run(&plans, &slave.site, &Options::default(), &mut |entry| {
            if matches!(entry.event, Event::StepFinished { .. }) {
                log = slave.log("a/01-fill.log");
                // Or the run itself could not be kept.
                std::fs::remove_file(disk.0.join("ballast")).unwrap();
            }
        });
        let result = result.unwrap();
        assert_eq!(result.outcome, Some(Success));
        let (before, after) = log.split_once("\n[farmout: ").unwrap();
        let (missing, after) = after.split_once(" bytes are missing here: No space left on device]\n").unwrap();
        assert_eq!((before.len() + missing.parse::<usize>().unwrap(), after), (2_000_000, ""));
        assert!(reason(&result, "fill").ends_with(&format!("; {missing} bytes are missing")));
    }
}
