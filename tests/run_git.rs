//! A buildout that is kept in a repository.

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Farm, as_step_user, is_root, postgresql};

const TEST: &str = "demo/demo_server/modules/invoice/tests/test_invoice.py";

/// A repository with the sample's buildout. It belongs to the user that steps run as: git refuses those of other users.
struct Repository(PathBuf);

impl Repository {
    fn new(farm: &Farm) -> Self {
        let repository = Self(farm.directory.path().join("repository"));
        std::fs::create_dir(&repository.0).unwrap();
        for name in ["demo", "demo.cfg"] {
            let source = farm.root.join("buildouts").join(name);
            assert!(Command::new("mv").arg(source).arg(&repository.0).status().unwrap().success());
        }
        if is_root() {
            // Looking at the machine makes the account.
            farm.run(&["slave", "detect"]).exits(0);
            assert!(Command::new("chown").args(["-R", "farmout:"]).arg(&repository.0).status().unwrap().success());
        }
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = as_step_user("git");
        git.args(["-c", "user.name=A", "-c", "user.email=a@example.org"]).args(arguments).current_dir(&self.0);
        let output = git.output().expect("these tests need git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything; the new revision.
    fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.0.join(TEST);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1);
        std::fs::write(path, text.replace(from, to)).unwrap();
    }
}

#[test]
fn each_run_builds_the_newest_commit() {
    let farm = Farm::demo();
    let repository = Repository::new(&farm);
    let source = format!("git file://{} main demo.cfg", repository.0.display());
    farm.edit("buildouts/MANIFEST.cfg", "standalone demo.cfg with=demo", &source);
    let builder = format!("demo-pg{}", postgresql().0);
    let builds = |revision: &str, code: i32| {
        let ran = farm.run(&["run"]).exits(code);
        let log = farm.log(&builder, "fetch");
        assert_eq!(log.lines().last(), Some(revision), "{log}");
        assert_eq!(farm.result()["builders"][0]["properties"]["revision"], *revision, "{}", farm.result());
        ran
    };
    let first = repository.commit("First");
    builds(&first, 0);
    repository.edit(r#"Decimal("42.49"))"#, r#"Decimal("42.50"))"#);
    let second = repository.commit("Break the total");
    builds(&second, 1).says("test_total_is_the_sum_of_the_lines");
    // History may be rewritten.
    repository.git(&["reset", "-q", "--hard", &first]);
    builds(&first, 0);
    farm.is_tidy();
}

#[test]
fn a_branch_that_is_not_there_is_said() {
    let farm = Farm::demo();
    let repository = Repository::new(&farm);
    repository.commit("First");
    let source = format!("git file://{} mian demo.cfg", repository.0.display());
    farm.edit("buildouts/MANIFEST.cfg", "standalone demo.cfg with=demo", &source);
    farm.run(&["run"]).exits(1).says("failed    fetch").says("mian").says("skipped   bootstrap");
    farm.is_tidy();
}
