//! The steps for the finished buildout, for real: servers that answer, or do not, or outlive their runner; Sphinx, flake8 and
//! nose from PyPI.

mod common;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use common::snapshot::snapshot;
use common::{Farm, Ran, Runner, log, running};
use nix::sys::signal::Signal;

/// The farm of the server that does nothing but answer.
fn stand_in() -> Farm {
    let farm = Farm::empty();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stand-in/buildouts");
    assert!(Command::new("cp").arg("-r").arg(source).arg(&farm.root).status().unwrap().success());
    farm.with_slave("here", "")
}

/// The processes of servers of this farm.
fn servers(farm: &Farm) -> Vec<String> {
    running(farm.directory.path()).into_iter().filter(|process| process.contains("start_openerp")).collect()
}

/// Nothing runs, and no port is reserved.
#[track_caller]
fn is_over(farm: &Farm) {
    farm.is_tidy();
    let ports = farm.slave_file("here/locks/ports");
    let left = fs::read_dir(ports).unwrap().map(|entry| entry.unwrap().file_name()).filter(|name| name != "lock");
    assert_eq!(left.collect::<Vec<_>>(), [""; 0]);
}

/// A step's outcome and reason, as the results have them.
fn outcome(result: &serde_json::Value, builder: &str, step: &str) -> String {
    let builders = result["builders"].as_array().unwrap();
    let builder = builders.iter().find(|found| found["builder"] == builder).unwrap();
    let steps = builder["steps"].as_array().unwrap();
    let step = steps.iter().find(|found| found["name"] == step).unwrap_or_else(|| panic!("no step {step}"));
    format!("{} {}", step["outcome"].as_str().unwrap(), step["reason"].as_str().unwrap_or_default())
}

#[test]
fn servers_are_stopped_whatever_happens() {
    let farm = stand_in();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let manifest = fs::read_to_string(farm.root.join("buildouts/MANIFEST.cfg")).unwrap();
    let manifest = manifest.replace("-min = 9\n", &format!("-min = {taken}\n"));
    farm.write("buildouts/MANIFEST.cfg", &manifest.replace("-max = 9\n", &format!("-max = {taken}\n")));
    farm.run(&["run", "answers", "fails", "ponders", "dies", "missing", "crowded"]).exits(1);
    let result = farm.result();
    let outcome = |builder: &str, step: &str| outcome(&result, builder, step);

    // The commands find the server by the environment, and a word alone by its arguments.
    assert_eq!(farm.log("answers", "functional"), "hello\n");
    assert_eq!(farm.log("answers", "functional-2"), "hello\n");
    let stopped = farm.log("answers", "stop-server");
    assert!(stopped.contains("is stopped") && stopped.contains("asked for /openerp-buildbot-answers"), "{stopped}");

    // A command that fails does not keep the next one from being run, and the server is stopped.
    assert_eq!(outcome("fails", "functional"), "failure exit status 1");
    assert_eq!(farm.log("fails", "functional-2"), "hello\n");
    assert!(farm.log("fails", "stop-server").contains("is stopped"));

    // One that never answers, or dies, or is not there: the commands are left out, and clean-up stops what there is.
    for (builder, step) in [("ponders", "wait-for-server"), ("dies", "wait-for-server"), ("missing", "start-server")] {
        assert_eq!(outcome(builder, step), "failure exit status 1");
        assert_eq!(outcome(builder, "functional"), format!("skipped step `{step}` failed"));
        assert_eq!(outcome(builder, "end-server"), "success ");
    }
    assert!(farm.log("ponders", "end-server").contains("is stopped"));
    assert_eq!(outcome("crowded", "reserve-port"), "failure exit status 1");
    assert!(farm.log("crowded", "reserve-port").contains(&format!("{taken} cannot be listened at")));
    assert_eq!(outcome("crowded", "test"), "skipped step `reserve-port` failed");
    is_over(&farm);

    let mut all = String::new();
    for (builder, step) in [
        ("ponders", "wait-for-server"),
        ("dies", "wait-for-server"),
        ("missing", "start-server"),
        ("crowded", "reserve-port"),
    ] {
        all += &format!("{builder}: {}\n", farm.log(builder, step));
    }
    let slave = farm.slave_file("here").display().to_string();
    let filters = vec![
        (r"process \d+", "process N"),
        (r"\d+ tries in \d+\.\ds", "N tries in T"),
        (r"ended \S+s after", "ended T after"),
        (r"port \d+", "port P"),
        (r"\b\d{5}\b", "P"),
    ];
    snapshot!("run-templates-servers", all.replace(&slave, "SLAVE"), filters);
}

/// Whoever reads of a program that is not there learns which line of the manifest to look at.
#[test]
fn a_program_that_is_not_there_is_traced_to_its_option() {
    let farm = stand_in();
    farm.write(
        "buildouts/MANIFEST.cfg",
        "[absent]\nbuildout = standalone stand-in.cfg with=stand-in\nbuild-for =\ndb-steps =\n\
         post-buildout-steps = install-modules-test\n    openerpcommand-initialize-tests\n    functional\n    update-openerp\n\
         test-command = bin/tset_openerp --log-level test\nfunctional.commands = bin/aks 'the server'\n",
    );
    farm.run(&["run"]).exits(1);
    let result = farm.result();
    let reason = |step: &str| format!("{step}: {}\n", outcome(&result, "absent", step));
    let mut all: String = ["test", "functional", "update-by-script"].map(reason).concat();
    all += &farm.log("absent", "initialize-tests");
    let slave = farm.slave_file("here").display().to_string();
    snapshot!("run-templates-absent", all.replace(&slave, "SLAVE"));
    is_over(&farm);
}

#[test]
fn the_server_of_an_ended_runner_is_stopped() {
    let farm = stand_in();
    let hang = farm.root.join("buildouts/stand-in/hang");
    fs::write(&hang, "").unwrap();

    // Asked to end, a runner stops the server itself.
    let runner = Runner::start(farm.farmout(&["run", "hangs"]));
    farm.await_step("functional");
    assert_eq!(servers(&farm).len(), 1);
    runner.signal(Signal::SIGINT);
    runner.wait().exits(130).says("ok        end-server");
    is_over(&farm);

    // Killed, it leaves that to the next one, whatever that builds.
    let mut runner = Runner::start(farm.farmout(&["run", "hangs"]));
    farm.await_step("functional");
    assert!(runner.is_running());
    runner.signal(Signal::SIGKILL);
    runner.wait();
    let killed = farm.latest();
    assert_eq!(servers(&farm).len(), 1);
    fs::remove_file(&hang).unwrap();
    let ran: Ran = farm.run(&["run", "crowded"]);
    ran.says("cleaning up hangs of run").says_no("is not cleaned up");
    assert!(log(&killed.join("hangs"), "end-server.recovery").contains("is stopped"));
    is_over(&farm);
}

/// Parts that make the real tools, and what they are to work on.
const TOOLS: &str = "
[nose]
recipe = zc.recipe.egg
eggs = pynose
    coverage
    demo-server
scripts = nosetests

[static-analysis]
recipe = zc.recipe.egg
eggs = flake8

[sphinx]
recipe = zc.recipe.egg
eggs = Sphinx
scripts = sphinx-build
";

#[test]
fn the_real_tools_test_document_and_publish() {
    let farm = Farm::demo();
    farm.edit("buildouts/demo.cfg", "parts = openerp\n", "parts = openerp\n    nose\n    sphinx\n");
    // What Sphinx needs besides is not the matter of this test.
    farm.edit("buildouts/demo.cfg", "allow-picked-versions = false", "allow-picked-versions = true");
    farm.edit(
        "buildouts/demo.cfg",
        "psycopg2-binary = 2.9.12",
        "psycopg2-binary = 2.9.12\npynose = 1.5.5\ncoverage = 7.6.12\nflake8 = 7.1.2\nSphinx = 7.4.7",
    );
    let configuration = fs::read_to_string(farm.root.join("buildouts/demo.cfg")).unwrap();
    farm.write("buildouts/demo.cfg", &(configuration + TOOLS));
    farm.write("buildouts/demo/doc/conf.py", "project = \"demo\"\n");
    farm.write("buildouts/demo/doc/index.rst", "Demonstration\n=============\n\nHow it works.\n");
    farm.write(
        "buildouts/demo/checks/test_false.py",
        "from demo_server.cli import _unless_false\n\n\ndef test_false_is_nothing():\n    assert _unless_false(\"False\") is None\n",
    );
    farm.edit(
        "buildouts/MANIFEST.cfg",
        "[demo]\n",
        "[demo]\npost-buildout-steps = install-modules\n    update-openerp\n    install-modules-test\n    functional\n    \
         static-analysis\n    nose\n    doc\n\
         odoo.use-port = true\n\
         functional.commands = sh -c 'python3 demo/ask.py'\n\
         static-analysis.flake-directories = demo/doc demo/checks\n\
         nose.tests = demo/checks\nnose.coverage = true\nnose.cover-options = --cover-package=demo_server\n\
         nose.upload-path = nose/$(buildername)s/$(buildnumber)s\nnose.upload-url = https://ci.example/$(buildnumber)s\n\
         doc.sphinx-sourcedir = demo/doc\ndoc.upload-dir = demo\ndoc.base-url = https://docs.example/\n",
    );
    farm.write(
        "buildouts/demo/ask.py",
        "import json, os, urllib.request\n\
         answer = urllib.request.urlopen(\"http://127.0.0.1:\" + os.environ[\"PORT\"])\n\
         print(sorted(json.load(answer)))\n",
    );
    let ran = farm.run(&["run"]).exits(0);
    let builder = format!("demo-pg{}", common::postgresql().0);
    assert!(ran.out.contains(&format!("\n{builder}  success")), "{}", ran.out);
    assert!(farm.log(&builder, "functional").contains("['base', 'invoice', 'partner']"), "{}", ran.out);
    assert!(farm.log(&builder, "nosetests").contains("Ran 1 test"));
    let port = farm.log(&builder, "reserve-port").trim().parse::<u16>().unwrap();
    assert!((6069..=7068).contains(&port) && (port - 6069) % 5 == 0, "{port}");

    let run = farm.latest().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        farm.log(&builder, "upload-nose-output").lines().last(),
        Some(format!("https://ci.example/{run}").as_str())
    );
    assert_eq!(farm.log(&builder, "upload-doc").lines().last(), Some("https://docs.example/demo/current"));
    let uploads = farm.slave_file("here/uploads");
    for file in [format!("nose/{builder}/{run}/coverage/index.html"), "demo/current/index.html".to_owned()] {
        let path = uploads.join(&file);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644, "{file}");
        let open = path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(open, 0o755, "{file}");
    }
    assert!(fs::read_to_string(uploads.join("demo/current/index.html")).unwrap().contains("How it works."));
    is_over(&farm);
}
