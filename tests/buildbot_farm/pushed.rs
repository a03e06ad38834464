//! Pushes: which builders they start, on which workers, with which databases; what goes between them and the master; and what
//! nobody may read afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::buildbot::fine;
use super::caches;
use super::common::is_root;
use super::common::{other_postgresql, postgresql};
use super::locked::locked_server;
use super::records::{FAILURE, SUCCESS, ended, everything, force, latest};
use super::repository::{Repository, System, buildout};
use super::site::{Site, WORKERS, clusters, server, start};

/// The archive of a release, in a folder that only its owner enters.
fn release(folder: &Path) {
    let releases = folder.join("releases");
    let inside = folder.join("shop-1.0");
    buildout(&inside, "succeeds");
    fs::create_dir_all(releases.join("shop")).unwrap();
    let code = "import sys, tarfile; tarfile.open(sys.argv[1], 'w:bz2').add('shop-1.0')";
    let archive = releases.join("shop/shop-1.0.tar.bz2");
    fine(Command::new("python3").args(["-c", code]).arg(&archive).current_dir(folder));
    let sum = fine(Command::new("md5sum").arg(&archive));
    fs::write(releases.join("shop/shop-1.0.tar.bz2.md5"), sum).unwrap();
    if is_root() {
        // It is the master's to read, and no worker's.
        fine(Command::new("chmod").arg("700").arg(&releases));
    }
}

#[test]
fn a_push_builds_what_it_concerns() {
    let (own, other) = (postgresql().0, other_postgresql());
    let clusters = clusters();
    let cluster = server(&clusters);
    let mut repositories = Vec::new();
    let (locked, asked) = locked_server();
    let mut site = Site::new(&clusters, &cluster, |farm| {
        let folder = farm.directory.path().join("repositories");
        fs::create_dir(&folder).unwrap();
        let systems = [("git", System::Git), ("hg", System::Hg), ("bzr", System::Bzr)];
        repositories.extend(systems.map(|(name, system)| Repository::new(&folder, name, system)));
        release(farm.directory.path());
        format!(
            "[DEFAULT]\ntree-stable-timer = 1\n\
             [in-git]\nbuildout = git {} main buildout.cfg\n\
             [in-hg]\nbuildout = hg {} default buildout.cfg\nbuild-for = postgresql == {own}\n\
             [in-bzr]\nbuildout = bzr {} buildout.cfg\nbuild-for = postgresql == {other}\n\
             [archived]\nbuildout = archive release-dir release buildout.cfg\npackaging.root-dir = {}\nbuild-for =\n\
             db-steps =\npost-buildout-steps = doc\ndoc.sphinx-sourcedir = shop\ndoc.sphinx-bin = bin/sphinx\n\
             doc.upload-dir = shop\ndoc.base-url = https://docs.example/\n\
             [locked]\nbuildout = git http://ann:not-a-t0ken@{locked}/shop main buildout.cfg\nbuild-for =\n",
            repositories[0].url(),
            repositories[1].url(),
            repositories[2].url(),
            farm.directory.path().join("releases").display(),
        )
    });
    let [git, hg, bzr] = &repositories[..] else { unreachable!("there are three systems") };
    site.start();
    let master = &site.master;
    super::looked(master, 3);

    // Exactly these builds, each on the worker that has its PostgreSQL, with a database of its own.
    let pushed = [git.manner("succeeds often"), hg.manner("succeeds often"), bzr.manner("tells")];
    let builds = ended(master, 0, 4);
    let [git_own, git_other, hg_own, bzr_other] =
        [("git", own), ("git", other), ("hg", own), ("bzr", other)].map(|(name, major)| format!("in-{name}-pg{major}"));
    let expected = [(&bzr_other, "zeus", 2), (&git_own, "atlas", 0), (&git_other, "zeus", 0), (&hg_own, "atlas", 1)];
    for (build, (builder, worker, of)) in builds.iter().zip(expected) {
        build.is(master, SUCCESS);
        assert_eq!((&build.builder, build.worker.as_str()), (builder, worker));
        assert_eq!(build.property(master, "revision"), pushed[of].as_str(), "{builder}");
        assert_eq!(build.changes(master), [pushed[of].as_str()], "{builder}");
        let major = if worker == "atlas" { own } else { other };
        let seen = build.log(master, "test");
        assert!(seen.contains(&format!("openerp-buildbot-{builder}|{major}.")), "{seen}");
        let analysed = build.log(master, "analyze-test-log");
        assert!(analysed.contains("no finding"), "{analysed}");
        assert!(build.log_named(master, "inventory", "inventory.json").contains("zc.buildout"));
    }
    // What prints a password shows the name of the secret.
    let told = builds[0].log(master, "test");
    let masked = format!("the password is <zeus-postgresql-{other}-passwd> of builder");
    assert!(told.contains(&masked), "{told}");
    site.is_tidy(&cluster);

    // Both workers lacked the program, or had another: each got it, once.
    let version = format!("farmout-{}", env!("CARGO_PKG_VERSION"));
    for worker in [&site.atlas, &site.zeus] {
        let bin = fs::read_dir(worker.directory().join("bin")).unwrap();
        assert_eq!(bin.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), [version.as_str()]);
    }

    // Tests that fail: the finding is in the log, and beside the step's name.
    let before = latest(master);
    hg.manner("fails");
    let [red] = ended(master, before, 1).try_into().unwrap();
    assert_eq!(red.is(master, FAILURE).builder, hg_own);
    let finding = "module shop: at least one error occurred in a test";
    assert!(red.log(master, "analyze-test-log").contains(finding));
    let summary = red.step(master, "analyze-test-log")["state_string"].as_str().unwrap().to_owned();
    assert!(summary.contains("1 error"), "{summary}");
    assert!(red.state.contains("analyze-test-log") || red.state.contains("1 error"), "{}", red.state);
    // It was there already.
    assert!(!red.log(master, "get-farmout").contains("mv -f"), "{}", red.log(master, "get-farmout"));
    site.is_tidy(&cluster);

    // The master's archive goes to the worker, and what is published to the master.
    let before = latest(master);
    force(master, "archived", &["archived"], &json!({"release-dir": "shop", "release": "shop-1.0"}));
    let [archived] = ended(master, before, 1).try_into().unwrap();
    archived.is(master, SUCCESS);
    let page = master.directory().join("uploads/shop/current/index.html");
    assert_eq!(fs::read_to_string(page).unwrap(), "How it works.");
    let urls = archived.step(master, "upload-doc")["urls"].to_string();
    assert!(urls.contains("https://docs.example/shop/current"), "{urls}");

    // A repository that wants a password gets it, of the fetch as of the poller.
    let before = latest(master);
    while asked.try_recv().is_ok() {}
    force(master, "locked", &["locked"], &json!({}));
    let [refused] = ended(master, before, 1).try_into().unwrap();
    assert!(refused.is(master, FAILURE).log(master, "fetch").contains("shop"));
    // `ann:not-a-t0ken`
    assert!(asked.try_iter().flatten().any(|given| given == "YW5uOm5vdC1hLXQwa2Vu"), "nobody logged in");

    // A worker that has the program is brought none.
    let bin = site.atlas.directory().join("bin");
    site.atlas.stop();
    fs::remove_dir_all(&bin).unwrap();
    let folder = site.folder().to_owned();
    start(&mut site.atlas, folder.to_str().unwrap());
    site.connected();
    let before = latest(&site.master);
    hg.manner("succeeds again");
    let [own_program] = ended(&site.master, before, 1).try_into().unwrap();
    own_program.is(&site.master, SUCCESS);
    assert!(!bin.exists());
    assert_eq!(own_program.property(&site.master, "farmout"), folder.join("farmout").to_str().unwrap());
    site.is_tidy(&cluster);
    nothing_is_told(&site);
    caches::keep(site.atlas.directory());
}

/// No password is in anything that the master tells or logs, or that workers do, or in the farm's data.
#[track_caller]
fn nothing_is_told(site: &Site) {
    let farm = fs::read_to_string(site.master.directory().join("farm.json")).unwrap();
    let everything = everything(&site.master);
    let places = [
        ("the API", everything),
        ("farm.json", farm),
        ("the master's log", site.master.log()),
        ("the log of atlas", site.atlas.log()),
        ("the log of zeus", site.zeus.log()),
    ];
    for (place, text) in &places {
        // Two parts of a password, as the one between them is written otherwise in JSON and for shells.
        for part in ["no-'secret", "no-hex-zyxw", "not-a-t0ken", "YW5uOm5vdC1hLXQwa2Vu", WORKERS] {
            let around = text.find(part).map(|at| {
                let bytes = &text.as_bytes()[at.saturating_sub(300)..text.len().min(at + 100)];
                String::from_utf8_lossy(bytes)
            });
            assert_eq!(around, None, "`{part}` is in {place}");
        }
    }
    assert!(places[0].1.contains("postgresql-"), "no build ran");
}
