//! A farm whose builds take no time, the scheduler on it, and what is known of both.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use camino::Utf8PathBuf;
use farmout::model::{Change, Vcs};
use farmout::watch::{Delivery, Spool};
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::{Farm, eventually, is_root};

/// A farm with builds that leave a mark.
pub struct Watched {
    pub farm: Farm,
    marks: PathBuf,
}

impl Watched {
    /// A farm with this manifest, whose sections inherit from `[base]`.
    pub fn new(manifest: &str) -> Self {
        let farm = Farm::empty().with_slave("here", "python 3 bin=/nonexistent/python");
        let marks = farm.directory.path().join("marks");
        fs::create_dir(&marks).unwrap();
        fs::set_permissions(&marks, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let base = "[base]\nbuildout = standalone nothing.cfg\nbuild-for =\nbuild-requires = python\n\
                    post-dl-steps = mark\ntree-stable-timer = 0\nwatch =\n";
        farm.write("buildouts/MANIFEST.cfg", &format!("{base}\n{manifest}"));
        farm.write(
            "buildouts/nothing.cfg",
            "[buildout]\nparts = openerp\n[openerp]\nrecipe = anybox.recipe.openerp:server\n",
        );
        farm.write("farm.yaml", "templates: [templates]\n");
        let mark = format!("pwd >> {}/$$", marks.display());
        farm.write(
            "templates/mark.yaml",
            &format!(
                "template: mark\nhelp: Leave a mark.\nplace: post-dl-steps\nsteps:\n- name: mark\n  help: Leave it.\n  \
                 run: [/bin/sh, -c, {}]\n",
                serde_json::to_string(&mark).unwrap()
            ),
        );
        Self { farm, marks }
    }

    /// How often each build was begun.
    pub fn begun(&self) -> BTreeMap<String, usize> {
        let mut begun = BTreeMap::new();
        for mark in fs::read_dir(&self.marks).unwrap() {
            for line in fs::read_to_string(mark.unwrap().path()).unwrap().lines() {
                let build = line.trim_end_matches("/build").rsplit('/').next().unwrap().to_owned();
                *begun.entry(build).or_default() += 1;
            }
        }
        begun
    }

    /// Hands changes over, as a hook does.
    pub fn deliver(&self, changes: Vec<Change>) {
        let spool = Utf8PathBuf::from_path_buf(self.farm.state().join("watch/spool")).unwrap();
        Spool::open(&spool).unwrap().put(Delivery::Changes(changes)).unwrap();
    }

    /// The results of all runs that came to an end, the first one first.
    pub fn results(&self) -> Vec<Value> {
        let runs = fs::read_dir(self.farm.state().join("runs")).into_iter().flatten();
        let results = runs.filter_map(|run| fs::read(run.unwrap().path().join("result.json")).ok());
        let mut results: Vec<Value> = results.map(|bytes| serde_json::from_slice(&bytes).unwrap()).collect();
        results.sort_by_key(|result| result["started"].as_str().unwrap().parse::<Timestamp>().unwrap());
        results
    }

    /// The book.
    pub fn book(&self) -> Value {
        fs::read(self.farm.state().join("watch/state.json"))
            .map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
    }

    /// Waits until nothing waits and nothing is at work.
    #[track_caller]
    pub fn settle(&self) {
        eventually("nothing waits", || {
            let book = self.book();
            let builds = book["builds"].as_object().cloned().unwrap_or_default();
            let spool = fs::read_dir(self.farm.state().join("watch/spool")).unwrap().flatten();
            builds.values().all(|build| build.get("pending").is_none() && build.get("running").is_none())
                && !spool.into_iter().any(|entry| entry.path().extension().is_some_and(|ending| ending == "json"))
        });
    }
}

/// A change of the branch `main` of a Git repository.
pub fn change(url: &str, revision: &str) -> Change {
    Change {
        vcs: Vcs::Git,
        url: url.to_owned(),
        other_urls: Vec::new(),
        branch: Some("main".to_owned()),
        revision: revision.to_owned(),
        author: Some("Ann <ann@shop.example>".to_owned()),
        comment: Some(format!("Change to {revision}\n\nFor a reason.")),
        files: vec!["a.py".to_owned()],
        time: Timestamp::now(),
    }
}

/// A scheduler at work.
pub struct Watch {
    process: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    /// Begins to watch, and waits until it does.
    pub fn begin(watched: &Watched, arguments: &[&str]) -> Self {
        let all = [&["watch"], arguments].concat();
        Self::start(watched.farm.farmout(&all))
    }

    /// The same with a command that has its own environment.
    pub fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(process.stdout.take().unwrap()), Box::new(process.stderr.take().unwrap())];
        for stream in streams {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    said.lock().unwrap().push(line);
                }
            });
        }
        let watch = Self { process, said };
        watch.hears("watching for");
        watch
    }

    /// All that was said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Waits until a text was said.
    #[track_caller]
    pub fn hears(&self, text: &str) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !self.said().contains(text) {
            assert!(std::time::Instant::now() < end, "nobody said `{text}`:\n{}", self.said());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills it as nothing can be prepared for.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has; its exit code.
    pub fn stop(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder of the user's that steps run as.
pub fn folder(watched: &Watched, name: &str) -> PathBuf {
    let path = watched.farm.directory.path().join(name);
    fs::create_dir(&path).unwrap();
    if is_root() {
        // Looking at the machine makes the account.
        watched.farm.run(&["slave", "detect"]).exits(0);
        assert!(Command::new("chown").arg("farmout:").arg(&path).status().unwrap().success());
    }
    path
}

/// A client of a version control system, as whoever builds run as.
pub fn client(program: &str, arguments: &[&str], directory: &Path) -> String {
    client_of(directory.parent().unwrap(), program, arguments, directory)
}

/// The same, of somebody with this home.
pub fn client_of(home: &Path, program: &str, arguments: &[&str], directory: &Path) -> String {
    let mut command: Command = crate::common::as_step_user(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env("HOME", home)
        .env("HGUSER", "Ann")
        .env("BRZ_LOG", "/dev/null")
        .env("BRZ_EMAIL", "Ann <a@e.example>");
    let output = command.output().unwrap_or_else(|error| panic!("these tests need {program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
