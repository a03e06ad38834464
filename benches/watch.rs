//! How soon a push begins a build, and what the scheduler costs while nothing happens: a real Git repository with the hook
//! that `farmout mirror hooks --print git` prints, and `farmout watch`.
//!
//! ```text
//! cargo bench --bench watch -- PUSHES
//! ```

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{SysconfVar, sysconf};

const FARMOUT: &str = env!("CARGO_BIN_EXE_farmout");
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(20);

fn main() {
    // Among the other benches there is nothing to do.
    let Some(pushes) = std::env::args().skip(1).find_map(|argument| argument.parse::<usize>().ok()) else { return };
    let keep = tempfile::Builder::new().prefix("farmout-bench-").tempdir().unwrap();
    let folder = keep.path();
    // Run by root, builds are another user's.
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    make(folder);
    let watch = watch(folder);
    let idle = (cpu(watch.0.id()), std::thread::sleep(IDLE));
    let idle = cpu(watch.0.id()) - idle.0;
    println!("{idle:?} of the processor in {IDLE:?} without a change\n");
    let mut took: Vec<(Duration, Duration)> = (0..pushes).map(|number| push(folder, number)).collect();
    let mut middle = |part: fn(&(Duration, Duration)) -> Duration| {
        took.sort_by_key(part);
        (part(&took[took.len() / 2]), part(&took[took.len() - 1]))
    };
    println!("{pushes} pushes, from the push's beginning until the run has begun:\n");
    println!("| | median | longest |\n| --- | ---: | ---: |");
    let (median, longest) = middle(|took| took.0);
    println!("| the push itself, with its hook | {median:.0?} | {longest:.0?} |");
    let (median, longest) = middle(|took| took.1);
    println!("| until the run has begun | {median:.0?} | {longest:.0?} |");
}

/// Ends with the bench.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn make(folder: &Path) {
    let farm = folder.join("farm");
    fs::create_dir_all(farm.join("buildouts")).unwrap();
    let up = folder.join("up.git");
    let manifest = format!(
        "[shop]\nbuildout = standalone shop.cfg\nbuild-for =\nbuild-requires = python\ntree-stable-timer = 0\nwatch = git {} main\n",
        up.display()
    );
    fs::write(farm.join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    let buildout = "[buildout]\nparts = openerp\n[openerp]\nrecipe = anybox.recipe.openerp:server\n";
    fs::write(farm.join("buildouts/shop.cfg"), buildout).unwrap();
    // What begins is what counts: a build without a Python ends soon.
    let slave = "[here]\npassword = x\ncapability = python 3 bin=/nonexistent/python\n";
    fs::write(farm.join("slaves.cfg"), slave).unwrap();
    run(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&up));
    run(Command::new("git").args(["clone", "-q"]).arg(&up).arg(folder.join("work")).stderr(Stdio::null()));
    let mut hook = Command::new(FARMOUT);
    hook.args(["mirror", "hooks", "--print", "git", "--url"]).arg(&up).arg("--farm").arg(&farm);
    let hook = hook.output().unwrap();
    assert!(hook.status.success(), "{}", String::from_utf8_lossy(&hook.stderr));
    let path = up.join("hooks/post-receive");
    fs::write(&path, hook.stdout).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn watch(folder: &Path) -> Watch {
    let mut command = Command::new(FARMOUT);
    command.args(["watch", "--poll", "0"]).current_dir(folder.join("farm")).stdout(Stdio::null());
    let watch = Watch(command.spawn().unwrap());
    while !folder.join("farm/.farmout/watch/state.json").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    watch
}

/// Pushes a commit: how long until the push has ended, and until its run has begun.
fn push(folder: &Path, number: usize) -> (Duration, Duration) {
    let work = folder.join("work");
    let mut commit = Command::new("git");
    commit.args(["-c", "user.name=A", "-c", "user.email=a@e.example", "commit", "-q", "--allow-empty", "-m", "x"]);
    run(commit.current_dir(&work));
    let runs = folder.join("farm/.farmout/runs");
    let began = Instant::now();
    // The hook calls farmout by its name.
    let bin = Path::new(FARMOUT).parent().unwrap().display();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let mut push = Command::new("git");
    run(push.args(["push", "-q", "origin", "HEAD:main"]).current_dir(&work).env("PATH", path).stderr(Stdio::null()));
    let pushed = began.elapsed();
    // Each push is one run, and the next waits for its end.
    let begun =
        |folder: &fs::DirEntry| fs::metadata(folder.path().join("events.jsonl")).is_ok_and(|file| file.len() > 0);
    while fs::read_dir(&runs).into_iter().flatten().flatten().filter(begun).count() <= number {
        assert!(began.elapsed() < Duration::from_secs(60), "no run has begun");
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed();
    while !folder.join("farm/.farmout/latest/result.json").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    (pushed, took)
}

/// What a process has taken of the processor.
fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let second = sysconf(SysconfVar::CLK_TCK).unwrap().unwrap();
    Duration::from_millis(ticks * 1000 / second.unsigned_abs())
}
