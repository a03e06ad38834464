//! Runs a step that writes a log, and writes the same with `cat > FILE`, side by side:
//!
//! ```text
//! cargo bench --bench capture -- MEGABYTES [TIMES]
//! ```
//!
//! What is written is read from a file that is in memory by then. All of it is in the directory for temporary files.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use farmout::model::Secret;
use farmout::plan::Plan;
use farmout::report::{Manner, Terminal};
use farmout::runner::{Options, Outcome, Site, run};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (megabytes, times) = match arguments.as_slice() {
        [megabytes] => (megabytes, "5"),
        [megabytes, times] => (megabytes, times.as_str()),
        // Among the other benches there is nothing to do.
        _ => return ExitCode::SUCCESS,
    };
    let (Ok(megabytes), Ok(times)) = (megabytes.parse::<u64>(), times.parse::<usize>()) else {
        eprintln!("MEGABYTES and TIMES are numbers");
        return ExitCode::from(2);
    };
    match compare(megabytes * 1_000_000, times) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// A way to get a file's bytes through a pipe into another file.
enum Way {
    Cat,
    Runner { secrets: bool, report: bool },
}

/// Runs all of them in turn, so that whatever else the machine does meets each, and prints the fastest run of each.
fn compare(size: u64, times: usize) -> io::Result<()> {
    let folder = tempfile::Builder::new().prefix("farmout-bench-").tempdir()?;
    let folder = Utf8PathBuf::try_from(folder.path().to_owned()).map_err(io::Error::other)?;
    let source = folder.join("source");
    let size = write(&source, size)?;
    let ways = [
        ("cat | cat > FILE", Way::Cat),
        ("a step", Way::Runner { secrets: false, report: false }),
        ("a step, shown", Way::Runner { secrets: false, report: true }),
        ("a step, secrets", Way::Runner { secrets: true, report: false }),
    ];
    let mut best = [(Duration::MAX, Duration::MAX); 4];
    for _ in 0..times.max(1) {
        for ((_, way), best) in ways.iter().zip(&mut best) {
            let (began, before) = (Instant::now(), processor()?);
            match way {
                Way::Cat => cat(&source, &folder.join("copy"))?,
                Way::Runner { secrets, report } => step(&source, &folder, *secrets, *report)?,
            }
            *best = (best.0.min(began.elapsed()), best.1.min(processor()? - before));
            // What is still on its way to the disk is nobody else's cost.
            nix::unistd::sync();
        }
    }
    for ((name, _), (wall, processor)) in ways.iter().zip(&best) {
        println!(
            "{name:18} {:.3} s, {:5.0} MB/s, {:.2} times the speed of cat; processor {:.3} s",
            wall.as_secs_f64(),
            size as f64 / 1e6 / wall.as_secs_f64(),
            best[0].0.as_secs_f64() / wall.as_secs_f64(),
            processor.as_secs_f64(),
        );
    }
    Ok(())
}

/// What this process and its children have used.
fn processor() -> io::Result<Duration> {
    let mut microseconds = 0;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        microseconds += usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    }
    Ok(Duration::from_micros(microseconds.unsigned_abs()))
}

fn cat(source: &Utf8Path, copy: &Utf8Path) -> io::Result<()> {
    let status =
        Command::new("sh").args(["-c", "cat \"$0\" | cat > \"$1\"", source.as_str(), copy.as_str()]).status()?;
    std::fs::remove_file(copy)?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

fn step(source: &Utf8Path, folder: &Utf8Path, secrets: bool, report: bool) -> io::Result<()> {
    let plan = format!(
        "{{farmout-plan: 1, builder: a, build: a, slave: s, manifest: m.cfg, directory: a, database: d,
           steps: [{{name: write, phase: buildout, template: t, run: [cat, '{source}']}}]}}"
    );
    let plan: Plan = serde_yaml::from_str(&plan).map_err(io::Error::other)?;
    let mut site = Site::new(folder.join("state"), folder.join("slave"));
    site.environment = vec![("PATH".into(), "/usr/bin:/bin".into())];
    if secrets {
        site.secrets.insert("password".to_owned(), Secret::new("correct horse battery"));
        site.secrets.insert("token".to_owned(), Secret::new("ghp_0123456789abcdefABCDEF0123456789"));
        site.secrets.insert("key".to_owned(), Secret::new(key()));
    }
    let manner = Manner { verbose: report, ..Manner::default() };
    let mut terminal = Terminal::new(io::sink(), manner);
    let options = Options { output: report, ..Options::default() };
    let result = run(&[plan], &site, &options, &mut |entry| terminal.observe(entry));
    let result = result.map_err(|failure| io::Error::other(failure.message))?;
    std::fs::remove_dir_all(&site.state)?;
    match result.outcome {
        Some(Outcome::Success) => Ok(()),
        _ => Err(io::Error::other(format!("{:?}", result.builders))),
    }
}

/// Something like a private key: lines of letters and digits that look like chance.
fn key() -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state: u64 = 20_111_018;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(letters[(state >> 20) as usize % letters.len()])
    };
    let lines: Vec<String> = (0..40).map(|_| (0..64).map(|_| letter()).collect()).collect();
    lines.join("\n")
}

/// Lines such as a server logs.
fn write(path: &Utf8Path, size: u64) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut written = 0;
    for number in 0.. {
        if written >= size {
            break;
        }
        let line = format!(
            "2026-11-22 10:{:02}:{:02},{:03} 6788 INFO farm odoo.modules.loading: loading sale_{number}/views/order_views.xml\n",
            number / 60_000 % 60,
            number / 1000 % 60,
            number % 1000
        );
        file.write_all(line.as_bytes())?;
        written += line.len() as u64;
    }
    file.flush()?;
    Ok(written)
}
