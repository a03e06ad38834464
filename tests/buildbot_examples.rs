//! What Buildbot says of masters' configurations: it takes the examples of docs/buildbot.md, and of a farm that cannot be read it
//! has one thing to say.

mod common {
    pub mod binary;
    pub mod buildbot;
}

use std::fs;

use common::binary::{farmout, text};
use common::buildbot::program;
use tempfile::TempDir;

/// What stands before an example in a `master.cfg`.
const BEFORE: &str = "c = BuildmasterConfig = {}
c['protocols'] = {'pb': {'port': 9989}}
c['db'] = {'db_url': 'sqlite:///state.sqlite'}
c['buildbotNetUsageData'] = None
";

fn examples() -> Vec<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/buildbot.md")).unwrap();
    let blocks = page.split("```python\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned());
    blocks.collect()
}

/// A farm in a directory, and a master for it in `master` there.
fn farm() -> TempDir {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    let manifest = "[shop]\nbuildout = git https://git.example/shop main buildout.cfg\nbuild-category = customers\n";
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    let fragment = "[atlas]\npassword = not-a-secret\ncapability = postgresql 15\n[here]\npassword = not-a-secret\n\
                    capability = postgresql 15\n";
    fs::write(farm.path().join("slaves.cfg"), fragment).unwrap();
    farmout(&["render", "buildbot", "-o", "master"]).current_dir(farm.path()).assert().success();
    farm
}

/// What `buildbot checkconfig` says to this `master.cfg`, and whether it is content.
fn checked(farm: &TempDir, configuration: &str) -> (bool, String) {
    let master = farm.path().join("master");
    fs::write(master.join("master.cfg"), format!("{BEFORE}\n{configuration}\n")).unwrap();
    let output = program("buildbot", farm.path()).args(["checkconfig", "."]).current_dir(&master).output().unwrap();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn buildbot_takes_every_example() {
    let farm = farm();
    let examples = examples();
    assert!(examples.len() >= 5, "{}", examples.len());
    for example in examples {
        let (content, said) = checked(&farm, &example);
        assert!(content, "{example}\n{said}");
    }
}

#[test]
fn a_farm_that_cannot_be_read_is_one_message() {
    let farm = farm();
    let data = farm.path().join("master/farm.json");
    for (content, expected) in [
        (Some("{\"farmout_farm\": 7}"), "is of format 7 and farm.py reads format 1: render both"),
        (Some("{"), "cannot be read: Expecting property name"),
        (None, "cannot be read: [Errno 2] No such file"),
    ] {
        let _ = fs::remove_file(&data);
        if let Some(content) = content {
            fs::write(&data, content).unwrap();
        }
        let (content, said) = checked(&farm, "from farm import configure\nconfigure(c)");
        assert!(!content && said.contains(expected), "{said}");
        assert!(!said.contains("Traceback") && !said.contains("error while parsing"), "{said}");
    }
}
