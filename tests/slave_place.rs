//! Base directories and copies of farmout, with real users.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use farmout::host::{Account, Place, account, place};
use tempfile::TempDir;

/// The variable that tells the inner test where to work.
const INNER: &str = "FARMOUT_TEST_PLACE";

fn nobody() -> Account {
    assert!(nix::unistd::geteuid().is_root(), "this test switches users: run it as root");
    account::choose(Some("nobody")).unwrap().unwrap()
}

fn directory(mode: u32) -> (TempDir, Utf8PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(mode)).unwrap();
    let path = Utf8PathBuf::from_path_buf(temporary.path().canonicalize().unwrap()).unwrap();
    (temporary, path)
}

fn account_runs(account: &Account, script: &str) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(Path::new("/"));
    account.apply(&mut command);
    command.status().unwrap().success()
}

#[test]
fn an_executable_within_reach_is_not_copied() {
    let (_temporary, state) = directory(0o755);
    let place = place::basedir(&state, "local", None).unwrap();
    let program = place::program(&place, None).unwrap();
    assert_eq!(program.as_std_path(), std::env::current_exe().unwrap());
    assert!(!place.basedir.join("bin").exists());
}

/// The other half of `the_program_is_copied_where_the_account_needs_it`, which starts it in a process of its own; by itself
/// it has nothing to do.
#[test]
fn inner_program() {
    let Ok(basedir) = std::env::var(INNER).map(Utf8PathBuf::from) else { return };
    let program = place::program(&Place { basedir, moved: false }, Some(&nobody())).unwrap();
    println!("PROGRAM {program}");
}

/// Tests that switch users, as only root can. For anybody else `tests/run` leaves them out and says so.
mod root {
    use super::*;

    #[test]
    fn a_reachable_state_keeps_its_slaves() {
        let account = nobody();
        let (_temporary, state) = directory(0o755);
        let place = place::basedir(&state.join("new/state"), "local", Some(&account)).unwrap();
        assert_eq!(place, Place { basedir: state.join("new/state/slaves/local"), moved: false });
        for (path, uid) in
            [(&place.basedir, account.uid), (&place.home(), account.uid), (&state.join("new/state/slaves"), 0)]
        {
            assert_eq!(path.metadata().unwrap().uid(), uid, "{path}");
        }
        assert!(account_runs(&account.at_home(place.home()), "echo yes > $HOME/file"));
        assert!(place.home().join("file").is_file());
    }

    #[test]
    fn a_state_out_of_reach_has_its_slaves_elsewhere() {
        let account = nobody();
        let (_temporary, state) = directory(0o700);
        let state = state.join("clone/.farmout");
        let place = place::basedir(&state, "local", Some(&account)).unwrap();
        let cache = place::cache(&state, Some(&account)).unwrap();
        let above = place.basedir.parent().unwrap().to_owned();
        let result =
            (place.moved, above.starts_with("/var/lib/farmout"), cache.parent() == Some(&*above), state.exists());
        let usable = account_runs(&account.at_home(place.home()), "echo yes > $HOME/file");
        let again = place::basedir(&state, "local", Some(&account)).unwrap();
        fs::remove_dir_all(&above).unwrap();
        assert_eq!(result, (true, true, true, false));
        assert!(usable);
        assert_eq!(again, place);
    }

    #[test]
    fn what_is_not_ours_stays_as_it_is() {
        let account = nobody();
        let (_temporary, state) = directory(0o755);
        let slaves = state.join("slaves");
        fs::create_dir(&slaves).unwrap();
        // Somebody's directory, root's directory with something in it, a link to a directory of the account's.
        fs::create_dir(slaves.join("theirs")).unwrap();
        chown(slaves.join("theirs"), Some(1), Some(1)).unwrap();
        fs::create_dir_all(slaves.join("roots/inside")).unwrap();
        fs::create_dir(state.join("target")).unwrap();
        chown(state.join("target"), Some(account.uid), Some(account.gid)).unwrap();
        symlink(state.join("target"), slaves.join("link")).unwrap();
        let refused = |name| place::basedir(&state, name, Some(&account)).unwrap_err();
        assert!(
            refused("theirs")
                .message
                .ends_with("/slaves/theirs belongs to daemon, so that builds cannot run there as nobody")
        );
        assert_eq!(
            refused("theirs").help.as_deref(),
            Some("run it with --user daemon, or keep these builds elsewhere, with --state DIR")
        );
        assert!(refused("roots").message.contains("/slaves/roots belongs to root"));
        assert!(refused("link").message.contains("/slaves/link is a link"));
        assert_eq!(slaves.join("theirs").metadata().unwrap().uid(), 1);
        assert_eq!(slaves.join("roots").metadata().unwrap().uid(), 0);
        assert!(slaves.join("roots/inside").is_dir() && !state.join("target/home").exists());
        // An empty one of root's is what an interrupted start leaves: it is taken.
        fs::create_dir(slaves.join("empty")).unwrap();
        place::basedir(&state, "empty", Some(&account)).unwrap();
        // A home that a build replaced by a link is not followed.
        let place = place::basedir(&state, "local", Some(&account)).unwrap();
        fs::remove_dir(place.home()).unwrap();
        symlink("/etc", place.home()).unwrap();
        assert!(refused("local").message.contains("/home is a link"));
        assert_eq!(fs::metadata("/etc").unwrap().uid(), 0);
    }

    #[test]
    fn the_program_is_copied_where_the_account_needs_it() {
        let account = nobody();
        let (_open, state) = directory(0o755);
        let place = place::basedir(&state, "local", Some(&account)).unwrap();
        // This test again, as an executable that only root can reach.
        let (_closed, hidden) = directory(0o700);
        let executable = hidden.join("farmout");
        let run = || {
            let mut command = Command::new(&executable);
            command.args(["--exact", "inner_program", "--nocapture"]).env(INNER, &place.basedir);
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            Utf8PathBuf::from(text.lines().find_map(|line| line.split_once("PROGRAM ")).unwrap().1)
        };
        // By another process: one that is open for writing here, or in what another test starts meanwhile, does not start.
        let copy = |to: &Utf8Path| {
            assert!(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(to).status().unwrap().success());
        };
        copy(&executable);
        let first = run();
        assert_eq!(first.parent().unwrap(), place.basedir.join("bin"));
        assert!(first.file_name().unwrap().starts_with(concat!("farmout-", env!("CARGO_PKG_VERSION"), "-")));
        assert!(account_runs(&account, &format!("{first} --list > /dev/null")));
        let inode = first.metadata().unwrap().ino();
        assert_eq!((run().metadata().unwrap().ino(), first.metadata().unwrap().uid()), (inode, 0));
        // Another file is another copy; the one before goes when nobody used it for a day.
        let second_original = hidden.join("new");
        copy(&second_original);
        fs::rename(&second_original, &executable).unwrap();
        let second = run();
        assert!(second != first && first.exists());
        let long_ago = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
        fs::File::open(&first).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(run(), second);
        assert!(!first.exists() && second.exists());
        // A build may have put something else in its place.
        fs::remove_file(&second).unwrap();
        symlink("/bin/sh", &second).unwrap();
        assert!(run() == second && !second.is_symlink());
    }

    #[test]
    fn reach_is_what_the_kernel_says() {
        let account = nobody();
        let (_temporary, root) = directory(0o755);
        for (name, mode) in [("a", 0o755), ("b", 0o711), ("c", 0o750), ("d", 0o644), ("e", 0o001)] {
            let directory = root.join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("tool"), "#!/bin/sh\n").unwrap();
            fs::set_permissions(directory.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
            symlink(format!("../{name}/tool"), root.join("a").join(format!("to-{name}"))).unwrap();
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(root.join("a/own"), "#!/bin/sh\n").unwrap();
        chown(root.join("a/own"), Some(account.uid), Some(0)).unwrap();
        fs::set_permissions(root.join("a/own"), fs::Permissions::from_mode(0o011)).unwrap();
        let paths = [
            "a/tool",
            "b/tool",
            "c/tool",
            "d/tool",
            "e/tool",
            "a/to-b",
            "a/to-c",
            "a/own",
            "a/../a/tool",
            "c/../a/tool",
        ];
        for path in paths.map(|path| root.join(path)) {
            let kernel = account_runs(&account, &format!("test -x {path}"));
            assert_eq!(account.can_execute(&path), kernel, "{path}");
        }
        assert!(!account.can_reach(Utf8Path::new("/nonexistent/file")));
    }
}
