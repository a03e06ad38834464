//! The terminal report of made-up events.

use std::fs;

use camino::Utf8Path;
use farmout::report::{Manner, Terminal};
use farmout::runner::{Cause, Entry, Event, FORMAT, Outcome, Planned, StepResult, Stream};

const RUN: &str = "20261122-181500-k3f9";

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

/// A run in `folder`, with its logs.
fn events(folder: &Utf8Path) -> Vec<Event> {
    use Outcome::{Failure, Interrupted, Skipped, Success, Warnings};
    let planned = |name: &str| {
        let (builder, build, directory) = (name.to_owned(), name.to_owned(), name.to_owned());
        Planned { builder, build, directory, steps: 7, expected: None }
    };
    let builders = ["crm-7.0-pg15", "crm-7.0-pg16", "doc", "functional"].map(planned).to_vec();
    let (old, lost) = ("20261121-020304-aaaa".to_owned(), "nightly".to_owned());
    let mut events = vec![
        Event::Recovering {
            run: old.clone(),
            builder: lost.clone(),
            folder: folder.join("nightly"),
            cause: Cause::Killed,
        },
        Event::Recovered { run: old, builder: lost, problem: Some("step `drop-db`: exit status 2".to_owned()) },
        Event::RunStarted {
            format: FORMAT,
            farmout: "0.1.0".to_owned(),
            run: RUN.to_owned(),
            folder: folder.to_owned(),
            slave: "atlas".to_owned(),
            jobs: 1,
            builders,
        },
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

fn reported(manner: Manner, colour: anstream::ColorChoice) -> String {
    let (keep, mut text) = (tempfile::tempdir().unwrap(), Vec::new());
    let folder = Utf8Path::from_path(keep.path()).unwrap();
    {
        let mut terminal = Terminal::new(anstream::AutoStream::new(&mut text, colour), manner);
        for event in events(folder) {
            terminal.observe(&Entry { time: jiff::Timestamp::UNIX_EPOCH, at: 0.0, event });
        }
    }
    String::from_utf8(text).unwrap().replace(folder.as_str(), &format!(".farmout/runs/{RUN}"))
}

fn check(name: &str, text: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots");
    insta::with_settings!({snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn a_pipe_gets_plain_lines() {
    let text = reported(Manner::default(), anstream::ColorChoice::Never);
    assert!(!text.contains(['\x1b', '\r']));
    check("runner-report", &text);
}

#[test]
fn verbose_streams_all_output() {
    check(
        "runner-report-verbose",
        &reported(Manner { verbose: true, interactive: false }, anstream::ColorChoice::Never),
    );
}

#[test]
fn a_terminal_gets_colours_and_the_step_at_work() {
    let text = reported(Manner { verbose: false, interactive: true }, anstream::ColorChoice::AlwaysAnsi);
    let first: Vec<&str> = text.lines().take(12).collect();
    check("runner-report-terminal", &first.join("\n").replace('\x1b', "␛").replace('\r', "␍"));
}
