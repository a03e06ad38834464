//! What steps do to a build, by the script and by the runner: the same.

use farmout::plan::{OnFailure, Plan};

use crate::plans::{StepExt as _, plan, step};
use crate::support::{Host, SHELLS, eventually, outcomes, runs};

/// The outcome and the exit status of each step, by the runner and by the script in every shell, which must be the same. The
/// exit code of all.
#[track_caller]
fn same(plan: &Plan) -> (Host, i32) {
    let plans = std::slice::from_ref(plan);
    let host = Host::with(plans);
    let result = host.runner(plans);
    let wanted = outcomes(&result);
    for shell in SHELLS {
        let (code, said) = host.run(shell, &[]);
        let done = host.steps(shell, &plan.directory);
        let done: Vec<_> = done.into_iter().map(|done| (done.name, done.outcome, done.exit)).collect();
        assert_eq!(done, wanted, "{shell:?}: {said}");
        assert_eq!(code, result.exit() as i32, "{shell:?}: {said}");
    }
    (host, result.exit() as i32)
}

#[test]
fn failures_halt_flunk_warn_or_count_for_nothing() {
    let kinds = [OnFailure::Ignore, OnFailure::Warn, OnFailure::Flunk, OnFailure::Halt];
    for (index, kind) in kinds.into_iter().enumerate() {
        let failing = step("fails", "echo on its way out; exit 7").on_failure(kind);
        let plan =
            plan("b", vec![step("first", "true"), failing, step("last", "true"), step("clean", "true").always()]);
        let (host, code) = same(&plan);
        assert_eq!(code, [0, 0, 1, 1][index]);
        let done = &host.steps(SHELLS[0], "b")[1];
        assert_eq!(
            done.reason,
            ["exit status 7; which does not count", "exit status 7", "exit status 7", "exit status 7"][index]
        );
        assert_eq!(host.log(SHELLS[0], "b/logs/latest/02-fails.log"), "on its way out\n");
    }
}

#[test]
fn clean_up_has_a_cause_or_is_left_out() {
    let of = |template: &'static str| move |step: &mut farmout::plan::Step| step.template = template.to_owned();
    same(&plan(
        "b",
        vec![
            step("makes", "true").with(of("made")),
            step("halts", "exit 1").with(of("halting")),
            step("would-make", "true").with(of("never")),
            step("takes-away", "true").always().with(of("made")),
            step("nothing-there", "true").always().with(of("never")),
            step("alone", "exit 3").always().on_failure(OnFailure::Warn).with(of("alone")),
        ],
    ));
}

#[test]
fn the_last_line_of_standard_output_becomes_a_property() {
    let tell = |name: &str, script: &str| step(name, script).with(|step| step.property = Some(name.to_owned()));
    let ask = |name: &str, text: &str| step(name, "printf '%s\\n' \"$0\"").with(|step| step.run.push(text.to_owned()));
    let plan = plan(
        "b",
        vec![
            tell("port", "echo no >&2; echo 1; printf '  two  words\\t \\n\\n'; echo neither >&2"),
            ask("ask", "<${property.port}>"),
            tell("silent", "echo only here >&2"),
            ask("ask-default", "${property.silent:-none}"),
            ask("ask-silent", "${property.silent}").on_failure(OnFailure::Flunk),
            ask("ask-nobody", "${property.nobody}").on_failure(OnFailure::Warn),
        ],
    );
    let mut plan = plan;
    plan.properties.insert("nobody-asks".to_owned(), "x".to_owned());
    let host = Host::with(std::slice::from_ref(&plan));
    // It is asked for, and nobody gives it: the runner is told before it begins, and so is a script.
    let (code, said) = host.run(SHELLS[0], &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("give them with --property NAME=VALUE"), "{said}");
    for shell in SHELLS {
        let (code, said) = host.run(shell, &["--property", "nobody=some = body"]);
        assert_eq!(code, 1, "{shell:?}: {said}");
        let log = |name: &str| host.log(shell, &format!("b/logs/latest/{name}.log"));
        assert_eq!(log("02-ask"), "<two  words>\n");
        assert_eq!(log("04-ask-default"), "none\n");
        assert_eq!(log("06-ask-nobody"), "some = body\n");
        let done = host.steps(shell, "b");
        assert_eq!(done[2].outcome, "success");
        assert_eq!(done[2].reason, "the property silent has no value: there was no output");
        assert_eq!(done[4].outcome, "failure");
        assert_eq!(
            done[4].reason,
            "nothing is known as `${property.silent}` here: step `silent` should have reported it"
        );
        let (code, said) = host.run(shell, &["--property=nobody-asks=1"]);
        assert!(code == 2 && said.contains("no step of these builders asks for a property `nobody-asks`"), "{said}");
    }
}

#[test]
fn what_cannot_be_started_says_why() {
    let call = |name: &str, program: &str| {
        step(name, "").on_failure(OnFailure::Flunk).with(|step| step.run = vec![program.to_owned()])
    };
    let plan = plan(
        "b",
        vec![
            call("no-program", "no-such-program"),
            call("no-path", "bin/none"),
            call("no-directory", "true").with(|step| step.directory = "${build-dir}/none".to_owned()),
            step("killed", "kill -KILL $$").on_failure(OnFailure::Flunk),
        ],
    );
    let host = Host::with(&[plan]);
    for shell in SHELLS {
        assert_eq!(host.run(shell, &[]).0, 1);
        let base = host.path(shell[0]);
        let reasons: Vec<String> = host.steps(shell, "b").into_iter().map(|done| done.reason).collect();
        let wanted = [
            "there is no program `no-such-program` in PATH=/usr/bin:/bin".to_owned(),
            format!("there is no program bin/none in {base}/b/build"),
            format!("the working directory {base}/b/build/none does not exist, or cannot be entered"),
            "exit status 137".to_owned(),
        ];
        assert_eq!(reasons, wanted, "{shell:?}");
    }
}

#[test]
fn files_that_steps_leave_are_kept() {
    let keep = |name: &str, script: &str| step(name, script).with(|step| step.keep = Some("left.json".to_owned()));
    let (host, _) = same(&plan(
        "b",
        vec![keep("leaves", "echo '{}' >left.json"), keep("leaves-none", "true"), keep("fails", "exit 1")],
    ));
    for shell in SHELLS {
        assert_eq!(host.log(shell, "b/logs/latest/kept/left.json"), "{}\n");
        assert_eq!(host.steps(shell, "b")[1].reason, "it left no left.json to keep");
    }
}

/// What a step leaves, and what it appends to, is found where its directory leads to when it begins.
#[test]
fn places_that_only_a_run_knows_are_those_of_the_runner() {
    let directory = "${property.where:-${property.nobody:-sub}}";
    let at = |directory: &'static str| {
        move |step: &mut farmout::plan::Step| {
            (step.directory, step.keep) = (directory.to_owned(), Some("left.json".to_owned()))
        }
    };
    let follows =
        step("follows", "for i in 1 2 3 4; do echo $i >>own.log; sleep 1; done; echo '{}' >left.json").with(|step| {
            (step.idle_timeout, step.follow) =
                (Some(3), vec!["${property.log:-own}.log".to_owned(), "pipe".to_owned()]);
        });
    let mut plan = plan(
        "b",
        vec![
            step("makes", "mkdir -p sub; mkfifo sub/pipe; echo old >sub/left.json"),
            follows.with(at(directory)),
            step("elsewhere", "echo here >left.json").with(at("${property.absolute}")),
            step("leaves-none", "true").with(at(directory)),
            step("silent", "true").with(|step| step.property = Some("silent".to_owned())),
            step("lost", "true").on_failure(OnFailure::Flunk).with(at("${property.silent}")),
            step("follows-nothing", "echo begun").with(|step| step.follow = vec!["${property.silent}".to_owned()]),
        ],
    );
    let absolute = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(absolute.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    plan.properties.insert("absolute".to_owned(), absolute.path().to_str().unwrap().to_owned());
    let (host, _) = same(&plan);
    let unknown = "nothing is known as `${property.silent}` here: step `silent` should have reported it";
    for shell in SHELLS {
        assert_eq!(host.log(shell, "b/logs/latest/kept/left.json"), "here\n");
        let reasons: Vec<_> = host.steps(shell, "b").into_iter().map(|done| done.reason).collect();
        let wanted = [
            "",
            "",
            "",
            "it left no left.json to keep",
            "the property silent has no value: there was no output",
            unknown,
            unknown,
        ];
        assert_eq!(reasons, wanted, "{shell:?}");
    }
}

#[test]
fn a_step_that_takes_too_long_is_ended_with_all_that_it_started() {
    let marker = "31.4159";
    let started = format!("sleep {marker}8 & setsid sleep {marker}9 & sleep {marker}7");
    let total = step("total", &started).on_failure(OnFailure::Flunk).with(|step| step.timeout = Some(2));
    let idle = step("idle", &format!("echo one; {started}"))
        .on_failure(OnFailure::Flunk)
        .with(|step| step.idle_timeout = Some(2));
    let busy = step("busy", "for i in 1 2 3 4; do echo $i; sleep 1; done").with(|step| step.idle_timeout = Some(3));
    let follows = step("follows", "for i in 1 2 3 4; do echo $i >>own.log; sleep 1; done").with(|step| {
        (step.idle_timeout, step.follow) = (Some(3), vec!["${build-dir}/own.log".to_owned()]);
    });
    let stubborn = step("stubborn", "trap '' TERM; while :; do sleep 1; done")
        .on_failure(OnFailure::Flunk)
        .with(|step| step.timeout = Some(1));
    let host = Host::with(&[plan("b", vec![total, idle, busy, follows, stubborn])]);
    for shell in SHELLS {
        assert_eq!(host.run(shell, &[]).0, 1);
        let reasons: Vec<_> = host.steps(shell, "b").into_iter().map(|done| (done.outcome, done.reason)).collect();
        let wanted = [
            ("failure", "ended after 2 s, its time limit"),
            ("failure", "ended after 2 s without output"),
            ("success", ""),
            ("success", ""),
            ("failure", "ended after 1 s, its time limit"),
        ];
        assert_eq!(reasons, wanted.map(|(one, other)| (one.to_owned(), other.to_owned())), "{shell:?}");
        assert!(!runs(marker), "{shell:?}");
    }
}

#[test]
fn what_steps_leave_running_serves_the_next_and_is_ended_at_the_end() {
    let plan = plan(
        "b",
        vec![
            // What is in its group goes with it, what has made a session of its own stays.
            step("starts", "sleep 27.1828 & setsid sleep 27.1829 & echo started"),
            step("sees", "pgrep -f 'sleep 27.182[9]' && ! pgrep -f 'sleep 27.182[8]'"),
        ],
    );
    let host = Host::with(&[plan]);
    for shell in SHELLS {
        let (code, said) = host.run(shell, &[]);
        assert_eq!(code, 0, "{shell:?}: {said}");
        assert!(said.contains("its steps left 1 processes running, which are ended"), "{said}");
        assert!(said.contains("b  warnings"), "{said}");
        eventually("they are gone", || !runs("27.182"));
    }
}

/// A script is told on a pipe, too, where nothing but the shell is there to read it from.
#[test]
fn a_script_on_standard_input_is_a_script() {
    let host = Host::with(&[plan("b", vec![step("reads", "cat; echo end of input")])]);
    for shell in SHELLS {
        let base = host.path(shell[0]);
        let words = [shell, &["-s", "--", "--basedir", base.as_str()]].concat();
        let script = std::fs::File::open(host.path("script.sh")).unwrap();
        let output = host.command(&words).stdin(script).output().unwrap();
        assert!(output.status.success(), "{}", crate::support::said(&output).1);
        assert_eq!(host.log(shell, "b/logs/latest/01-reads.log"), "end of input\n");
    }
}

/// Of whoever calls it a step sees nothing that could change a build.
#[test]
fn the_callers_python_database_and_repository_count_for_nothing() {
    let host = Host::with(&[plan("b", vec![step("shows", "env; echo \"path=$PATH\"")])]);
    let venv = host.folder("venv/bin");
    std::fs::write(host.path("venv/pyvenv.cfg"), "home = /usr\n").unwrap();
    for shell in SHELLS {
        let mut script = host.script(shell, &[]);
        script.env("PATH", format!(":{venv}:.:/usr/bin::/bin:")).env("VIRTUAL_ENV", host.path("venv"));
        for name in ["PYTHONPATH", "PGPASSWORD", "PGHOST", "GIT_DIR", "CONDA_PREFIX", "PGP_KEY", "OTHER"] {
            script.env(name, "the caller's");
        }
        assert!(script.status().unwrap().success());
        let log = host.log(shell, "b/logs/latest/01-shows.log");
        let mut callers: Vec<&str> = log.lines().filter_map(|line| line.strip_suffix("=the caller's")).collect();
        callers.sort_unstable();
        assert_eq!(callers, ["OTHER", "PGP_KEY"], "{shell:?}");
        assert!(log.contains("\npath=/usr/bin:/bin\n") && !log.contains("VIRTUAL_ENV"), "{log}");
    }
}

#[test]
fn wrong_use_is_said_before_anything_is_made() {
    let host = Host::with(&[plan("b", vec![step("first", "true")])]);
    for (arguments, words) in [
        (vec!["--no-such"], "error: there is no option --no-such\n  help: sh script.sh --help\n"),
        (vec!["--property"], "error: --property needs a value\n"),
        (vec!["--property", "x"], "error: `x` is no property: it is written NAME=VALUE\n"),
        (vec!["--property", "x=a\tb"], "error: the value of x has a control character in it\n"),
        (vec!["--basedir", "/nonexistent/a b"], "/nonexistent/a b has a character in it at which builds break"),
        (vec!["--basedir", "/proc/none"], "error: /proc/none cannot be written to\n"),
        (vec!["c"], "error: this script has no builder `c`\n  help: there are b\n"),
    ] {
        for shell in SHELLS {
            let (code, said) = host.run(shell, &arguments);
            assert!(code == 2 && said.contains(words), "{shell:?} {arguments:?}: {said}");
        }
    }
    let long = format!("{}/{}", host.folder, "x".repeat(250));
    let (code, said) = host.run(SHELLS[0], &["--basedir", &long]);
    assert!(code == 2 && said.contains("is too long: the first line of a script cannot hold"), "{said}");
    for shell in SHELLS {
        assert!(!host.path(shell[0]).exists());
    }
}

mod root {
    use super::*;

    #[test]
    fn builds_do_not_run_as_root() {
        crate::common::need_root();
        let host = Host::with(&[plan("b", vec![step("first", "true")])]);
        for shell in SHELLS {
            let path = host.path("script.sh");
            let mut words: Vec<&str> = shell.to_vec();
            words.push(path.as_str());
            let output =
                std::process::Command::new(words[0]).args(&words[1..]).current_dir(&host.folder).output().unwrap();
            let (code, said) = crate::support::said(&output);
            assert_eq!(code, 2, "{said}");
            let wanted = "error: builds must not run as root: PostgreSQL and OpenERP refuse to\n  help: run it as an ordinary \
                          user, such as: su -s /bin/sh -c 'sh script.sh' USER; the base directory must be that user's\n";
            assert_eq!(said, wanted);
        }
        assert!(!host.path("farmout-s").exists());
    }
}
