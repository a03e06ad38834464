//! Requests to stop, and scripts that are killed.

use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::plans::{StepExt as _, plan, step};
use crate::support::{Host, SHELLS, eventually, runs, said};

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
