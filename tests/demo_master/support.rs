//! A demonstration in the background, and what is left of it.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::buildbot::environment;
use crate::common::{Farm, Ran, eventually, postgresql, running};

/// The builder of the sample farm that every machine has which runs these tests.
pub fn builder() -> String {
    format!("demo-pg{}", postgresql().0)
}

/// `farmout demo-master` in a farm, with a Buildbot that is there. What it starts can be told by the farm's path.
pub fn demo_master(farm: &Farm, arguments: &[&str]) -> Command {
    let environment = environment();
    let mut all = vec!["demo-master", "--buildbot", environment.to_str().unwrap()];
    all.extend(arguments);
    marked(farm, farm.farmout(&all))
}

/// Has a command hand the farm's path down to all that it starts.
pub fn marked(farm: &Farm, mut command: Command) -> Command {
    command.env("FARM_UNDER_TEST", farm.directory.path());
    command
}

/// Runs it to its end, after which nothing is left.
#[track_caller]
pub fn run(farm: &Farm, command: &mut Command) -> Ran {
    let ran = command.output().unwrap().into();
    nothing_runs(farm);
    ran
}

/// No process is left that has to do with the farm.
#[track_caller]
pub fn nothing_runs(farm: &Farm) {
    assert_eq!(running(farm.directory.path()), Vec::<String>::new());
}

/// One that was started. It is asked to end with the test, so that nothing is left of it whatever becomes of that.
pub struct Started {
    child: Child,
    output: PathBuf,
}

impl Started {
    /// Starts it.
    pub fn start(farm: &Farm, mut command: Command) -> Self {
        let output = farm.directory.path().join("output");
        let file = fs::File::create(&output).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, output }
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Waits until something holds, while it runs.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        eventually(what, || {
            assert!(self.child.try_wait().unwrap().is_none(), "it has ended in vain: {what}\n{}", self.said());
            holds(self)
        });
    }

    /// Asks it to stop, and waits for its end.
    #[track_caller]
    pub fn stop(mut self, signal: Signal) -> Ran {
        self.signal(signal);
        let mut status = None;
        eventually("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        Ran { code: status.code(), signal: status.signal(), out: self.said(), err: String::new() }
    }

    fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            self.signal(if began.elapsed() < Duration::from_secs(30) { Signal::SIGTERM } else { Signal::SIGKILL });
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// One that is at work.
pub struct Show<'a> {
    farm: &'a Farm,
    started: Started,
    port: u16,
    /// Where its master and its workers are.
    pub directory: PathBuf,
}

impl<'a> Show<'a> {
    /// Starts it, and waits until it says that its workers are attached.
    #[track_caller]
    pub fn start(farm: &'a Farm, command: Command) -> Self {
        let mut started = Started::start(farm, command);
        let port = |said: &str| {
            let (_, rest) = said.split_once("the waterfall: http://127.0.0.1:")?;
            rest.split_once("/#/waterfall\n")?.0.parse().ok()
        };
        started.until("the waterfall", |started| port(&started.said()).is_some());
        let port = port(&started.said()).unwrap();
        // The master is called with its directory.
        let line =
            running(farm.directory.path()).into_iter().find(|line| line.trim_end().ends_with("/master")).unwrap();
        let directory = Path::new(line.split_whitespace().last().unwrap()).parent().unwrap().to_owned();
        let show = Self { farm, started, port, directory };
        assert_eq!(show.workers().values().filter(|attached| **attached).count(), 2);
        show
    }

    /// Waits until a step of the first build is at work.
    #[track_caller]
    pub fn until_step(&mut self, name: &str) {
        let port = self.port;
        self.started.until(name, |_| {
            let steps = get(port, "builds/1/steps").unwrap_or_default();
            steps.iter().any(|step| step["name"] == name && step["started_at"].is_number() && step["complete"] == false)
        });
    }

    /// The workers that the master knows, and whether they are attached.
    pub fn workers(&self) -> BTreeMap<String, bool> {
        let state = |worker: &Value| {
            let attached = !worker["connected_to"].as_array().unwrap().is_empty();
            (worker["name"].as_str().unwrap().to_owned(), attached)
        };
        self.get("workers").iter().map(state).collect()
    }

    /// What the master's REST API has at a path.
    #[track_caller]
    pub fn get(&self, path: &str) -> Vec<Value> {
        get(self.port, path).unwrap_or_else(|| panic!("no answer to {path}: {}", self.started.said()))
    }

    /// Stops it, and demands that nothing is left of it.
    #[track_caller]
    pub fn stop(self, signal: Signal) -> Ran {
        let sockets: Vec<PathBuf> = self.sockets();
        let ran = self.started.stop(signal);
        nothing_runs(self.farm);
        assert!(TcpStream::connect(("127.0.0.1", self.port)).is_err(), "port {} is in use", self.port);
        for path in sockets {
            assert!(!path.exists(), "{}", path.display());
        }
        ran
    }

    /// Stops it, and demands that its directory is gone, too.
    #[track_caller]
    pub fn stop_all(self, signal: Signal) -> Ran {
        let directory = self.directory.clone();
        assert!(directory.join("master/farm.json").exists());
        let ran = self.stop(signal);
        assert!(!directory.exists(), "{}", directory.display());
        ran
    }

    /// Kills it, and demands that nothing is left of it after a while.
    #[track_caller]
    pub fn kill(self) -> Ran {
        let sockets = self.sockets();
        let output = self.started.output.clone();
        let ran = self.started.stop(Signal::SIGKILL);
        eventually("what it has started is ended", || running(self.farm.directory.path()).is_empty());
        for path in sockets.iter().chain([&self.directory]) {
            assert!(!path.exists(), "{}", path.display());
        }
        // What was said after its end.
        Ran { out: fs::read_to_string(output).unwrap(), ..ran }
    }

    /// The folders for sockets of the builds that are at work.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let records = |worker: fs::DirEntry| fs::read_dir(worker.path().join(".farmout/builds")).into_iter().flatten();
        let workers = fs::read_dir(self.directory.join("workers")).unwrap().flatten();
        let records = workers.flat_map(records).map(|record| fs::read_to_string(record.unwrap().path()).unwrap());
        let records = records.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        records.filter_map(|record| Some(record["sockets"].as_str()?.into())).collect()
    }
}

fn get(port: u16, path: &str) -> Option<Vec<Value>> {
    let mut response = ureq::get(format!("http://127.0.0.1:{port}/api/v2/{path}")).call().ok()?;
    // It may end in the midst of an answer.
    let answer: Value = serde_json::from_reader(response.body_mut().as_reader()).ok()?;
    let (_, list) = answer.as_object().unwrap().iter().find(|(name, _)| *name != "meta").unwrap();
    list.as_array().cloned()
}

/// One that was kept and is started again by hand. It ends with the test.
pub struct Again {
    stops: Vec<String>,
    directories: Vec<PathBuf>,
    port: u16,
}

impl Again {
    /// Starts the master and the workers in a directory, by the commands that were told.
    #[track_caller]
    pub fn start(commands: &[String], directory: &Path) -> Self {
        let settings: Value =
            serde_json::from_str(&fs::read_to_string(directory.join("master/demo.json")).unwrap()).unwrap();
        let again = Self {
            stops: commands.iter().map(|command| command.replace(" start ", " stop ")).collect(),
            directories: ["master", "workers/local-1", "workers/local-2"].map(|name| directory.join(name)).into(),
            port: settings["www"].as_u64().unwrap().try_into().unwrap(),
        };
        for command in commands {
            let output = Command::new("sh").args(["-c", command]).current_dir("/").output().unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
        }
        eventually("the workers are attached", || {
            let workers = get(again.port, "workers").unwrap_or_default();
            let attached =
                |worker: &&Value| worker["connected_to"].as_array().is_some_and(|masters| !masters.is_empty());
            workers.iter().filter(attached).count() == 2
        });
        again
    }

    /// The numbers of the users that they run as.
    pub fn users(&self) -> Vec<u32> {
        let user = |directory: &PathBuf| {
            let pid = fs::read_to_string(directory.join("twistd.pid")).unwrap();
            fs::metadata(Path::new("/proc").join(pid.trim())).unwrap().uid()
        };
        self.directories.iter().map(user).collect()
    }

    /// Stops them by the same commands.
    #[track_caller]
    pub fn stop(self, farm: &Farm) {
        drop(self);
        eventually("they end", || running(farm.directory.path()).is_empty());
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        for command in &self.stops {
            let _ = Command::new("sh").args(["-c", command]).output();
        }
    }
}

/// Has the tests of the sample farm wait until they are ended, deaf to polite requests.
pub fn hang(farm: &Farm) {
    farm.write("buildouts/demo/test.sh", "trap '' TERM INT HUP\nwhile :; do sleep 0.1; done\n");
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\ntest-command = sh demo/test.sh\n");
}
