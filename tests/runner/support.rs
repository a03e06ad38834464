//! Plans and sites for tests, and a runner in a process of its own that can be killed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use farmout::plan::Plan;
use farmout::runner::{Event, Options, Outcome, RunResult, Site, StepUser};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub use crate::plans::{StepExt, plan, step, write_step};

/// A slave with a state folder, gone at the end of the test.
pub struct Slave {
    pub folder: Utf8PathBuf,
    pub site: Site,
    _keep: TempDir,
}

impl Slave {
    pub fn new() -> Self {
        let keep = tempfile::Builder::new().prefix("farmout-test-").tempdir_in("/tmp").unwrap();
        let folder = Utf8PathBuf::try_from(keep.path().to_owned()).unwrap();
        open_to_all(&folder);
        let site = site(&folder);
        Self { folder, site, _keep: keep }
    }

    /// Runs plans in this process.
    pub fn run(&self, plans: &[Plan]) -> (RunResult, Vec<Event>) {
        self.run_with(plans, &Options { output: true, ..Options::default() })
    }

    /// The same, with these options.
    pub fn run_with(&self, plans: &[Plan], options: &Options) -> (RunResult, Vec<Event>) {
        let mut events = Vec::new();
        let run = farmout::runner::run(plans, &self.site, options, &mut |entry| events.push(entry.event.clone()));
        (run.unwrap(), events)
    }

    /// Runs plans in a process of its own.
    pub fn spawn(&self, plans: &[Plan]) -> Runner {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile_in(&self.folder).unwrap();
        let (_, path) = file.keep().unwrap();
        std::fs::write(&path, serde_yaml::to_string(plans).unwrap()).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "support::a_runner_for_other_tests", "--nocapture"])
            .env("FARMOUT_TEST_PLANS", &path)
            .env("FARMOUT_TEST_FOLDER", &self.folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Runner(child)
    }

    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The log of a step of the latest run.
    pub fn log(&self, name: &str) -> String {
        self.read(&format!("state/latest/{name}"))
    }

    /// The records of builders at work.
    pub fn records(&self) -> Vec<String> {
        let Ok(entries) = self.path("state/active").read_dir_utf8() else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().to_owned());
        names.filter(|name| name.ends_with(".json")).collect()
    }
}

fn open_to_all(folder: &Utf8Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    if let Some(user) = account() {
        std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid)).unwrap();
    }
}

fn site(folder: &Utf8Path) -> Site {
    let mut site = Site::new(folder.join("state"), folder.join("slave"));
    site.account = account();
    site.environment = vec![("PATH".into(), "/usr/bin:/bin".into()), ("LANG".into(), "C".into())];
    site.grace = Duration::from_millis(300);
    site
}

/// Root runs steps as nobody, any other user as itself.
pub fn account() -> Option<StepUser> {
    nix::unistd::Uid::effective().is_root().then(|| StepUser {
        name: "nobody".to_owned(),
        uid: 65534,
        gid: 65534,
        home: Utf8PathBuf::from("/nonexistent"),
    })
}

/// A runner in a process of its own, killed at the end of the test.
pub struct Runner(Child);

impl Runner {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }

    /// Waits for its end: its exit status, none if a signal ended it.
    pub fn wait(&mut self) -> Option<i32> {
        eventually("the runner ends", || self.0.try_wait().unwrap().is_some());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What [`Slave::spawn`] starts: this same program again, told by its environment what to run. In an ordinary run of
/// the tests nothing tells it, and it does nothing.
#[test]
fn a_runner_for_other_tests() {
    let (Ok(plans), Ok(folder)) = (std::env::var("FARMOUT_TEST_PLANS"), std::env::var("FARMOUT_TEST_FOLDER")) else {
        return;
    };
    // Tests that a script runs in the background ignore these, and a runner would go on ignoring them.
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGQUIT] {
        signal_hook::flag::register(signal, std::sync::Arc::default()).unwrap();
    }
    let plans: Vec<Plan> = serde_yaml::from_str(&std::fs::read_to_string(plans).unwrap()).unwrap();
    let result = farmout::runner::run(&plans, &site(Utf8Path::new(&folder)), &Options::default(), &mut |_| {}).unwrap();
    std::process::exit(result.exit() as i32);
}

/// Each step's name and outcome.
pub fn outcomes(result: &RunResult, builder: usize) -> Vec<(&str, Outcome)> {
    result.builders[builder].steps.iter().map(|step| (step.name.as_str(), step.outcome)).collect()
}

/// Why a step ended as it did.
pub fn reason<'a>(result: &'a RunResult, step: &str) -> &'a str {
    let step = result.builders[0].steps.iter().find(|found| found.name == step).unwrap();
    step.reason.as_deref().unwrap_or("")
}

/// Waits until it is so; a minute means never.
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("never: {what}");
}

/// Waits for a process number in a file.
pub fn pid_in(path: &Utf8Path) -> i32 {
    let read = || std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'));
    eventually(&format!("a number in {path}"), || read().is_some());
    read().unwrap().trim().parse().unwrap()
}

/// Whether a process runs; one that only waits for its parent's notice does not.
pub fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
