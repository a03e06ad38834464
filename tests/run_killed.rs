//! Runners that are killed without warning, or asked to stop: nothing stays behind, at the latest after the next run.
//!
//! Only the runner's own process is killed. What it started, deaf to the matter, goes on.

mod common;

use common::{Farm, Runner, Server, eventually, log, postgresql, result, running};
use nix::sys::signal::Signal;

fn builder() -> String {
    format!("demo-pg{}", postgresql().0)
}

/// A test that waits for as long as a file is there.
fn hang(farm: &Farm) {
    hang_with(farm, "");
}

/// The same, deaf to polite requests to end.
fn hang_deaf(farm: &Farm) {
    hang_with(farm, "trap '' TERM INT\n");
}

fn hang_with(farm: &Farm, first: &str) {
    let script = "while [ -e demo/hang ]; do sleep 0.1; done\nexec bin/test_openerp \"$@\"\n";
    farm.write("buildouts/demo/test.sh", &format!("{first}{script}"));
    farm.write("buildouts/demo/hang", "");
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\ntest-command = sh demo/test.sh\n");
}

/// Lets later runs pass.
fn relent(farm: &Farm) {
    std::fs::remove_file(farm.root.join("buildouts/demo/hang")).unwrap();
}

/// Kills a runner while `step` is at work, and demands that the next run cleans up and is green.
fn kill_in(farm: &Farm, step: &str) {
    let mut runner = Runner::start(farm.farmout(&["run"]));
    farm.await_step(step);
    // Held first, so that it cannot go on to another step between the look and the kill.
    runner.signal(Signal::SIGSTOP);
    assert!(runner.is_running());
    assert_eq!(farm.steps_at_work(), [step], "the step was over before the runner could be killed");
    runner.signal(Signal::SIGKILL);
    assert_eq!(runner.wait().signal, Some(9));

    let killed = farm.latest();
    let id = killed.file_name().unwrap().to_str().unwrap().to_owned();
    log(&killed.join(builder()), step);
    assert_eq!(farm.records().len(), 1);
    let sockets = farm.records()[0]["sockets"].as_str().map(ToOwned::to_owned);

    if farm.root.join("buildouts/demo/hang").exists() {
        relent(farm);
    }
    let ran =
        farm.run(&["run"]).exits(0).says(&format!("cleaning up {} of run {id}, whose runner was killed", builder()));
    ran.says_no("is not cleaned up").says(&format!("{}  success", builder()));
    assert!(sockets.is_none_or(|sockets| !std::path::Path::new(&sockets).exists()));
    farm.is_tidy();
    let result = result(&killed);
    assert_eq!(result["outcome"], "interrupted", "{result}");
    assert_eq!(result["builders"][0]["reason"], "the runner was killed");
    log(&killed.join(builder()), step);
}

#[test]
fn killed_while_the_cluster_starts() {
    let farm = Farm::demo();
    kill_in(&farm, "start-cluster");
}

#[test]
fn killed_in_the_bootstrap() {
    let farm = Farm::demo();
    kill_in(&farm, "bootstrap");
}

#[test]
fn killed_in_the_buildout() {
    let farm = Farm::demo();
    kill_in(&farm, "buildout");
}

#[test]
fn killed_in_the_test() {
    let farm = Farm::demo();
    hang_deaf(&farm);
    kill_in(&farm, "test");
    // Once is enough.
    farm.run(&["run"]).exits(0).says_no("cleaning up");
}

#[test]
fn killed_with_a_database_on_a_server_that_is_not_ours() {
    let server = Server::trusting();
    let farm = Farm::sample().with_slave("here", &server.capability());
    hang(&farm);
    let mut runner = Runner::start(farm.farmout(&["run"]));
    farm.await_step("test");
    assert!(runner.is_running());
    runner.signal(Signal::SIGKILL);
    runner.wait();
    assert_eq!(server.databases(), format!("openerp-buildbot-{}\n", builder()));
    // Whatever is run next cleans up, even if it has nothing to do with what was killed.
    farm.write(
        "buildouts/other.cfg",
        "[other]\nbuildout = standalone demo.cfg with=demo\nbuild-for =\ndb-steps =\npost-buildout-steps =\n",
    );
    farm.run(&["run", "--manifest", "buildouts/other.cfg"]).exits(0).says(&format!("cleaning up {}", builder()));
    assert_eq!(server.databases(), "");
    farm.is_tidy();
}

#[test]
fn an_interrupted_run_cleans_up() {
    let server = Server::trusting();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let farm = Farm::sample().with_slave("here", &server.capability());
        hang(&farm);
        let runner = Runner::start(farm.farmout(&["run"]));
        farm.await_step("test");
        assert_ne!(server.databases(), "");
        runner.signal(signal);
        let ran = runner.wait().exits(130).says("interrupted: ending this step and cleaning up");
        let ran = ran.says("ok        drop-database");
        assert!(ran.out.contains(&format!("{}  interrupted", builder())), "{}", ran.out);
        assert_eq!(server.databases(), "");
        assert_eq!(farm.result()["outcome"], "interrupted");
        farm.is_tidy();
        relent(&farm);
        farm.run(&["run"]).exits(0).says_no("cleaning up");
    }
}

#[test]
fn an_interrupted_private_cluster_is_gone() {
    let farm = Farm::demo();
    hang(&farm);
    let runner = Runner::start(farm.farmout(&["run"]));
    farm.await_step("test");
    runner.signal(Signal::SIGINT);
    runner.wait().exits(130).says("ok        stop-cluster");
    farm.is_tidy();
}

#[test]
fn who_is_impatient_leaves_the_rest_to_the_next_run() {
    let farm = Farm::demo();
    hang_deaf(&farm);
    let runner = Runner::start(farm.farmout(&["run"]));
    farm.await_step("test");
    eventually("the test is deaf", || running(farm.directory.path()).iter().any(|line| line.contains("sleep")));
    runner.signal(Signal::SIGINT);
    // The test is deaf, so the first request takes its time.
    std::thread::sleep(std::time::Duration::from_millis(300));
    runner.signal(Signal::SIGINT);
    runner.wait().exits(130).says("the next run will clean up");
    assert_eq!(farm.records().len(), 1);
    relent(&farm);
    farm.run(&["run"]).exits(0).says("cleaning up");
    eventually("all processes are gone", || running(farm.directory.path()).is_empty());
    farm.is_tidy();
}

/// The server of the build goes away in the middle of a test, and comes back in time or never.
#[test]
fn a_server_that_dies_in_a_test_fails_it_and_leaves_nothing() {
    let farm = Farm::demo();
    farm.write(
        "buildouts/demo/test.sh",
        "bin/test_openerp \"$@\" & kill -9 $(head -1 ../cluster/postmaster.pid); sleep 1; wait\n",
    );
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\ntest-command = sh demo/test.sh\n");
    farm.run(&["run"]).exits(1).says("failed    analyze-test-log");
    farm.is_tidy();
}

#[test]
fn a_database_on_a_server_that_went_away_is_dropped_by_the_next_run() {
    let server = Server::trusting();
    let farm = Farm::sample().with_slave("here", &server.capability());
    hang(&farm);
    let runner = Runner::start(farm.farmout(&["run"]));
    farm.await_step("test");
    server.stop();
    relent(&farm);
    std::fs::remove_file(farm.slave_file(&format!("here/{}/build/demo/hang", builder()))).unwrap();
    runner.wait().exits(1).says("failed    analyze-test-log").says("warning   drop-database");
    server.go_on();
    assert_eq!(server.databases(), format!("openerp-buildbot-{}\n", builder()));
    let ran = farm.run(&["run"]).exits(0).says(&format!("cleaning up {} of run ", builder()));
    ran.says("whose own clean-up failed");
    assert_eq!(server.databases(), "");
    farm.is_tidy();
}
