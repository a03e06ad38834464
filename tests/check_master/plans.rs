//! The steps that Buildbot would run are those of `farmout plan`, to the letter: of all farms that there are here.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::binary::{farmout, text};
use super::buildbot::environment;
use super::copy::copy;
use super::support::Case;

const FRAGMENT: &str = "[here]\npassword = not-a-secret-a81c\ncapability = postgresql 14 port=5433\n    postgresql 15 \
                        cluster=ephemeral\n    python 3.11\n    memory\n    private-addons-access\n";

/// Renders a farm, and compares what the master would do with what is planned: how many plans there were, or none for a farm
/// that has none.
#[track_caller]
fn compare(farm: &Path) -> Option<usize> {
    let directory = tempfile::tempdir().unwrap();
    let master = directory.path().join("master");
    let within = |command: &[&str]| {
        let mut command = farmout(command);
        command.arg("--farm").arg(farm);
        command
    };
    if !within(&["render", "buildbot"]).arg("-o").arg(&master).output().unwrap().status.success() {
        return None;
    }
    let graph = within(&["compile"]).args(["--emit", "json"]).output().unwrap();
    let graph: Value = serde_json::from_slice(&graph.stdout).unwrap();
    let slaves = graph["slaves"].as_array().unwrap().iter().map(|slave| slave["name"].as_str().unwrap());
    let plans = slaves.map(|slave| within(&["plan"]).args(["--slave", slave]).output().unwrap());
    // A slave that takes no builder has no plan.
    let plans: Vec<String> =
        plans.filter(|output| output.status.success()).map(|output| text(&output.stdout)).collect();
    let mut shown = within(&["check-master", "--dry-run"]);
    let shown = shown.arg(&master).arg("--buildbot").arg(environment()).output().unwrap();
    let said = text(&shown.stderr);
    assert!(shown.status.success() && said.is_empty(), "{}: {said}", farm.display());
    let (shown, planned) = (text(&shown.stdout), plans.join("\n"));
    if shown != planned {
        let mut message = format!("{}:\n", farm.display());
        for (shown, planned) in shown.lines().zip(planned.lines()).filter(|(shown, planned)| shown != planned) {
            let _ = writeln!(message, "  planned {planned}\n  shown   {shown}");
        }
        panic!("{message}");
    }
    Some(planned.matches("\n  directory ").count())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

#[test]
fn of_farms_for_each_rule_of_the_language() {
    let mut farms: Vec<PathBuf> = fs::read_dir(fixture("compat")).unwrap().map(|entry| entry.unwrap().path()).collect();
    farms.sort();
    // Starting Python takes a second: two at a time.
    let compared: Vec<Option<usize>> = std::thread::scope(|scope| {
        let halves: Vec<_> = [0, 1]
            .map(|half| {
                let farms = farms.iter().skip(half).step_by(2);
                scope.spawn(move || farms.map(|farm| compare(farm)).collect::<Vec<_>>())
            })
            .into_iter()
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let farms = compared.iter().flatten().count();
    let plans: usize = compared.iter().flatten().sum();
    assert!(farms >= 40 && plans >= 150, "{farms} farms, {plans} plans");
}

#[test]
fn of_farms_with_every_template_and_of_old_ones() {
    for farm in ["templates", "historic", "own", "sources"] {
        assert!(compare(&fixture(farm)).is_some_and(|plans| plans > 0), "{farm}");
    }
}

#[test]
fn of_the_sample_farm() {
    let farm = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("buildouts");
    copy(&sample, &farm.path().join("buildouts"));
    fs::write(farm.path().join("slaves.cfg"), FRAGMENT).unwrap();
    assert!(compare(farm.path()).is_some_and(|plans| plans > 0));
}

/// Where there are too many ways to compare each, every builder and every worker is looked at all the same.
#[test]
fn of_a_farm_of_many_builders_and_workers() {
    let mut manifest = String::new();
    let mut fragment = String::new();
    for number in 0..60 {
        let _ = write!(manifest, "[b{number}]\nbuildout = git https://git.example/{number} main b.cfg\nwatch =\n\n");
        let _ = write!(
            fragment,
            "[s{number}]\npassword = not-a-secret-{number}\ncapability = postgresql 15 port={}\n\n",
            5000 + number
        );
    }
    let case = Case::of(&manifest, &fragment);
    case.render();
    let said = case.right();
    assert!(said.contains("119 plans compared with those of `farmout plan`, which stand for 3600\n"), "{said}");
}
