//! The farm's checkout is brought to what its upstream has, and only to what compiles.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::snapshot::snapshot;
use crate::common::{Ran, eventually, is_root};
use crate::support::{Watch, Watched, change, client_of, folder};

const SHOP: &str = "[shop]\ninherit = base\nwatch = git https://git.example/shop main\n";
const PAY: &str = "[pay]\ninherit = base\nwatch = git https://git.example/pay main\n";

/// A farm whose manifests are in a checkout, and somebody else's clone of them.
struct Versioned {
    watched: Watched,
    vcs: &'static str,
    /// The checkout's directory.
    top: PathBuf,
    up: PathBuf,
    /// The other clone.
    work: PathBuf,
    /// The home of both.
    home: PathBuf,
    /// Where `buildouts` is in both.
    buildouts: &'static str,
}

impl Versioned {
    /// The checkout is the farm's directory, or `buildouts` alone.
    fn new(vcs: &'static str, alone: bool) -> Self {
        let watched = Watched::new(SHOP);
        let root = watched.farm.root.clone();
        let (top, buildouts) = if alone { (root.join("buildouts"), "") } else { (root, "buildouts/") };
        let (up, work) = (folder(&watched, "up"), folder(&watched, "work"));
        for name in ["MANIFEST.cfg", "nothing.cfg"] {
            let path = work.join(buildouts).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(watched.farm.root.join("buildouts").join(name), path).unwrap();
        }
        own(&work);
        let up_name = up.to_str().unwrap().to_owned();
        let home = folder(&watched, "home");
        let new = Self { vcs, top, up: up.clone(), work, home, buildouts, watched };
        match vcs {
            "git" => {
                new.client(&["init", "-q", "-b", "main"]);
                client_of(&new.home, "git", &["init", "-q", "--bare", "-b", "main"], &up);
                new.client(&["remote", "add", "origin", &up_name]);
            }
            "hg" => {
                new.client(&["init"]);
                client_of(&new.home, "hg", &["init"], &up);
            }
            _ => {
                new.client(&["init", "-q"]);
                client_of(&new.home, "brz", &["init", "-q"], &up);
            }
        }
        new.push("Begin");
        let clone = folder(&new.watched, "making").join("clone");
        new.clone_to(&clone);
        for entry in fs::read_dir(&clone).unwrap() {
            let entry = entry.unwrap();
            let place = new.top.join(entry.file_name());
            let _ = fs::remove_dir_all(&place).or_else(|_| fs::remove_file(&place));
            fs::rename(entry.path(), place).unwrap();
        }
        if is_root() {
            assert!(Command::new("chown").arg("farmout:").arg(&new.top).status().unwrap().success());
        }
        if vcs == "bzr" {
            // It was noted relative to where the clone was made.
            new.here(&["config", &format!("parent_location={up_name}")]);
        }
        new
    }

    fn clone_to(&self, place: &Path) {
        let (up, place) = (self.up.to_str().unwrap(), place.to_str().unwrap());
        match self.vcs {
            "git" => client_of(&self.home, "git", &["clone", "-q", up, place], &self.up),
            "hg" => client_of(&self.home, "hg", &["clone", "-q", up, place], &self.up),
            _ => client_of(&self.home, "brz", &["branch", "-q", up, place], &self.up),
        };
    }

    /// The client in the other clone.
    fn client(&self, arguments: &[&str]) -> String {
        client_of(&self.home, if self.vcs == "bzr" { "brz" } else { self.vcs }, arguments, &self.work)
    }

    /// The client in the checkout.
    fn here(&self, arguments: &[&str]) -> String {
        client_of(&self.home, if self.vcs == "bzr" { "brz" } else { self.vcs }, arguments, &self.top)
    }

    fn commit(&self, message: &str) {
        own(&self.work);
        match self.vcs {
            "git" => {
                self.client(&["add", "-A"]);
                let who = ["-c", "user.name=Ann", "-c", "user.email=a@e.example"];
                self.client(&[&who[..], &["commit", "-qm", message]].concat());
            }
            "hg" => drop(self.client(&["commit", "-qA", "-m", message])),
            _ => {
                self.client(&["add", "-q"]);
                self.client(&["commit", "-q", "-m", message]);
            }
        }
    }

    /// Commits all there is in the other clone, and pushes it.
    fn push(&self, message: &str) {
        self.commit(message);
        let up = self.up.to_str().unwrap();
        match self.vcs {
            "git" => self.client(&["push", "-q", "-u", "origin", "main"]),
            "hg" => self.client(&["push", "-q", up]),
            _ => self.client(&["push", "-q", up]),
        };
    }

    fn there(&self, name: &str) -> PathBuf {
        self.work.join(self.buildouts).join(name)
    }

    /// Puts another manifest there, with these sections after the base.
    fn manifest(&self, sections: &str) {
        let manifest = self.there("MANIFEST.cfg");
        let text = fs::read_to_string(&manifest).unwrap();
        let base = text.split("\n[shop").next().unwrap();
        fs::write(manifest, format!("{base}\n{sections}")).unwrap();
    }

    fn farm_file(&self, name: &str) -> PathBuf {
        self.watched.farm.root.join("buildouts").join(name)
    }

    /// Whether the checkout is what the other clone is, and its client finds nothing else.
    #[track_caller]
    fn is_at_upstream(&self) {
        for name in ["MANIFEST.cfg", "nothing.cfg", "more.cfg"] {
            let read = |path: PathBuf| fs::read_to_string(path).ok();
            assert_eq!(read(self.farm_file(name)), read(self.there(name)), "{name}");
        }
        let tip = |at: &dyn Fn(&[&str]) -> String| match self.vcs {
            "git" => at(&["rev-parse", "HEAD"]),
            "hg" => at(&["log", "-r", ".", "-T", "{node}"]),
            _ => at(&["revision-info", "--tree"]),
        };
        assert_eq!(tip(&|arguments| self.here(arguments)), tip(&|arguments| self.client(arguments)));
        let changed = match self.vcs {
            "git" => self.here(&["status", "--porcelain", "--untracked-files=no"]),
            "hg" => self.here(&["status", "-mard"]),
            _ => self.here(&["status", "-SV"]),
        };
        assert_eq!(changed, "");
    }

    fn once(&self) -> Ran {
        self.watched.farm.run(&["watch", "--once", "--poll", "0", "--pull", "1s"])
    }
}

/// Makes files those of the user that clients run as.
fn own(path: &Path) {
    if is_root() {
        assert!(Command::new("chown").args(["-R", "farmout:"]).arg(path).status().unwrap().success());
    }
}

/// What processes of this number have left.
fn left(pid: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let begin = format!("farmout-pull-{pid}-");
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&begin)).map(|entry| entry.path()).collect()
}

fn what_is_pushed_is_taken_over(vcs: &'static str, alone: bool) {
    let farm = Versioned::new(vcs, alone);
    let watch = Watch::begin(&farm.watched, &["--poll", "0", "--pull", "1s"]);
    farm.manifest("[shop\ninherit = base\n");
    farm.push("Break");
    watch.hears("DOES NOT COMPILE AND IS REJECTED");
    watch.hears("Ann");
    watch.hears("(Break)");
    assert!(fs::read_to_string(farm.farm_file("MANIFEST.cfg")).unwrap().contains("[shop]"));
    assert!(watch.said().contains("[buildouts/MANIFEST.cfg:"), "{}", watch.said());
    // Three more looks, of which there is nothing to say.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(watch.said().matches("REJECTED").count(), 1, "{}", watch.said());
    assert!(!watch.said().contains("farmout-pull"), "{}", watch.said());
    farm.manifest(&format!("{SHOP}{PAY}"));
    fs::write(farm.there("more.cfg"), "[buildout]\n").unwrap();
    farm.push("Mend");
    watch.hears("is brought to");
    watch.hears("the farm has changed");
    farm.is_at_upstream();
    farm.watched.deliver(vec![change("https://git.example/pay", "1")]);
    eventually("the new build is begun", || farm.watched.begun().contains_key("pay"));
    farm.watched.settle();
    fs::remove_file(farm.there("more.cfg")).unwrap();
    farm.push("Remove");
    eventually("the file is gone", || !farm.farm_file("more.cfg").exists());
    let pid = watch.pid();
    assert_eq!(watch.stop(), Some(130));
    farm.is_at_upstream();
    assert!(left(pid).is_empty(), "{:?}", left(pid));
}

#[test]
fn git_whole() {
    what_is_pushed_is_taken_over("git", false);
}

#[test]
fn git_alone() {
    what_is_pushed_is_taken_over("git", true);
}

#[test]
fn hg_whole() {
    what_is_pushed_is_taken_over("hg", false);
}

#[test]
fn hg_alone() {
    what_is_pushed_is_taken_over("hg", true);
}

#[test]
fn bzr_whole() {
    what_is_pushed_is_taken_over("bzr", false);
}

#[test]
fn bzr_alone() {
    what_is_pushed_is_taken_over("bzr", true);
}

#[test]
fn what_somebody_edits_is_theirs() {
    for vcs in ["git", "hg", "bzr"] {
        let farm = Versioned::new(vcs, true);
        let (mine, more) = (farm.farm_file("nothing.cfg"), farm.farm_file("more.cfg"));
        let before = fs::read_to_string(&mine).unwrap();
        // One that is not in the way stays, and counts.
        fs::write(&mine, format!("{before}# mine\n")).unwrap();
        farm.manifest(&format!("{SHOP}{PAY}"));
        farm.push("One");
        farm.once().exits(0).says("is brought to");
        assert_eq!(fs::read_to_string(&mine).unwrap(), format!("{before}# mine\n"));
        assert!(fs::read_to_string(farm.farm_file("MANIFEST.cfg")).unwrap().contains("[pay]"));
        fs::write(farm.there("nothing.cfg"), format!("{before}# theirs\n")).unwrap();
        farm.push("Two");
        farm.once().exits(1).says("nothing.cfg was edited or put there, and is in the way of");
        assert_eq!(fs::read_to_string(&mine).unwrap(), format!("{before}# mine\n"));
        fs::write(&mine, &before).unwrap();
        fs::write(&more, "mine\n").unwrap();
        fs::write(farm.there("more.cfg"), "theirs\n").unwrap();
        farm.push("Three");
        farm.once().exits(1).says("more.cfg was edited or put there");
        assert_eq!(fs::read_to_string(&more).unwrap(), "mine\n");
        fs::remove_file(&more).unwrap();
        farm.once().exits(0).says("is brought to");
        farm.is_at_upstream();
        farm.once().exits(0).says_no("is brought to");
    }
}

#[test]
fn an_upstream_that_was_rewritten_is_told_of() {
    let farm = Versioned::new("git", false);
    farm.manifest(&format!("{SHOP}{PAY}"));
    farm.push("One");
    farm.once().exits(0).says("is brought to");
    farm.client(&["reset", "-q", "--hard", "HEAD~1"]);
    fs::write(farm.there("more.cfg"), "[buildout]\n").unwrap();
    farm.commit("Another");
    farm.client(&["push", "-q", "--force", "origin", "main"]);
    let watch = Watch::begin(&farm.watched, &["--poll", "0", "--pull", "1s"]);
    watch.hears("it has commits that its upstream, at");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(watch.said().matches("it has commits").count(), 1, "{}", watch.said());
    assert_eq!(watch.stop(), Some(130));
    assert!(fs::read_to_string(farm.farm_file("MANIFEST.cfg")).unwrap().contains("[pay]"));
    // A commit of its own, that the upstream only lacks, is no reason to say anything.
    farm.here(&["reset", "-q", "--hard", "origin/main"]);
    let who = ["-c", "user.name=Bob", "-c", "user.email=b@e.example"];
    farm.here(&[&who[..], &["commit", "-q", "--allow-empty", "-m", "Mine"]].concat());
    farm.once().exits(0).says_no("warning").says_no("is brought to");
}

#[test]
fn what_is_said_of_a_rejected_push() {
    let farm = Versioned::new("git", true);
    farm.manifest("[shop]\ninherit = base\nbuildout = standalone nowhere.cfg\n");
    farm.push("Move the configuration");
    let ran = farm.once().exits(1);
    let root = regex::escape(&farm.watched.farm.root.display().to_string());
    let filters =
        [(&*root, "[FARM]"), (r"\d\d:\d\d:\d\d", "[TIME]"), ("[0-9a-f]{40}", "[NOW]"), ("[0-9a-f]{12}", "[NEW]")];
    snapshot!("watch-pull-rejected", ran.err + &ran.out, filters);
}

#[test]
fn a_farm_in_no_checkout_is_refused() {
    let watched = Watched::new(SHOP);
    watched
        .farm
        .run(&["watch", "--once", "--poll", "0", "--pull", "1s"])
        .exits(2)
        .says("is in no checkout of git, hg or bzr");
}

#[test]
fn an_upstream_that_is_gone_is_told_of_once() {
    let farm = Versioned::new("git", true);
    fs::rename(&farm.up, farm.up.with_extension("gone")).unwrap();
    let watch = Watch::begin(&farm.watched, &["--poll", "0", "--pull", "1s"]);
    watch.hears("cannot be pulled: git says:");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(watch.said().matches("cannot be pulled").count(), 1, "{}", watch.said());
    fs::rename(farm.up.with_extension("gone"), &farm.up).unwrap();
    farm.manifest(&format!("{SHOP}{PAY}"));
    farm.push("One");
    watch.hears("is brought to");
    assert_eq!(watch.stop(), Some(130));
}

/// The client was killed with farmout: some files are new, one is half of it, and its lock is there.
#[test]
fn a_checkout_that_was_left_half_way_is_mended() {
    for vcs in ["git", "hg", "bzr"] {
        let farm = Versioned::new(vcs, true);
        farm.once().exits(0);
        let id = |arguments: &[&str]| {
            let told = farm.client(arguments);
            told.rsplit(' ').next().unwrap().to_owned()
        };
        let tip = || match vcs {
            "git" => id(&["rev-parse", "HEAD"]),
            "hg" => id(&["log", "-r", ".", "-T", "{node}"]),
            _ => id(&["revision-info"]),
        };
        let from = tip();
        farm.manifest(&format!("{SHOP}{PAY}"));
        fs::write(farm.there("more.cfg"), "[buildout]\n").unwrap();
        fs::write(farm.there("nothing.cfg"), fs::read_to_string(farm.there("nothing.cfg")).unwrap() + "# new\n")
            .unwrap();
        farm.push("One");
        let to = tip();
        match vcs {
            "git" => drop(farm.here(&["fetch", "-q"])),
            "hg" => drop(farm.here(&["pull", "-q"])),
            _ => {}
        }
        let temporary = std::env::temp_dir().join(format!("farmout-pull-test-{}-{vcs}", std::process::id()));
        fs::create_dir_all(temporary.join("files/old")).unwrap();
        let begun = serde_json::json!({ "temporary": temporary, "way": [from, to] });
        fs::write(farm.watched.farm.state().join("watch/pull.json"), begun.to_string()).unwrap();
        fs::copy(farm.there("more.cfg"), farm.farm_file("more.cfg")).unwrap();
        fs::write(farm.farm_file("MANIFEST.cfg"), "[base]\nbuil").unwrap();
        fs::remove_file(farm.farm_file("nothing.cfg")).unwrap();
        match vcs {
            "git" => fs::write(farm.top.join(".git/index.lock"), "").unwrap(),
            "hg" => {}
            _ => fs::create_dir(farm.top.join(".bzr/checkout/limbo")).unwrap(),
        }
        own(&farm.top);
        farm.once().exits(0).says("was on its way when farmout ended, and is whole again").says("is brought to");
        farm.is_at_upstream();
        assert!(!temporary.exists());
        assert!(!farm.watched.farm.state().join("watch/pull.json").exists());
    }
}

/// The clients that a process has called.
fn clients(pid: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    children.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
}

/// As a service manager or a machine that goes down does it: the clients too.
#[test]
fn killed_at_any_moment() {
    let farm = Versioned::new("git", true);
    let (mut pids, mut half_way) = (Vec::new(), 0);
    for round in 0..14 {
        farm.manifest(&format!("{SHOP}# {round}\n"));
        fs::write(farm.there("more.cfg"), format!("# {round}\n")).unwrap();
        farm.push("Round");
        let watch = Watch::begin(&farm.watched, &["--poll", "0", "--pull", "1s"]);
        std::thread::sleep(Duration::from_millis(40 * round));
        pids.push(watch.pid());
        let clients = clients(watch.pid());
        watch.kill();
        for client in clients {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(client), Signal::SIGKILL);
        }
        half_way += usize::from(farm.watched.farm.state().join("watch/pull.json").exists());
    }
    farm.once().exits(0);
    farm.is_at_upstream();
    assert!(half_way > 0, "all were killed while nothing was begun");
    assert!(pids.into_iter().all(|pid| left(pid).is_empty()));
}
