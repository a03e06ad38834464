//! A farm in a directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{FARMOUT, Ran, command, eventually, is_root, plain, postgresql, running};

/// A temporary directory that everybody may enter, as steps may run as somebody else.
pub fn open_directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("farm").tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// A farm, gone with its state when it is dropped.
pub struct Farm {
    /// Above the farm: for what a test needs besides.
    pub directory: TempDir,
    /// The farm.
    pub root: PathBuf,
}

impl Farm {
    /// A farm without any file.
    pub fn empty() -> Self {
        let directory = open_directory();
        let root = directory.path().join("farm");
        fs::create_dir(&root).unwrap();
        Self { directory, root }
    }

    /// The sample farm of the project, without slave fragments.
    pub fn sample() -> Self {
        let farm = Self::empty();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("buildouts");
        assert!(Command::new("cp").arg("-r").arg(source).arg(&farm.root).status().unwrap().success());
        farm
    }

    /// The sample farm with one slave `here`, which makes private clusters of the installed PostgreSQL.
    pub fn demo() -> Self {
        let (major, bin) = postgresql();
        Self::sample().with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral"))
    }

    /// Adds a slave with these capabilities.
    pub fn with_slave(self, name: &str, capabilities: &str) -> Self {
        let capabilities = capabilities.replace('\n', "\n    ");
        self.write(&format!("slaves.d/{name}.cfg"), &format!("[{name}]\npassword = x\ncapability = {capabilities}\n"));
        self
    }

    /// Writes a file of the farm.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a text that must be there once.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.root.join(path)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{path}: {from}");
        self.write(path, &text.replace(from, to));
    }

    /// farmout in the farm's directory.
    pub fn farmout(&self, arguments: &[&str]) -> Command {
        // What a script starts in the background ignores Ctrl-C, and so do the tests then, and all that they start.
        let mut command = command("env");
        command.args(["--default-signal=HUP,INT,QUIT,TERM", FARMOUT]).args(arguments).current_dir(&self.root);
        command
    }

    /// farmout as a user without any rights, to whom the farm is given.
    pub fn plain_farmout(&self, arguments: &[&str]) -> Command {
        // The source may be below root's home, where nobody else can start anything. Another process writes the copy: if
        // this one did, a test that starts something meanwhile would hand the open file down, and an executable that is
        // open for writing cannot be started.
        let staged = self.directory.path().join("farmout");
        if !staged.exists() {
            assert!(Command::new("install").args(["-m755", FARMOUT]).arg(&staged).status().unwrap().success());
        }
        if is_root() {
            assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(&self.root).status().unwrap().success());
        }
        let mut command = plain(staged);
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Runs farmout in the farm's directory to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.farmout(arguments).output().unwrap().into()
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.root.join(".farmout")
    }

    /// The folder of the latest run.
    pub fn latest(&self) -> PathBuf {
        fs::canonicalize(self.state().join("latest")).unwrap()
    }

    /// The log of a step of the latest run.
    #[track_caller]
    pub fn log(&self, builder: &str, step: &str) -> String {
        log(&self.latest().join(builder), step)
    }

    /// A file below the base directory of a slave.
    pub fn slave_file(&self, path: &str) -> PathBuf {
        self.state().join("slaves").join(path)
    }

    /// What the records of builders at work say.
    pub fn records(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.state().join("active")) else { return Vec::new() };
        let paths =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
        // One may be replaced or removed at any moment.
        paths.filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok()).collect()
    }

    /// Waits until a step is at work.
    #[track_caller]
    pub fn await_step(&self, step: &str) {
        eventually(&format!("step {step} is at work"), || self.steps_at_work().iter().any(|at_work| at_work == step));
    }

    /// The steps whose processes run, as the journal of the latest run has it.
    pub fn steps_at_work(&self) -> Vec<String> {
        let text = fs::read_to_string(self.state().join("latest/events.jsonl")).unwrap_or_default();
        let mut steps: Vec<String> = Vec::new();
        for entry in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            match entry["event"].as_str() {
                Some("process-started") => steps.push(entry["step"].as_str().unwrap().to_owned()),
                Some("step-finished") => steps.retain(|step| entry["result"]["name"] != step.as_str()),
                _ => {}
            }
        }
        steps
    }

    /// Demands that nothing is left of any run: no process, no record, no private cluster, no folder for sockets, no
    /// temporary file.
    #[track_caller]
    pub fn is_tidy(&self) {
        assert_eq!(running(self.directory.path()), Vec::<String>::new());
        assert_eq!(self.records(), Vec::<Value>::new());
        for builder in self.builders() {
            assert!(!builder.join("cluster").exists(), "{}", builder.display());
            assert_eq!(fs::read_dir(builder.join("tmp")).unwrap().count(), 0, "{}", builder.display());
        }
        for sockets in self.socket_directories() {
            assert!(!Path::new(&sockets).exists(), "{sockets}");
        }
    }

    /// The directories of builders on all slaves.
    fn builders(&self) -> Vec<PathBuf> {
        let list = |path: &Path| -> Vec<PathBuf> {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
        };
        let below = list(&self.state().join("slaves")).into_iter().flat_map(|slave| list(&slave));
        below.filter(|path| path.join("build").is_dir()).collect()
    }

    /// The folders for sockets that any run had, as the results tell.
    fn socket_directories(&self) -> Vec<String> {
        let mut found = Vec::new();
        for run in fs::read_dir(self.state().join("runs")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(run.path().join("events.jsonl")).unwrap_or_default();
            let sockets = text.split('"').filter(|text| text.starts_with("/tmp/fo-"));
            found.extend(sockets.map(ToOwned::to_owned));
        }
        found.dedup();
        found
    }

    /// The result of the latest run.
    pub fn result(&self) -> Value {
        result(&self.latest())
    }
}

/// The log of a step of a builder's folder in a run.
#[track_caller]
pub fn log(folder: &Path, step: &str) -> String {
    let ending = format!("-{step}.log");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = entries.into_iter().find(|path| path.to_str().unwrap().ends_with(&ending));
    String::from_utf8_lossy(&fs::read(path.unwrap_or_else(|| panic!("no log of {step}"))).unwrap()).into_owned()
}

/// The result of a run.
pub fn result(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("result.json")).unwrap()).unwrap()
}
