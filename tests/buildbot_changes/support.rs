//! A small farm with a master, and repositories of all three systems.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::buildbot::{Master, SYSTEM, fine, program, wait};

/// A master.cfg up to the farm's options: builders that do nothing, on a worker inside of the master.
const LOCAL: &str = "
from buildbot.plugins import schedulers, steps, util, worker
from farm import Farm, configure

class Local(Farm):
    def worker(self, data):
        return worker.LocalWorker(data.name)

    def factory(self, builder):
        return util.BuildFactory([steps.MasterShellCommand(command='true')])

configure(c, Local, ";

/// A master with a farm whose builders do nothing, on a worker inside of the master.
pub struct Case {
    pub master: Master,
    pub builds: Vec<Value>,
    pub branches: Vec<Value>,
    /// Arguments for the farm.
    pub options: String,
    /// What an admin wrote after the farm's own.
    pub more: String,
    /// What the master is in; it is gone after it.
    folder: TempDir,
}

impl Case {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::create(&folder.path().canonicalize().unwrap().join("master"));
        let (builds, branches) = (Vec::new(), Vec::new());
        let case = Self { folder, master, builds, branches, options: String::new(), more: String::new() };
        let secrets = case.master.directory().join("secrets");
        fs::create_dir(&secrets).unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700)).unwrap();
        case
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Adds a branch that can be watched: its number.
    pub fn branch(&mut self, vcs: &str, url: &str, branch: Option<&str>, place: &str) -> usize {
        self.branches.push(json!({"vcs": vcs, "url": url, "branch": branch, "place": place}));
        self.branches.len() - 1
    }

    /// Adds a branch of a repository in the case's folder.
    pub fn local(&mut self, vcs: &str, name: &str, branch: Option<&str>) -> usize {
        let path = self.path(name).display().to_string();
        self.branch(vcs, &path, branch, &path)
    }

    /// Adds a build with a builder.
    pub fn build(&mut self, name: &str, timer: u32, watch: &[usize]) {
        self.builds.push(json!({
            "name": name, "builders": [format!("{name}-pg15")], "tree_stable_timer": timer, "watch": watch, "properties": [],
        }));
    }

    /// Gives the master a secret.
    pub fn secret(&self, name: &str, text: &str) {
        self.secret_file(&format!("master/secrets/{name}"), text);
    }

    /// Writes a file that nobody else can read.
    pub fn secret_file(&self, name: &str, text: &str) {
        let file = self.path(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes what the master reads.
    pub fn write(&self) {
        let directory = self.master.directory();
        let names = |build: &Value| build["builders"].as_array().unwrap().clone();
        let all = self.builds.iter().flat_map(|build| names(build).into_iter().map(move |name| (build, name)));
        let builder = |(build, name): (&Value, Value)| {
            json!({
                "name": name, "build": build["name"], "directory": name, "databases": {"x": "x"}, "properties": {},
                "offers": 0, "procedure": 0,
            })
        };
        let builders: Vec<_> = all.map(builder).collect();
        let worker = json!({"priority": 0, "db_prefix": "x", "password": "local", "properties": {}});
        let setting = json!({"values": {}, "path": [], "environment": {}, "properties": {}, "variants": []});
        let farm = json!({
            "farmout_farm": 1, "farmout": "0.1.0", "workers": {"local": worker}, "settings": [setting], "offers": [{"local": 0}],
            "files": {}, "steps": [], "procedures": [{"steps": []}], "builders": builders,
            "builds": self.builds, "branches": self.branches, "secrets": [],
        });
        fs::write(directory.join("farm.json"), farm.to_string()).unwrap();
        let loader = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/buildbot/farm.py");
        fs::copy(loader, directory.join("farm.py")).unwrap();
        let settings = self.master.settings();
        self.master
            .configure(&format!("c = BuildmasterConfig = {{}}\n{settings}{LOCAL}{})\n{}", self.options, self.more));
    }

    /// Writes it, and starts the master.
    #[track_caller]
    pub fn start(&mut self) {
        self.write();
        let checked = self.master.check();
        assert!(checked.status.success(), "{checked:?}");
        self.master.start();
    }

    /// Writes it, and has the master read it again.
    #[track_caller]
    pub fn reconfig(&self) -> String {
        self.write();
        let log = self.master.reconfig().unwrap();
        assert!(!log.contains("Traceback"), "{log}");
        log
    }

    /// Tells the master's hook of a change, as anybody may.
    pub fn post(&self, form: &[(&str, &str)]) -> u16 {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let post = agent.post(format!("{}/change_hook/base", self.master.url()));
        post.send_form(form.iter().copied()).unwrap().status().as_u16()
    }

    /// Tells the master's hook of a change.
    #[track_caller]
    pub fn tell(&self, repository: &str, branch: &str, revision: &str) {
        let form = [("repository", repository), ("branch", branch), ("revision", revision)];
        assert_eq!(self.post(&[form.as_slice(), &[("author", "Ann"), ("comments", "x")]].concat()), 200);
    }

    /// Waits for so many changes: `repository branch revision: comment [files]` of each, without the case's folder.
    #[track_caller]
    pub fn changes(&self, count: usize) -> Vec<String> {
        let mut all = self.master.until("changes", |changes| {
            let changes = changes.as_array().unwrap();
            (changes.len() >= count).then(|| changes.clone())
        });
        assert_eq!(all.len(), count, "{all:#?}");
        // The newest come first, whatever order is asked for.
        all.sort_by_key(|change| change["changeid"].as_u64());
        let folder = format!("{}/", self.path("").display().to_string().trim_end_matches('/'));
        let shown = |change: &Value| {
            let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
            let files: Vec<_> = change["files"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
            let (repository, comment) = (text("repository").replace(&folder, ""), text("comments").replace('\n', "/"));
            format!("{repository} {} {}: {comment} [{}]", text("branch"), text("author"), files.join(" "))
        };
        all.iter().map(shown).collect()
    }

    /// Waits for so many sets of requests: the reason, and the revisions of the sources, of each.
    #[track_caller]
    pub fn asked(&self, count: usize) -> Vec<String> {
        let all = self.master.until("buildsets?order=bsid", |sets| {
            let sets = sets.as_array().unwrap();
            (sets.len() >= count).then(|| sets.clone())
        });
        assert_eq!(all.len(), count, "{all:#?}");
        let shown = |set: &Value| {
            let sources = set["sourcestamps"].as_array().unwrap().iter();
            let revisions: Vec<_> = sources.map(|it| it["revision"].as_str().unwrap_or("-").to_owned()).collect();
            format!("{}: {}", set["reason"].as_str().unwrap(), revisions.join(" "))
        };
        all.iter().map(shown).collect()
    }

    /// Waits until builds of a build are asked for, for a revision.
    #[track_caller]
    pub fn wants(&self, build: &str, revision: &str) {
        self.master.until("buildsets", |sets| {
            let mut sets = sets.as_array().unwrap().iter();
            let reason = format!("changes for {build}");
            sets.any(|set| set["reason"] == *reason && set["sourcestamps"][0]["revision"] == revision).then_some(())
        });
    }

    /// Waits until a repository of Git's was looked at twice, so that one of these looks began after this was called.
    #[track_caller]
    pub fn looks_again(&self) {
        let looks = || self.master.log().matches("gitpoller: processing changes from").count();
        let before = looks();
        wait("two more looks", || self.master.log(), || (looks() > before + 1).then_some(()));
    }

    /// Waits until so many pollers have had their first look.
    #[track_caller]
    pub fn looked(&self, count: usize) {
        let query = "import sqlite3, sys; print(sqlite3.connect('state.sqlite').execute(\
             \"select count(*) from object_state where name in ('watched', 'revision')\").fetchone()[0])";
        wait(
            "the pollers look",
            || self.master.log(),
            || {
                let mut python = program("python", self.master.directory());
                let found = fine(python.args(["-c", query]).current_dir(self.master.directory()));
                (found.trim() == count.to_string()).then_some(())
            },
        );
    }

    /// A client of a version control system, in a directory of the case.
    pub fn client(&self, name: &str, directory: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.path(directory)).env_clear().env("PATH", SYSTEM).env("HOME", self.folder.path());
        command.env("HGRCPATH", "").env("HGUSER", "Ann <ann@x.example>").env("LANG", "C.UTF-8");
        command.env("BRZ_EMAIL", "Ann <ann@x.example>").env("BRZ_LOG", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@x.example");
        }
        command
    }

    #[track_caller]
    pub fn git(&self, repository: &str, arguments: &[&str]) -> String {
        fine(self.client("git", repository).args(arguments)).trim().to_owned()
    }

    #[track_caller]
    pub fn hg(&self, repository: &str, arguments: &[&str]) -> String {
        fine(self.client("hg", repository).args(arguments)).trim().to_owned()
    }

    #[track_caller]
    pub fn brz(&self, repository: &str, arguments: &[&str]) -> String {
        fine(self.client("brz", repository).args(arguments)).trim().to_owned()
    }

    /// A repository of a system, with a commit.
    #[track_caller]
    pub fn repository(&self, vcs: &str, name: &str) {
        match vcs {
            "git" => drop(self.git("", &["init", "-q", "-b", "main", name])),
            "hg" => drop(self.hg("", &["init", name])),
            _ => drop(self.brz("", &["init", "-q", name])),
        }
        self.commit(vcs, name, "begin");
    }

    /// A commit of a file that is called after it: its revision.
    #[track_caller]
    pub fn commit(&self, vcs: &str, name: &str, comment: &str) -> String {
        let file = comment.split('\n').next().unwrap().replace(' ', "-");
        fs::write(self.path(name).join(&file), comment).unwrap();
        match vcs {
            "git" => {
                self.git(name, &["add", "--all"]);
                self.git(name, &["commit", "-q", "-m", comment]);
                self.git(name, &["rev-parse", "HEAD"])
            }
            "hg" => {
                self.hg(name, &["commit", "-q", "-A", "-m", comment]);
                self.hg(name, &["log", "-r", ".", "-T", "{node}"])
            }
            _ => {
                self.brz(name, &["add", "-q"]);
                self.brz(name, &["commit", "-q", "-m", comment]);
                self.brz(name, &["revision-info"])
            }
        }
    }
}
