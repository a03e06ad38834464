//! Whether the rendered files are those of the farm.

use std::fs;

use super::binary::{farmout, text};
use super::buildbot::environment;
use super::snapshot::snapshot;
use super::support::Case;

#[test]
fn a_master_that_was_just_rendered_is_in_order_and_stays_as_it_is() {
    let case = Case::new();
    let before = case.everything();
    snapshot!("check-master-right", case.right());
    assert_eq!(case.everything(), before);
}

#[test]
fn a_farm_that_has_changed_is_told_in_its_own_words() {
    let case = Case::new();
    case.write(
        "farm/buildouts/MANIFEST.cfg",
        "[shop]\nbuildout = git https://git.example/shop next buildout.cfg\nbuild-for = postgresql >= 14\nwatch =\n\
         \n[docs]\nbuildout = git https://git.example/docs main buildout.cfg\nwatch =\n",
    );
    case.edit("farm/slaves.cfg", "\n[zeus]", "max_builds = 3\n\n[zeus]");
    snapshot!("check-master-changed", case.wrong());
    case.render();
    case.right();
}

#[test]
fn a_change_that_reaches_workers_alone_is_told_as_such() {
    let case = Case::new();
    case.edit("farm/slaves.cfg", "port=5434", "port=6434");
    let said = case.wrong();
    assert!(said.contains("builders that are others now: shop-pg15 (workers), crm"), "{said}");
    assert!(!said.contains("builds that"), "{said}");
}

#[test]
fn files_that_are_missing_or_others_are_told() {
    let case = Case::new();
    fs::remove_file(case.path("master/farm.json")).unwrap();
    let loader = fs::read_to_string(case.path("master/farm.py")).unwrap();
    case.write("master/farm.py", &(loader.clone() + "\n# mine\n"));
    let mut said = case.wrong();
    case.write("master/farm.py", &loader);
    case.render();
    let data = fs::read_to_string(case.path("master/farm.json")).unwrap();
    for damaged in [
        data.replace("\"farmout_farm\": 1", "\"farmout_farm\": 7"),
        data[..data.len() / 2].to_owned(),
        data.replacen(env!("CARGO_PKG_VERSION"), "0.0.1", 1),
        data.replacen(": ", " : ", 1),
        data.replacen('{', "{\"note\": \"mine\", ", 1),
        data.replacen("\"files\": {}", "\"files\": {\"0a\": \"unused\"}", 1),
    ] {
        case.write("master/farm.json", &damaged);
        let report = case.wrong();
        said += report[report.find("error[not-current]").unwrap()..].split("\n\n").next().unwrap();
        said += "\n\n";
    }
    snapshot!("check-master-files", said);
}

#[test]
fn a_farm_that_does_not_compile_is_told_as_by_compile() {
    let case = Case::new();
    case.write("farm/buildouts/MANIFEST.cfg", "[shop]\nbuildout = nonsense\n");
    let output = case.check(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("the farm does not compile: 1 error"), "{}", text(&output.stderr));
}

#[test]
fn wrong_use_is_told() {
    let case = Case::new();
    for (arguments, said) in [
        (&["--buildbot", "/nowhere/buildbot"][..], "error: /nowhere/buildbot is no program\n"),
        (&["shop-*"], "required arguments were not provided"),
        (&["--dry-run", "nothing"], "error: no builder is called `nothing`\n"),
        (&["--timeout", "soon"], "write a time such as 90s, 10m or 2h"),
        (&["--dry-run", "--slave", "hera"], "error: there is no slave `hera` in this farm\n"),
    ] {
        let mut command = super::binary::farmout(&["check-master", "master", "--farm", "farm"]);
        let output = command.args(arguments).current_dir(case.directory.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
    for (directory, told) in [
        ("nowhere", "`farmout render buildbot --farm farm -o nowhere` makes a master's directory"),
        ("master", "error: no temporary directory can be made in /nowhere: No such file or directory\n"),
    ] {
        let mut command = super::binary::farmout(&["check-master", directory, "--farm", "farm", "--buildbot"]);
        let output = command.arg(environment()).current_dir(case.directory.path()).env("TMPDIR", "/nowhere").output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
}

#[test]
fn programs_can_read_it() {
    let case = Case::new();
    case.edit("farm/slaves.cfg", "port=5434", "port=6434");
    let output = case.check(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["farmout-check-master"], &report["errors"]), (&1.into(), &1.into()));
    assert_eq!(report["parts"][0]["part"], "rendered");
    assert_eq!(report["parts"][0]["findings"][0]["name"], "not-current");
    assert_eq!(report["parts"][0]["findings"][0]["severity"], "error");
    assert_eq!(report["parts"][3]["looked"], false);
}

#[test]
fn each_of_several_masters_is_compared_with_its_share_of_the_farm() {
    let case = Case::new();
    let run = |arguments: &[&str]| {
        let output = farmout(arguments).current_dir(case.directory.path()).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let render = ["render", "buildbot", "--masters", "2", "--farm", "farm", "-o", "masters"];
    assert_eq!(run(&render).0, Some(0));
    let environment = environment();
    let check = |number: u8| {
        let directory = format!("masters/master-{number}");
        run(&["check-master", &directory, "--farm", "farm", "--buildbot", environment.to_str().unwrap()])
    };
    // Another master may start a master's builders, and bring its changes.
    let own = "
from buildbot.plugins import schedulers, steps
made = util.BuildFactory([steps.ShellCommand(command=['make', util.Interpolate('%(prop:elsewhere)s')])])
c['builders'].append(util.BuilderConfig('own', workernames=[list(farm.workers)[0]], factory=made))
c['schedulers'].append(schedulers.AnyBranchScheduler('any', builderNames=['own']))
";
    for number in [1, 2] {
        case.write(&format!("masters/master-{number}/secrets/database-url"), "postgresql://farm@/farm");
        let config = format!("masters/master-{number}/master.cfg");
        let text = fs::read_to_string(case.path(&config)).unwrap();
        case.write(&config, &(text + own));
        let (exit, said) = check(number);
        assert_eq!(exit, Some(0), "{said}");
        assert!(said.contains("the property `elsewhere`, and nothing gives it unless another master does\n"), "{said}");
    }

    let manifest = fs::read_to_string(case.path("farm/buildouts/MANIFEST.cfg")).unwrap();
    let docs = "[docs]\nbuildout = git https://git.example/docs main buildout.cfg\nwatch =\n";
    case.write("farm/buildouts/MANIFEST.cfg", &(manifest + docs));
    let said = [check(1), check(2)].map(|(exit, said)| {
        assert_eq!(exit, Some(1), "{said}");
        let render = "farmout render buildbot --farm farm --masters 2 -o masters && ";
        assert!(
            said.contains(&format!("help: {render}{}/bin/buildbot reconfig masters/master-", environment.display())),
            "{said}"
        );
        said
    });
    let one = |words: &str| said.iter().filter(|said| said.contains(words)).count();
    assert_eq!(one("builds that are not in it: docs"), 1, "{said:?}");
    assert_eq!(one("what the farm's other masters have is not what it says"), 1, "{said:?}");

    // What is advised can be done as it is told, from there.
    let here = case.path("masters/master-1");
    let check = |arguments: &[&str]| {
        let mut check = farmout(&["check-master", ".", "--farm", "../../farm", "--buildbot"]);
        let output = check.arg(&environment).args(arguments).current_dir(&here).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (_, said, _) = check(&[]);
    let help = said.lines().find_map(|line| line.strip_prefix("  help: farmout ")).unwrap();
    let (render, reconfig) = help.split_once(" && ").unwrap();
    assert!(reconfig.ends_with("/bin/buildbot reconfig ."), "{reconfig}");
    farmout(&render.split(' ').collect::<Vec<_>>()).current_dir(&here).assert().success();
    assert_eq!(check(&[]).0, Some(0), "{}", check(&[]).1);

    // Builders of other masters are not missed.
    let (exit, shown, said) = check(&["--dry-run"]);
    assert_eq!((exit, said.as_str()), (Some(0), ""));
    assert!(!shown.is_empty());
}
