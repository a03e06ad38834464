//! The examples of docs/buildbot.md: each of them, in a master's configuration, is one that Buildbot takes.

mod common {
    pub mod binary;
    pub mod buildbot;
}

use std::fs;

use common::binary::{farmout, text};
use common::buildbot::program;

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

#[test]
fn buildbot_takes_every_example() {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    let manifest = "[shop]\nbuildout = git https://git.example/shop main buildout.cfg\nbuild-category = customers\n";
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    let fragment = "[atlas]\npassword = not-a-secret\ncapability = postgresql 15\n[here]\npassword = not-a-secret\n\
                    capability = postgresql 15\n";
    fs::write(farm.path().join("slaves.cfg"), fragment).unwrap();
    farmout(&["render", "buildbot", "-o", "master"]).current_dir(farm.path()).assert().success();
    let master = farm.path().join("master");
    let examples = examples();
    assert!(examples.len() >= 5, "{}", examples.len());
    for example in examples {
        fs::write(master.join("master.cfg"), format!("{BEFORE}\n{example}\n")).unwrap();
        let output = program("buildbot", farm.path()).args(["checkconfig", "."]).current_dir(&master).output().unwrap();
        assert!(output.status.success(), "{example}\n{}{}", text(&output.stdout), text(&output.stderr));
    }
}
