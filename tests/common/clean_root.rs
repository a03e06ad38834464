//! A Debian or Ubuntu with nothing in it, to set up and to undo. In: this machine's own apt configuration, from which
//! debootstrap makes the root once. Out: copies of it, each with namespaces of its own for mounts and processes, which end
//! with the test. Needs root, debootstrap and the network.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::fcntl::{Flock, FlockArg};
use regex::Regex;

/// What stays in `target/` from one test to the next: the root as debootstrap leaves it, and downloaded packages.
const KEPT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/clean-root");

const ARCHIVES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/clean-root/archives");

/// The search path of a fresh login.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A copy of the clean root, with processes of its own.
pub struct CleanRoot {
    directory: tempfile::TempDir,
    /// `unshare`, whose end is the end of all that runs in the root.
    keeper: Child,
    /// The first process of the root.
    first: String,
}

impl CleanRoot {
    pub fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test makes a system of its own: run it as root");
        let original = bootstrapped();
        let directory = tempfile::Builder::new().prefix("root.").tempdir_in(KEPT).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Only what a test changes takes time and room, where the kernel can put a layer above the original.
        for folder in ["root", "work", "upper"] {
            fs::create_dir(directory.path().join(folder)).unwrap();
        }
        // Each package is downloaded once; apt locks the place where it looks for them.
        fs::create_dir_all(directory.path().join(PACKAGES)).unwrap();
        link(Path::new(ARCHIVES), &directory.path().join(PACKAGES));
        let script = format!(
            "cd {directory}
             mount -t overlay overlay -o lowerdir={original},upperdir=$PWD/upper,workdir=$PWD/work root 2>/dev/null || {{
                 cp -a --reflink=auto {original}/. root
                 cp -a --link --force upper/. root
                 mount --bind root root
             }}
             cd root
             mount -t proc proc proc
             mount --rbind /dev dev
             touch usr/local/bin/farmout
             mount --bind {program} usr/local/bin/farmout
             echo ready
             while :; do sleep 1; done",
            directory = directory.path().display(),
            original = original.display(),
            program = env!("CARGO_BIN_EXE_farmout")
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-ec", &script]);
        let mut keeper = unshare.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "the clean root's mounts cannot be made");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", keeper.id())).unwrap();
        let first = children.split_whitespace().next().unwrap().to_owned();
        let root = Self { directory, keeper, first };
        configure(&root.path("/"));
        root
    }

    /// The root, from outside: as its processes see it.
    pub fn path(&self, inside: &str) -> PathBuf {
        let directory = self.directory.path().display();
        Path::new(&format!("/proc/{}/root{directory}/root", self.first)).join(inside.trim_start_matches('/'))
    }

    /// A command that runs in the root, as its root, with the environment of a fresh login.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.first, "--mount", "--pid", "--", "chroot"])
            .arg(self.directory.path().join("root"));
        command.args(words).env_clear().env("PATH", SYSTEM).env("HOME", "/root").env("LC_ALL", "C.UTF-8");
        command.envs(handed_on());
        command.stdin(Stdio::null());
        command
    }

    /// Runs one to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs one that must succeed, and returns what it said on standard output.
    #[track_caller]
    pub fn good(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{words:?}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Runs one that must end with this code, and returns what it said on both.
    #[track_caller]
    pub fn ends(&self, code: i32, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}:\n{said}");
        said.into_owned()
    }

    /// All files of the root with their kind, mode, owner, and size or target; what is not on its disk left out.
    pub fn listing(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let root = self.path("/");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = format!("/{}", path.strip_prefix(&root).unwrap().display());
                let look = path.symlink_metadata().unwrap();
                let detail = match fs::read_link(&path) {
                    Ok(target) => target.display().to_string(),
                    Err(_) if look.is_file() => look.size().to_string(),
                    Err(_) => String::new(),
                };
                if look.is_dir() && name != "/proc" && name != "/dev" {
                    folders.push(path);
                }
                all.insert(name, format!("{:o} {}:{} {detail}", look.mode(), look.uid(), look.gid()));
            }
        }
        all
    }
}

impl Drop for CleanRoot {
    fn drop(&mut self) {
        // With the first process of the namespace all others end, and its mounts with the last of them.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        link(&self.directory.path().join(PACKAGES), Path::new(ARCHIVES));
    }
}

/// Gives packages a name in another folder, too.
fn link(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".deb") {
            // Another test may have been there first.
            let _ = fs::hard_link(entry.path(), to.join(entry.file_name()));
        }
    }
}

/// Where apt keeps them, in what a test changes of a root.
const PACKAGES: &str = "upper/var/cache/apt/archives";

/// How this machine gets at packages of PyPI, for the root.
fn handed_on() -> Vec<(String, String)> {
    let inside = |name: &str| {
        name.starts_with("PIP_") && !["PIP_CERT", "PIP_FIND_LINKS", "PIP_CACHE_DIR"].contains(&name)
            || name.to_lowercase().ends_with("_proxy")
    };
    let mut all: Vec<_> = std::env::vars().filter(|(name, _)| inside(name)).collect();
    if authorities().is_some() {
        all.extend(["PIP_CERT", "SSL_CERT_FILE"].map(|name| (name.to_owned(), format!("/{CERTIFICATES}"))));
    }
    all
}

fn authorities() -> Option<std::ffi::OsString> {
    ["PIP_CERT", "SSL_CERT_FILE"].into_iter().find_map(std::env::var_os)
}

/// Authorities that this machine trusts besides the usual ones, in the root.
const CERTIFICATES: &str = "certificates.crt";

/// The root as debootstrap leaves it, made if it is not there.
fn bootstrapped() -> PathBuf {
    let release = release();
    let original = Path::new(KEPT).join(&release);
    fs::create_dir_all(ARCHIVES).unwrap();
    let lock = File::create(format!("{KEPT}/lock")).unwrap();
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
    if original.exists() {
        return original;
    }
    let making = Path::new(KEPT).join("making");
    let _ = fs::remove_dir_all(&making);
    let mirror = mirror(&release);
    let cache = format!("--cache-dir={ARCHIVES}");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &cache, &release]).arg(&making).arg(mirror).env("PATH", SYSTEM);
    done(&mut debootstrap);
    fs::rename(making, &original).unwrap();
    original
}

/// Has the root get its packages as this machine does: through the same proxy, believing the same clock and authorities.
fn configure(root: &Path) {
    let configuration = done(Command::new("apt-config").arg("dump"));
    let settings = Regex::new("(?m)^Acquire::(Check-|https?::|Retries|Languages).*\n").unwrap();
    let configuration: String = settings.find_iter(&configuration).map(|line| line.as_str()).collect();
    let keep = "APT::Keep-Downloaded-Packages \"true\";\n";
    fs::write(root.join("etc/apt/apt.conf.d/90machine"), configuration + keep).unwrap();
    if let Some(authorities) = authorities() {
        // Written, not copied: builds must be able to read it, whatever its mode is here.
        fs::write(root.join(CERTIFICATES), fs::read(authorities).unwrap()).unwrap();
    }
    // The network is the machine's, where another server may have the port.
    let clusters = root.join("etc/postgresql-common/createcluster.d");
    fs::create_dir_all(&clusters).unwrap();
    fs::write(clusters.join("test.conf"), "listen_addresses = ''\n").unwrap();
    // Whoever logs in there has it from here.
    let environment: String = handed_on().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    fs::write(root.join("etc/environment"), environment).unwrap();
    if let Ok(configuration) = fs::read_to_string("/etc/pip.conf") {
        fs::write(root.join("etc/pip.conf"), configuration).unwrap();
    }
}

/// This machine's release: its own packages are those that it can surely get.
fn release() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap();
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.expect("these tests need Debian or Ubuntu, for a clean root of the same release").trim_matches('"').to_owned()
}

/// Where it gets them, as apt tells.
fn mirror(release: &str) -> String {
    let format = ["--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"];
    let targets = done(Command::new("apt-get").arg("indextargets").args(format));
    let own = targets.lines().find_map(|line| line.strip_prefix(&format!("{release} ")));
    own.expect("apt's sources do not have this machine's release").to_owned()
}

fn done(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
