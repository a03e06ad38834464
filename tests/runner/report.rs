//! The terminal report of made-up events.

use std::time::Duration;

use farmout::report::{Manner, Terminal};
use farmout::runner::{Event, Outcome, Stream};

fn output(builder: &str, step: &str, stream: Stream, bytes: &[u8]) -> Event {
    Event::Output { builder: builder.to_owned(), step: step.to_owned(), stream, bytes: bytes.to_vec() }
}

fn step(builder: &str, step: &str, index: usize, seconds: f64, outcome: Outcome, reason: Option<&str>) -> [Event; 2] {
    let (builder, step) = (builder.to_owned(), step.to_owned());
    let started = Event::StepStarted { builder: builder.clone(), step: step.clone(), index, total: 7 };
    let log = Some(format!(".farmout/runs/20261122-181500-k3f9/{builder}/{index:02}-{step}.log").into());
    let (duration, reason) = (Duration::from_secs_f64(seconds), reason.map(str::to_owned));
    [started, Event::StepFinished { builder, step, outcome, duration, reason, log }]
}

fn skipped(builder: &str, step: &str, reason: &str) -> Event {
    let (builder, step, reason) = (builder.to_owned(), step.to_owned(), Some(reason.to_owned()));
    let (outcome, duration, log) = (Outcome::Skipped, Duration::ZERO, None);
    Event::StepFinished { builder, step, outcome, duration, reason, log }
}

fn finished(builder: &str, outcome: Outcome, seconds: u64, reason: Option<&str>) -> Event {
    let (builder, duration, reason) = (builder.to_owned(), Duration::from_secs(seconds), reason.map(str::to_owned));
    Event::BuilderFinished { builder, outcome, duration, reason, folder: None }
}

fn began(builder: &str, index: usize) -> Event {
    Event::BuilderStarted { builder: builder.to_owned(), index, total: 4 }
}

fn events() -> Vec<Event> {
    use Outcome::{Failure, Interrupted, Skipped, Success, Warnings};
    let run = "20261122-181500-k3f9".to_owned();
    let folder = camino::Utf8PathBuf::from(".farmout/runs/20261122-181500-k3f9");
    let names = ["crm-7.0-pg15", "crm-7.0-pg16", "doc", "functional"].map(str::to_owned);
    let (old, lost) = ("20261121-020304-aaaa".to_owned(), "nightly".to_owned());
    let mut events = vec![
        Event::Recovering { run: old.clone(), builder: lost.clone() },
        Event::Recovered { run: old, builder: lost, problem: Some("step `drop-db`: exit status 2".to_owned()) },
        Event::RunStarted { run: run.clone(), folder: folder.clone(), builders: names.to_vec() },
        began("crm-7.0-pg15", 1),
    ];
    events.extend(step("crm-7.0-pg15", "fetch", 1, 0.04, Success, None));
    events.push(Event::Waiting {
        builder: "crm-7.0-pg15".to_owned(),
        lock: "buildout".to_owned(),
        holder: Some("pid 4711, run 20261122-181459-0a1b, builder sale".to_owned()),
    });
    events.extend(step("crm-7.0-pg15", "buildout", 2, 75.0, Success, None));
    events.push(finished("crm-7.0-pg15", Success, 76, None));

    events.push(began("crm-7.0-pg16", 2));
    let [start, end] = step("crm-7.0-pg16", "buildout", 1, 12.3, Failure, Some("exit status 1"));
    events.push(start);
    for number in 1..=40 {
        events.push(output("crm-7.0-pg16", "buildout", Stream::Out, format!("Getting egg {number}.\n").as_bytes()));
    }
    events.push(output("crm-7.0-pg16", "buildout", Stream::Out, b"half a "));
    events.push(output("crm-7.0-pg16", "buildout", Stream::Err, b"\x1b[31mError\x1b[0m: Couldn't \xff find\n"));
    events.push(output("crm-7.0-pg16", "buildout", Stream::Out, b"line"));
    events.push(end);
    events.push(skipped("crm-7.0-pg16", "create-db", "step `buildout` failed"));
    events.push(skipped("crm-7.0-pg16", "install", "step `buildout` failed"));
    events.extend(step("crm-7.0-pg16", "drop-db", 7, 0.2, Warnings, Some("exit status 2")));
    events.push(finished("crm-7.0-pg16", Failure, 13, Some("step `buildout`: exit status 1")));

    events.push(began("doc", 3));
    let [start, end] = step("doc", "analysis", 1, 0.1, Failure, Some("exit status 1"));
    events.push(start);
    for number in 1..=70 {
        events.push(output("doc", "analysis", Stream::Out, format!("test.log:{number}: ERROR: broken\n").as_bytes()));
    }
    events.extend([end, Event::Interrupted { again: false }]);
    events.push(skipped("doc", "build", "interrupted"));
    events.extend(step("doc", "stop-cluster", 3, 1.0, Interrupted, Some("interrupted")));
    events.push(Event::Interrupted { again: true });
    events.push(finished("doc", Interrupted, 3661, Some("interrupted before step `build`")));
    events.push(finished("functional", Skipped, 0, Some("interrupted")));
    events.push(Event::RunFinished { run, outcome: Interrupted, duration: Duration::from_secs(3750), folder });
    events
}

fn reported(manner: Manner, colour: anstream::ColorChoice) -> String {
    let mut text = Vec::new();
    {
        let mut terminal = Terminal::new(anstream::AutoStream::new(&mut text, colour), manner);
        for event in events() {
            terminal.observe(&event);
        }
    }
    String::from_utf8(text).unwrap()
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
