//! What steps write: kept to the byte, and without secrets.

use farmout::model::Secret;
use farmout::runner::{Event, Stream};

use crate::support::{Slave, StepExt as _, plan, step};

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
