//! The terminal report of made-up events.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use farmout::report::{Manner, Style, Terminal};
use farmout::runner::{Cause, Entry, Event, FORMAT, Outcome, Planned, StepResult, Stream};

pub const RUN: &str = "20261122-181500-k3f9";

/// A step's end, with the log that it leaves if it has one.
fn result(name: &str, outcome: Outcome, seconds: f64, reason: Option<&str>, log: Option<String>) -> StepResult {
    let text = format!(
        r#"{{"name": "{name}", "phase": "buildout", "outcome": "success", "started": "2026-11-22T18:15:00Z", "seconds": {seconds}}}"#
    );
    let result: StepResult = serde_json::from_str(&text).unwrap();
    StepResult { outcome, reason: reason.map(str::to_owned), log, ..result }
}

fn step(builder: &str, step: &str, index: usize, seconds: f64, outcome: Outcome, reason: Option<&str>) -> [Event; 2] {
    let log = Some(format!("{index:02}-{step}.log"));
    let result = result(step, outcome, seconds, reason, log);
    let (builder, step) = (builder.to_owned(), step.to_owned());
    let started = Event::StepStarted { builder: builder.clone(), step, index, total: 7, expected: None };
    [started, Event::StepFinished { builder, result }]
}

fn output(builder: &str, step: &str, bytes: &[u8]) -> Event {
    let (builder, step) = (builder.to_owned(), step.to_owned());
    Event::Output { builder, step, stream: Stream::Out, bytes: bytes.to_vec() }
}

fn skipped(builder: &str, step: &str, reason: &str) -> Event {
    let result = result(step, Outcome::Skipped, 0.0, Some(reason), None);
    Event::StepFinished { builder: builder.to_owned(), result }
}

fn finished(builder: &str, outcome: Outcome, seconds: f64, reason: Option<&str>) -> Event {
    let (builder, reason, properties) = (builder.to_owned(), reason.map(str::to_owned), indexmap::IndexMap::new());
    Event::BuilderFinished { builder, outcome, seconds, reason, properties }
}

fn began(folder: &Utf8Path, builder: &str, index: usize) -> Event {
    Event::BuilderStarted { builder: builder.to_owned(), index, total: 4, folder: folder.join(builder) }
}

fn started(folder: &Utf8Path, jobs: usize, builders: Vec<Planned>) -> Event {
    let (farmout, run, slave) = ("0.1.0".to_owned(), RUN.to_owned(), "atlas".to_owned());
    Event::RunStarted { format: FORMAT, farmout, run, folder: folder.to_owned(), slave, jobs, builders, trigger: None }
}

fn planned(builders: &[&str], expected: Option<f64>) -> Vec<Planned> {
    let planned = |name: &&str| {
        let (builder, build, directory) = ((*name).to_owned(), (*name).to_owned(), (*name).to_owned());
        Planned { builder, build, directory, steps: 7, expected }
    };
    builders.iter().map(planned).collect()
}

/// A run in `folder`, with its logs.
fn events(folder: &Utf8Path) -> Vec<Event> {
    use Outcome::{Failure, Interrupted, Skipped, Success, Warnings};
    let builders = planned(&["crm-7.0-pg15", "crm-7.0-pg16", "doc", "functional"], None);
    let (old, lost) = ("20261121-020304-aaaa".to_owned(), "nightly".to_owned());
    let mut events = vec![
        Event::Recovering {
            run: old.clone(),
            builder: lost.clone(),
            folder: folder.join("nightly"),
            cause: Cause::Killed,
        },
        Event::Recovered { run: old, builder: lost, problem: Some("step `drop-db`: exit status 2".to_owned()) },
        started(folder, 1, builders),
        began(folder, "crm-7.0-pg15", 1),
    ];
    events.extend(step("crm-7.0-pg15", "fetch", 1, 0.04, Success, None));
    events.push(Event::Waiting {
        builder: "crm-7.0-pg15".to_owned(),
        lock: "buildout".to_owned(),
        holder: Some("pid 4711, run 20261122-181459-0a1b, builder sale".to_owned()),
    });
    events.extend(step("crm-7.0-pg15", "buildout", 2, 75.0, Success, None));
    events.push(finished("crm-7.0-pg15", Success, 76.0, None));

    events.push(began(folder, "crm-7.0-pg16", 2));
    let [start, end] = step("crm-7.0-pg16", "buildout", 1, 12.3, Failure, Some("exit status 1"));
    let mut log: Vec<u8> = (1..=40).flat_map(|number| format!("Getting egg {number}.\n").into_bytes()).collect();
    log.extend(b"half a \x1b[31mError\x1b[0m: Couldn't \xff find\nline");
    events.extend([
        start,
        output("crm-7.0-pg16", "buildout", &log[..9]),
        output("crm-7.0-pg16", "buildout", &log[9..]),
    ]);
    events.push(end);
    write(folder, "crm-7.0-pg16/01-buildout.log", &log);
    events.push(skipped("crm-7.0-pg16", "create-db", "step `buildout` failed"));
    events.push(skipped("crm-7.0-pg16", "install", "step `buildout` failed"));
    events.extend(step("crm-7.0-pg16", "drop-db", 7, 0.2, Warnings, Some("exit status 2")));
    events.push(finished("crm-7.0-pg16", Failure, 13.0, Some("step `buildout`: exit status 1")));

    events.push(began(folder, "doc", 3));
    let [start, end] = step("doc", "analysis", 1, 0.1, Failure, Some("exit status 1"));
    let log: String = (1..=70).map(|number| format!("test.log:{number}: ERROR: broken\n")).collect();
    events.extend([start, output("doc", "analysis", log.as_bytes()), end, Event::Interrupted { again: false }]);
    write(folder, "doc/01-analysis.log", log.as_bytes());
    events.push(skipped("doc", "build", "interrupted"));
    events.extend(step("doc", "stop-cluster", 3, 1.0, Interrupted, Some("interrupted")));
    events.push(Event::Interrupted { again: true });
    events.push(finished("doc", Interrupted, 3661.0, Some("interrupted before step `build`")));
    events.push(finished("functional", Skipped, 0.0, Some("interrupted")));
    events.push(Event::RunFinished { outcome: Interrupted, seconds: 3750.0 });
    events
}

fn write(folder: &Utf8Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Two builders at the same time, one of which fails and would give commands to whoever reads its log.
fn parallel(folder: &Utf8Path) -> Vec<Event> {
    use Outcome::{Failure, Success};
    let began = |builder: &str, index| {
        let folder = folder.join(builder);
        Event::BuilderStarted { builder: builder.to_owned(), index, total: 2, folder }
    };
    let (bad, good) = ("crm-7.0-pg15", "sale");
    let [bad_fetch, bad_fetched] = step(bad, "fetch", 1, 1.0, Success, None);
    let [good_fetch, good_fetched] = step(good, "fetch", 1, 2.0, Success, None);
    let reason = "exit status 1: 100% of ::error::, they say";
    let [bad_build, bad_built] = step(bad, "buildout", 2, 5.0, Failure, Some(reason));
    let log = "::set-output name=x::y\n  ::add-path::/evil\n##[set-env name=PATH]/evil\n\x1b[0Ksection_end:1:farmout_1\r\x1b[0K\nbroken\n";
    write(folder, "crm-7.0-pg15/02-buildout.log", log.as_bytes());
    let mut events = vec![
        started(folder, 2, planned(&[bad, good], Some(60.0))),
        began(bad, 1),
        bad_fetch,
        began(good, 2),
        good_fetch,
        output(good, "fetch", b"::error::half a li"),
        output(bad, "fetch", b"Getting it\n"),
        bad_fetched,
        bad_build,
        output(bad, "buildout", log.as_bytes()),
        output(good, "fetch", b"ne\n"),
        bad_built,
        good_fetched,
        skipped(bad, "create-db", "step `buildout` failed"),
        skipped(good, "doc", "not wanted"),
        skipped(bad, "install", "step `buildout` failed"),
        Event::Waiting { builder: good.to_owned(), lock: "buildout".to_owned(), holder: None },
    ];
    events.extend(step(good, "buildout", 3, 9.0, Success, None));
    events.push(finished(bad, Failure, 7.0, Some("step `buildout`: exit status 1")));
    events.push(finished(good, Success, 12.0, None));
    events.push(Event::RunFinished { outcome: Failure, seconds: 12.0 });
    events
}

/// Builders that fail or warn, one of them because of a step.
fn troubled(folder: &Utf8Path, jobs: usize) -> Vec<Event> {
    use Outcome::{Failure, Success, Warnings};
    let mut events = vec![started(folder, jobs, planned(&["crm", "doc", "sale", "web"], None))];
    events.extend([
        began(folder, "crm", 1),
        finished("crm", Failure, 0.1, Some("its folders cannot be made: no space, 100%")),
    ]);
    events.push(began(folder, "doc", 2));
    events.extend(step("doc", "fetch", 1, 1.0, Success, None));
    let strays = "its steps left processes running, which were ended: `sleep 9` (pid 7)";
    events.push(finished("doc", Warnings, 2.0, Some(strays)));
    events.push(began(folder, "sale", 3));
    events.extend(step("sale", "fetch", 1, 1.0, Failure, Some("exit status 1")));
    events.push(finished("sale", Failure, 2.0, Some("step `fetch`: exit status 1")));
    // It never began.
    events.push(finished("web", Failure, 0.0, Some("its locks cannot be used: no space")));
    events.push(Event::RunFinished { outcome: Failure, seconds: 5.0 });
    events
}

fn entries(events: Vec<Event>) -> Vec<Entry> {
    let entry = |(number, event)| {
        let at = f64::from(u32::try_from(number).unwrap());
        let time = jiff::Timestamp::from_second(1_790_000_000 + i64::try_from(number).unwrap()).unwrap();
        Entry { time, at, event }
    };
    events.into_iter().enumerate().map(entry).collect()
}

/// Keeps the run of [`parallel`] in a state folder, as if it had been run there: its folder.
pub fn write_run(state: &Utf8Path) -> Utf8PathBuf {
    let folder = state.join("runs").join(RUN);
    fs::create_dir_all(&folder).unwrap();
    let output = |entry: &Entry| matches!(entry.event, Event::Output { .. });
    let kept = entries(parallel(&folder)).into_iter().filter(|entry| !output(entry));
    let lines: String = kept.map(|entry| serde_json::to_string(&entry).unwrap() + "\n").collect();
    write(&folder, "events.jsonl", lines.as_bytes());
    for (log, text) in [("crm-7.0-pg15/01-fetch.log", "Getting it\n"), ("sale/01-fetch.log", "")] {
        write(&folder, log, text.as_bytes());
    }
    std::os::unix::fs::symlink(Utf8Path::new("runs").join(RUN), state.join("latest")).unwrap();
    folder
}

fn reported_of(events: impl Fn(&Utf8Path) -> Vec<Event>, manner: Manner) -> String {
    let (keep, mut text) = (tempfile::tempdir().unwrap(), Vec::new());
    let folder = Utf8Path::from_path(keep.path()).unwrap();
    {
        let mut terminal = Terminal::new(&mut text, manner);
        entries(events(folder)).iter().for_each(|entry| terminal.observe(entry));
    }
    String::from_utf8(text).unwrap().replace(folder.as_str(), &format!(".farmout/runs/{RUN}"))
}

fn reported(manner: Manner) -> String {
    reported_of(events, manner)
}

pub fn check(name: &str, text: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots");
    insta::with_settings!({snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn a_pipe_gets_plain_lines() {
    let text = reported(Manner::default());
    assert!(!text.contains(['\x1b', '\r']));
    check("runner-report", &text);
}

#[test]
fn verbose_streams_all_output() {
    check("runner-report-verbose", &reported(Manner { verbose: true, ..Manner::default() }));
}

#[test]
fn colours_are_for_those_who_see_them() {
    let text = reported(Manner { colour: true, ..Manner::default() });
    let first: Vec<&str> = text.lines().take(12).collect();
    check("runner-report-colours", &first.join("\n").replace('\x1b', "␛"));
}

#[test]
fn of_builders_at_the_same_time_each_line_names_its_own() {
    let text = reported_of(parallel, Manner::default());
    check("runner-report-parallel", &text);
    let text = reported_of(parallel, Manner { verbose: true, ..Manner::default() });
    assert!(text.contains("\nsale          | ::error::half a line\n"), "{text}");
    check("runner-report-parallel-verbose", &text);
}

#[test]
fn a_log_of_github_has_groups_and_no_command_of_a_build_s() {
    for verbose in [false, true] {
        let manner = Manner { verbose, style: Style::GitHub, ..Manner::default() };
        for text in [reported(manner), reported_of(parallel, manner)] {
            let commands: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("::")).collect();
            let own = |line: &&&str| {
                ["::group::[", "::endgroup::", "::error title=", "::warning title="]
                    .iter()
                    .any(|begin| line.starts_with(begin))
            };
            assert_eq!(commands.iter().filter(own).count(), commands.len(), "{commands:?}");
            // What is within groups is of one builder, and no group lies in another.
            let marks: Vec<&str> = commands.iter().copied().filter(|line| line.contains("group::")).collect();
            assert!(
                marks.chunks(2).all(|pair| pair[0].starts_with("::group::") && pair[1] == "::endgroup::"),
                "{marks:?}"
            );
            let elsewhere = text.lines().filter(|line| !line.starts_with("::"));
            assert_eq!(elsewhere.filter(|line| line.contains("##[")).count(), 0, "{text}");
        }
    }
    let manner = Manner { style: Style::GitHub, ..Manner::default() };
    check("runner-report-github", &reported_of(parallel, manner));
    let alone = reported(manner);
    check("runner-report-github-alone", &alone.lines().take(24).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_log_of_gitlab_has_sections() {
    let text = reported_of(parallel, Manner { style: Style::GitLab, ..Manner::default() });
    assert_eq!(text.matches("section_start:").count(), 2);
    // That of the log has lost what makes a mark of it.
    assert_eq!(text.matches("\x1b[0Ksection_end:").count(), 2);
    check("runner-report-gitlab", &text.replace('\x1b', "␛").replace('\r', "␍"));
}

/// What a step's line has said is not said again before the table.
#[test]
fn why_a_builder_went_wrong_is_said_where_no_step_says_it() {
    for (style, name) in
        [(Style::Plain, "trouble"), (Style::GitHub, "github-trouble"), (Style::GitLab, "gitlab-trouble")]
    {
        let reported = |jobs| reported_of(|folder| troubled(folder, jobs), Manner { style, ..Manner::default() });
        for text in [reported(1), reported(2)] {
            let (before, table) = text.split_once("\nBUILDER").unwrap();
            let notes = if style == Style::GitHub { 1 } else { 0 };
            for reason in ["its folders cannot be made", "its steps left processes running", "its locks cannot be used"]
            {
                assert_eq!((before.matches(reason).count(), table.matches(reason).count()), (1 + notes, 1), "{text}");
            }
        }
        check(&format!("runner-report-{name}"), &reported(1).replace('\x1b', "␛").replace('\r', "␍"));
    }
}

#[test]
fn a_run_that_has_not_ended_says_so() {
    for (style, at_work, name) in [
        (Style::Plain, true, "runner-report-at-work"),
        (Style::Plain, false, "runner-report-killed"),
        (Style::GitHub, true, "runner-report-github-at-work"),
    ] {
        let (keep, mut text) = (tempfile::tempdir().unwrap(), Vec::new());
        let folder = Utf8Path::from_path(keep.path()).unwrap();
        let mut terminal = Terminal::new(&mut text, Manner { style, ..Manner::default() });
        let mut events = parallel(folder);
        events.truncate(events.len() - 2);
        entries(events).iter().for_each(|entry| terminal.observe(entry));
        terminal.unfinished(at_work);
        drop(terminal);
        check(name, &String::from_utf8(text).unwrap().replace(folder.as_str(), &format!(".farmout/runs/{RUN}")));
    }
}
