//! `farmout render buildbot --masters`: a farm split among several Buildbot masters, and what a real Buildbot makes of the parts.

mod common {
    pub mod binary;
    pub mod buildbot;
}

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::binary::{farmout, text};
use common::buildbot::{fine, program};
use serde_json::Value;
use tempfile::TempDir;

/// A farm of so many builds on three slaves, two of which have a limit.
fn farm(builds: usize) -> TempDir {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    manifest(&farm, builds);
    let fragment = farm.path().join("slaves.cfg");
    let slaves = "[DEFAULT]\npassword = not-a-secret\n\n\
        [atlas]\ncapability = postgresql 14 port=5433\n    postgresql 15 port=5434\nmax_builds = 5\n\n\
        [rhea]\ncapability = postgresql 15 cluster=ephemeral bin=/opt/pg15/bin\nmax_builds = 1\n\n\
        [zeus]\ncapability = postgresql 16 passwd=not-a-secret\n    private-code\n";
    fs::write(&fragment, slaves).unwrap();
    fs::set_permissions(fragment, fs::Permissions::from_mode(0o600)).unwrap();
    farm
}

fn manifest(farm: &TempDir, builds: usize) {
    let mut manifest = String::new();
    for build in 0..builds {
        let _ = write!(
            manifest,
            "[project-{build}]\nbuildout = git https://git.example/project-{build} main buildout.cfg\n\
             watch = git https://git.example/addons-{} {}\n",
            build / 4,
            ["main", "next"][build % 2],
        );
        if build % 5 == 0 {
            manifest.push_str("build-requires = private-code\n");
        }
    }
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
}

/// Renders the farm for so many masters: what is said, and their directories.
#[track_caller]
fn render(farm: &TempDir, masters: usize) -> (String, Vec<PathBuf>) {
    let number = masters.to_string();
    let arguments = ["render", "buildbot", "--masters", &number, "-o", "masters"];
    let output = farmout(&arguments).current_dir(farm.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let directories = (1..=masters).map(|number| farm.path().join(format!("masters/master-{number}")));
    (text(&output.stderr), directories.collect())
}

fn data(directory: &Path) -> Value {
    serde_json::from_slice(&fs::read(directory.join("farm.json")).unwrap()).unwrap()
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// Each builder with all that is said of it, numbers replaced by what they stand for.
fn whole(data: &Value) -> BTreeMap<String, Value> {
    let at = |list: &str, number: &Value| data[list][usize::try_from(number.as_u64().unwrap()).unwrap()].clone();
    let builders = data["builders"].as_array().unwrap().iter().cloned();
    let builders = builders.map(|mut builder| {
        let mut offers = at("offers", &builder["offers"]);
        offers.as_object_mut().unwrap().values_mut().for_each(|number| *number = at("settings", number));
        let mut procedure = at("procedures", &builder["procedure"]);
        procedure["steps"].as_array_mut().unwrap().iter_mut().for_each(|number| *number = at("steps", number));
        builder["offers"] = offers;
        builder["procedure"] = procedure;
        (builder["name"].as_str().unwrap().to_owned(), builder)
    });
    builders.collect()
}

#[test]
fn each_builder_is_on_one_master_and_is_what_it_would_be_on_a_single_one() {
    let farm = farm(20);
    let output = farmout(&["render", "buildbot", "-o", "single"]).current_dir(farm.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let single = data(&farm.path().join("single"));
    let (_, directories) = render(&farm, 3);
    let (mut together, mut builds) = (BTreeMap::new(), BTreeMap::new());
    for (directory, number) in directories.iter().zip(1..) {
        let part = data(directory);
        assert_eq!((part["master"]["number"].as_u64(), part["master"]["of"].as_u64()), (Some(number), Some(3)));
        let own = whole(&part);
        assert!(!own.is_empty());
        // What nobody here asks for is with the masters that have it.
        let offered = own.values().flat_map(|builder| builder["offers"].as_object().unwrap().keys());
        let offered: BTreeSet<&String> = offered.collect();
        assert_eq!(part["workers"].as_object().unwrap().keys().collect::<BTreeSet<_>>(), offered);
        for list in ["settings", "offers", "steps", "procedures"] {
            let length = part[list].as_array().unwrap().len();
            assert!(length > 0 && length <= single[list].as_array().unwrap().len(), "{list}");
        }
        let of: BTreeSet<&str> = own.values().map(|builder| builder["build"].as_str().unwrap()).collect();
        assert_eq!(names(&part["builds"]).iter().map(String::as_str).collect::<BTreeSet<_>>(), of);
        for build in part["builds"].as_array().unwrap() {
            builds.insert(build["name"].as_str().unwrap().to_owned(), build.clone());
        }
        let mut all = [names(&part["builds"]), names(&part["elsewhere"])].concat();
        all.sort();
        let mut expected = names(&single["builds"]);
        expected.sort();
        assert_eq!(all, expected);
        assert_eq!(part["branches"], single["branches"]);
        let count = together.len() + own.len();
        together.extend(own);
        assert_eq!(together.len(), count, "two masters have the same builder");
    }
    assert_eq!(together, whole(&single));
    let expected = single["builds"].as_array().unwrap().iter();
    assert!(expected.eq(names(&single["builds"]).iter().map(|name| &builds[name])));
}

#[test]
fn the_same_farm_is_split_in_the_same_way_and_a_new_build_moves_few() {
    let farm = farm(20);
    let read = |directories: &[PathBuf]| -> Vec<Vec<u8>> {
        directories.iter().map(|directory| fs::read(directory.join("farm.json")).unwrap()).collect()
    };
    let first = read(&render(&farm, 3).1);
    fs::remove_dir_all(farm.path().join("masters")).unwrap();
    let (_, directories) = render(&farm, 3);
    assert_eq!(read(&directories), first);
    let masters = |directories: &[PathBuf]| -> BTreeMap<String, usize> {
        let of = |(number, directory): (usize, &PathBuf)| {
            names(&data(directory)["builds"]).into_iter().map(move |name| (name, number)).collect::<Vec<_>>()
        };
        directories.iter().enumerate().flat_map(of).collect()
    };
    let before = masters(&directories);
    manifest(&farm, 21);
    let after = masters(&render(&farm, 3).1);
    assert_eq!(after.len(), 21);
    let moved = before.iter().filter(|(name, master)| after[*name] != **master).count();
    assert!(moved <= 4, "{moved} of 20 builds moved");
}

#[test]
fn what_a_worker_may_build_is_divided() {
    let farm = farm(20);
    let (said, directories) = render(&farm, 3);
    let most = |worker: &str| -> Vec<Option<u64>> {
        directories.iter().map(|directory| data(directory)["workers"][worker]["max_builds"].as_u64()).collect()
    };
    let mut atlas = most("atlas");
    atlas.sort();
    assert_eq!(atlas, [Some(1), Some(2), Some(2)]);
    assert_eq!(most("rhea"), [Some(1); 3]);
    assert_eq!(most("zeus"), [None; 3]);
    assert!(said.contains("the worker `rhea` may have more builds at a time than its `max_builds`"), "{said}");
    assert!(!said.contains("`atlas`") && !said.contains("`zeus`"), "{said}");
}

#[test]
fn masters_that_are_too_many_are_told() {
    let farm = farm(2);
    let arguments = ["render", "buildbot", "--masters", "3", "-o", "masters"];
    let output = farmout(&arguments).current_dir(farm.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("--masters 3: all builders of a build are on one master, and the farm has 2 builds"),
        "{said}"
    );
    assert!(!farm.path().join("masters").exists());

    let farm = self::farm(20);
    assert!(!render(&farm, 3).0.contains("of a farm for more masters"));
    let (said, _) = render(&farm, 2);
    assert!(said.contains("masters/master-3: of a farm for more masters; stop that one"), "{said}");
}

/// What `farm.py` makes of a master's data: the names of its schedulers and of its pollers with their branches.
const MADE: &str = "
import json, sys
from farm import Farm
farm, c = Farm(sys.argv[1], change_hook='hook', sendchange='hook'), {}
farm.configure(c)
pollers = {source.name: sorted(getattr(source, '_config_kwargs', {}).get('branches') or []) for source in c['change_source']}
print(json.dumps({
    'schedulers': [scheduler.name for scheduler in c['schedulers']],
    'sources': pollers,
    'hook': 'change_hook_dialects' in c.get('www', {}),
}))
";

#[test]
fn buildbot_takes_all_parts_and_what_masters_share_is_there_once() {
    let farm = farm(20);
    let (_, directories) = render(&farm, 3);
    let home = farm.path();
    let (mut watching, mut forcing) = (BTreeSet::new(), Vec::new());
    let mut pollers = Vec::new();
    for (number, directory) in directories.iter().enumerate() {
        fine(program("buildbot", home).args(["create-master", "--quiet", "-r"]).arg(directory));
        let said = fine(program("buildbot", home).arg("checkconfig").arg(directory));
        assert_eq!(said, "Config file is good!\n");
        let made = fine(program("python", home).env("PYTHONPATH", directory).args(["-c", MADE]).arg(directory));
        let made: Value = serde_json::from_str(&made).unwrap();
        assert_eq!(made["hook"], Value::Bool(number == 0));
        for name in made["schedulers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()) {
            if name.starts_with("force-") {
                forcing.push((number, name));
            } else {
                assert!(watching.insert(name.clone()), "{name} is on two masters: only one of them would be at work");
            }
        }
        let mut sources = made["sources"].as_object().unwrap().clone();
        assert_eq!(sources.remove("farmout-sendchange").is_some(), number == 0);
        pollers.push(sources);
    }
    // The web pages of the first master know of no other master's.
    assert_eq!((watching.len(), forcing.len()), (20, 20));
    assert!(forcing.iter().all(|(number, _)| *number == 0), "{forcing:?}");
    // Of pollers of one name, one is at work: so each of them looks at all branches.
    let addons: Vec<&Value> =
        pollers[0].iter().filter(|(name, _)| name.contains("addons")).map(|(_, branches)| branches).collect();
    assert_eq!(addons.len(), 5);
    assert!(addons.iter().all(|branches| branches.as_array().unwrap().len() == 2), "{pollers:?}");
    assert!(pollers.iter().all(|of_master| *of_master == pollers[0]));
}
