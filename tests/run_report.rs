//! The reports of `farmout run`: for CI, for programs, and the same again later.

mod common;

use std::fs;

use common::snapshot::snapshot;
use common::{Farm, Ran, Runner, eventually};
use nix::sys::signal::Signal;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

fn plan(builder: &str, script: &str) -> String {
    format!(
        "---\nfarmout-plan: 1\nbuilder: {builder}\nbuild: b\nslave: here\nmanifest: m.cfg\ndirectory: {builder}\ndatabase: d\n\
         steps:\n- {{name: fetch, phase: fetch, template: t, property: revision, run: [echo, 1a2b3c]}}\n\
         - {{name: test, phase: post-buildout, template: t, run: [sh, -c, {}]}}\n\
         - {{name: after, phase: post-buildout, template: t, run: [echo, fine]}}\n",
        serde_json::to_string(script).unwrap()
    )
}

/// Prints what XML cannot hold, and fails.
const NOISE: &str = r"printf 'a\033[31mb\033[0m \001\010 ]]> <&> \357\277\277 \377\n'; exit 1";

fn farm() -> Farm {
    let farm = Farm::empty();
    farm.write("plans.yaml", &(plan("bad", NOISE) + &plan("good", "echo good")));
    farm
}

fn told(ran: &Ran) -> &str {
    &ran.out[ran.out.find("run 20").unwrap()..]
}

#[test]
fn a_report_made_later_is_the_one_that_was_said() {
    let farm = farm();
    for jobs in ["1", "2"] {
        let ran = farm.run(&["run", "plans.yaml", "-j", jobs, "--report", "text=said.txt"]).exits(1);
        assert_eq!(farm.run(&["report"]).exits(0).out, told(&ran));
        assert_eq!(fs::read_to_string(farm.root.join("said.txt")).unwrap(), told(&ran));
        // From elsewhere its places have other names, and it is found and told all the same.
        let state = farm.state();
        let mut elsewhere = farm.farmout(&["report", "--state", state.to_str().unwrap()]);
        let elsewhere: Ran = elsewhere.current_dir("/").output().unwrap().into();
        assert_eq!(elsewhere.out, told(&ran).replace(" .farmout", &format!(" {}", state.display())));
    }
}

#[test]
fn builders_do_not_wait_for_somebody_who_reads_what_is_said() {
    let farm = Farm::empty();
    let much = "head -c 10000000 /dev/zero | tr '\\0' x | fold -w 99";
    farm.write("plans.yaml", &(plan("one", much) + &plan("two", "echo two")));
    let result = farm.state().join("latest/result.json");
    let run = |jobs| farm.farmout(&["run", "plans.yaml", "--verbose", "-j", jobs]);
    for jobs in ["1", "2"] {
        let mut runner = Runner::start(run(jobs));
        eventually("the run has a result", || result.exists());
        assert!(runner.is_running(), "there is more to say");
        runner.signal(Signal::SIGINT);
        runner.wait().exits(130);
        assert_eq!(farm.result()["outcome"], "success");
        fs::remove_file(farm.state().join("latest")).unwrap();
    }
    let late = run("1").stdout(std::process::Stdio::piped()).spawn().unwrap();
    eventually("the run has a result", || result.exists());
    let late = Ran::from(late.wait_with_output().unwrap()).exits(0);
    let parts =
        [" test (2 of 3)", "bytes are not shown here", "ok        test ", "[2/2] two\n", "logs and result.json: "];
    let places: Vec<_> =
        parts.iter().map(|part| late.out.find(part).unwrap_or_else(|| panic!("no `{part}`"))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn runs_can_be_looked_at_where_nothing_can_be_written() {
    let farm = farm();
    let ran = farm.run(&["run", "plans.yaml"]).exits(1);
    let calls: [&[&str]; 3] = [&["report"], &["runs"], &["log", "latest", "good", "test"]];
    let mut commands = calls.map(|call| farm.plain_farmout(call));
    let state = farm.state();
    assert!(common::command("chmod").arg("-R").arg("a-w").arg(&state).status().unwrap().success());
    let [report, runs, log] = commands.each_mut().map(|command| Ran::from(command.output().unwrap()).exits(0));
    assert_eq!(report.out, told(&ran));
    assert!(runs.out.contains("1 ok, 1 failed"), "{}", runs.out);
    assert_eq!(log.out, "good\n");
    assert!(common::command("chmod").arg("-R").arg("u+w").arg(&state).status().unwrap().success());
}

#[test]
fn a_job_s_log_has_a_group_for_each_builder() {
    let farm = farm();
    let mut command = farm.farmout(&["run", "plans.yaml", "-j2"]);
    let ran: Ran = command.env("GITHUB_ACTIONS", "true").output().unwrap().into();
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("::")).collect();
    let count = |begin: &str| lines.iter().filter(|line| line.starts_with(begin)).count();
    let counts = ["::group::[", "::endgroup::", "::error title=bad%3A test::exit status 1%0A"].map(count);
    assert_eq!(counts, [2, 2, 1], "{}", ran.out);
    let mut command = farm.farmout(&["report"]);
    let later: Ran = command.env("GITHUB_ACTIONS", "true").output().unwrap().into();
    assert_eq!(later.out, told(&ran));
}

#[test]
fn junit_is_xml_with_counts_that_are_true() {
    let farm = farm();
    farm.run(&["run", "plans.yaml", "--report", "junit=junit.xml"]).exits(1);
    let text = fs::read_to_string(farm.root.join("junit.xml")).unwrap();
    assert!(text.contains("<property name=\"revision\" value=\"1a2b3c\"/>"), "{text}");
    let cases = check_junit(&text);
    assert_eq!(
        cases,
        ["bad fetch", "bad test failure", "bad after skipped", "good fetch", "good test", "good after"]
            .map(str::to_owned)
    );
    assert!(text.contains("ab  ]]&gt; &lt;&amp;&gt; \u{fffd} \u{fffd}"), "{text}");
}

#[test]
fn the_page_of_a_run_compares_with_the_runs_before() {
    let farm = farm();
    farm.run(&["run", "plans.yaml"]).exits(1);
    farm.run(&["run", "plans.yaml", "--report", "html=page.html"]).exits(1);
    let page = fs::read_to_string(farm.root.join("page.html")).unwrap();
    let (first, second) = (farm.run(&["runs", "--format", "json"]).exits(0).out, page.as_str());
    let runs: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert!(second.starts_with("<!DOCTYPE html>") || second.starts_with("<!doctype html>"), "{}", &second[..80]);
    for run in runs.as_array().unwrap() {
        assert!(page.contains(run["run"].as_str().unwrap()), "{run}");
    }
    assert_eq!(farm.run(&["report", "--format", "html"]).exits(0).out, page);
}

#[test]
fn pages_are_written_of_many_runs_with_an_index_over_them() {
    let farm = farm();
    farm.run(&["run", "plans.yaml"]).exits(1);
    let first = farm.latest();
    let name = |run: &std::path::Path| format!("{}.html", run.file_name().unwrap().to_str().unwrap());
    farm.run(&["runs", "--html", "pages"]).exits(0);
    let pages = farm.root.join("pages");
    let page = fs::read_to_string(pages.join(name(&first))).unwrap();
    assert!(page.contains("<title>"));
    fs::write(pages.join(name(&first)), "as it was").unwrap();
    farm.run(&["run", "plans.yaml"]).exits(1);
    farm.run(&["runs", "--html", "pages"]).exits(0);
    let index = fs::read_to_string(pages.join("index.html")).unwrap();
    for run in [&first, &farm.latest()] {
        assert!(index.contains(&format!("{}\"", name(run))), "{index}");
    }
    assert_eq!(fs::read_to_string(pages.join(name(&first))).unwrap(), "as it was");
    assert!(pages.join(name(&farm.latest())).exists());
}

/// A night's run must not end for a log that nothing more fits into.
#[test]
fn a_full_disk_behind_the_output_changes_no_exit_code() {
    let farm = farm();
    farm.write("good.yaml", &plan("good", "true"));
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (arguments, code) in [
        (&["run", "plans.yaml"][..], 1),
        (&["run", "good.yaml"], 0),
        (&["rerun", "--failed"], 0),
        (&["run", "nothing.yaml"], 2),
        (&["report"], 2),
        (&["report", "--format", "json"], 2),
    ] {
        let status = farm.farmout(arguments).stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn reports_are_written_of_an_interrupted_run_too() {
    let farm = Farm::empty();
    farm.write("plans.yaml", &(plan("slow", "echo begun; sleep 1000") + &plan("never", "true")));
    let runner =
        Runner::start(farm.farmout(&["run", "plans.yaml", "--report", "junit=j.xml", "--report", "json=r.json"]));
    eventually("the step is at work", || {
        fs::read_to_string(farm.state().join("latest/slow/02-test.log")).is_ok_and(|log| log.contains("begun"))
    });
    runner.signal(Signal::SIGINT);
    runner.wait().exits(130);
    let cases = check_junit(&fs::read_to_string(farm.root.join("j.xml")).unwrap());
    assert_eq!(
        cases,
        ["slow fetch", "slow test error", "slow after skipped", "never (the builder) skipped"].map(str::to_owned)
    );
    let result: serde_json::Value = serde_json::from_slice(&fs::read(farm.root.join("r.json")).unwrap()).unwrap();
    assert_eq!(result["outcome"], "interrupted");
    let kept: serde_json::Value =
        serde_json::from_slice(&fs::read(farm.state().join("latest/result.json")).unwrap()).unwrap();
    assert_eq!(result, kept);
}

#[test]
fn a_builder_without_a_log_says_why() {
    let farm = farm();
    farm.run(&["run", "plans.yaml", "--fail-fast"]).exits(1);
    let ran = farm.run(&["log", "latest", "good"]).exits(0);
    assert!(ran.out.is_empty());
    assert!(
        ran.err.starts_with("no step of good has run in 20") && ran.err.ends_with(": builder bad failed\n"),
        "{}",
        ran.err
    );
    // A reader who has seen enough is no mistake.
    farm.run(&["report"]).exits(0).says("skipped            -  builder bad failed");
    let script = format!("{} report | true; {} log latest bad | head -c1 >&2", common::FARMOUT, common::FARMOUT);
    let output = common::command("sh").args(["-c", &script]).current_dir(&farm.root).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "=");
}

#[test]
fn reports_that_cannot_be_written_are_refused_before_the_run() {
    let farm = farm();
    let mut text = String::new();
    for report in ["junit", "xml=a.xml", "junit=", "junit=missing/a.xml", "json=."] {
        let ran = farm.run(&["run", "plans.yaml", "--report", report]).exits(2);
        let lines = ran.err.lines().filter(|line| !line.is_empty() && !line.contains("For more information"));
        text += &format!("--report {report}\n{}\n\n", lines.collect::<Vec<_>>().join("\n"));
    }
    snapshot!("run-report-misuse", text);
    assert!(!farm.state().exists());
}

/// Checks a JUnit report as its readers do: which element may be where, with which attributes, and that counts are right.
/// Each test case, with its outcome unless it passed.
fn check_junit(text: &str) -> Vec<String> {
    assert!(text.chars().all(
        |character| matches!(character, '\n' | '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    ));
    let mut reader = Reader::from_str(text);
    let (mut open, mut cases) = (Vec::<String>::new(), Vec::new());
    // Counted and claimed: tests, failures, errors, skipped; of the suite and of all.
    let (mut suite, mut all, mut claimed, mut claims) = ([0; 4], [0; 4], [0; 4], [0; 4]);
    loop {
        let event = reader.read_event().unwrap();
        let (start, empty) = match &event {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(end) => {
                let name = String::from_utf8(end.name().as_ref().to_vec()).unwrap();
                assert_eq!(open.pop().unwrap(), name);
                if name == "testsuite" {
                    assert_eq!(suite, claimed, "{text}");
                    all = [0, 1, 2, 3].map(|index| all[index] + suite[index]);
                    suite = [0; 4];
                }
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
        let parent = open.last().map_or("", String::as_str);
        let allowed = match parent {
            "" => &["testsuites"][..],
            "testsuites" => &["testsuite"],
            "testsuite" => &["properties", "testcase", "system-out", "system-err"],
            "properties" => &["property"],
            "testcase" => &["failure", "error", "skipped", "system-out", "system-err"],
            _ => &[],
        };
        assert!(allowed.contains(&name.as_str()), "<{name}> in <{parent}>");
        let get = |key: &str| attribute(start, key).unwrap_or_else(|| panic!("<{name}> has no {key}"));
        let counts = || ["tests", "failures", "errors", "skipped"].map(|key| get(key).parse::<usize>().unwrap());
        match name.as_str() {
            "testsuites" => claims = counts(),
            "testsuite" => {
                claimed = counts();
                assert!(get("time").parse::<f64>().unwrap() >= 0.0);
                get("timestamp").parse::<jiff::civil::DateTime>().unwrap();
            }
            "testcase" => {
                suite[0] += 1;
                cases.push(format!("{} {}", get("classname"), get("name")));
            }
            "failure" | "error" | "skipped" => {
                suite[["", "failure", "error", "skipped"].iter().position(|found| *found == name).unwrap()] += 1;
                assert!(!get("message").is_empty());
                let case = cases.last_mut().unwrap();
                *case = format!("{case} {name}");
            }
            _ => {}
        }
        if !empty {
            open.push(name);
        }
    }
    assert!(open.is_empty());
    assert_eq!(all, claims);
    cases
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).unwrap()?;
    Some(String::from_utf8(attribute.value.into_owned()).unwrap())
}
