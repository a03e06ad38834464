//! How it ends: stopped or killed at any time, it leaves no process, no port, no directory and no half of an environment.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::common::{Farm, running};
use crate::support::{Again, Show, Started, builder, demo_master, hang, marked, nothing_runs, run};

#[test]
fn stopped_while_a_build_is_at_work() {
    let farm = Farm::sample();
    hang(&farm);
    let mut show = Show::start(&farm, demo_master(&farm, &[]));
    show.until_step("test");
    assert_eq!(show.sockets().len(), 1);
    let servers = running(farm.directory.path()).iter().filter(|line| line.contains("postgres")).count();
    assert!(servers > 0, "no server is at work");
    let ran = show.stop_all(Signal::SIGINT).exits(0);
    ran.says(&format!("{} #1 begins on ", builder())).says("Ctrl-C ends it").says_no("success");
}

#[test]
fn killed_while_a_build_is_at_work() {
    let farm = Farm::sample();
    hang(&farm);
    let mut show = Show::start(&farm, demo_master(&farm, &[]));
    show.until_step("test");
    let ran = show.kill();
    assert_eq!(ran.signal, Some(9));
    ran.says("farmout demo-master was killed").says_no("error");
}

#[test]
fn stopped_before_the_end_of_the_first_build() {
    let farm = Farm::sample();
    hang(&farm);
    let mut show = Show::start(&farm, demo_master(&farm, &["--once"]));
    show.until_step("bootstrap");
    show.stop_all(Signal::SIGHUP).exits(130).says("interrupted\n");
}

#[test]
fn stopped_while_it_starts() {
    let farm = Farm::sample();
    let moments =
        [("create-master", Signal::SIGINT), ("/master", Signal::SIGQUIT), ("/workers/local-2", Signal::SIGTERM)];
    for (what, signal) in moments {
        let mut started = Started::start(&farm, demo_master(&farm, &["--idle"]));
        let mut line = None;
        started.until(what, |_| {
            line = running(farm.directory.path()).into_iter().find(|line| line.contains(what));
            line.is_some()
        });
        let line = line.unwrap();
        let word = line.split_whitespace().find(|word| word.starts_with("/tmp/farmout-")).unwrap();
        let directory: PathBuf = Path::new(word).components().take(3).collect();
        started.stop(signal).exits(130).says("interrupted\n").says_no("error");
        nothing_runs(&farm);
        assert!(!directory.exists(), "{}", directory.display());
    }
}

#[test]
fn buildbot_is_installed_once_and_never_by_halves() {
    let farm = Farm::sample();
    let idle = || marked(&farm, farm.farmout(&["demo-master", "--idle"]));
    let kept = farm.state().join("cache/buildbot-4.3.0");
    let stamp = kept.join("farmout-buildbot");
    let installing = || {
        let mut started = Started::start(&farm, idle());
        started.until("pip is at work", |_| {
            running(farm.directory.path()).iter().any(|line| line.contains("pip install"))
        });
        started
    };
    installing().stop(Signal::SIGINT).exits(130).says("installing Buildbot 4.3.0 from PyPI");
    nothing_runs(&farm);
    assert!(!kept.exists());

    Show::start(&farm, idle()).stop_all(Signal::SIGINT).exits(0).says("installing Buildbot 4.3.0 from PyPI");
    assert!(stamp.exists());
    // Half of one, as after a power failure, is made anew; a whole one is taken as it is.
    Show::start(&farm, idle()).stop_all(Signal::SIGINT).exits(0).says_no("installing");
    std::fs::remove_file(stamp).unwrap();
    installing().stop(Signal::SIGTERM).exits(130);
    nothing_runs(&farm);
    assert!(!kept.exists());
}

#[test]
fn what_is_to_be_kept_stays() {
    let farm = Farm::sample();
    let directory = farm.directory.path().join("kept");
    let kept = directory.to_str().unwrap().to_owned();
    let show = Show::start(&farm, demo_master(&farm, &["--idle", "--keep", &kept]));
    assert_eq!(show.directory, directory);
    let ran = show.stop(Signal::SIGINT).exits(0).says(&format!("kept in {kept}; to start it again:\n"));
    assert!(directory.join("master/state.sqlite").exists() && directory.join("workers/local-1/buildbot.tac").exists());
    let commands: Vec<String> = ran.out.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let owner = std::fs::metadata(directory.join("master")).unwrap().uid();
    let again = Again::start(&commands, &directory);
    assert_eq!(again.users(), [owner; 3]);
    again.stop(&farm);
    run(&farm, &mut demo_master(&farm, &["--idle", "--keep", &kept])).exits(2).says("is not empty");
}

/// Run by root, nothing of it has root's rights; and anybody else can run it.
mod root {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use nix::sys::signal::Signal;

    use crate::buildbot::environment;
    use crate::common::{Farm, need_root, running};
    use crate::support::{Show, demo_master, marked};

    fn users(farm: &Farm, own: &str) -> Vec<String> {
        let mut users = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            if line.contains("start --nodaemon")
                && running(farm.directory.path()).contains(&line)
                && !line.contains(own)
            {
                let status = String::from_utf8_lossy(&read("status")).into_owned();
                let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
                users.push(uid.split_whitespace().next().unwrap().to_owned());
            }
        }
        users
    }

    #[test]
    fn nothing_runs_as_root() {
        need_root();
        let farm = Farm::sample();
        let show = Show::start(&farm, demo_master(&farm, &["--idle", "--user", "nobody"]));
        assert_eq!(users(&farm, "demo-master"), ["65534"; 3]);
        show.stop_all(Signal::SIGINT).exits(0).says("running as root: servers and steps run as the user nobody");
    }

    #[test]
    fn a_plain_user_runs_it() {
        need_root();
        let farm = Farm::sample();
        let environment = environment();
        let arguments = ["demo-master", "--idle", "--buildbot", environment.to_str().unwrap()];
        let show = Show::start(&farm, marked(&farm, farm.plain_farmout(&arguments)));
        assert_eq!(users(&farm, "demo-master"), ["65534"; 3]);
        // As a build leaves it that unpacks Go's modules.
        let folder = show.directory.join("workers/local-1/modules");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        chown(&folder, Some(65534), Some(65534)).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
        show.stop_all(Signal::SIGTERM).exits(0).says_no("as root");
    }
}
