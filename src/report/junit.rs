//! A run in, JUnit's XML out, which CI systems show: a test suite for each builder, a test case for each step. Logs are read,
//! and as much of them shown as a person reads.

use std::io::{self, Write};
use std::time::Duration;

use camino::Utf8Path;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::excerpt::{Excerpt, Window};
use crate::runner::{BuilderResult, Outcome, RunResult, StepResult};

/// Writes the XML.
///
/// # Errors
/// `out` takes no more.
pub(super) fn write(run: &RunResult, out: &mut dyn Write) -> io::Result<()> {
    let mut report = Report::new(format!("farmout {}", run.run));
    report.set_time(time(run.seconds));
    report.add_test_suites(run.builders.iter().map(|builder| suite(run, builder)));
    report.serialize(out).map_err(io::Error::other)
}

fn suite(run: &RunResult, builder: &BuilderResult) -> TestSuite {
    let mut suite = TestSuite::new(builder.builder.as_str());
    suite.set_time(time(builder.seconds));
    let since = jiff::SignedDuration::try_from_secs_f64(builder.at).unwrap_or_default();
    let began = run.started.checked_add(since).unwrap_or(run.started);
    // Without a fraction, and in UTC without saying so: the form that the schema of Jenkins knows.
    suite.extra.insert("timestamp".into(), began.strftime("%Y-%m-%dT%H:%M:%S").to_string().into());
    suite.add_properties([("run", run.run.as_str()), ("slave", run.slave.as_str()), ("build", builder.build.as_str())]);
    suite.add_properties(builder.properties.iter().map(|(name, value)| (xml(name), xml(value))));
    let folder = run.folder.join(&builder.directory);
    suite.add_test_cases(builder.steps.iter().map(|step| case(&folder, builder, step)));
    if let Some(case) = rest(builder) {
        suite.add_test_case(case);
    }
    suite
}

fn case(folder: &Utf8Path, builder: &BuilderResult, step: &StepResult) -> TestCase {
    let log = step.log.as_ref().map(|log| folder.join(log));
    let excerpt = || {
        let lines = log.as_ref().and_then(|log| Excerpt::of(log, Window::of(&step.name)).ok());
        xml(&lines.unwrap_or_default().join("\n"))
    };
    let reason = xml(step.reason.as_deref().unwrap_or(step.outcome.word()));
    let mut status = match step.outcome {
        Outcome::Success | Outcome::Warnings => TestCaseStatus::success(),
        Outcome::Failure => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Interrupted => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Skipped => TestCaseStatus::skipped(),
    };
    if matches!(step.outcome, Outcome::Failure | Outcome::Interrupted) {
        let at = log.as_ref().map(|log| format!("\n\nlog: {log}")).unwrap_or_default();
        status.set_type(step.outcome.word()).set_description(format!("{reason}\n\n{}{at}", excerpt()));
    }
    if step.outcome != Outcome::Success {
        // Of a success there is no message.
        status.set_message(reason.as_str());
    }
    let mut case = TestCase::new(step.name.as_str(), status);
    case.set_classname(builder.builder.as_str()).set_time(time(step.seconds));
    let said = match step.outcome {
        Outcome::Success => excerpt(),
        // JUnit knows no warnings.
        Outcome::Warnings => format!("warning: {reason}\n\n{}", excerpt()),
        Outcome::Failure | Outcome::Interrupted | Outcome::Skipped => String::new(),
    };
    if !said.is_empty() {
        case.set_system_out(said);
    }
    case
}

/// What came of a builder where its steps do not say it: it was skipped, could not begin, or is still at work.
fn rest(builder: &BuilderResult) -> Option<TestCase> {
    let said = |outcome| builder.steps.iter().any(|step| step.outcome == outcome);
    let mut status = match builder.outcome {
        None | Some(Outcome::Skipped) => TestCaseStatus::skipped(),
        Some(Outcome::Failure) if !said(Outcome::Failure) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Some(Outcome::Interrupted) if !said(Outcome::Interrupted) => TestCaseStatus::non_success(NonSuccessKind::Error),
        Some(_) => return None,
    };
    let otherwise = if builder.outcome.is_none() { "it has not ended" } else { "it did not run" };
    status.set_message(xml(builder.reason.as_deref().unwrap_or(otherwise)));
    let mut case = TestCase::new("(the builder)", status);
    case.set_classname(builder.builder.as_str());
    Some(case)
}

/// A text without the two characters that XML cannot hold and its writer leaves in; the others it leaves out itself.
fn xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
