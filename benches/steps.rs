//! What a step costs: many trivial commands by farmout, by a loop of the shell and by make, each with a log of its own; whole
//! processes, from exec to exit.
//!
//! ```text
//! cargo bench --bench steps -- STEPS
//! ```
//!
//! Times are of one run each, in turn: compare them with each other.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// What one of them took.
struct Took {
    wall: Duration,
    cpu: Duration,
}

fn main() {
    // Among the other benches there is nothing to do.
    let Some(count) = std::env::args().skip(1).find_map(|argument| argument.parse().ok()) else { return };
    let keep = tempfile::Builder::new().prefix("farmout-bench-").tempdir().unwrap();
    let folder = keep.path();
    write_inputs(folder, count);
    println!("{count} times `true`, its output in a file of its own:\n");
    println!("| by | wall | CPU | wall, shell = 1 |\n| --- | ---: | ---: | ---: |");
    // Each makes new files: a file system takes longer to make one where others were removed just before.
    let shell = measure(Command::new("sh").arg("loop.sh"), folder);
    show("a loop of the shell", &shell, &shell);
    show("make", &measure(Command::new("make").arg("-s"), folder), &shell);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        measure(command.args(["run", "plan.yaml"]).args(arguments), folder)
    };
    show("farmout --no-sync", &run(&["--no-sync", "--state", "unsynced"]), &shell);
    show("farmout", &run(&["--state", "synced"]), &shell);
}

fn write_inputs(folder: &Path, count: usize) {
    for logs in ["loop", "make"] {
        fs::create_dir(folder.join(logs)).unwrap();
    }
    let script = format!("i=0\nwhile [ $i -lt {count} ]; do /bin/true > loop/$i.log 2>&1; i=$((i + 1)); done\n");
    fs::write(folder.join("loop.sh"), script).unwrap();
    let mut makefile = String::from("all:");
    for number in 0..count {
        write!(makefile, " s{number}").unwrap();
    }
    makefile.push('\n');
    for number in 0..count {
        write!(makefile, "s{number}:\n\t@/bin/true > make/{number}.log 2>&1\n").unwrap();
    }
    fs::write(folder.join("Makefile"), makefile).unwrap();
    let mut plan = String::from(
        "farmout-plan: 1\nbuilder: b\nbuild: b\nslave: s\nmanifest: m.cfg\ndirectory: b\ndatabase: d\nsteps:\n",
    );
    for number in 0..count {
        writeln!(plan, "- {{name: s{number}, phase: buildout, template: t, run: [/bin/true]}}").unwrap();
    }
    fs::write(folder.join("plan.yaml"), plan).unwrap();
}

fn measure(command: &mut Command, folder: &Path) -> Took {
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        Duration::from_micros((usage.user_time() + usage.system_time()).num_microseconds().unsigned_abs())
    };
    let (before, began) = (cpu(), Instant::now());
    let status = command.current_dir(folder).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    Took { wall: began.elapsed(), cpu: cpu() - before }
}

fn show(name: &str, took: &Took, shell: &Took) {
    let ratio = took.wall.as_secs_f64() / shell.wall.as_secs_f64();
    println!("| {name} | {:.2} s | {:.2} s | {ratio:.2} |", took.wall.as_secs_f64(), took.cpu.as_secs_f64());
}
