//! Dispatch against a model of it that is as simple as can be: for each build it looks at each slave, one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use camino::Utf8PathBuf;
use farmout::dispatch::{Graph, refusal};
use farmout::model::{Build, Version};
use farmout::resolve::Layout;

#[path = "../benches/support/mod.rs"]
mod support;

/// A builder: its name, its versions as they are spelled, its slaves in order.
type Plain = (String, Vec<(String, String)>, Vec<String>);

fn graph(root: &Path) -> Graph {
    let root = Utf8PathBuf::from_path_buf(root.to_owned()).unwrap();
    let compilation = farmout::compile(&Layout { root, ..Layout::default() }).unwrap_or_else(|_| panic!("no farm"));
    assert!(!compilation.diagnostics.has_errors(), "{:?}", compilation.diagnostics);
    compilation.graph
}

fn compiled(graph: &Graph) -> Vec<Plain> {
    let text = |version: &Option<Version>| version.as_ref().map_or_else(String::new, Version::to_string);
    let slave = |slave: usize| graph.farm.slaves[slave].name.clone();
    graph
        .builders
        .iter()
        .map(|builder| {
            assert_eq!(builder.slaves.len(), builder.slaves.iter().count());
            assert!(!builder.slaves.is_empty() && builder.slaves.iter().all(|slave| builder.slaves.contains(slave)));
            let chosen = builder.chosen.iter().map(|(name, version)| (name.clone(), text(version))).collect();
            (builder.name.clone(), chosen, builder.slaves.iter().map(slave).collect())
        })
        .collect()
}

fn naive(graph: &Graph) -> Vec<Plain> {
    let mut builders = Vec::new();
    for build in graph.farm.builds.iter().filter(|build| build.buildout.is_some()) {
        let able = (0..graph.farm.slaves.len()).filter(|slave| refusal(build, &graph.farm.slaves[*slave]).is_none());
        split(graph, build, 0, Vec::new(), able.collect(), &mut builders);
    }
    builders
}

fn split(
    graph: &Graph,
    build: &Build,
    depth: usize,
    chosen: Vec<(String, String)>,
    mut slaves: Vec<usize>,
    builders: &mut Vec<Plain>,
) {
    if slaves.is_empty() {
        return;
    }
    let Some(dispatch) = build.dispatch.get(depth) else {
        let all = &graph.farm.slaves;
        slaves.sort_by(|one, two| {
            let by_priority = all[*two].priority.value.total_cmp(&all[*one].priority.value);
            by_priority.then_with(|| all[*one].name.cmp(&all[*two].name))
        });
        let suffix: String = chosen
            .iter()
            .map(|(name, version)| format!("-{}{version}", graph.farm.declarations.abbreviation(name)))
            .collect();
        let names = slaves.iter().map(|slave| all[*slave].name.clone()).collect();
        builders.push((format!("{}{suffix}", build.name), chosen, names));
        return;
    };
    if dispatch.not_used {
        return split(graph, build, depth + 1, chosen, slaves, builders);
    }
    let capability = &dispatch.requirement.capability;
    // Of several spellings of a version that these slaves use, the shortest gives the name.
    let mut versions: BTreeMap<Option<Version>, (String, Vec<usize>)> = BTreeMap::new();
    for slave in slaves {
        for offer in graph.farm.slaves[slave].capabilities.get(capability).into_iter().flatten() {
            let version = offer.version.as_ref();
            let mut required = build.requires.iter().filter(|requirement| requirement.capability == *capability);
            if dispatch.requirement.filter.allows(version) && required.all(|other| other.filter.allows(version)) {
                let spelled = version.map_or_else(String::new, Version::to_string);
                let (text, slaves) =
                    versions.entry(offer.version.clone()).or_insert_with(|| (spelled.clone(), Vec::new()));
                if (spelled.len(), &spelled) < (text.len(), text) {
                    *text = spelled;
                }
                slaves.push(slave);
            }
        }
    }
    for (spelled, slaves) in versions.into_values() {
        let chosen = chosen.iter().cloned().chain([(capability.clone(), spelled)]).collect();
        split(graph, build, depth + 1, chosen, slaves, builders);
    }
}

#[test]
fn a_farm_made_by_rule_has_the_builders_of_the_simple_model() {
    let farm = tempfile::tempdir().unwrap();
    support::FarmText::new(45, 120).write(farm.path()).unwrap();
    let graph = graph(farm.path());
    let builders = compiled(&graph);
    assert!(builders.len() > 900, "{}", builders.len());
    assert_eq!(builders, naive(&graph));
}

#[test]
fn small_farms_made_by_chance_have_the_builders_of_the_simple_model() {
    // Numbers that look like chance and are the same each time.
    let mut state = 1_u64;
    let mut chance = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut some = 0;
    for _ in 0..60 {
        let (mut manifest, mut slaves) = (String::new(), String::new());
        let versions = ["", " 9.3", " 09.3", " 9.3.0", " 10", " 10-devel", " 10-acme", " 11"];
        let filters = ["", " >= 9.3", " != 9.3", " < 10 OR == 11", " == 10-acme", " > 09.3 <= 11"];
        for slave in 0..chance(9) + 1 {
            let _ = writeln!(slaves, "[s{slave}]\npassword = of-the-slave-{slave}\nslave_priority = {}", chance(3));
            if chance(5) == 0 {
                let _ = writeln!(slaves, "build-only-if-requires = {}", ["aa", "aa, bb"][chance(2)]);
            }
            slaves.push_str("capability =\n");
            for capability in ["aa", "bb", "cc"] {
                for _ in 0..chance(4) {
                    let _ = writeln!(slaves, "    {capability}{}", versions[chance(versions.len())]);
                }
            }
        }
        for build in 0..chance(6) + 1 {
            let _ = writeln!(manifest, "[b{build}]\nbuildout = git https://x.example/b{build} main b.cfg\nbuild-for =");
            for capability in ["aa", "bb", "cc"] {
                match chance(4) {
                    0 => {}
                    1 => drop(writeln!(manifest, "    {capability} not-used")),
                    _ => drop(writeln!(manifest, "    {capability}{}", filters[chance(filters.len())])),
                }
            }
            manifest.push_str("build-requires =\n");
            for _ in 0..chance(3) {
                let _ = writeln!(manifest, "    {}{}", ["aa", "bb"][chance(2)], filters[chance(filters.len())]);
            }
        }
        let farm = tempfile::tempdir().unwrap();
        fs::create_dir(farm.path().join("buildouts")).unwrap();
        fs::write(farm.path().join("buildouts/MANIFEST.cfg"), &manifest).unwrap();
        fs::write(farm.path().join("slaves.cfg"), &slaves).unwrap();
        let graph = graph(farm.path());
        let builders = compiled(&graph);
        some += builders.len();
        assert_eq!(builders, naive(&graph), "{manifest}\n{slaves}");
    }
    assert!(some > 300, "{some}");
}
