//! Builds that give something back: `packaging`, and `autocommit`.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Farm, as_step_user, is_root, postgresql};

/// A recipe that downloads a text, and puts it into an archive as those for OpenERP do.
const RECIPE: &str = r##"
import os, shutil


class Recipe(object):
    def __init__(self, buildout, name, options):
        self.buildout, self.name, self.options = buildout, name, options
        self.directory = buildout["buildout"]["directory"]

    def install(self):
        text = os.path.join(self.directory, "download", "text")
        if "local" not in self.options:
            # The network's part.
            if not os.path.isdir(os.path.dirname(text)):
                os.makedirs(os.path.dirname(text))
            with open(text, "w") as out:
                out.write("downloaded\n")
        target = self.options.get("extract-downloads-to")
        if target:
            assert self.buildout["buildout"]["offline"] == "true"
            target = os.path.join(self.directory, target)
            shutil.copytree(os.path.dirname(text), os.path.join(target, "download"))
            with open(os.path.join(target, "release.cfg"), "w") as out:
                out.write("[buildout]\nextends = b.cfg\n[openerp]\nlocal = true\n")
        script = os.path.join(self.buildout["buildout"]["bin-directory"], "test_openerp")
        with open(script, "w") as out:
            out.write("#!/bin/sh\npwd\ncat VERSION %s\nfor one; do case $one in --logfile=*) log=${one#*=};; esac; done\n" % text)
            out.write("echo '2026-01-01 00:00:00,000 1 INFO d openerp.modules.loading: Modules loaded.' > \"$log\"\n")
        os.chmod(script, 0o755)
        return [script]

    update = install
"##;
const SETUP: &str = "from setuptools import setup\nsetup(name='fetching', version='1.0', py_modules=['fetching'], \
    entry_points={'zc.buildout': ['default = fetching:Recipe']})\n";
const CONFIGURATION: &str = "[buildout]\nparts = openerp\ndevelop = recipe\n[openerp]\nrecipe = fetching\n";

/// A farm, and a Git repository beside it that the user whom steps run as owns.
struct Case {
    farm: Farm,
    repository: PathBuf,
}

impl Case {
    fn new(manifest: &str, slave: &str) -> Self {
        let (major, bin) = postgresql();
        let farm = Farm::empty().with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral"));
        let path = farm.root.join("slaves.d/here.cfg");
        fs::write(&path, format!("{}{slave}", fs::read_to_string(&path).unwrap())).unwrap();
        let repository = farm.directory.path().join("repository");
        let source = format!("buildout = git file://{} main b.cfg\ndb-steps =\n", repository.display());
        farm.write("buildouts/MANIFEST.cfg", &format!("[demo]\n{source}{manifest}"));
        let case = Self { farm, repository };
        case.write("recipe/fetching.py", RECIPE);
        case.write("recipe/setup.py", SETUP);
        case.write("b.cfg", CONFIGURATION);
        case.write("VERSION", "as tagged\n");
        case.write(".gitignore", "*.egg-info\n");
        case
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.repository.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Hands a directory over to the user that steps run as.
    fn give(&self, directory: &Path) {
        if is_root() {
            // Looking at the machine makes the account.
            self.farm.run(&["slave", "detect"]).exits(0);
            assert!(Command::new("chown").args(["-R", "farmout:"]).arg(directory).status().unwrap().success());
        }
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = as_step_user("git");
        git.args(["-c", "user.name=A", "-c", "user.email=a@example.org"]).args(arguments).current_dir(&self.repository);
        let output = git.output().expect("these tests need git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "One"]);
    }

    fn builder() -> String {
        format!("demo-pg{}", postgresql().0)
    }
}

#[test]
fn a_tag_becomes_an_archive_that_is_tested_and_published() {
    let manifest = "post-dl-steps = packaging\npost-buildout-steps =\n    install-modules-test\n    packaging\n\
        packaging.parts = openerp\npackaging.prefix = demo\npackaging.upload-dir = nightly\npackaging.root-dir = ";
    let case = Case::new(manifest, "buildout-tag = 1.0\n");
    let published = case.farm.directory.path().join("published");
    fs::create_dir(&published).unwrap();
    case.farm.edit("buildouts/MANIFEST.cfg", "root-dir = ", &format!("root-dir = {}\n", published.display()));
    case.give(&published);
    case.give(&case.repository);
    case.git(&["init", "-q", "-b", "main"]);
    case.commit();
    case.git(&["tag", "1.0"]);
    case.give(&case.repository);
    fs::write(case.repository.join("VERSION"), "changed since\n").unwrap();
    case.commit();
    let archive = published.join("nightly/demo-1.0.tar.bz2");
    let run = || {
        case.farm.run(&["run"]).exits(0);
        let told = case.farm.log(&Case::builder(), "test");
        assert!(told.contains("/build/package\nas tagged\ndownloaded\n"), "{told}");
        assert!(!case.farm.slave_file(&format!("here/{}/packaging", Case::builder())).exists());
        case.farm.is_tidy();
        fs::read(&archive).unwrap()
    };
    let first = run();
    assert!(run() == first, "the same tag gives another archive");
    let ran = Command::new("md5sum")
        .args(["--check", "demo-1.0.tar.bz2.md5"])
        .current_dir(archive.parent().unwrap())
        .output();
    assert!(ran.unwrap().status.success());

    // The tag is moved, to where no branch leads.
    case.git(&["checkout", "-q", "--detach"]);
    fs::write(case.repository.join("VERSION"), "tagged anew\n").unwrap();
    case.commit();
    case.git(&["tag", "--force", "1.0"]);
    case.farm.run(&["run"]).exits(0);
    let told = case.farm.log(&Case::builder(), "test");
    assert!(told.contains("/build/package\ntagged anew\ndownloaded\n"), "{told}");

    // And back: a build of what was published.
    let back = format!("archive where what release.cfg\npackaging.root-dir = {}\n", published.display());
    let manifest = format!("[back]\nbuildout = {back}db-steps =\npost-buildout-steps = install-modules-test\n");
    case.farm.write("buildouts/MANIFEST.cfg", &manifest);
    case.farm.run(&["run", "--property", "where=nightly", "--property", "what=demo-1.0"]).exits(0);
    let told = case.farm.log(&format!("back-pg{}", postgresql().0), "test");
    assert!(told.contains("tagged anew\ndownloaded\n"), "{told}");
}

#[test]
fn what_a_build_changed_is_committed_and_pushed() {
    let manifest = "post-buildout-steps = autocommit\nautocommit.message = It's done\n";
    let case = Case::new(manifest, "");
    let bare = case.farm.directory.path().join("bare");
    // Where the recipe for it would make it.
    let script = format!(
        "#!/bin/sh\nset -ex\ntest \"$1 $2 $3 $4\" = '-c b.cfg --push -m'\necho built > VERSION\n\
        git -c user.name=B -c user.email=b@example.org commit -q -m \"$5\" VERSION\ngit push -q file://{} HEAD:main\n",
        bare.display()
    );
    case.write("autocommit", &script);
    fs::set_permissions(case.repository.join("autocommit"), fs::Permissions::from_mode(0o755)).unwrap();
    case.give(&case.repository);
    case.git(&["init", "-q", "-b", "main"]);
    case.commit();
    fs::create_dir(&bare).unwrap();
    case.give(&bare);
    case.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    case.farm
        .run(&["run"])
        .exits(1)
        .says("there is no program")
        .says("; `autocommit.script` of [demo] is `bin/autocommit_openerp`, its default");

    case.farm.edit(
        "buildouts/MANIFEST.cfg",
        "autocommit.message",
        "autocommit.script = ./autocommit\nautocommit.message",
    );
    case.farm.run(&["run"]).exits(0);
    let bare = format!("--git-dir={}", bare.display());
    assert_eq!(case.git(&[&bare, "log", "-1", "--format=%s by %an", "main"]), "It's done by B");
    assert_eq!(case.git(&[&bare, "show", "main:VERSION"]), "built");
    case.farm.is_tidy();
}
