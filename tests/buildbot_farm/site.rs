//! A farm of two slaves with its master and their workers.

use std::fs;
use std::path::{Path, PathBuf};

use super::buildbot::{Master, SYSTEM, Worker, environment, fine, program};
use super::caches;
use super::common::cluster::{Cluster, Clusters, free_ports, installed};
use super::common::{FARMOUT, Farm, is_root, other_postgresql, postgresql, running, step_user};
use super::executable::{install, script};
use super::records::builds;

/// The password of the database user on zeus: what shells, workers and URLs would take for something else is in it.
pub const PASSWORD: &str = "no-'secret ${HOME}%41\"no-hex-zyxw";
/// The passwords of workers.
pub const WORKERS: &str = "not-a-secret-a81c";

/// The servers that zeus uses, while the test lasts.
pub fn clusters() -> Clusters {
    Clusters::new()
}

/// Starts the server of zeus.
pub fn server(clusters: &Clusters) -> Cluster<'_> {
    let [port] = free_ports();
    let cluster = clusters.start(&installed(other_postgresql()), port, "local all builder scram-sha-256");
    cluster.query(&format!("CREATE ROLE builder LOGIN CREATEDB PASSWORD '{}'", PASSWORD.replace('\'', "''")));
    cluster
}

/// A farm whose slave atlas has private clusters of the installed PostgreSQL, and whose slave zeus has a running server of another
/// major version that wants a password.
pub struct Site {
    // What runs ends before the farm's directory goes.
    pub atlas: Worker,
    pub zeus: Worker,
    pub master: Master,
    pub farm: Farm,
}

impl Site {
    /// Makes it, with what `manifest` says of its builds; nothing runs.
    pub fn new(clusters: &Clusters, zeus: &Cluster<'_>, manifest: impl FnOnce(&Farm) -> String) -> Self {
        let farm = Farm::empty();
        let manifest = manifest(&farm);
        let folder = farm.directory.path().to_owned();
        let (major, bin) = postgresql();
        let other = other_postgresql();
        let (bin_17, host, port) = (installed(other).join("bin"), clusters.host(), zeus.port);
        let passwd = folder.join("zeus-password");
        fs::write(&passwd, PASSWORD).unwrap();
        farm.write(
            "slaves.cfg",
            &format!(
                "[DEFAULT]\npassword = {WORKERS}\nmax_builds = 2\n\
                 [atlas]\ncapability = postgresql {major} bin={bin} cluster=ephemeral\n\
                 [zeus]\ncapability = postgresql {other} bin={} host={host} port={port} user=builder passwd=@{}\n",
                bin_17.display(),
                passwd.display(),
            ),
        );
        fine(std::process::Command::new("chmod").arg("600").arg(farm.root.join("slaves.cfg")).arg(&passwd));
        farm.write("buildouts/MANIFEST.cfg", &manifest);
        let master = Master::create(&folder.join("master"));
        let worker = |name: &str| Worker::create(&folder.join(name), &master, name, WORKERS);
        let (atlas, zeus) = (worker("atlas"), worker("zeus"));
        for home in [master.directory(), atlas.directory(), zeus.directory()] {
            // Git reads nobody else's repository.
            fs::write(home.join(".gitconfig"), "[safe]\n\tdirectory = *\n").unwrap();
        }
        Self { atlas, zeus, master, farm }
    }

    /// The folder that all of it is in.
    pub fn folder(&self) -> &Path {
        self.farm.directory.path()
    }

    /// Writes the farm for the master.
    #[track_caller]
    pub fn render(&self) {
        let master = self.master.directory().to_str().unwrap();
        self.farm.run(&["render", "buildbot", "-o", master]).exits(0);
    }

    /// Writes the master's configuration, and starts the master and its workers.
    #[track_caller]
    pub fn start(&mut self) {
        let program = self.program();
        self.master.configure(&format!(
            "from farm import configure\nc = BuildmasterConfig = {{}}\n{}configure(c, program='{}', poll=3)\n",
            self.master.settings(),
            program.display(),
        ));
        self.render();
        let checked = self.master.check();
        assert!(checked.status.success(), "{checked:?}");
        self.master.start();
        caches::bring(self.atlas.directory());
        caches::bring(self.zeus.directory());
        start(&mut self.atlas, "");
        // One of another version is of no use.
        let other = self.folder().join("other-version");
        script(other.join("farmout"), "echo farmout 0.0.1");
        start(&mut self.zeus, other.to_str().unwrap());
        self.connected();
    }

    /// Waits until all workers of the farm are connected.
    #[track_caller]
    pub fn connected(&self) {
        self.master.until("workers", |workers| {
            let is_on = |worker: &serde_json::Value, key: &str| !worker[key].as_array().unwrap().is_empty();
            // One that is configured no more stays in the list.
            let mut workers = workers.as_array().unwrap().iter().filter(|worker| is_on(worker, "configured_on"));
            workers.all(|worker| is_on(worker, "connected_to")).then_some(())
        });
    }

    /// A farmout for workers: the program under test, without what only debuggers read.
    pub fn program(&self) -> PathBuf {
        let stripped = self.folder().join("farmout");
        if !stripped.exists() {
            install(FARMOUT, &stripped);
            let _ = program("strip", self.folder()).arg(&stripped).output();
        }
        stripped
    }

    /// Demands that builds have left nothing: no process, no database, no cluster, no folder for sockets, no temporary file, no
    /// reservation.
    #[track_caller]
    pub fn is_tidy(&self, cluster: &Cluster<'_>) {
        assert_eq!(cluster.databases(), "");
        for worker in [&self.atlas, &self.zeus] {
            let directory = worker.directory();
            let processes = running(directory).into_iter().filter(|line| !line.contains("buildbot-worker"));
            assert_eq!(processes.collect::<Vec<_>>(), [""; 0]);
            for builder in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
                assert!(!builder.join("cluster").exists(), "{}", builder.display());
                let left = fs::read_dir(builder.join("tmp")).map_or(0, Iterator::count);
                assert_eq!(left, 0, "{}", builder.display());
            }
            let ports = fs::read_dir(directory.join("locks/ports")).into_iter().flatten().flatten();
            let left: Vec<_> = ports.map(|entry| entry.file_name()).filter(|name| name != "lock").collect();
            assert!(left.is_empty(), "{left:?}");
        }
        for build in builds(&self.master) {
            if let Some(sockets) = build.property(&self.master, "socket-dir").as_str().filter(|path| !path.is_empty()) {
                assert!(!Path::new(sockets).exists(), "{sockets}");
            }
        }
    }
}

/// Starts a worker as whom builds run as, with a directory before its search path, and in surroundings that are not a build's.
pub fn start(worker: &mut Worker, before: &str) {
    let of_index =
        |name: &String| ["PIP_", "SSL_", "http", "HTTP", "no_proxy", "NO_PROXY"].iter().any(|it| name.starts_with(it));
    let mut variables: Vec<(String, String)> = std::env::vars().filter(|(name, _)| of_index(name)).collect();
    let bin = environment().join("bin");
    let path = [before, bin.to_str().unwrap(), SYSTEM].join(":");
    let strange =
        [("PGHOST", "/nowhere"), ("PYTHONPATH", "/nowhere"), ("GIT_DIR", "/nowhere"), ("PATH", path.trim_matches(':'))];
    variables.extend(strange.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if is_root() { worker.start_as(&step_user(), &variables) } else { worker.start(&variables) }
}
