//! Brings mirrors of repositories up to date that have not changed, beside the bare `git fetch`es of the same, as many at a time:
//!
//! ```text
//! cargo bench --bench mirror -- REPOSITORIES JOBS [TIMES]
//! ```
//!
//! Run by root, all of it is done as the user `farmout`.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::unistd::{User, geteuid, setgid, setgroups, setuid};

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let numbers: Option<Vec<usize>> = arguments.iter().map(|argument| argument.parse().ok()).collect();
    let done = match numbers.as_deref() {
        // Among the other benches there is nothing to do.
        Some([]) => return ExitCode::SUCCESS,
        Some([count, jobs]) => bench(*count, *jobs, 5),
        Some([count, jobs, times]) => bench(*count, *jobs, *times),
        _ => Err(io::Error::other("REPOSITORIES JOBS [TIMES] are numbers")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn bench(count: usize, jobs: usize, times: usize) -> io::Result<()> {
    become_somebody()?;
    let directory = tempfile::tempdir()?;
    let root = directory.path();
    let upstream = make(root, count)?;
    let update = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        command.args(["mirror", "update", "--farm"]).arg(root.join("farm")).arg("--mirrors").arg(root.join("mirrors"));
        run(command.args(["--jobs", &jobs.to_string()]))
    };
    update()?;
    let mirrors: Vec<PathBuf> =
        upstream.iter().map(|upstream| root.join("bare").join(upstream.file_name().unwrap_or_default())).collect();
    for (mirror, upstream) in mirrors.iter().zip(&upstream) {
        run(Command::new("git").args(["clone", "--quiet", "--bare"]).arg(upstream).arg(mirror))?;
    }
    let fetch = || {
        in_parallel(count, jobs, |index| {
            let mut git = Command::new("git");
            git.arg("--git-dir").arg(&mirrors[index]).args(["fetch", "--quiet", "--prune"]).arg(&upstream[index]);
            run(git.arg("+refs/heads/main:refs/heads/main"))
        })
    };
    let mut best = [Took { wall: f64::MAX, processor: f64::MAX }; 2];
    for _ in 0..times {
        let took = [timed(fetch)?, timed(update)?];
        for (best, took) in best.iter_mut().zip(took) {
            best.wall = best.wall.min(took.wall);
            best.processor = best.processor.min(took.processor);
        }
        let [fetches, updates] = took;
        println!("git fetch {fetches}; farmout mirror update {updates}");
    }
    let [fetches, updates] = best;
    let (wall, processor) = (updates.wall / fetches.wall, updates.processor / fetches.processor);
    println!("best: git fetch {fetches}; farmout mirror update {updates}: {wall:.2} and {processor:.2} times that");
    Ok(())
}

/// What something took, in seconds.
#[derive(Debug, Clone, Copy)]
struct Took {
    wall: f64,
    /// Of all processes that it started.
    processor: f64,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s, processor {:.2} s", self.wall, self.processor)
    }
}

/// git reads no repositories of others, so all of it is one user's.
fn become_somebody() -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let user = User::from_name("farmout")?.ok_or_else(|| io::Error::other("there is no user farmout"))?;
    setgroups(&[user.gid]).and_then(|()| setgid(user.gid)).and_then(|()| setuid(user.uid))?;
    Ok(())
}

/// Repositories with a commit each, and a farm that watches them.
fn make(root: &Path, count: usize) -> io::Result<Vec<PathBuf>> {
    let mut manifest = "[all]\nwatch =\n".to_owned();
    let upstream: Vec<_> = (0..count).map(|number| root.join(format!("upstream/{number}"))).collect();
    for path in &upstream {
        fs::create_dir_all(path)?;
        run(Command::new("git").args(["init", "--quiet", "--initial-branch=main"]).arg(path))?;
        let mut commit = Command::new("git");
        commit.arg("-C").arg(path).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        run(commit.args(["commit", "--quiet", "--allow-empty", "--message=1"]))?;
        manifest += &format!("    git {} main\n", path.display());
    }
    fs::create_dir_all(root.join("farm/buildouts"))?;
    fs::write(root.join("farm/buildouts/MANIFEST.cfg"), manifest)?;
    fs::create_dir(root.join("bare"))?;
    Ok(upstream)
}

fn in_parallel(count: usize, jobs: usize, work: impl Fn(usize) -> io::Result<()> + Sync) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let one = || {
        while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < count) {
            work(index)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(one)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker broke"))))
    })
}

fn timed(work: impl Fn() -> io::Result<()>) -> io::Result<Took> {
    let processor = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        io::Result::Ok(
            [usage.user_time(), usage.system_time()]
                .map(|time| time.num_microseconds() as f64 / 1e6)
                .iter()
                .sum::<f64>(),
        )
    };
    let (before, began) = (processor()?, Instant::now());
    work()?;
    let wall = began.elapsed().as_secs_f64();
    Ok(Took { wall, processor: processor()? - before })
}

fn run(command: &mut Command) -> io::Result<()> {
    // The settings of whoever runs this are not measured.
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", "/nonexistent").current_dir("/");
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{command:?} failed: {}", String::from_utf8_lossy(&said))))
}
