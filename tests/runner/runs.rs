//! Runs told again from their journals, by the program, and beside a run at work.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output, Stdio};

use camino::Utf8Path;
use farmout::plan::Plan;
use farmout::report::{Format, Manner, Style, Terminal};
use farmout::runner::{Entry, Event, JournalReader, Options, Progress, Recorded};

use crate::report::{RUN, check, write_run};
use crate::support::{Slave, StepExt as _, eventually, plan, step};

fn farmout(state: &Utf8Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
    command.args(arguments).args(["--state", state.as_str()]).env("TZ", "UTC");
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "CLICOLOR_FORCE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}[exit {}]\n", text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

/// What the program says of each call, with its place in the machine left out.
fn session(state: &Utf8Path, calls: &[&[&str]]) -> String {
    let mut text = String::new();
    for call in calls {
        let output = farmout(state, call).output().unwrap();
        text += &format!("$ farmout {}\n{}\n", call.join(" "), said(&output));
    }
    text.replace(state.as_str(), ".farmout")
}

fn state() -> (tempfile::TempDir, camino::Utf8PathBuf) {
    let keep = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(keep.path()).unwrap().to_owned();
    (keep, path)
}

fn two_plans() -> [Plan; 2] {
    let lines = step("lines", "i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); done; exit 3");
    let [first, second] = [step("first", "echo one; sleep 0.2"), step("second", "echo two; echo half >&2; printf end")];
    [plan("bad", vec![first.clone(), lines, second.clone()]), plan("good", vec![first, second])]
}

#[test]
fn what_is_said_later_is_what_was_said_live() {
    for (style, jobs) in
        [(Style::Plain, 1), (Style::Plain, 2), (Style::GitHub, 1), (Style::GitHub, 2), (Style::GitLab, 2)]
    {
        let slave = Slave::new();
        let manner = Manner { style, ..Manner::default() };
        let mut live = Vec::new();
        let options = Options { jobs: std::num::NonZeroUsize::new(jobs), ..Options::default() };
        {
            let mut terminal = Terminal::new(&mut live, manner);
            farmout::runner::run(&two_plans(), &slave.site, &options, &mut |entry| terminal.observe(entry)).unwrap();
        }
        let mut later = Vec::new();
        let run = Recorded::open(&slave.site.state, "latest").unwrap();
        assert_eq!((run.progress, run.damaged), (Progress::Ended, 0));
        Format::Text.write(&run, manner, &mut later).unwrap();
        let (live, later) = (String::from_utf8(live).unwrap(), String::from_utf8(later).unwrap());
        assert!(live.contains("line 49") && live.contains("exit status 3"), "{live}");
        assert_eq!(live, later);
        if style == Style::Plain {
            let output = farmout(&slave.site.state, &["report"]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), live);
        }
    }
}

#[test]
fn runs_are_listed_told_and_shown() {
    let (_keep, state) = state();
    write_run(&state);
    let calls: &[&[&str]] = &[
        &["runs"],
        &["runs", "--format", "json"],
        &["report", "latest", "--format", "junit"],
        &["log", "latest", "crm-7.0-pg15"],
        &["log", RUN, "crm-7.0-pg15", "buildout"],
    ];
    let text = session(&state, calls);
    check("runs-told", &text.replace('\x1b', "␛").replace('\r', "␍"));
}

#[test]
fn wrong_names_are_answered_with_right_ones() {
    let (_keep, state) = state();
    let nothing: &[&[&str]] = &[&["runs"], &["report"]];
    let mut text = session(&state, nothing);
    write_run(&state);
    let calls: &[&[&str]] = &[
        &["report", "20261122-181500-k3f0"],
        &["report", "../runs"],
        &["log", "lates", "sale"],
        &["log", "latest", "sail"],
        &["log", "latest", "nightly"],
        &["log", "latest", "crm-7.0-pg15", "buildot"],
        &["log", "latest", "crm-7.0-pg15", "install"],
        &["report", "-o", "/nowhere/report.txt"],
    ];
    text += &session(&state, calls);
    check("runs-misuse", &text);
}

#[test]
fn damaged_journals_and_those_of_later_versions_are_named() {
    let (_keep, state) = state();
    write_run(&state);
    let journal = state.join("runs").join(RUN).join("events.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let cut = text.trim_end().rsplit_once("\"outcome\"").unwrap().0;
    std::fs::write(&journal, cut).unwrap();
    let calls: &[&[&str]] = &[&["runs"], &["report"]];
    let mut said = session(&state, calls);
    std::fs::write(&journal, text.replacen("\"format\":1", "\"format\":9", 1)).unwrap();
    said += &session(&state, calls);
    std::fs::write(&journal, "\0\0\0\0").unwrap();
    said += &session(&state, &[&["report"]]);
    check("runs-damaged", &said);
}

#[test]
fn reports_are_written_whole() {
    let (_keep, state) = state();
    write_run(&state);
    let path = state.join("report.json");
    std::fs::write(&path, "old").unwrap();
    let call = ["report", "--format", "json", "-o", path.as_str()];
    assert!(farmout(&state, &call).status().unwrap().success());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((report["run"].as_str(), report["outcome"].as_str()), (Some(RUN), Some("failure")));
    let left = state.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned());
    assert_eq!(left.filter(|name| name.starts_with(".tmp")).count(), 0);
}

#[test]
fn a_log_comes_out_as_it_was_written() {
    let slave = Slave::new();
    let noise = step("noise", r"printf 'a\r\033[31mb\0\377'; printf c");
    slave.run(&[plan("b", vec![step("first", "printf no-end"), noise])]);
    let state = &slave.site.state;
    let output = farmout(state, &["log", "latest", "b", "noise"]).output().unwrap();
    assert_eq!(output.stdout, b"a\r\x1b[31mb\0\xffc");
    let output = farmout(state, &["log", "latest", "b"]).output().unwrap();
    assert_eq!(output.stdout, b"==> 01-first.log <==\nno-end\n\n==> 02-noise.log <==\na\r\x1b[31mb\0\xffc");
}

#[test]
fn a_run_at_work_is_told_and_followed() {
    let slave = Slave::new();
    let gate = slave.path("gate");
    let wait = format!("echo before; until [ -e {gate} ]; do sleep 0.05; done; echo after");
    let plans = [plan("b", vec![step("first", "echo one"), step("gate", &wait), step("last", "echo three").always()])];
    let mut runner = slave.spawn(&plans);
    let state = slave.site.state.clone();
    eventually("the step at the gate is at work", || {
        std::fs::read_to_string(state.join("latest/b/02-gate.log")).is_ok_and(|log| log.contains("before"))
    });
    let run = Recorded::open(&state, "latest").unwrap();
    assert_eq!(run.progress, Progress::AtWork);
    let text = String::from_utf8(farmout(&state, &["report"]).output().unwrap().stdout).unwrap();
    assert!(text.contains("\nb        at work\n") && text.contains("\nthe run is at work;"), "{text}");
    let text = String::from_utf8(farmout(&state, &["runs"]).output().unwrap().stdout).unwrap();
    assert!(text.contains("at work") && text.contains("1 left"), "{text}");

    let follow = |arguments: &[&str]| {
        let mut command = farmout(&state, arguments);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut all = follow(&["log", "latest", "b", "--follow"]);
    let mut last = follow(&["log", "latest", "b", "last", "-f"]);
    let mut reader = BufReader::new(all.stdout.take().unwrap());
    let mut text = String::new();
    while !text.ends_with("before\n") {
        assert!(reader.read_line(&mut text).unwrap() > 0, "{text}");
    }
    std::fs::write(&gate, "").unwrap();
    reader.read_to_string(&mut text).unwrap();
    let expected = "==> 01-first.log <==\none\n\n==> 02-gate.log <==\nbefore\nafter\n\n==> 03-last.log <==\nthree\n";
    assert_eq!(text, expected);
    assert!(all.wait().unwrap().success() && last.wait().unwrap().success());
    let mut text = String::new();
    last.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "three\n");
    assert_eq!(runner.wait(), Some(0));
    assert_eq!(Recorded::open(&state, "latest").unwrap().progress, Progress::Ended);
}

#[test]
fn a_log_is_followed_beyond_what_will_be_kept_of_it() {
    let mut slave = Slave::new();
    slave.site.log_limit = Some(10_000);
    let gate = slave.path("gate");
    let lines = |numbers: std::ops::Range<u32>| numbers.map(|number| format!("{number:09}\n")).collect::<String>();
    let seq = |from: u32, to: u32| format!("seq {} {} | cut -c 2-", 1_000_000_000 + from, 999_999_999 + to);
    let script = format!("{}; until [ -e {gate} ]; do sleep 0.05; done; {}", seq(0, 800), seq(800, 1200));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| slave.run_with(&[plan("b", vec![step("long", &script)])], &Options::default()));
        let log = || farmout(&slave.site.state, &["log", "latest", "b", "long"]).output().unwrap().stdout;
        eventually("all of it is to be seen", || log() == lines(0..800).as_bytes());
        let mut follow = farmout(&slave.site.state, &["log", "latest", "b", "long", "--follow"]);
        let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
        let mut text = vec![0; 8000];
        follow.stdout.as_mut().unwrap().read_exact(&mut text).unwrap();
        std::fs::write(&gate, "").unwrap();
        follow.stdout.as_mut().unwrap().read_to_end(&mut text).unwrap();
        assert!(follow.wait().unwrap().success());
        assert_eq!(String::from_utf8(text).unwrap(), lines(0..1200));
        run.join().unwrap();
        let cut = format!("{}\n[farmout: 2000 bytes are left out here", lines(0..500));
        assert!(String::from_utf8(log()).unwrap().starts_with(&cut));
    });
}

#[test]
fn a_killed_run_is_no_run_at_work() {
    let slave = Slave::new();
    let runner = slave.spawn(&[plan("b", vec![step("long", "echo begun; sleep 1000")])]);
    let state = slave.site.state.clone();
    let log = state.join("latest/b/01-long.log");
    eventually("the step is at work", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("begun")));
    let mut follow = farmout(&state, &["log", "latest", "b", "-f"]);
    let mut follow = follow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut head = [0; 20];
    follow.stdout.as_mut().unwrap().read_exact(&mut head).unwrap();
    assert_eq!(&head, b"==> 01-long.log <==\n");
    drop(runner);
    let output = follow.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "begun\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the runner was killed"));
    assert_eq!(Recorded::open(&state, "latest").unwrap().progress, Progress::Killed);
    let text = String::from_utf8(farmout(&state, &["runs"]).output().unwrap().stdout).unwrap();
    assert!(text.contains("killed"), "{text}");
    // The next run ends the killed one, and both are told.
    slave.run(&[plan("b", vec![step("short", "true")])]);
    let text = String::from_utf8(farmout(&state, &["runs"]).output().unwrap().stdout).unwrap();
    assert!(text.contains("interrupted") && text.contains("success"), "{text}");
}

#[test]
fn a_journal_is_read_on_from_where_it_ended() {
    let (_keep, state) = state();
    let folder = write_run(&state);
    let journal = folder.join("events.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let (half, rest) = text.split_at(text.len() / 2);
    std::fs::write(&journal, half).unwrap();
    let mut reader = JournalReader::open(&folder).unwrap();
    let mut entries: Vec<Entry> = reader.read().unwrap();
    let begun = entries.len();
    use std::io::Write as _;
    std::fs::OpenOptions::new().append(true).open(&journal).unwrap().write_all(rest.as_bytes()).unwrap();
    entries.extend(reader.read().unwrap());
    assert!(begun > 0 && begun < entries.len());
    assert_eq!(entries.len(), text.lines().count());
    assert!(matches!(entries.last().unwrap().event, Event::RunFinished { .. }));
    assert!(!reader.is_written());
}
