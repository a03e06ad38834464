//! Locks that hold between scripts, and between a script and the runner.

use std::fs;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use farmout::plan::{OnFailure, Plan};

use crate::executable::script as executable;
use crate::plans::{StepExt as _, plan, step};
use crate::support::{Host, SHELLS, eventually, said};

/// Builders whose steps must not overlap: each says when it begins and when it ends.
fn locking(host: &Host, names: &[&str], lock: Option<&str>) -> Vec<Plan> {
    let log = host.path("order");
    fs::write(&log, "").unwrap();
    host.give("order");
    let script = format!("echo begin >>{log}; sleep 0.3; echo end >>{log}");
    let locked =
        |name: &&str| plan(name, vec![step("locked", &script).with(|step| step.lock = lock.map(str::to_owned))]);
    names.iter().map(locked).collect()
}

#[track_caller]
fn was_one_at_a_time(host: &Host, count: usize) {
    assert_eq!(host.read("order"), "begin\nend\n".repeat(count));
    fs::write(host.path("order"), "").unwrap();
}

/// Programs without flock(1), as on systems that have none.
fn without_flock(host: &Host) -> String {
    let bin = host.folder("bin-without-flock");
    for folder in ["/usr/bin", "/bin"] {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name();
            if name != "flock" {
                let _ = std::os::unix::fs::symlink(entry.path(), bin.as_std_path().join(name));
            }
        }
    }
    bin.into_string()
}

/// Starts the same script in every shell at once, each with two builders, and waits for all.
fn all_at_once(host: &Host, path: &str) {
    let base = host.path("shared");
    let scripts: Vec<_> = SHELLS
        .iter()
        .flat_map(|shell| [*shell, *shell])
        .enumerate()
        .map(|(index, shell)| {
            let builder = format!("b{index}");
            let mut script = host.script(shell, &["--basedir", base.as_str(), &builder]);
            script.env("PATH", path).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            script.spawn().unwrap()
        })
        .collect();
    for script in scripts {
        let (code, said) = said(&script.wait_with_output().unwrap());
        assert_eq!(code, 0, "{said}");
    }
}

const NAMES: [&str; 6] = ["b0", "b1", "b2", "b3", "b4", "b5"];

#[test]
fn one_step_at_a_time_has_a_lock() {
    let host = Host::new();
    host.write_script(&locking(&host, &NAMES, Some("caches")), None);
    all_at_once(&host, "/usr/bin:/bin");
    was_one_at_a_time(&host, NAMES.len());
}

#[test]
fn one_step_at_a_time_has_a_lock_without_flock() {
    let host = Host::new();
    host.write_script(&locking(&host, &NAMES, Some("caches")), None);
    let bin = without_flock(&host);
    for _ in 0..5 {
        all_at_once(&host, &bin);
        was_one_at_a_time(&host, NAMES.len());
    }
    assert!(host.path("shared/locks/caches.held").is_dir() && !host.path("shared/locks/caches.lock").exists());
    // What is free is one small file, however often it was taken.
    assert_eq!(fs::read_dir(host.path("shared/locks/caches.held")).unwrap().count(), 1);
}

#[test]
fn the_slave_runs_as_many_builders_at_a_time_as_it_says() {
    let host = Host::new();
    let mut plans = locking(&host, &NAMES, None);
    plans.iter_mut().for_each(|plan| plan.max_builds = Some(1));
    host.write_script(&plans, None);
    all_at_once(&host, "/usr/bin:/bin");
    was_one_at_a_time(&host, NAMES.len());
}

#[test]
fn a_builders_directory_is_one_scripts_at_a_time() {
    for flock in [true, false] {
        let host = Host::new();
        host.write_script(&locking(&host, &["b"], None), None);
        let path = if flock { "/usr/bin:/bin".to_owned() } else { without_flock(&host) };
        let spawned: Vec<_> = SHELLS
            .iter()
            .map(|shell| {
                host.script(shell, &["--basedir", host.path("shared").as_str()]).env("PATH", &path).spawn().unwrap()
            })
            .collect();
        spawned.into_iter().for_each(|mut script| assert!(script.wait().unwrap().success()));
        was_one_at_a_time(&host, SHELLS.len());
    }
}

/// Nobody waits for somebody who is dead, whatever number the system gives to the next.
#[test]
fn a_lock_ends_with_its_owner() {
    for flock in [true, false] {
        for shell in SHELLS {
            let host = Host::new();
            let path = if flock { "/usr/bin:/bin".to_owned() } else { without_flock(&host) };
            let hold = step("hold", "echo held; sleep 53.4321").with(|step| step.lock = Some("caches".to_owned()));
            host.write_script(&[plan("b", vec![hold])], None);
            let mut killed = host.script(shell, &[]).env("PATH", &path).spawn().unwrap();
            let log = host.path(&format!("{}/b/logs/latest/01-hold.log", shell[0]));
            eventually("it is held", || fs::read_to_string(&log).is_ok_and(|text| text.contains("held")));
            // Whoever comes now is told who has it, and waits.
            let waiting =
                host.script(shell, &[]).env("PATH", &path).stdout(std::process::Stdio::piped()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(700));
            let pid = i32::try_from(waiting.id()).unwrap();
            kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
            let (code, said) = said(&waiting.wait_with_output().unwrap());
            assert_eq!(code, 130, "{said}");
            assert!(
                said.contains(&format!("waits for the builder's directory (pid {}, run sh-", killed.id())),
                "{said}"
            );
            killed.kill().unwrap();
            killed.wait().unwrap();
            host.write_script(
                &[plan("b", vec![step("next", "true").with(|step| step.lock = Some("caches".to_owned()))])],
                None,
            );
            let began = Instant::now();
            let (code, said) = crate::support::said(&host.script(shell, &[]).env("PATH", &path).output().unwrap());
            assert_eq!(code, 0, "{said}");
            assert!(began.elapsed().as_secs() < 20, "{shell:?} {flock}");
        }
    }
}

#[test]
fn a_script_and_the_runner_share_their_locks() {
    let host = Host::new();
    let mut plans = locking(&host, &["b", "c"], Some("caches"));
    let steps: Vec<_> =
        (0..4).map(|number| plans[0].steps[0].clone().with(|step| step.name = format!("s{number}"))).collect();
    plans.iter_mut().for_each(|plan| plan.steps.clone_from(&steps));
    host.write_script(&plans[1..], None);
    host.folder("runner");
    for shell in SHELLS {
        let base = host.path("runner");
        let mut script = host.script(shell, &["--basedir", base.as_str()]).spawn().unwrap();
        assert_eq!(host.runner(&plans[..1]).exit() as i32, 0);
        assert!(script.wait().unwrap().success());
        was_one_at_a_time(&host, 8);
    }
}

/// The order of what is there to make a group of processes with, each alone.
#[test]
fn a_group_of_processes_is_made_with_what_there_is() {
    for shell in SHELLS {
        for leader in ["setsid", "perl", "python3"] {
            let host = Host::new();
            let bin = without_flock(&host);
            for other in ["setsid", "perl", "python3"] {
                if other != leader {
                    fs::remove_file(format!("{bin}/{other}")).unwrap();
                }
            }
            if leader == "setsid" {
                // One that knows nothing of signals, as busybox has it.
                fs::remove_file(format!("{bin}/env")).unwrap();
                executable(format!("{bin}/env"), "case $1 in --*) exit 1 ;; esac\nexec /usr/bin/env \"$@\"");
            }
            let slow = step("slow", "sleep 52.4321 & sleep 52.4322").with(|step| step.timeout = Some(1));
            host.write_script(
                &[plan(
                    "b",
                    vec![
                        step("says", "echo \"$0\" 'it'\"'\"'s'").with(|step| step.run.push("a  b".to_owned())),
                        slow.on_failure(OnFailure::Flunk),
                        step("pipe", "sh -c 'kill -PIPE $$'; echo $?"),
                    ],
                )],
                None,
            );
            let base = host.path(shell[0]);
            let deaf = ["/usr/bin/env", "--ignore-signal=PIPE"];
            let mut script = host.command(&[&deaf, shell, &["script.sh", "--basedir", base.as_str()]].concat());
            let (code, said) = said(&script.env("PATH", &bin).output().unwrap());
            assert_eq!(code, 1, "{shell:?} {leader}: {said}");
            assert_eq!(host.log(shell, "b/logs/latest/01-says.log"), "a  b it's\n", "{shell:?} {leader}");
            assert_eq!(host.steps(shell, "b")[1].reason, "ended after 1 s, its time limit");
            assert!(!crate::support::runs("52.432"), "{shell:?} {leader}");
            // A setsid alone cannot give a signal back that the script was started to ignore.
            let status = if leader == "setsid" { "0\n" } else { "141\n" };
            assert_eq!(host.log(shell, "b/logs/latest/03-pipe.log"), status, "{shell:?} {leader}");
        }
        let host = Host::with(&[plan("b", vec![step("first", "true")])]);
        let bin = without_flock(&host);
        ["setsid", "perl", "python3"].iter().for_each(|name| fs::remove_file(format!("{bin}/{name}")).unwrap());
        let (code, said) = said(&host.script(shell, &[]).env("PATH", &bin).output().unwrap());
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("there is neither setsid nor perl nor python3 to make one"), "{said}");
    }
}
