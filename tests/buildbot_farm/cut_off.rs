//! Builds at the same time on one worker, a farm that changes meanwhile, and builds that are cut off: by the end of their worker,
//! or by somebody who stops them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::buildbot::{Master, Worker};
use super::common::{other_postgresql, postgresql, running};
use super::records::{Build, CANCELLED, RETRY, SUCCESS, builds, ended, force, latest, says};
use super::repository::{Repository, System};
use super::site::{Site, WORKERS, clusters, server, start};

/// When a step had its lock, in seconds.
fn held(build: &Build, master: &Master, step: &str) -> (u64, u64) {
    let step = build.step(master, step);
    (step["locks_acquired_at"].as_u64().unwrap(), step["complete_at"].as_u64().unwrap())
}

/// The port that a step reserved.
fn port(build: &Build, master: &Master) -> u16 {
    build.property(master, "http-port").as_str().unwrap().parse().unwrap()
}

/// The names of the master's builders.
fn builders(master: &Master) -> Vec<String> {
    let builders = master.get("builders");
    let at_work = |builder: &&Value| builder["masterids"].as_array().is_some_and(|masters| !masters.is_empty());
    let names = builders.as_array().unwrap().iter().filter(at_work);
    let mut names: Vec<_> = names.map(|builder| builder["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_left_of_what_is_cut_off() {
    let (own, other) = (postgresql().0, other_postgresql());
    let clusters = clusters();
    let cluster = server(&clusters);
    let mut made = None;
    let mut go = PathBuf::new();
    let mut site = Site::new(&clusters, &cluster, |farm| {
        let folder = farm.directory.path().join("repositories");
        fs::create_dir(&folder).unwrap();
        go = farm.directory.path().join("go");
        let git = made.insert(Repository::new(&folder, "git", System::Git));
        format!(
            "[DEFAULT]\nbuildout = git {} main buildout.cfg\nwatch =\nauto-watch = false\nodoo.use-port = true\n\
             [first]\n[second]\n[third]\nbuild-for = postgresql == {own}\n",
            git.url()
        )
    });
    let git = made.unwrap();
    site.start();
    let (first, second) = (format!("first-pg{own}"), format!("second-pg{own}"));
    git.manner(&format!("waits {}", go.display()));

    // Two at once on a worker: one of them at a time has the lock of the caches, and each has a port of its own.
    let master = &site.master;
    force(master, "first", &[&first], &json!({}));
    force(master, "second", &[&second], &json!({}));
    let at_once = [&first, &second].map(|builder| says(master, 0, builder, "test", "waiting"));
    assert_ne!(port(&at_once[0], master), port(&at_once[1], master));
    for step in ["bootstrap", "buildout"] {
        for other in ["bootstrap", "buildout"] {
            let ((from, to), (from_2, to_2)) = (held(&at_once[0], master, step), held(&at_once[1], master, other));
            // These are whole seconds, and a step is complete a moment after it gave its lock back; both at once would take longer.
            assert!(to <= from_2 + 2 || to_2 <= from + 2, "{step} {from}-{to}, {other} {from_2}-{to_2}");
        }
    }

    // The farm changes while they are at work: an idle build and a busy one are called otherwise now, and a slave comes.
    site.farm.edit("buildouts/MANIFEST.cfg", "[third]\n", "[fourth]\n");
    site.farm.edit("buildouts/MANIFEST.cfg", "[second]\n", "[fifth]\n");
    let slaves = fs::read_to_string(site.farm.root.join("slaves.cfg")).unwrap();
    fs::write(site.farm.root.join("slaves.cfg"), format!("{slaves}[borea]\ncapability = postgresql {own}\n")).unwrap();
    site.render();
    site.master.reconfig().unwrap();
    let both = |build: &str| [own, other].map(|major| format!("{build}-pg{major}"));
    let (fourth, is_left) = ([format!("fourth-pg{own}")], [second.clone()]);
    assert_eq!(
        builders(&site.master),
        [both("fifth"), both("first")].concat().iter().chain(&fourth).chain(&is_left).cloned().collect::<Vec<_>>()
    );
    // Its password is another one then.
    let password = site.master.directory().join("secrets/borea-worker-password");
    assert_eq!(fs::read_to_string(&password).unwrap(), WORKERS);
    fs::write(password, "not-that-secret\n").unwrap();
    site.master.reconfig().unwrap();
    let mut borea = Worker::create(&site.folder().join("borea"), &site.master, "borea", "not-that-secret");
    start(&mut borea, "");
    site.connected();
    borea.stop();
    assert!(builds(&site.master).iter().all(|build| build.results.is_none()));
    fs::write(&go, "").unwrap();
    for build in ended(&site.master, 0, 2) {
        build.is(&site.master, SUCCESS);
    }
    site.is_tidy(&cluster);
    // The builder that was left goes when nobody needs it, and the slave with it.
    site.farm.edit("buildouts/MANIFEST.cfg", "[fifth]\n", "[second]\n");
    fs::write(site.farm.root.join("slaves.cfg"), slaves).unwrap();
    site.render();
    site.master.reconfig().unwrap();
    assert_eq!(builders(&site.master), [both("first").as_slice(), &fourth, &both("second")].concat());
    let before = latest(&site.master);
    force(&site.master, "fourth", &[&format!("fourth-pg{own}")], &json!({}));
    ended(&site.master, before, 1)[0].is(&site.master, SUCCESS);

    // A worker dies. What its build has started lives on, until the worker is back and the build is tried again.
    fs::remove_file(&go).unwrap();
    let before = latest(&site.master);
    force(&site.master, "first", &[&first], &json!({}));
    says(&site.master, before, &first, "test", "waiting");
    site.atlas.kill();
    let alive = running(site.atlas.directory());
    assert!(alive.iter().any(|line| line.starts_with("sleep 3600")), "{alive:?}");
    assert!(alive.iter().any(|line| line.contains("postgres")), "{alive:?}");
    fs::write(&go, "").unwrap();
    start(&mut site.atlas, "");
    let tried = ended(&site.master, before, 2);
    tried[0].is(&site.master, RETRY);
    tried[1].is(&site.master, SUCCESS);
    assert!(tried[1].log(&site.master, "workspace").contains("sleep 3600"), "{}", tried[1].told(&site.master));
    site.is_tidy(&cluster);

    // Somebody stops a build.
    fs::remove_file(&go).unwrap();
    let before = latest(&site.master);
    force(&site.master, "first", &[&first], &json!({}));
    let stopped = says(&site.master, before, &first, "test", "waiting");
    site.master.call(&format!("builds/{}", stopped.id), "stop", &json!({"reason": "enough"})).unwrap();
    let [stopped] = ended(&site.master, before, 1).try_into().unwrap();
    stopped.is(&site.master, CANCELLED);
    let cleaned_up = stopped.succeeded(&site.master);
    let last = ["release-port", "drop-database", "stop-cluster", "workspace-end"];
    assert!(cleaned_up.ends_with(&last.map(str::to_owned)), "{}", stopped.told(&site.master));
    site.is_tidy(&cluster);

    // A build is cut off and never tried again: the next one on the worker cleans up after it, whatever it builds.
    let (first, second) = (format!("first-pg{other}"), format!("second-pg{other}"));
    let before = latest(&site.master);
    force(&site.master, "first", &[&first], &json!({}));
    let lost = says(&site.master, before, &first, "test", "waiting");
    site.zeus.kill();
    let request = site.master.get(&format!("builds/{}", lost.id))[0]["buildrequestid"].clone();
    site.master.until("builds", |_| builds(&site.master).last().unwrap().results);
    site.master.call(&format!("buildrequests/{request}"), "cancel", &json!({"reason": "enough"})).unwrap();
    assert_eq!(cluster.databases().trim(), format!("openerp-buildbot-{first}"));
    fs::write(&go, "").unwrap();
    start(&mut site.zeus, "");
    site.connected();
    force(&site.master, "second", &[&second], &json!({}));
    let [lost, next] = ended(&site.master, before, 2).try_into().unwrap();
    lost.is(&site.master, RETRY);
    next.is(&site.master, SUCCESS);
    let performed = next.succeeded(&site.master);
    for step in [format!("drop-database of {first}"), format!("release-port of {first}"), format!("end of {first}")] {
        assert!(performed.contains(&step), "{}", next.told(&site.master));
    }
    site.is_tidy(&cluster);
}
