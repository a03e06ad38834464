//! `farmout slave detect` on this real machine: as root, as an ordinary user, with broken Pythons on `PATH`.
//!
//! What a test needs and the machine lacks is a failure, never a skip: PostgreSQL's server and Python 3 with venv must be
//! installed, and switching users needs root.

mod common {
    pub mod executable;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::executable::{install, script};
use common::snapshot::snapshot;
use tempfile::TempDir;

const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A directory that everybody may enter, with a farmout that everybody may execute: the source may be below root's home.
fn stage() -> (TempDir, PathBuf) {
    let stage = tempfile::tempdir().unwrap();
    fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let farmout = stage.path().join("farmout");
    install(env!("CARGO_BIN_EXE_farmout"), &farmout);
    (stage, farmout)
}

fn need_root() {
    assert!(nix::unistd::geteuid().is_root(), "this test switches users: run it as root");
}

/// A command of farmout's as the user nobody.
fn as_nobody(farmout: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(farmout).env("HOME", "/nonexistent");
    command
}

fn detect(command: &mut Command) -> String {
    let output = command.args(["slave", "detect"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn snapshot(name: &str, output: &Output) {
    let shown = format!(
        "exit {}\n{}{}",
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    snapshot!(name, shown);
}

/// The lines of the value of `capability`, comments left out as the dialect does.
fn capabilities(fragment: &str) -> Vec<&str> {
    let lines = fragment.lines().skip_while(|line| *line != "capability =").skip(1);
    lines.filter(|line| !line.starts_with('#')).map(str::trim).collect()
}

fn installed() -> Vec<String> {
    let installed: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .expect("these tests need PostgreSQL: apt-get install postgresql")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|major| Path::new(&format!("/usr/lib/postgresql/{major}/bin/postgres")).exists())
        .collect();
    assert!(!installed.is_empty(), "these tests need PostgreSQL's server");
    installed
}

#[test]
fn the_fragment_offers_what_is_installed() {
    let fragment = detect(Command::new(env!("CARGO_BIN_EXE_farmout")).env("PATH", SYSTEM));
    let capabilities = capabilities(&fragment);
    for major in installed() {
        let line = format!("postgresql {major} bin=/usr/lib/postgresql/{major}/bin cluster=ephemeral");
        assert!(capabilities.contains(&line.as_str()), "{line}\n{fragment}");
    }
    assert!(capabilities.iter().any(|line| line.starts_with("python 3.") && line.contains(" bin=/usr/")), "{fragment}");
    assert!(fragment.contains("\n# Version control: git "), "{fragment}");
    for line in fragment.lines() {
        let comment = line.trim_start().starts_with(['#', ';']);
        assert!(!comment || line.starts_with('#'), "an indented comment is part of the value: {line}");
    }
    // Each version once: two lines of one version would have conflicting options.
    let mut versions: Vec<_> = capabilities.iter().map(|line| line.split(" bin=").next().unwrap()).collect();
    versions.dedup();
    assert_eq!(versions.len(), capabilities.len());
}

#[test]
fn only_the_password_differs() {
    let run = || detect(Command::new(env!("CARGO_BIN_EXE_farmout")).env("PATH", SYSTEM));
    let (one, other) = (run(), run());
    let password = |fragment: &str| {
        let line = fragment.lines().find_map(|line| line.strip_prefix("password = ")).unwrap();
        assert!(line.len() == 24 && line.chars().all(|c| c.is_ascii_alphanumeric()));
        line.to_owned()
    };
    assert_ne!(password(&one), password(&other));
    // Other servers of the machine come and go, other tests' too.
    let passing = ["# Ports ", "# PostgreSQL servers ", "#   PostgreSQL ", "#   postgresql ", "# A commented line "];
    let steady = |fragment: &str| -> Vec<String> {
        let lines = fragment.lines().filter(|line| !passing.iter().any(|start| line.starts_with(start)));
        lines.map(|line| line.replace(&password(fragment), "X")).collect()
    };
    assert_eq!(steady(&one), steady(&other));
}

#[test]
fn broken_pythons_are_left_out() {
    let (stage, farmout) = stage();
    let bin = stage.path().join("bin");
    script(bin.join("python3.30"), "sleep 300\n");
    script(bin.join("python2"), "echo 'Fatal Python error' >&2\nexit 3\n");
    script(bin.join("python3"), "kill -SEGV $$\n");
    script(bin.join("python"), "echo hello\n");
    script(bin.join("hg"), "echo 'no module mercurial' >&2\nexit 1\n");
    let start = Instant::now();
    let fragment = detect(Command::new(farmout).env("PATH", format!("{}:{SYSTEM}", bin.display())));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let bin = bin.display();
    for note in [
        format!("# Note: {bin}/python3.30 is left out: it did not answer within 3 s\n"),
        format!("# Note: {bin}/python2 is left out: it ended with exit code 3: Fatal Python error\n"),
        format!("# Note: {bin}/python3 is left out: it was ended by signal 11\n"),
        format!("# Note: {bin}/python is left out: it does not answer as a Python does\n"),
        format!("# Note: {bin}/hg is left out: it ended with exit code 1: no module mercurial\n"),
    ] {
        assert!(fragment.contains(&note), "{note}{fragment}");
    }
    assert!(capabilities(&fragment).iter().all(|line| !line.contains(&bin.to_string())), "{fragment}");
    assert!(capabilities(&fragment).iter().any(|line| line.starts_with("python 3.")), "{fragment}");
}

#[test]
fn an_activated_virtualenv_is_not_the_machine() {
    let (stage, farmout) = stage();
    let environment = stage.path().join("venv");
    let made = Command::new("/usr/bin/python3").args(["-m", "venv", "--without-pip"]).arg(&environment).status();
    assert!(made.expect("these tests need /usr/bin/python3").success(), "these tests need python3-venv");
    // A program that only the virtualenv has.
    script(environment.join("bin/wkhtmltopdf"), "echo wkhtmltopdf 9.9.9\n");
    let path = format!("{}/bin:{SYSTEM}", environment.display());
    let mut activated = Command::new(&farmout);
    let fragment =
        detect(activated.env("PATH", &path).env("VIRTUAL_ENV", &environment).env("PYTHONHOME", "/nonexistent"));
    assert!(!fragment.contains("venv/") && !fragment.contains("9.9.9"), "{fragment}");
    assert!(capabilities(&fragment).iter().any(|line| line.starts_with("python 3.")), "PYTHONHOME leaked: {fragment}");
    let fragment = detect(Command::new(&farmout).env("PATH", &path).env_remove("VIRTUAL_ENV"));
    assert!(!fragment.contains("venv/") && !fragment.contains("9.9.9"), "{fragment}");
}

#[test]
fn the_current_directory_is_not_on_path() {
    let (stage, farmout) = stage();
    script(stage.path().join("here/wkhtmltopdf"), "echo wkhtmltopdf 9.9.9\n");
    let mut command = Command::new(farmout);
    let fragment = detect(command.current_dir(stage.path().join("here")).env("PATH", format!(":.:{SYSTEM}:")));
    assert!(!fragment.contains("9.9.9"), "{fragment}");
}

#[test]
fn a_path_with_white_space_is_the_last_choice() {
    let (stage, farmout) = stage();
    let bin = stage.path().join("with space");
    let real = fs::canonicalize("/usr/bin/python3").unwrap();
    // A file of its own, as a link would be the same Python as the one in /usr/bin.
    script(bin.join("python3"), &format!("exec {} \"$@\"\n", real.display()));
    let fragment = detect(Command::new(farmout).env("PATH", format!("{}:{SYSTEM}", bin.display())));
    assert!(!fragment.contains("with space"), "{fragment}");
    assert!(capabilities(&fragment).iter().any(|line| line.starts_with("python 3.")), "{fragment}");
}

#[test]
fn duplicates_and_links_count_once() {
    let (stage, farmout) = stage();
    let bin = stage.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let major = installed().remove(0);
    symlink(format!("/usr/lib/postgresql/{major}/bin/postgres"), bin.join("postgres")).unwrap();
    symlink("/usr/bin", stage.path().join("usr-bin")).unwrap();
    let path = format!("{}:{}/usr-bin:{SYSTEM}", bin.display(), stage.path().display());
    let fragment = detect(Command::new(farmout).env("PATH", path));
    assert_eq!(fragment.matches(&format!("postgresql {major} ")).count(), 1, "{fragment}");
    assert!(!fragment.contains("has the same version"), "{fragment}");
}

/// Tests that switch users, as only root can. For anybody else `tests/run` leaves them out and says so.
mod root {
    use super::*;

    #[test]
    fn root_sees_what_the_account_can_use() {
        need_root();
        let (stage, farmout) = stage();
        let closed = stage.path().join("closed");
        script(closed.join("bin/python3.30"), "echo root ran this > ${0%/*}/../ran\n");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let path = format!("{}/bin:{SYSTEM}", closed.display());
        for user in [None, Some("nobody")] {
            let mut command = Command::new(&farmout);
            let output =
                command.env("PATH", &path).args(["slave", "detect"]).args(user.map(|user| format!("--user={user}")));
            let output = output.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let fragment = String::from_utf8(output.stdout).unwrap();
            let (user, shown) = (user.unwrap_or("farmout"), closed.display());
            let reason = format!("# Out of reach: the user {user} cannot enter {shown}. To use it: ");
            assert!(fragment.contains(&reason), "{fragment}");
            assert!(fragment.contains(&format!("#   Python 3.30: {shown}/bin/python3.30\n")), "{fragment}");
            assert!(!closed.join("ran").exists());
            for major in installed() {
                assert!(fragment.contains(&format!("    postgresql {major} bin=")), "{fragment}");
            }
        }
    }

    #[test]
    fn programs_run_as_the_account() {
        need_root();
        let (stage, farmout) = stage();
        let told = stage.path().join("told");
        fs::create_dir(&told).unwrap();
        fs::set_permissions(&told, fs::Permissions::from_mode(0o777)).unwrap();
        let text = "(id -u; id -G; echo $USER $LOGNAME ${PGHOST-unset} ${GIT_DIR-unset}; pwd) > TOLD/$(id -u)\n";
        script(stage.path().join("bin/hg"), &text.replace("TOLD", &told.display().to_string()));
        let mut command = Command::new(farmout);
        command
            .env("PATH", format!("{}/bin:{SYSTEM}", stage.path().display()))
            .env("PGHOST", "elsewhere")
            .env("GIT_DIR", "/x");
        detect(&mut command);
        let user = nix::unistd::User::from_name("farmout").unwrap().expect("the account farmout was not made");
        let told = fs::read_to_string(told.join(user.uid.to_string())).unwrap();
        assert_eq!(told, format!("{}\n{}\nfarmout farmout unset unset\n/\n", user.uid, user.gid));
    }

    #[test]
    fn an_ordinary_user_is_good_enough() {
        need_root();
        let (_stage, farmout) = stage();
        let fragment = detect(as_nobody(&farmout).env("PATH", SYSTEM));
        for major in installed() {
            assert!(fragment.contains(&format!("    postgresql {major} bin=")), "{fragment}");
        }
        let same =
            as_nobody(&farmout).env("PATH", SYSTEM).args(["slave", "detect", "--user", "nobody"]).output().unwrap();
        assert!(same.status.success());
        let other = as_nobody(&farmout).args(["slave", "detect", "--user", "daemon"]).output().unwrap();
        snapshot("slave-only-root-switches", &other);
    }

    #[test]
    fn accounts_and_names_that_cannot_be() {
        need_root();
        let run = |arguments: &[&str]| {
            Command::new(env!("CARGO_BIN_EXE_farmout")).args(["slave", "detect"]).args(arguments).output().unwrap()
        };
        snapshot("slave-user-root", &run(&["--user", "root"]));
        snapshot("slave-user-missing", &run(&["--user", "no-such-user"]));
        snapshot("slave-name-default", &run(&["--name", "DEFAULT"]));
        let state = tempfile::tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
        snapshot(
            "slave-embedded-unknown",
            &run(&["--embedded", "9.6", "--state", &state.path().display().to_string()]),
        );
    }

    #[test]
    fn a_container_without_the_right_to_switch() {
        need_root();
        // Root in a user namespace that has no other user.
        let mut command = Command::new("unshare");
        let output =
            command.args(["-rU", env!("CARGO_BIN_EXE_farmout"), "slave", "detect", "--user", "daemon"]).output();
        snapshot("slave-user-namespace", &output.unwrap());
    }
}

#[test]
fn help_is_for_the_reader() {
    let output = Command::new(env!("CARGO_BIN_EXE_farmout")).args(["slave", "detect", "--help"]).env_clear().output();
    snapshot("slave-detect-help", &output.unwrap());
}
