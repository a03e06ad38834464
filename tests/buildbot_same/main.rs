//! The bundled runner and Buildbot do the same: the steps of every builder of the fixtures that can run here, with their
//! commands, directories, environments, exit statuses and results, as both have recorded them.

#[path = "../common/buildbot.rs"]
mod buildbot;
#[path = "../common/caches.rs"]
mod caches;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/copy.rs"]
mod copy;
#[path = "../common/buildbot_records.rs"]
mod records;

mod leaving;
mod performed;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use buildbot::{Master, Worker, environment, fine};
use common::{FARMOUT, Farm, SYSTEM, is_root, postgresql, step_user};
use copy::copy;
use performed::{Performed, by_buildbot, by_runner};
use records::{Build, ended, force};
use serde_json::{Value, json};

/// A part for pytest, and what it finds.
const PYTEST: &str = "[pytest]\nrecipe = zc.recipe.egg\neggs = demo-server\n    pytest\n\n[versions]\n";
const TESTS: &str = "import os\n\nimport psycopg2\n\n\ndef test_of_the_project():\n    \
                     assert psycopg2.connect('').get_dsn_parameters()['dbname'] == os.environ['PGDATABASE']\n";

/// The fixtures in one farm: the stand-ins of a server, the sample with a step template of a farm's own, and tests that fail.
fn fixtures() -> Farm {
    let (major, bin) = postgresql();
    let farm = Farm::demo();
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&project.join("fixtures/stand-in/buildouts"), &farm.root.join("stand-in"));
    fs::create_dir(farm.root.join("steps")).unwrap();
    fs::copy(project.join("fixtures/own/steps/pytest.yaml"), farm.root.join("steps/pytest.yaml")).unwrap();
    farm.write(
        "farm.yaml",
        "manifests: [buildouts/MANIFEST.cfg, stand-in/MANIFEST.cfg]\ntemplates: [steps]\ncapabilities:\n  \
         - {capability: vault, help: A vault., options: {passwd: {secret: true, help: Its key.}}}\n",
    );
    farm.edit("buildouts/demo.cfg", "parts = openerp\n", "parts = openerp pytest\n");
    farm.edit("buildouts/demo.cfg", "allow-picked-versions = false\n", "");
    farm.edit("buildouts/demo.cfg", "[versions]\n", PYTEST);
    farm.write("buildouts/demo/checks/test_project.py", TESTS);
    farm.write("buildouts/demo/wrong/test_wrong.py", "def test_that_fails():\n    assert 1 == 2\n");
    let own = "post-buildout-steps = install-modules-test\n    pytest\npytest.maxfail = 2\n";
    farm.edit(
        "buildouts/MANIFEST.cfg",
        "standalone demo.cfg with=demo\n",
        &format!(
            "standalone demo.cfg with=demo\n{own}pytest.folders = demo/checks\nodoo.use-port = true\n\n\
             [wrong]\ninherit = demo\npytest.folders = demo/wrong\n"
        ),
    );
    fs::write(farm.directory.path().join("key"), leaving::SECRET).unwrap();
    farm.write(
        "slaves.d/here.cfg",
        &format!(
            "[here]\npassword = not-a-secret\nmax_builds = 2\nfarmout = bin/its-own\n\
             capability = postgresql {major} bin={bin} cluster=ephemeral\n    vault 1 passwd=@{}\n",
            farm.directory.path().join("key").display()
        ),
    );
    farm
}

/// What both the runner and the worker are started in, but for `HOME`.
fn surroundings() -> Vec<(String, String)> {
    let of_index =
        |name: &String| ["PIP_", "SSL_", "http", "HTTP", "no_proxy", "NO_PROXY"].iter().any(|it| name.starts_with(it));
    let mut variables: Vec<(String, String)> = std::env::vars().filter(|(name, _)| of_index(name)).collect();
    let plain =
        [("LANG", "C.UTF-8"), ("HGRCPATH", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("BRZ_LOG", "/dev/null")];
    variables.extend(plain.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // None of these is a step's.
    variables.extend(["PGHOST", "PYTHONPATH", "GIT_DIR"].map(|name| (name.to_owned(), "/nowhere".to_owned())));
    variables
}

/// A master and a worker for the farm, with everything in the logs of steps.
fn start(farm: &Farm) -> (Master, Worker) {
    let folder = farm.directory.path();
    let mut master = Master::create(&folder.join("master"));
    master.configure(&format!(
        "import farm\n\n\
         class Told(farm.PlanStep):\n    def shell(self, *args, **kwargs):\n        \
         return super().shell(*args, **{{**kwargs, 'logEnviron': True}})\n\n\
         class Farm(farm.Farm):\n    def step(self, step, **kwargs):\n        \
         return super().step(step, Told, **kwargs)\n\n\
         c = BuildmasterConfig = {{}}\n{}farm.configure(c, Farm, program='{FARMOUT}', poll=None, retries=1)\n",
        master.settings(),
    ));
    farm.run(&["render", "buildbot", "-o", master.directory().to_str().unwrap()]).exits(0);
    master.start();
    let mut worker = Worker::create(&folder.join("worker"), &master, "here", "not-a-secret");
    caches::bring(worker.directory());
    // Its own program, by the property that the fragment gives it.
    fine(Command::new("install").args(["-D", "-m755", FARMOUT]).arg(worker.directory().join("bin/its-own")));
    let path = format!("{}:{SYSTEM}", environment().join("bin").display());
    let mut variables = surroundings();
    variables.push(("PATH".to_owned(), path));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if is_root() {
        worker.start_as(&step_user(), &variables)
    } else {
        worker.start(&variables)
    }
    (master, worker)
}

#[test]
fn the_runner_and_buildbot_do_the_same() {
    let farm = fixtures();
    let archives = farm.directory.path().join("archives");
    let rows = leaving::rows(&archives);
    leaving::archive(&archives);
    leaving::add(&farm, &rows);
    let plans = farm.run(&["plan", "--format", "json"]).exits(0).out;
    let plans: Vec<Value> = serde_json::Deserializer::from_str(&plans).into_iter().map(Result::unwrap).collect();
    let own = postgresql().0;
    let (demo, wrong) = (format!("demo-pg{own}"), format!("wrong-pg{own}"));
    let builders = [
        ("answers", "answers"),
        ("crowded", "crowded"),
        ("demo", &demo),
        ("dies", "dies"),
        ("fails", "fails"),
        ("leaves", "leaves"),
        ("missing", "missing"),
        ("ponders", "ponders"),
        ("wrong", &wrong),
    ];

    let (master, worker) = start(&farm);
    for (build, builder) in builders {
        force(&master, build, &[builder], &json!({}));
    }
    let own_caches = farm.slave_file("here");
    fs::create_dir_all(&own_caches).unwrap();
    caches::bring(&own_caches);
    if is_root() {
        fine(Command::new("chown").args(["-R", &step_user()]).arg(&own_caches));
    }
    let mut run = farm.farmout(&["run", "--retries", "1"]);
    run.args(builders.map(|(_, builder)| builder)).env_clear().env("PATH", SYSTEM).env("HOME", "/nonexistent");
    run.envs(surroundings());
    common::Ran::from(run.output().unwrap()).exits(1);
    let result = farm.result();
    let base: BTreeMap<String, String> = surroundings()
        .into_iter()
        .filter(|(_, value)| value != "/nowhere")
        .chain([("PATH".to_owned(), SYSTEM.to_owned())])
        .collect();

    let builds = ended(&master, 0, builders.len());
    let mut told = Vec::new();
    for (build, (_, builder)) in builds.iter().zip(builders) {
        assert_eq!(build.builder, builder);
        let of_runner =
            result["builders"].as_array().unwrap().iter().find(|found| found["builder"] == builder).unwrap();
        let plan = plans.iter().flat_map(|plan| plan.as_array().cloned().unwrap_or_else(|| vec![plan.clone()]));
        let plan = plan.into_iter().find(|plan| plan["builder"] == builder).unwrap();
        let mut runner = by_runner(of_runner, &farm.slave_file("here"), &base);
        let buildbot = by_buildbot(&master, build, worker.directory());
        if builder == "leaves" {
            left_alike(&rows, of_runner, build, (&master, &farm.slave_file("here")));
            let program = worker.directory().join("bin/its-own");
            assert_eq!(build.property(&master, "farmout"), program.to_str().unwrap());
        }
        // The master looks whether the archive is there, and starts nothing.
        runner.steps.iter_mut().filter(|step| step.name == "unpack-nothing").for_each(|step| step.process = None);
        let names = |performed: &Performed| performed.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&buildbot), names(&runner), "{builder}\n{}", build.told(&master));
        for (here, there) in runner.steps.iter().zip(&buildbot.steps) {
            assert_eq!(there, here, "{builder}: {}\n{}", here.name, build.told(&master));
        }
        assert_eq!((&buildbot.outcome, &buildbot.properties), (&runner.outcome, &runner.properties), "{builder}");
        // Nobody performed anything else than the plan.
        let planned: Vec<_> =
            plan["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
        let mut left = planned.iter();
        assert!(names(&runner).iter().all(|name| left.any(|planned| planned == name)), "{builder}: {planned:?}");
        told.push(format!("{builder}: {}", runner.outcome));
    }
    let expected = [
        "answers: success",
        "crowded: failure",
        &format!("{demo}: success"),
        "dies: failure",
        "fails: failure",
        "leaves: failure",
        "missing: failure",
        "ponders: failure",
        &format!("{wrong}: failure"),
    ];
    assert_eq!(told, expected);
    caches::keep(worker.directory());
}

/// What the steps of the table have come to, and what they have published, by both.
fn left_alike(rows: &[leaving::Row], runner: &Value, build: &Build, (master, base): (&Master, &Path)) {
    for row in rows {
        let told = || build.told(master);
        let by_runner = runner["steps"].as_array().unwrap().iter().find(|step| step["name"] == *row.name).unwrap();
        assert_eq!(by_runner["outcome"], row.outcome, "{by_runner:#}");
        assert!(by_runner["reason"].as_str().unwrap_or_default().contains(row.reason), "{by_runner:#}");
        let said = build.step(master, &row.name)["state_string"].as_str().unwrap().to_owned();
        assert!(said.contains(row.reason), "{}: {said}\n{}", row.name, told());
        if let Some(published) = row.published {
            let there = leaving::below(&master.directory().join("uploads").join(&row.name));
            assert_eq!(there, leaving::below(&base.join("uploads").join(&row.name)), "{}\n{}", row.name, told());
            assert_eq!(there.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>().join(" "), published);
        }
    }
    let tried = build.log(master, "unpack-nothing");
    assert!(tried.contains("is tried again") && tried.matches("the master has no ").count() == 2, "{tried}");
    for (step, file, expected) in [("keep-wide", "c.txt", "xééé"), ("keep-bytes", "d.txt", "caf\u{fffd}\0")] {
        let kept = build.log_named(master, step, file);
        assert!(kept.contains(expected) && kept.contains('\u{fffd}') == (step == "keep-bytes"), "{step}");
    }
    let path = build.property(master, "path");
    assert_eq!(path, "/srv/<here-vault-1-passwd>/build");
    let everything = [master.get(&format!("builds/{}/properties", build.id)), build.steps(master).into()];
    let looked = build.log(master, "look-at-path");
    let secret = format!("/srv/{}/build", leaving::SECRET);
    assert!(everything.iter().all(|told| !told.to_string().contains(&secret)) && !looked.contains(&secret), "{looked}");
}
