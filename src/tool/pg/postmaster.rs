//! The process of a cluster: found by its data directory, and ended. Nothing is signalled that is not verifiably that server:
//! a `postmaster.pid` outlives its process, and the number may be somebody else's by now.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Error;
use crate::tool::process;

/// PostgreSQL's shutdown modes fast and immediate, and what ends it if both fail; each with the time that it may take.
const ENDINGS: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
    (Signal::SIGKILL, Duration::from_secs(10)),
];

/// Ends the server of the data directory, if it runs. `pg_ctl` is called only where the system has no `/proc`.
///
/// # Errors
/// It lives on.
pub(super) fn end(data: &Path, pg_ctl: Option<&Path>) -> Result<(), Error> {
    let Some(pid) = recorded(data) else { return Ok(()) };
    if !Path::new("/proc/self").exists() {
        return end_with(pg_ctl, data, pid);
    }
    for (signal, patience) in ENDINGS {
        if !is_postmaster(pid, data) {
            break;
        }
        // It may have gone since: the next look tells.
        let _ = kill(Pid::from_raw(pid), signal);
        wait(patience, || !is_postmaster(pid, data));
    }
    if is_postmaster(pid, data) {
        return Err(Error::Stuck { data: data.display().to_string(), pid });
    }
    // Killed for good, it leaves children that notice only after a moment and still write.
    wait(Duration::from_secs(10), || !any_process_in(data));
    Ok(())
}

/// The process that the data directory says its server has.
fn recorded(data: &Path) -> Option<i32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    // A negative number is a server in single-user mode.
    text.lines().next()?.trim().parse::<i32>().ok().map(i32::abs).filter(|&pid| pid > 1)
}

/// Whether the process is a PostgreSQL that works in the data directory: a server changes to it when it starts.
fn is_postmaster(pid: i32, data: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    (name.starts_with("postgres") || name.starts_with("postmaster")) && works_in(&process, data)
}

fn works_in(process: &Path, data: &Path) -> bool {
    let Ok(data) = data.canonicalize() else { return false };
    fs::read_link(process.join("cwd")).is_ok_and(|directory| directory == data)
}

fn any_process_in(data: &Path) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| works_in(&process.path(), data))
}

/// Waits until `done`, and no longer than `patience`.
fn wait(patience: Duration, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() && started.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// For systems where nobody can say what a process is: pg_ctl knows as much as anybody.
fn end_with(pg_ctl: Option<&Path>, data: &Path, pid: i32) -> Result<(), Error> {
    for mode in ["fast", "immediate"] {
        let Some(pg_ctl) = pg_ctl else { break };
        let mut command = Command::new(pg_ctl);
        command.args(["stop", "-w", "-t", "30", "-m", mode, "-D"]).arg(data);
        let stopped = process::capture(&mut command).is_ok_and(|output| output.status.success());
        if stopped || recorded(data).is_none() {
            return Ok(());
        }
    }
    let gone = kill(Pid::from_raw(pid), None).is_err();
    if gone { Ok(()) } else { Err(Error::Stuck { data: data.display().to_string(), pid }) }
}
