//! A host for scripts: a directory of its own, the shells that they must run in, and the runner with the same plans.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};

use camino::Utf8PathBuf;
use farmout::plan::Plan;
use farmout::render::sh::{Program, Script};
use farmout::runner::{self, Options, RunResult, Site, StepUser};
use nix::unistd::Uid;
use tempfile::TempDir;

/// The shells that scripts are for.
pub const SHELLS: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

/// Whom scripts run as, where root runs the tests.
const NOBODY: u32 = 65534;

/// A directory, with a script in it once there is one.
pub struct Host {
    pub folder: Utf8PathBuf,
    _keep: TempDir,
}

/// What came of a step by the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub name: String,
    pub outcome: String,
    pub exit: Option<i32>,
    pub reason: String,
}

impl Host {
    pub fn new() -> Self {
        let keep = tempfile::Builder::new().prefix("farmout-sh-").tempdir_in("/tmp").unwrap();
        let folder = Utf8PathBuf::try_from(keep.path().to_owned()).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let host = Self { folder, _keep: keep };
        host.give("");
        host
    }

    /// A host with the script of these plans.
    pub fn with(plans: &[Plan]) -> Self {
        let host = Self::new();
        host.write_script(plans, None);
        host
    }

    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }

    /// Gives a file to whom scripts run as.
    pub fn give(&self, name: &str) {
        if Uid::effective().is_root() {
            chown(self.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// Makes a directory that scripts may write to.
    pub fn folder(&self, name: &str) -> Utf8PathBuf {
        fs::create_dir_all(self.path(name)).unwrap();
        self.give(name);
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn write_script(&self, plans: &[Plan], program: Option<&Program>) {
        let mut text = Vec::new();
        Script::new(plans, program, &["pg_version".to_owned()]).unwrap().write(&mut text).unwrap();
        fs::write(self.path("script.sh"), text).unwrap();
    }

    /// A command as whom scripts run, in this directory, with an environment that has nothing in it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(&self.folder).stdin(Stdio::null()).env_clear();
        command.envs([("PATH", "/usr/bin:/bin"), ("LANG", "C"), ("HOME", "/nonexistent")]);
        if Uid::effective().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// The script, in a shell.
    pub fn script(&self, shell: &[&str], arguments: &[&str]) -> Command {
        let base = self.path(shell[0]);
        // No shell hears of a signal that it was started without, such as by nohup.
        let signals = ["/usr/bin/env", "--default-signal=HUP,INT,QUIT,TERM"];
        let mut command =
            self.command(&[&signals, shell, &["script.sh", "--basedir", base.as_str()], arguments].concat());
        // A session of its own: what the test gets from a terminal is not the script's.
        command.process_group(0);
        command
    }

    /// Runs it to its end: the exit code, and what it said.
    pub fn run(&self, shell: &[&str], arguments: &[&str]) -> (i32, String) {
        said(
            &self
                .script(shell, arguments)
                .output()
                .unwrap_or_else(|error| panic!("{shell:?}: {error}; tests/run installs it")),
        )
    }

    pub fn spawn(&self, shell: &[&str], arguments: &[&str]) -> Child {
        self.script(shell, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What came of the steps of a builder the last time.
    pub fn steps(&self, shell: &[&str], builder: &str) -> Vec<Done> {
        let text = self.read(&format!("{}/{builder}/logs/latest/steps.tsv", shell[0]));
        let done = |line: &str| {
            let fields: Vec<&str> = line.splitn(5, '\t').collect();
            let [name, outcome, exit, _, reason] = fields.as_slice() else { panic!("{line}") };
            let [name, outcome, reason] = [name, outcome, reason].map(|text| (*text).to_owned());
            Done { name, outcome, exit: exit.parse().ok(), reason }
        };
        text.lines().skip(1).map(done).collect()
    }

    pub fn log(&self, shell: &[&str], name: &str) -> String {
        self.read(&format!("{}/{name}", shell[0]))
    }

    /// Runs plans with the runner.
    pub fn runner(&self, plans: &[Plan]) -> RunResult {
        runner::run(plans, &self.site(), &Options::default(), &mut |_| {}).unwrap()
    }

    pub fn site(&self) -> Site {
        let mut site = Site::new(self.path("state"), self.path("runner"));
        site.account = Uid::effective().is_root().then(|| StepUser {
            name: "nobody".to_owned(),
            uid: NOBODY,
            gid: NOBODY,
            home: Utf8PathBuf::from("/nonexistent"),
        });
        site.environment = vec![("PATH".into(), "/usr/bin:/bin".into()), ("LANG".into(), "C".into())];
        site
    }
}

/// The exit code, and both streams.
pub fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text.into_owned())
}

/// What the runner made of the steps of its first builder, in the words of a script.
pub fn outcomes(result: &RunResult) -> Vec<(String, String, Option<i32>)> {
    let steps = result.builders[0].steps.iter();
    steps.map(|step| (step.name.clone(), step.outcome.word().to_owned(), step.exit)).collect()
}

/// The variables in what `env -0` has written.
pub fn variables(text: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.split_terminator('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

/// Whether a process with this text in its command line runs.
pub fn runs(text: &str) -> bool {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        if stat.contains(") Z ") { None } else { fs::read(entry.path().join("cmdline")).ok() }
    });
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.any(|line| line.contains(text) && !line.contains("render_sh"))
}

/// Waits until it is so; a minute means never.
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("never: {what}");
}
