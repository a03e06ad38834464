//! Requests to stop, and scripts that are killed.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::plans::{StepExt as _, plan, step};
use crate::support::{Host, SHELLS, eventually, outcomes, runs, said};

fn signal(script: &Child, signal: Signal) {
    kill(Pid::from_raw(script.id().cast_signed()), signal).unwrap();
}

fn await_log(host: &Host, shell: &[&str], name: &str) {
    let path = host.path(&format!("{}/b/logs/latest/{name}.log", shell[0]));
    eventually(&format!("{path} is written"), || std::fs::read_to_string(&path).is_ok_and(|text| !text.is_empty()));
}

#[test]
fn a_request_to_stop_ends_the_step_and_cleans_up() {
    let steps = vec![
        step("works", "echo at work; sleep 58.1234"),
        step("never", "true"),
        step("cleans", "echo clean").always(),
    ];
    let host = Host::with(&[plan("b", steps.clone()), plan("c", steps)]);
    for shell in SHELLS {
        for request in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
            let script = host.spawn(shell, &[]);
            await_log(&host, shell, "01-works");
            signal(&script, request);
            let (code, said) = said(&script.wait_with_output().unwrap());
            assert_eq!(code, 130, "{shell:?} {request}: {said}");
            let done: Vec<_> = host.steps(shell, "b").into_iter().map(|done| (done.outcome, done.reason)).collect();
            let wanted = [("interrupted", "interrupted"), ("skipped", "interrupted"), ("success", "")];
            assert_eq!(
                done,
                wanted.map(|(one, other)| (one.to_owned(), other.to_owned())),
                "{shell:?} {request}: {said}"
            );
            assert!(said.contains("b  interrupted") && said.contains("c  not begun"), "{said}");
            assert!(!runs("58.1234"));
            std::fs::remove_dir_all(host.path(shell[0]).join("b/logs")).unwrap();
        }
    }
}

#[test]
fn a_second_request_stops_clean_up_too_and_the_next_script_finds_what_is_left() {
    let steps = vec![
        step("starts", "setsid sleep 58.4321 & echo $! >pid; echo started; sleep 59.4321"),
        step("cleans", "echo cleaning; sleep 57.4321").always(),
    ];
    let host = Host::with(&[plan("b", steps)]);
    for shell in SHELLS {
        let script = host.spawn(shell, &[]);
        await_log(&host, shell, "01-starts");
        signal(&script, Signal::SIGTERM);
        await_log(&host, shell, "02-cleans");
        signal(&script, Signal::SIGTERM);
        let (code, said) = said(&script.wait_with_output().unwrap());
        assert_eq!(code, 130, "{shell:?}: {said}");
        let outcomes: Vec<_> = host.steps(shell, "b").into_iter().map(|done| done.outcome).collect();
        assert_eq!(outcomes, ["interrupted", "interrupted"], "{shell:?}: {said}");
        eventually("its steps are ended", || !runs("57.4321") && !runs("59.4321"));
        std::fs::remove_dir_all(host.path(shell[0]).join("b/logs")).unwrap();
    }
}

#[test]
fn a_script_that_is_killed_leaves_nothing_that_the_next_one_cannot_end() {
    let killed = vec![step("starts", "setsid sleep 56.4321 & mkdir -p \"$TMPDIR\"; echo started; sleep 55.4321")];
    let mut killed = plan("b", killed);
    killed.environment.insert("TMPDIR".to_owned(), "${tmp-dir}".to_owned());
    killed.environment.insert("SOCKETS".to_owned(), "${socket-dir}".to_owned());
    for shell in SHELLS {
        let host = Host::with(&[killed.clone()]);
        let mut script = host.spawn(shell, &[]);
        await_log(&host, shell, "01-starts");
        signal(&script, Signal::SIGKILL);
        script.wait().unwrap();
        // Who watched the step ends it.
        eventually("the step is ended", || !runs("55.4321"));
        let sockets = host.log(shell, "b/.farmout-sh-run").lines().nth(1).unwrap().to_owned();
        assert!(sockets.starts_with("/tmp/fo-") && std::path::Path::new(&sockets).is_dir());
        host.write_script(&[plan("b", vec![step("next", "true")])], None);
        let (code, said) = host.run(shell, &[]);
        assert_eq!(code, 0, "{shell:?}: {said}");
        eventually("what it had started is ended", || !runs("56.4321"));
        assert!(!std::path::Path::new(&sockets).exists());
    }
}

/// Whom the request reaches, and who hears what is said of it.
#[derive(Debug, Clone, Copy)]
enum Way {
    Itself,
    /// All that did not make a group of processes of its own.
    Group,
    /// timeout(1) sends what it is sent itself to its child, and then to its group, the child included.
    Timeout,
    /// Nobody reads its output any more.
    Unheard,
}

impl Way {
    /// Starts it, and asks it to stop once its step is at work. The exit code, once there is one.
    fn stop(self, host: &Host, words: &[&str]) -> Option<i32> {
        let signals = ["/usr/bin/env", "--default-signal=HUP,INT,QUIT,TERM"];
        let within: &[&str] = if matches!(self, Self::Timeout) { &["timeout", "600"] } else { &[] };
        let mut command = in_a_group(host.command(&[&signals, within, words].concat()));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("it is at work", || host.path("started").exists());
        let pid = Pid::from_raw(child.id().cast_signed());
        if matches!(self, Self::Unheard) {
            drop((child.stdout.take(), child.stderr.take()));
        }
        match self {
            Self::Group => killpg(pid, Signal::SIGTERM).unwrap(),
            _ => kill(pid, Signal::SIGTERM).unwrap(),
        }
        let mut status = None;
        eventually(&format!("{self:?} ends {words:?}"), || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

fn in_a_group(mut command: Command) -> Command {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    command
}

#[test]
fn a_step_that_is_deaf_is_ended_and_cleaned_up_after_as_by_the_runner_whoever_asks() {
    let staged = Host::new();
    crate::executable::install(crate::common::FARMOUT, staged.path("farmout"));
    let runner = staged.path("farmout");
    // Each takes ten seconds by its nature.
    let stopped = |way: Way, shell: Option<&[&str]>| {
        let host = Host::new();
        let deaf = format!("trap '' TERM; while :; do echo at work; : >{}; sleep 1; done", host.path("started"));
        let cleans = format!(": >{}", host.path("cleaned"));
        let plans = [plan("b", vec![step("works", &deaf), step("never", "true"), step("cleans", &cleans).always()])];
        let base = host.path("base");
        let (code, done) = if let Some(shell) = shell {
            host.write_script(&plans, None);
            let code = way.stop(&host, &[shell, &["script.sh", "--basedir", base.as_str()]].concat());
            let done = host.read("base/b/logs/latest/steps.tsv");
            let fields = |line: &str| line.split('\t').take(2).map(str::to_owned).collect::<Vec<_>>();
            (code, done.lines().skip(1).map(fields).collect::<Vec<_>>())
        } else {
            std::fs::write(host.path("plan.json"), serde_json::to_string(&plans[0]).unwrap()).unwrap();
            let code = way.stop(&host, &[runner.as_str(), "run", "plan.json", "--state", base.as_str(), "-v"]);
            let run = std::fs::read_dir(base.join("runs")).unwrap().next().unwrap().unwrap();
            let result = crate::common::result(&run.path());
            let fields = |step: &serde_json::Value| vec![step["name"].clone(), step["outcome"].clone()];
            let steps = result["builders"][0]["steps"].as_array().unwrap().iter().map(fields);
            (code, steps.map(|fields| fields.iter().map(|text| text.as_str().unwrap().to_owned()).collect()).collect())
        };
        assert!(host.path("cleaned").exists(), "{way:?} {shell:?}: {done:?}");
        assert!(!runs(deaf.as_str()), "{way:?} {shell:?}");
        (code, done)
    };
    std::thread::scope(|scope| {
        let start = |way, shell| scope.spawn(move || stopped(way, shell));
        let ways = [Way::Itself, Way::Group, Way::Timeout, Way::Unheard];
        let cases: Vec<_> = ways
            .map(|way| (way, start(way, None), SHELLS.map(|shell| (shell, start(way, Some(shell))))))
            .into_iter()
            .collect();
        for (way, runner, shells) in cases {
            let runner = runner.join().unwrap();
            assert_eq!(runner.0, Some(130), "{way:?}");
            for (shell, script) in shells {
                assert_eq!(script.join().unwrap(), runner, "{way:?} {shell:?}");
            }
        }
    });
}

/// Whether anybody reads what is said changes nothing.
#[test]
fn a_script_that_nobody_hears_does_the_same() {
    let closed = step("closed", "sh -c 'kill -PIPE $$'; echo $?");
    let fails = step("fails", "echo 1; sleep 2; echo 2; exit 3");
    let plans = [plan("b", vec![step("says", "seq 20000"), closed, fails, step("cleans", "echo clean").always()])];
    let host = Host::with(&plans);
    let result = host.runner(&plans);
    for shell in SHELLS {
        let mut script = host.spawn(shell, &[]);
        drop((script.stdout.take(), script.stderr.take()));
        assert_eq!(script.wait().unwrap().code(), Some(result.exit() as i32), "{shell:?}");
        let done = host.steps(shell, "b").into_iter().map(|done| (done.name, done.outcome, done.exit));
        assert_eq!(done.collect::<Vec<_>>(), outcomes(&result), "{shell:?}");
        let log = |name: &str| host.log(shell, &format!("b/logs/latest/{name}.log"));
        assert_eq!(log("01-says").lines().count(), 20000, "{shell:?}");
        // To a step it is the signal that it always is.
        assert_eq!((&*log("02-closed"), &*log("03-fails"), &*log("04-cleans")), ("141\n", "1\n2\n", "clean\n"));
        // Nothing of what could not be said got into a file that was open later.
        let list = host.log(shell, "b/logs/latest/steps.tsv");
        assert_eq!((list.lines().count(), list.starts_with("step\t")), (5, true), "{shell:?}: {list}");
    }
}

/// A program that a shell starts in the background would ignore Ctrl-C; servers are stopped by that signal.
#[test]
fn steps_can_be_interrupted_by_their_own() {
    let host = Host::with(&[plan(
        "b",
        vec![step("own", "sh -c 'sleep 54.4321' & sleep 0.2; trap - INT; kill -INT $$; echo ignored")],
    )]);
    for shell in SHELLS {
        assert_eq!(host.run(shell, &[]).0, 1, "{shell:?}");
        assert_eq!(host.log(shell, "b/logs/latest/01-own.log"), "", "{shell:?}");
    }
}

#[test]
fn output_is_shown_while_a_step_works() {
    let host = Host::with(&[plan("b", vec![step("tells", "echo early; sleep 3; printf 'no end of line'")])]);
    for shell in SHELLS {
        use std::io::Read as _;
        let mut script = host.spawn(shell, &[]);
        let mut out = script.stdout.take().unwrap();
        let mut text = String::new();
        let mut piece = [0; 4096];
        while !text.contains("early") {
            let count = out.read(&mut piece).unwrap();
            assert!(count > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        assert!(!text.contains("no end of line"), "{shell:?}: {text}");
        out.read_to_string(&mut text).unwrap();
        assert!(script.wait().unwrap().success() && text.contains("no end of line"), "{text}");
        assert_eq!(text.matches("early").count(), 1, "{text}");
    }
}

#[test]
fn limits_of_the_shell_are_none_of_the_steps() {
    // Many short steps in a row: none is lost, and none is shown twice.
    let steps: Vec<_> = (1..=30).map(|number| step(&format!("s{number}"), &format!("echo line {number}."))).collect();
    let steps = steps.into_iter().map(|step| step.with(|step| step.timeout = Some(60))).collect();
    let host = Host::with(&[plan("b", steps)]);
    for shell in SHELLS {
        let (code, said) = host.run(shell, &[]);
        assert_eq!(code, 0, "{shell:?}: {said}");
        for number in 1..=30 {
            assert_eq!(said.matches(&format!("line {number}.")).count(), 1, "{shell:?}: {said}");
        }
    }
}
