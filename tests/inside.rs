//! What `farmout compile` sees inside buildouts, through the binary.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::process::Output;

use common::binary::{farmout, text};
use common::snapshot::snapshot;
use serde_json::Value;

fn compile(arguments: &[&str]) -> Output {
    farmout(&["compile"]).args(arguments).output().unwrap()
}

fn graph(farm: &str) -> Value {
    let output = compile(&["--farm", farm, "--emit", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What each build watches, as lines of `watch`.
fn watched(build: &Value) -> Vec<String> {
    let word = |watch: &Value, key: &str| watch[key].as_str().unwrap().to_owned();
    let watches = build["watch"].as_array().unwrap().iter();
    let lines = watches.map(|watch| ["vcs", "url", "branch"].map(|key| word(watch, key)).join(" "));
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn every_mistake_inside_is_reported_at_its_place_in_one_run() {
    let output = compile(&["--farm", "fixtures/inside/mistakes"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(!told.contains("hunter"), "a password is shown:\n{told}");
    snapshot!("inside-mistakes", told);
}

#[test]
fn a_configuration_that_uses_the_whole_language_is_clean() {
    let told = text(&compile(&["--farm", "fixtures/inside/clean"]).stderr);
    // The warning is that the farm has no slave.
    assert!(told.starts_with("slave::none\n") && told.contains("\n1 warning: 6 builds,"), "{told}");
}

#[test]
fn live_sources_are_watched() {
    let graph = graph("fixtures/inside/clean");
    let mut told = String::new();
    for build in graph["builds"].as_array().unwrap() {
        told += &format!("[{}]\n", build["name"].as_str().unwrap());
        told.extend(watched(build).into_iter().map(|line| format!("{line}\n")));
    }
    snapshot!("inside-watch", told);
}

#[test]
fn the_sample_farms_are_clean() {
    for arguments in [["--farm", "."], ["--manifest", "buildouts/openerp.cfg"]] {
        let told = text(&compile(&arguments).stderr);
        assert!(!told.contains("buildout::"), "{told}");
    }
}

/// The table of `fixtures/historic/EXPECTED.md`, which was worked out by hand.
#[test]
fn the_historic_farm_watches_what_was_worked_out_by_hand() {
    let expected = std::fs::read_to_string("fixtures/historic/EXPECTED.md").unwrap();
    let rows = expected.lines().skip_while(|line| !line.starts_with("| configuration |")).skip(2);
    let mut compared = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').collect();
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let configuration = quoted(cells[1]).remove(0);
        let mut live: Vec<String> = quoted(cells[2]).iter().map(|branch| launchpad(branch)).collect();
        live.sort();
        for build in graph("fixtures/historic")["builds"].as_array().unwrap() {
            let buildout = build["buildout"].as_str().unwrap_or_default();
            // Its `watch` is empty: nothing at all.
            let never = build["name"] == "openerp-6.1-nightly";
            if !buildout.ends_with(&configuration) {
                continue;
            }
            let mut branches: Vec<_> = watched(build).into_iter().filter(|line| line.starts_with("bzr ")).collect();
            branches.sort();
            assert_eq!(branches, if never { Vec::new() } else { live.clone() }, "{}", build["name"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

fn launchpad(branch: &str) -> String {
    let name = branch.strip_prefix("lp:").unwrap();
    let series = if name.starts_with('~') { "" } else { "+branch/" };
    format!("bzr https://bazaar.launchpad.net/{series}{name}")
}

/// A farm of one build whose configuration is `text`, beside other files.
fn farm(text: &str, others: &[(&str, String)]) -> tempfile::TempDir {
    let farm = tempfile::tempdir().unwrap();
    let buildouts = farm.path().join("buildouts");
    std::fs::create_dir_all(buildouts.join("d")).unwrap();
    std::fs::write(buildouts.join("MANIFEST.cfg"), "[a]\nbuildout = standalone a.cfg with=d\n").unwrap();
    std::fs::write(buildouts.join("a.cfg"), text).unwrap();
    for (name, text) in others {
        std::fs::write(buildouts.join("d").join(name), text).unwrap();
    }
    farm
}

#[test]
fn what_multiplies_comes_to_an_end() {
    let part = "[buildout]\nparts = openerp\n[openerp]\nrecipe = anybox.recipe.openerp:server\n";
    let doubled = |line: &dyn Fn(usize) -> String| (0..60).map(line).collect::<String>();
    let macros = format!("{part}<= s0\n{}[s60]\n", doubled(&|n| format!("[s{n}]\n<= s{0}\n s{0}\n", n + 1)));
    let references =
        format!("{part}version = ${{:o0}}\n{}", doubled(&|n| format!("o{n} = ${{:o{0}}}${{:o{0}}}\n", n + 1)));
    let files: Vec<_> = (0..60)
        .map(|n| format!("[buildout]\nextends = f{0}.cfg f{0}.cfg\n", n + 1))
        .enumerate()
        .map(|(n, text)| (format!("f{n}.cfg"), text))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (&**name, text.clone())).collect();
    let deep: String = (0..4000).map(|n| format!("[s{n}]\n<= s{}\no = ${{s{}:o}}\n", n + 1, n + 1)).collect();
    let farms = [
        farm(&macros, &[]),
        farm(&references, &[]),
        farm("[buildout]\nextends = d/f0.cfg\n", &files),
        farm(&format!("{part}<= s0\nversion = ${{s0:o}}\n{deep}"), &[]),
    ];
    for farm in farms {
        let output = compile(&["--farm", farm.path().to_str().unwrap()]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output.stderr));
    }
}
