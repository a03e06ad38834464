//! The user's shell and the account: what is around farmout must not get into a build.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use common::snapshot::snapshot;
use common::{Farm, Ran, SYSTEM, command, postgresql};

fn builder() -> String {
    format!("demo-pg{}", postgresql().0)
}

/// The sample with a test that keeps its environment.
fn curious() -> Farm {
    let farm = Farm::demo();
    let command = "test-command = sh -c 'env | sort; id -un; exec bin/test_openerp \"$@\"' sh";
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", &format!("[demo]\n{command}\n"));
    farm
}

#[test]
fn an_activated_virtualenv_is_in_no_step() {
    let farm = curious();
    let environment = farm.directory.path().join("venv-of-the-caller");
    let made = command("/usr/bin/python3").args(["-m", "venv", "--without-pip"]).arg(&environment).status().unwrap();
    assert!(made.success(), "these tests need python3-venv");
    let mut activated = farm.farmout(&["run"]);
    activated.env("VIRTUAL_ENV", &environment).env("PATH", format!("{}/bin:{SYSTEM}", environment.display()));
    activated.env("PYTHONPATH", "/nonexistent/caller").env("PYTHONHOME", "/nonexistent/caller");
    Ran::from(activated.output().unwrap()).exits(0);
    let told = farm.log(&builder(), "test");
    assert!(told.contains("\nPATH="), "{told}");
    for name in ["VIRTUAL_ENV=", "PYTHONPATH=", "PYTHONHOME=", "venv-of-the-caller"] {
        assert!(!told.contains(name), "{name}\n{told}");
    }
    let result = fs::read_to_string(farm.latest().join("result.json")).unwrap();
    assert!(!result.contains("venv-of-the-caller"), "{result}");
}

/// Runs with variables that would break every build.
fn surrounded(farm: &Farm, mut run: std::process::Command) {
    run.env("PGHOST", "/nonexistent/server").env("PGPORT", "1").env("PGUSER", "postgres");
    run.env("PGDATABASE", "elsewhere").env("PGOPTIONS", "-c nonsense=1").env("PGSERVICE", "nonsense");
    run.env("GIT_DIR", "/nonexistent/git");
    Ran::from(run.output().unwrap()).exits(0);
    let told = farm.log(&builder(), "test");
    for name in ["PGDATABASE=", "PGOPTIONS=", "PGSERVICE=", "GIT_DIR=", "/nonexistent/server"] {
        assert!(!told.contains(name), "{name}\n{told}");
    }
    assert!(told.contains("\nPGHOST=/tmp/fo-"), "{told}");
}

#[test]
fn the_callers_variables_do_not_disturb() {
    let farm = curious();
    surrounded(&farm, farm.farmout(&["run"]));
    farm.is_tidy();
}

#[test]
fn a_plain_user_reads_nothing_of_root() {
    let farm = curious();
    let ran = Ran::from(farm.plain_farmout(&["run"]).output().unwrap()).exits(0);
    let words: Vec<&str> = ran.out.split_whitespace().collect();
    assert!(!words.contains(&"root") && !ran.out.contains("farmout (uid"), "{}", ran.out);
    assert!(ran.err.is_empty(), "{}", ran.err);
    let owner = fs::metadata(farm.slave_file("here")).unwrap().uid();
    assert_eq!(owner, fs::metadata(&farm.root).unwrap().uid());
    farm.is_tidy();
}

/// A build does not depend on who runs it.
#[test]
fn a_plain_users_defaults_of_buildout_do_not_count() {
    let farm = Farm::demo();
    farm.write("home/.buildout/default.cfg", "[buildout]\nextends = /nonexistent/base.cfg\n");
    let mut run = farm.plain_farmout(&["run"]);
    Ran::from(run.env("HOME", farm.root.join("home")).output().unwrap()).exits(0);
}

#[test]
fn a_plain_users_variables_do_not_disturb() {
    let farm = curious();
    surrounded(&farm, farm.plain_farmout(&["run"]));
    farm.is_tidy();
}

#[test]
fn a_plain_user_cannot_be_somebody_else() {
    let farm = Farm::demo();
    Ran::from(farm.plain_farmout(&["run", "--user", "daemon"]).output().unwrap())
        .exits(2)
        .says("only root can run builds as daemon");
}

/// Tests that switch users, as only root can. For anybody else `tests/run` leaves them out and says so.
mod root {
    use super::*;
    use common::need_root;

    #[test]
    fn steps_run_as_the_account() {
        need_root();
        let farm = curious();
        let ran = farm.run(&["run"]).exits(0);
        let first = ran.out.lines().next().unwrap();
        assert!(first.starts_with("running as root: servers and steps run as the user farmout (uid "), "{first}");
        let told = farm.log(&builder(), "test");
        assert!(told.contains("\nUSER=farmout\n") && told.contains("\nfarmout\n"), "{told}");
        assert!(told.contains(&format!("HOME={}\n", farm.slave_file("here/home").display())), "{told}");
        let account = nix::unistd::User::from_name("farmout").unwrap().unwrap();
        assert_eq!(fs::metadata(farm.slave_file("here")).unwrap().uid(), account.uid.as_raw());
        // The logs are not the steps' to change.
        assert_eq!(fs::metadata(farm.latest().join("result.json")).unwrap().uid(), 0);
    }

    /// Nothing of root's home counts for the account.
    #[test]
    fn the_home_of_root_does_not_disturb() {
        need_root();
        let farm = curious();
        let home = farm.directory.path().join("home");
        fs::create_dir_all(home.join(".buildout")).unwrap();
        fs::write(home.join(".buildout/default.cfg"), "[buildout]\nextends = /nonexistent/base.cfg\n").unwrap();
        fs::write(home.join(".pydistutils.cfg"), "[easy_install]\nindex_url = http://127.0.0.1:1/\n").unwrap();
        fs::write(home.join(".pgpass"), "*:*:*:*:wrong\n").unwrap();
        surrounded(&farm, {
            let mut run = farm.farmout(&["run"]);
            run.env("HOME", home);
            run
        });
        farm.is_tidy();
    }

    #[test]
    fn steps_run_as_the_user_that_is_named() {
        need_root();
        let farm = curious();
        let ran = farm.run(&["run", "--user", "nobody"]).exits(0);
        assert!(
            ran.out.starts_with("running as root: servers and steps run as the user nobody (uid 65534)\n"),
            "{}",
            ran.out
        );
        let told = farm.log(&builder(), "test");
        assert!(told.contains("\nUSER=nobody\n") && told.contains("\nnobody\n"), "{told}");
        farm.is_tidy();
        // What belongs to one user is not handed to another.
        let ran = farm.run(&["run"]).exits(2);
        let root = regex::escape(&farm.root.display().to_string());
        snapshot!("run-state-of-another-user", ran.err, [(&*root, "[FARM]")]);
    }

    #[test]
    fn root_is_no_user_for_builds() {
        need_root();
        let farm = Farm::demo();
        farm.run(&["run", "--user", "root"]).exits(2).says("builds cannot run as root");
        assert!(!farm.state().exists());
    }

    /// Where builds of a farm that the account cannot reach are; removed in the end.
    struct Far(String);

    impl Drop for Far {
        fn drop(&mut self) {
            if let Some(above) = Path::new(&self.0).parent().filter(|above| above.starts_with("/var/lib/farmout/")) {
                let _ = fs::remove_dir_all(above);
            }
        }
    }

    #[test]
    fn a_farm_that_the_account_cannot_reach_is_built_elsewhere() {
        need_root();
        let farm = Farm::demo();
        fs::set_permissions(farm.directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let ran = farm.run(&["run"]);
        let place = ran.out.split("builds are in ").nth(1).and_then(|rest| rest.split(" instead of ").next());
        let place = place.map(str::to_owned);
        let far = Far(place.unwrap_or_default());
        let ran = ran.exits(0);
        let closed = farm.directory.path().display();
        let ran = ran.says(&format!("the user farmout cannot enter {closed}, so builds are in /var/lib/farmout/"));
        assert!(far.0.starts_with("/var/lib/farmout/"), "{}", ran.out);
        assert!(Path::new(&far.0).join(builder()).join("build/bin/test_openerp").is_file());
        assert!(!farm.slave_file("here").exists());
        // The logs are where they always are.
        assert!(farm.log(&builder(), "buildout").contains("Develop: "));
        assert_eq!(common::running(&far.0), Vec::<String>::new());
        farm.is_tidy();
        farm.run(&["run"]).exits(0).says(&far.0);
    }
}
