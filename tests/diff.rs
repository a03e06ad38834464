//! `farmout diff` through the binary: against revisions, directories and graphs.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::path::{Path, PathBuf};

use common::binary::{farmout, text};
use common::snapshot::snapshot;

/// What `farmout diff` prints, and its exit code.
fn diff(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = farmout(&["diff"]).args(arguments).current_dir(directory).output().unwrap();
    let told = text(&output.stderr);
    assert!(!told.contains("farmout-diff-"), "the temporary directory is shown:\n{told}");
    (output.status.code(), text(&output.stdout) + &told)
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

const MANIFEST: &str = "[DEFAULT]
tree-stable-timer = 60

[shop]
buildout = standalone shop.cfg
watch = git https://git.example/shop main

[intranet]
buildout = git https://git.example/intranet main buildout.cfg

[bees]
buildout = git https://git.example/bees main buildout.cfg
watch =

[old]
buildout = standalone shop.cfg
";

const SLAVES: &str = "[attic]
password = hidden-1
capability = postgresql 9.1 port=5432
    postgresql 9.2 port=5433 passwd=hidden-2

[cellar]
password = hidden-3
capability = postgresql 9.2
";

/// A repository with a farm in `ci/farm`, committed once and then changed.
fn repository() -> (tempfile::TempDir, PathBuf) {
    let repository = tempfile::tempdir().unwrap();
    let farm = repository.path().join("ci/farm");
    fs::create_dir_all(farm.join("buildouts")).unwrap();
    fs::write(farm.join("buildouts/MANIFEST.cfg"), MANIFEST).unwrap();
    fs::write(
        farm.join("buildouts/shop.cfg"),
        "[buildout]\nparts = openerp\n\n[openerp]\nrecipe = zc.recipe.egg\nversion = 1\n",
    )
    .unwrap();
    fs::write(farm.join("slaves.cfg"), SLAVES).unwrap();
    git(repository.path(), &["init", "-q", "-b", "main"]);
    git(repository.path(), &["add", "."]);
    git(repository.path(), &["commit", "-q", "-m", "One"]);
    git(repository.path(), &["tag", "v1"]);
    let manifest = MANIFEST
        .replace("tree-stable-timer = 60", "openerp-addons = sale, stock")
        .replace("shop main", "shop 8.0\n    hg https://hg.example/addons default")
        .replace("[bees]\n", "[bees]\nbuild-category = nature\nwatch = git https://git.example/bees main\n")
        .replace("watch =\n", "")
        .replace("[old]", "[new]");
    fs::write(farm.join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    fs::write(
        farm.join("buildouts/shop.cfg"),
        "[buildout]\nparts = openerp\n\n[openerp]\nrecipe = zc.recipe.egg\nversion = 2\noptions.x = 1\n",
    )
    .unwrap();
    let slaves = SLAVES
        .replace("postgresql 9.1 port=5432", "postgresql 9.3 port=5434")
        .replace("5433", "5533")
        .replace("hidden-1", "hidden-4")
        .replace("[cellar]", "[cellar]\nmax_builds = 2\nslave_priority = 4\nsite = a");
    fs::write(farm.join("slaves.cfg"), slaves).unwrap();
    (repository, farm)
}

#[test]
fn a_revision_is_compared_and_the_work_tree_is_not_touched() {
    let (repository, farm) = repository();
    let before = git(repository.path(), &["status", "--porcelain"]);
    let index = fs::read(repository.path().join(".git/index")).unwrap();
    let (code, shown) = diff(&farm, &["v1"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("hidden"), "a password is shown:\n{shown}");
    snapshot!("diff-text", shown);
    assert_eq!(fs::read(repository.path().join(".git/index")).unwrap(), index);
    assert_eq!(git(repository.path(), &["status", "--porcelain"]), before);
    assert_eq!(diff(&farm, &["v1", "--exit-code"]).0, Some(1));
    // A farm elsewhere, from a hook of another repository.
    let mut command = farmout(&["diff", "main", "--farm"]);
    command.arg(&farm).current_dir("/").env("GIT_DIR", "/nowhere");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn for_reviews_and_programs() {
    let (_repository, farm) = repository();
    snapshot!("diff-markdown", diff(&farm, &["v1", "--format", "markdown"]).1);
    let (_, json) = diff(&farm, &["v1", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    snapshot!("diff-json", serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn nothing_changes_without_a_change() {
    let (repository, farm) = repository();
    git(repository.path(), &["commit", "-q", "-a", "-m", "Two"]);
    let same = "HEAD → .\n\nno difference\n";
    assert_eq!(diff(&farm, &["HEAD", "--exit-code"]), (Some(0), same.to_owned()));
    // Another directory with the same farm.
    let copy = tempfile::tempdir().unwrap();
    git(repository.path(), &["clone", "-q", ".", copy.path().join("clone").to_str().unwrap()]);
    let other = copy.path().join("clone/ci/farm");
    let (code, shown) = diff(&farm, &[other.to_str().unwrap(), "--exit-code"]);
    assert_eq!((code, shown.lines().last()), (Some(0), Some("no difference")), "{shown}");
}

#[test]
fn a_written_graph_has_no_plans() {
    let (repository, farm) = repository();
    let emitted =
        farmout(&["compile", "--farm", "ci/farm", "--emit", "json"]).current_dir(repository.path()).output().unwrap();
    fs::write(farm.join("graph.json"), emitted.stdout).unwrap();
    let (code, shown) = diff(&farm, &["graph.json", "--exit-code"]);
    assert_eq!(code, Some(0), "{shown}");
    snapshot!("diff-graph", shown);
    git(repository.path(), &["stash", "-q"]);
    let (code, shown) = diff(&farm, &["graph.json", "--exit-code"]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("+ capability postgresql 9.1: port=5432"), "{shown}");
    fs::write(farm.join("graph.json"), "{}").unwrap();
    let (code, shown) = diff(&farm, &["graph.json"]);
    assert_eq!(code, Some(2));
    assert!(shown.contains("graph.json is no graph of a farm"), "{shown}");
}

#[test]
fn a_name_that_is_both_is_the_directory() {
    let (repository, farm) = repository();
    git(repository.path(), &["branch", "buildouts"]);
    let (code, shown) = diff(&farm, &["buildouts"]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("buildouts/buildouts/MANIFEST.cfg does not exist"), "{shown}");
    let (code, shown) = diff(&farm, &["--git", "buildouts"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.starts_with("buildouts → ."), "{shown}");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let (repository, farm) = repository();
    let manifest = farm.join("buildouts/MANIFEST.cfg");
    let good = fs::read_to_string(&manifest).unwrap();
    git(repository.path(), &["checkout", "-q", "-b", "broken"]);
    let broken = good.replace("standalone shop.cfg", "standalone shop-2.cfg").replace("watch = git", "watch = got");
    fs::write(&manifest, broken).unwrap();
    git(repository.path(), &["commit", "-q", "-a", "-m", "Break"]);
    fs::write(&manifest, good).unwrap();
    git(repository.path(), &["rm", "-q", "-r", "--cached", "."]);
    git(repository.path(), &["commit", "-q", "-m", "Remove"]);
    fs::write(repository.path().join("ci/x"), "").unwrap();
    let told = |arguments: &[&str], code: i32| {
        let (exit, told) = diff(&farm, arguments);
        assert_eq!(exit, Some(code), "{told}");
        told.replace(repository.path().canonicalize().unwrap().to_str().unwrap(), "REPOSITORY")
    };
    let told = [
        told(&["broken^"], 1),
        told(&["nowhere"], 2),
        told(&["--git", "--", "--all"], 2),
        told(&["broken"], 2),
        told(&["v1", "--farm", "elsewhere"], 2),
    ];
    snapshot!("diff-errors", told.join("\n"));
    let outside = tempfile::tempdir().unwrap();
    let output = farmout(&["diff", "v1"]).current_dir(outside.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is not in a Git repository"), "{}", text(&output.stderr));
}

#[test]
fn without_fragments_this_machine_is_the_slave() {
    let (repository, farm) = repository();
    let manifest = farm.join("buildouts/MANIFEST.cfg");
    fs::write(&manifest, "[a]\nbuildout = standalone shop.cfg\nbuild-for =\n").unwrap();
    fs::remove_file(farm.join("slaves.cfg")).unwrap();
    git(repository.path(), &["commit", "-q", "-a", "-m", "Without"]);
    fs::write(&manifest, "[a]\nbuildout = standalone shop.cfg\nbuild-for =\nopenerp-addons = sale\n").unwrap();
    let (code, shown) = diff(&farm, &["HEAD"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("this machine is the slave `local` of both"), "{shown}");
    assert!(shown.contains("~ a on local\n      ~ step test run: all → sale"), "{shown}");
}
