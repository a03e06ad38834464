//! A real Buildbot from PyPI: masters and workers on loopback, as their admins start them. In: a directory and a master.cfg.
//! Out: what the log, the REST API and the exit codes say. All of them end with the test.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// The release that everything is tried with.
pub const VERSION: &str = "4.3.0";
/// Its packages, all of that version.
const PACKAGES: [&str; 5] =
    ["buildbot", "buildbot-www", "buildbot-worker", "buildbot-waterfall-view", "buildbot-grid-view"];
/// How long anything may take that must happen. Several test programs share the machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long one answer of a master may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The search path of a machine where nobody changed anything.
pub const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Below an environment: it is whole, and its Python is one that everybody can start.
const READY: &str = ".ready-for-everybody";

/// The Python environment with Buildbot in it, made once and kept from one run of the tests to the next.
pub fn environment() -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(kept).unwrap();
    let environment = kept.join(format!("buildbot-{VERSION}"));
    let lock = File::create(kept.join("buildbot.lock")).unwrap();
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
    if !environment.join(READY).exists() {
        let _ = fs::remove_dir_all(&environment);
        fine(Command::new("env").arg(format!("PATH={SYSTEM}")).args(["python3", "-m", "venv"]).arg(&environment));
        let wanted = PACKAGES.map(|package| format!("{package}=={VERSION}"));
        fine(Command::new(environment.join("bin/pip")).args(["install", "--quiet"]).args(wanted));
        fs::write(environment.join(READY), "").unwrap();
    }
    environment
}

/// A program of the environment, such as `buildbot` or `python`, or one of the system's, with nobody's settings.
pub fn program(name: &str, home: &Path) -> Command {
    let bin = environment().join("bin");
    let own = bin.join(name);
    let mut command = Command::new(if own.exists() { own } else { name.into() });
    let path = format!("{}:{SYSTEM}", bin.display());
    command.env_clear().env("PATH", path).env("HOME", home).env("LANG", "C.UTF-8").env("HGRCPATH", "");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("BRZ_LOG", "/dev/null").stdin(Stdio::null());
    if let Some(folder) = std::env::var_os("TMPDIR") {
        command.env("TMPDIR", folder);
    }
    command
}

/// What a command that must succeed said on standard output.
#[track_caller]
pub fn fine(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Waits until something is there; a test that waits in vain fails, with what `why` has to say.
#[track_caller]
pub fn wait<T>(what: &str, why: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "in vain: {what}\n{}", why());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A process that is asked to end with the test, and made to if it does not.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A master's directory, and the master while it runs.
pub struct Master {
    directory: PathBuf,
    /// The port of its web server, on loopback.
    pub www: u16,
    /// The port for workers and `sendchange`, on loopback.
    pub pb: u16,
    running: Option<Ended>,
}

impl Master {
    /// Makes a master's directory, with its database and without a master.cfg.
    pub fn create(directory: &Path) -> Self {
        fine(program("buildbot", directory.parent().unwrap()).args(["create-master", "--quiet", "-r"]).arg(directory));
        let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let [www, pb] = listeners.map(|listener| listener.local_addr().unwrap().port());
        Self { directory: directory.to_owned(), www, pb, running: None }
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Lines of a master.cfg that have it listen on its ports, and tell nobody of it.
    pub fn settings(&self) -> String {
        format!(
            "c['www'] = {{**c.get('www', {{}}), 'port': 'tcp:{}:interface=127.0.0.1'}}\n\
             c['protocols'] = {{'pb': {{'port': 'tcp:{}:interface=127.0.0.1'}}}}\n\
             c['buildbotURL'] = '{}/'\n\
             c['buildbotNetUsageData'] = None\n",
            self.www,
            self.pb,
            self.url()
        )
    }

    /// Writes its master.cfg.
    pub fn configure(&self, text: &str) {
        fs::write(self.directory.join("master.cfg"), text).unwrap();
    }

    /// What `buildbot checkconfig` says.
    pub fn check(&self) -> Output {
        program("buildbot", &self.directory).arg("checkconfig").arg(&self.directory).output().unwrap()
    }

    /// Starts it, and waits until it is at work.
    #[track_caller]
    pub fn start(&mut self) {
        let from = self.log().len();
        let mut start = program("buildbot", &self.directory);
        start.args(["start", "--nodaemon"]).arg(&self.directory).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Ended(start.spawn().unwrap());
        let tail = || tail(&self.log());
        wait("the master starts", tail, || {
            assert!(matches!(child.0.try_wait(), Ok(None)), "the master ended:\n{}", tail());
            self.log()[from..].contains("BuildMaster is running").then_some(())
        });
        self.running = Some(child);
    }

    /// Stops it as `buildbot stop` does.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Has it read its configuration again: whether it took it, and the lines of its log from then on.
    #[track_caller]
    pub fn reconfig(&self) -> Result<String, String> {
        let from = self.log().len();
        kill(self.pid(), Signal::SIGHUP).unwrap();
        wait(
            "the master reads its configuration",
            || tail(&self.log()),
            || {
                let log = self.log().split_off(from);
                if log.contains("configuration update complete") {
                    return Some(Ok(log));
                }
                ["configuration update aborted", "configuration update partially"]
                    .iter()
                    .any(|end| log.contains(end))
                    .then_some(Err(log))
            },
        )
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.running.as_ref().expect("the master does not run").0.id().cast_signed())
    }

    /// All that it logged.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.join("twistd.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until its log has a text.
    #[track_caller]
    pub fn logs(&self, text: &str) {
        wait(&format!("`{text}` in the log"), || tail(&self.log()), || self.log().contains(text).then_some(()));
    }

    /// The address of its web server.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.www)
    }

    /// What its REST API has at a path, such as `changes?order=changeid`: the list itself, without its metadata.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER)).build().new_agent();
        let ask = || {
            let mut response = agent.get(format!("{}/api/v2/{path}", self.url())).call().ok()?;
            Some((response.status(), serde_json::from_reader::<_, Value>(response.body_mut().as_reader()).ok()?))
        };
        // Now and then Twisted does not notice that a connection has a request, and closes it after a minute.
        let (status, mut answer) = (0..20).find_map(|_| ask()).unwrap_or_else(|| panic!("no answer at {path}"));
        answer.as_object_mut().unwrap().remove("meta");
        let lists = answer.as_object_mut().unwrap();
        assert!(status.is_success(), "{path}: {lists:?}");
        assert_eq!(lists.len(), 1, "{path}: {lists:?}");
        lists.values_mut().next().unwrap().take()
    }

    /// Waits until a path of the REST API has what is looked for.
    #[track_caller]
    pub fn until<T>(&self, path: &str, mut look: impl FnMut(&Value) -> Option<T>) -> T {
        let why = || format!("{path}: {:#}\n{}", self.get(path), tail(&self.log()));
        wait(&format!("what is looked for at {path}"), why, || look(&self.get(path)))
    }

    /// Calls a method of the API, such as `force` of `forceschedulers/NAME`: its answer, or its error.
    pub fn call(&self, path: &str, method: &str, parameters: &Value) -> Result<Value, Value> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let post = agent.post(format!("{}/api/v2/{path}", self.url())).content_type("application/json");
        let mut response = post.send(call.to_string()).unwrap();
        let mut answer: Value = serde_json::from_reader(response.body_mut().as_reader()).unwrap();
        if answer["error"].is_null() { Ok(answer["result"].take()) } else { Err(answer["error"].take()) }
    }
}

/// A worker's directory, and the worker while it runs.
pub struct Worker {
    directory: PathBuf,
    running: Option<Ended>,
}

impl Worker {
    /// Makes a worker's directory, for a master on this machine.
    pub fn create(directory: &Path, master: &Master, name: &str, password: &str) -> Self {
        let mut create = program("buildbot-worker", directory.parent().unwrap());
        create.args(["create-worker", "--quiet", "--umask=0o22"]).arg(directory);
        fine(create.args([&format!("127.0.0.1:{}", master.pb), name, password]));
        Self { directory: directory.to_owned(), running: None }
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts it, with variables in its environment; that it is connected is the master's to tell.
    pub fn start(&mut self, variables: &[(&str, &str)]) {
        self.start_by(program("buildbot-worker", &self.directory), variables);
    }

    /// The same as somebody without root's rights, as whom root runs builds; the directory is given to them.
    pub fn start_as(&mut self, user: &str, variables: &[(&str, &str)]) {
        fine(Command::new("chown").arg("-R").arg(user).arg(&self.directory));
        let mut start = program("setpriv", &self.directory);
        start.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]);
        start.arg(environment().join("bin/buildbot-worker"));
        self.start_by(start, variables);
    }

    fn start_by(&mut self, mut start: Command, variables: &[(&str, &str)]) {
        start.args(["start", "--nodaemon"]).arg(&self.directory).envs(variables.iter().copied());
        self.running = Some(Ended(start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()));
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.running.as_ref().expect("the worker does not run").0.id().cast_signed())
    }

    /// Stops it as `buildbot-worker stop` does.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Ends it as a crash of its machine does: what it has started goes on.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.0.kill().unwrap();
            running.0.wait().unwrap();
        }
    }

    /// All that it logged.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.join("twistd.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// The end of a log.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
