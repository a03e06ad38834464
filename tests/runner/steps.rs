//! The order of steps, what failures do, what steps are given, and what is kept of them.

use farmout::plan::{NamedBy, OnFailure, PlanFile};
use farmout::runner::Outcome::{Failure, Skipped, Success, Warnings};
use farmout::runner::{Entry, Event, Options, RunResult, replay};

use crate::support::{Slave, StepExt as _, account, outcomes, plan, reason, step, write_step};

fn named_by(default: bool) -> NamedBy {
    NamedBy { option: "test-command".to_owned(), value: "bin/no-such-program -v".to_owned(), default }
}

#[test]
fn a_halt_skips_what_follows_but_for_what_always_runs() {
    let slave = Slave::new();
    let steps = vec![
        step("one", "true"),
        step("two", "exit 3"),
        step("three", "echo never"),
        step("four", "echo tidy").always(),
        step("five", "echo never"),
    ];
    let (result, _) = slave.run(&[plan("a", steps)]);
    assert_eq!(
        outcomes(&result, 0),
        [("one", Success), ("two", Failure), ("three", Skipped), ("four", Success), ("five", Skipped)]
    );
    assert_eq!(result.outcome, Some(Failure));
    assert_eq!(result.exit() as i32, 1);
    assert_eq!(reason(&result, "three"), "step `two` failed");
    assert_eq!(result.builders[0].reason.as_deref(), Some("step `two`: exit status 3"));
    assert_eq!(slave.log("a/04-four.log"), "tidy\n");
}

#[test]
fn each_kind_of_failure_has_its_effect() {
    let slave = Slave::new();
    let of = |on_failure| plan("a", vec![step("one", "kill -9 $$").on_failure(on_failure), step("two", "true")]);
    for (on_failure, first, second, whole) in [
        (OnFailure::Halt, Failure, Skipped, Failure),
        (OnFailure::Flunk, Failure, Success, Failure),
        (OnFailure::Warn, Warnings, Success, Warnings),
        (OnFailure::Ignore, Success, Success, Success),
    ] {
        let (result, _) = slave.run(&[of(on_failure)]);
        assert_eq!(outcomes(&result, 0), [("one", first), ("two", second)], "{on_failure:?}");
        assert_eq!(result.outcome, Some(whole), "{on_failure:?}");
        assert!(reason(&result, "one").starts_with("killed by SIGKILL"));
    }
}

#[test]
fn a_failed_builder_does_not_keep_the_next_from_running() {
    let slave = Slave::new();
    let (result, _) = slave.run(&[plan("a", vec![step("x", "false")]), plan("b", vec![step("x", "true")])]);
    assert_eq!(
        result.builders.iter().map(|builder| builder.outcome).collect::<Vec<_>>(),
        [Some(Failure), Some(Success)]
    );
}

#[test]
fn what_cannot_be_started_is_explained() {
    let slave = Slave::new();
    let flunk = |name: &str, run: &[&str]| {
        step(name, "")
            .on_failure(OnFailure::Flunk)
            .with(|step| step.run = run.iter().map(|&part| part.to_owned()).collect())
    };
    let steps = vec![
        flunk("property", &["echo", "${property.port}"]),
        flunk("secret", &["echo", "${secret.pw}"]),
        flunk("program", &["no-such-program"]),
        flunk("path", &["bin/no-such-program"]),
        flunk("named", &["bin/no-such-program"]).with(|step| step.named_by = Some(named_by(false))),
        flunk("default", &["bin/no-such-program"]).with(|step| step.named_by = Some(named_by(true))),
        flunk("script", &["sh", "-c", "printf '#!/no/such\\n' > bad; chmod +x bad"]),
        flunk("interpreter", &["./bad"]),
        flunk("directory", &["true"]).with(|step| step.directory = "${build-dir}/nowhere".to_owned()),
        flunk("named-directory", &["true"]).with(|step| {
            step.directory = "${build-dir}/nowhere".to_owned();
            step.named_by = Some(named_by(false));
        }),
        flunk("syntax", &["true", "${"]),
    ];
    let (result, _) = slave.run(&[plan("a", steps)]);
    let said = |name| reason(&result, name).replace(slave.folder.as_str(), "");
    assert_eq!(
        said("property"),
        "an argument cannot be filled in: nothing is known as `${property.port}` here: no step reports it"
    );
    assert!(said("secret").ends_with("the farm has no secret `pw`"), "{}", said("secret"));
    assert_eq!(said("program"), "there is no program `no-such-program` in PATH=/usr/bin:/bin");
    let none = "there is no program /slave/a/build/bin/no-such-program";
    assert_eq!(said("path"), none);
    assert_eq!(said("named"), format!("{none}; [b] has `test-command = bin/no-such-program -v`"));
    assert_eq!(said("default"), format!("{none}; `test-command` of [b] is `bin/no-such-program -v`, its default"));
    assert_eq!(said("named-directory"), said("directory"));
    assert!(said("interpreter").contains("interpreter that its first line names"), "{}", said("interpreter"));
    assert_eq!(said("directory"), "the working directory /slave/a/build/nowhere does not exist");
    assert!(said("syntax").contains("begins a placeholder"), "{}", said("syntax"));
}

#[test]
fn a_property_reaches_later_steps() {
    let slave = Slave::new();
    let mut plan = plan(
        "a",
        vec![
            step("port", "echo looking; echo; echo ' 6069 '; echo")
                .with(|step| step.property = Some("port".to_owned())),
            step("silent", "true").with(|step| step.property = Some("none".to_owned())),
            step("use", "echo ${property.port} ${property.none:-x} ${property.version}"),
        ],
    );
    plan.properties.insert("version".to_owned(), "16".to_owned());
    let (result, _) = slave.run(&[plan]);
    assert_eq!(slave.log("a/03-use.log"), "6069 x 16\n");
    assert_eq!(reason(&result, "silent"), "the property `none` has no value: there was no output");
}

#[test]
fn the_environment_is_what_the_plan_says_and_nothing_else() {
    let slave = Slave::new();
    let mut plan = plan(
        "a",
        vec![step("env", "env | grep -v ^_= | grep -v ^PWD= | sort").with(|step| {
            step.environment.insert("B".to_owned(), "step".to_owned());
        })],
    );
    plan.path = vec!["${build-dir}/bin".to_owned(), String::new(), "${property.x:-}".to_owned()];
    for (name, value) in [("A", "plan"), ("B", "plan"), ("LANG", ""), ("TMPDIR", "${tmp-dir}")] {
        plan.environment.insert(name.to_owned(), value.to_owned());
    }
    let (result, _) = slave.run(&[plan]);
    let base = slave.path("slave/a");
    let user = account().map_or("", |_| "USER=nobody\n");
    let home = account().map_or("", |_| "HOME=/nonexistent\nLOGNAME=nobody\n");
    let mark = format!("FARMOUT_STEP={}/a/env\n", result.run);
    let wanted = format!("A=plan\nB=step\n{mark}{home}PATH={base}/build/bin:/usr/bin:/bin\nTMPDIR={base}/tmp\n{user}");
    assert_eq!(slave.log("a/01-env.log").replace("SHLVL=0\n", "").replace("SHLVL=1\n", ""), wanted);
    let noted = &result.builders[0].steps[0].environment;
    assert_eq!(noted["A"].as_deref(), Some("plan"));
    assert_eq!(noted["LANG"], None);
}

#[test]
fn files_are_written_replaced_and_removed() {
    let slave = Slave::new();
    let file =
        |path: &str, content: &str, executable| PlanFile { path: path.into(), executable, content: content.to_owned() };
    let mut plan =
        plan("a", vec![write_step("fetch", "${build-dir}"), step("run", "cat deep/er/a.cfg; bin/hello; ls -A")]);
    plan.files = vec![file("deep/er/a.cfg", "${literal}\n", false), file("bin/hello", "#!/bin/sh\necho hello\n", true)];
    let (result, _) = slave.run(&[plan.clone()]);
    assert_eq!(result.outcome, Some(Success));
    assert_eq!(slave.log("a/02-run.log"), "${literal}\nhello\nbin\ndeep\n");
    assert_eq!(slave.log("a/01-fetch.log"), "wrote deep/er/a.cfg (11 bytes)\nwrote bin/hello (21 bytes)\n");

    std::fs::write(slave.path("slave/a/build/mine"), "kept").unwrap();
    plan.files = vec![file("bin/hello", "#!/bin/sh\necho again\n", true)];
    plan.steps[1].run[2] = "bin/hello; ls -A".to_owned();
    slave.run(&[plan]);
    assert_eq!(slave.log("a/02-run.log"), "again\nbin\nmine\n");
    assert_eq!(slave.log("a/01-fetch.log"), "removed deep/er/a.cfg\nwrote bin/hello (21 bytes)\n");
}

#[test]
fn files_are_not_written_outside_the_base_directory() {
    let slave = Slave::new();
    for directory in ["/tmp", "${basedir}/../x", "${build-dir}/../../../x"] {
        let mut plan = plan("a", vec![write_step("fetch", directory)]);
        plan.files = vec![PlanFile { path: "x".into(), executable: false, content: String::new() }];
        let (result, _) = slave.run(&[plan]);
        assert!(
            reason(&result, "fetch").contains("only written below the base directory"),
            "{}",
            reason(&result, "fetch")
        );
    }
    assert!(!slave.path("x").exists());
}

#[test]
fn folders_are_made_and_tidied() {
    let slave = Slave::new();
    std::fs::write(slave.path("precious"), "kept").unwrap();
    let script = "test -d ${caches}/eggs && test -d ${caches}/openerp && test -z \"$(ls -A ${tmp-dir})\" || exit 1
        mkdir -p ${tmp-dir}/d/e && touch ${tmp-dir}/d/e/f && ln -s ${basedir}/.. ${tmp-dir}/link
        ls -ld ${socket-dir} | cut -c1-10; touch ${socket-dir}/s; echo ${socket-dir}";
    for _ in 0..2 {
        let (result, _) = slave.run(&[plan("a", vec![step("make", script)])]);
        assert_eq!(result.outcome, Some(Success), "{:?}", result.builders[0]);
        let log = slave.log("a/01-make.log");
        let (mode, sockets) = log.trim().split_once('\n').unwrap();
        assert_eq!(mode, "drwx------");
        assert!(sockets.len() < 20 && !std::path::Path::new(sockets).exists(), "{sockets}");
        assert_eq!(slave.path("slave/a/tmp").read_dir().unwrap().count(), 0);
        assert_eq!(slave.read("precious"), "kept");
        assert!(slave.records().is_empty());
    }
}

#[test]
fn a_run_leaves_its_results() {
    let slave = Slave::new();
    let original = plan("a", vec![step("one", "echo hi"), step("two", "exit 4"), step("three", "true")]);
    let (result, events) = slave.run(std::slice::from_ref(&original));
    assert_eq!(slave.read("state/.gitignore"), "*\n");
    let kept: RunResult = serde_json::from_str(&slave.log("result.json")).unwrap();
    assert_eq!(kept, result);
    let entries: Vec<Entry> =
        slave.log("events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = entries.iter().map(|entry| entry.event.clone()).collect();
    let heard: Vec<_> = events.iter().filter(|event| !matches!(event, Event::Output { .. })).cloned().collect();
    assert_eq!(told, heard);
    assert_eq!(replay(&entries, result.folder.clone()), Some(result.clone()));
    let lines = &result.builders[0].steps;
    assert_eq!(lines[1].exit, Some(4));
    assert_eq!(lines[1].command, ["sh", "-c", "exit 4"]);
    assert_eq!(serde_yaml::from_str::<farmout::plan::Plan>(&slave.log("a/plan.yaml")).unwrap(), original);
    assert_eq!(result.run.len(), "20261122-181500-k3f9".len());
    assert!(matches!(&events[0], Event::RunStarted { run, .. } if *run == result.run));
    assert!(matches!(events.last(), Some(Event::RunFinished { outcome: Failure, .. })));
}

#[test]
fn plans_that_cannot_be_executed_are_refused_before_anything_is_done() {
    let slave = Slave::new();
    let good = || plan("a", vec![step("one", "true")]);
    let refused = |plans: &[farmout::plan::Plan], what: &str| {
        let failure = farmout::runner::run(plans, &slave.site, &Options::default(), &mut |_| {}).unwrap_err();
        assert!(failure.message.contains(what), "{}", failure.message);
        assert_eq!(failure.exit as i32, 2);
    };
    refused(&[good(), good()], "have the same directory, `a`");
    for directory in ["../x", "x/y", "", ".", "locks", "/x", "x/"] {
        let mut plan = good();
        plan.directory = directory.to_owned();
        refused(&[plan], "cannot be one of a builder");
    }
    for path in ["../x", "/etc/x", "", "a/../../x"] {
        let mut plan = good();
        plan.files = vec![PlanFile { path: path.into(), executable: false, content: String::new() }];
        refused(&[plan], "its path must be relative");
    }
    refused(&[plan("a", vec![step("one", "").with(|step| step.write = true)])], "one of `run` and `write`");
    refused(&[plan("a", vec![step("one", "").with(|step| step.lock = Some("../x".to_owned()))])], "`../x`");
    refused(&[plan("a", vec![step("one", "").with(|step| step.name = "a/b".to_owned())])], "`a/b`");
    refused(&[plan("a", vec![step("one", ""), step("one", "")])], "two steps `one`");
    let mut later = good();
    later.farmout_plan = 2;
    refused(&[later], "format 2");
    assert!(!slave.path("state").exists());
}

#[test]
fn a_run_that_cannot_become_the_latest_one_leaves_nothing() {
    let slave = Slave::new();
    std::fs::create_dir_all(slave.path("state/latest/of/somebody")).unwrap();
    let plans = [plan("a", vec![step("one", "touch ${basedir}/ran")])];
    let failure = farmout::runner::run(&plans, &slave.site, &Options::default(), &mut |_| {}).unwrap_err();
    let state = &slave.site.state;
    let message = format!("cannot keep the run in {state}: the link `latest` cannot be set: Is a directory");
    assert_eq!(failure.message, message);
    let names = |folder: &str| -> Vec<String> {
        let entries = slave.path(folder).read_dir_utf8().unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_owned()).filter(|name| name != "recover.lock").collect()
    };
    assert_eq!((names("state/runs"), names("state/active")), (vec![], vec![]));
    assert!(!names("state").iter().any(|name| name.starts_with(".latest")), "{:?}", names("state"));
    assert!(!slave.path("slave/ran").exists());
    std::fs::rename(slave.path("state/latest"), slave.path("aside")).unwrap();
    slave.run(&plans);
    assert!(slave.path("slave/ran").exists());
}

#[test]
fn a_state_folder_that_cannot_be_made_is_a_clear_failure() {
    let mut slave = Slave::new();
    std::fs::write(slave.path("file"), "").unwrap();
    slave.site.state = slave.path("file/state");
    let failure = farmout::runner::run(&[], &slave.site, &Options::default(), &mut |_| {}).unwrap_err();
    assert!(failure.message.starts_with(&format!("cannot keep runs in {}/file/state: ", slave.folder)));
    assert_eq!(failure.exit as i32, 2);
    // The kernel lets nobody, not even root, make a folder there.
    slave.site.state = "/proc/farmout".into();
    assert!(farmout::runner::run(&[], &slave.site, &Options::default(), &mut |_| {}).is_err());
}
