//! What is shown: builds of the sample farm on both workers, and of farms with slaves of their own.

use nix::sys::signal::Signal;

use crate::common::{Farm, other_postgresql, postgresql};
use crate::support::{Show, builder, demo_master, run};

#[test]
fn the_sample_farm_is_green() {
    let farm = Farm::sample();
    let ran = run(&farm, &mut demo_master(&farm, &["--once"])).exits(0);
    let ran = ran.says("this machine is the slaves `local-1`, with ").says("; and `local-2`, with ");
    let ran = ran.says(" is at work, with the workers local-1 and local-2\n").says("the waterfall: http://127.0.0.1:");
    let begins = format!(" {} #1 begins on local-", builder());
    ran.says(&begins).says(&format!(" {} #1 success, ", builder())).says_no("failure").says_no("Ctrl-C");
}

#[test]
fn a_build_that_fails_is_red() {
    let farm = Farm::sample();
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\ntest-command = sh -c 'exit 3'\n");
    let ran = run(&farm, &mut demo_master(&farm, &["--once", &builder()])).exits(1);
    let ran = ran.says(&format!(" {} #1 failure, ", builder())).says(" in test: ");
    ran.says("/#/builders/").says("/builds/1\n").says_no("success");
}

#[test]
fn slaves_of_the_farm_are_played_here() {
    let (major, bin) = postgresql();
    let farm = Farm::demo();
    let capability = format!("postgresql {major} bin={bin} cluster=ephemeral");
    let farm = farm.with_slave("there", &capability).with_slave("far.example", &capability);
    let show = Show::start(&farm, demo_master(&farm, &["--idle", "--worker", "there", "--worker", "far.example"]));
    let workers = show.workers();
    assert_eq!(workers.len(), 3);
    assert!(!workers["here"] && workers["there"], "{workers:?}");
    let builders = show.get("builders");
    assert_eq!(builders.len(), 1, "{builders:?}");
    assert_eq!(show.get("builds"), Vec::<serde_json::Value>::new());
    let ran = show.stop_all(Signal::SIGTERM).exits(0);
    ran.says("with the workers there and far_example-").says_no("begins");
}

#[test]
fn versions_of_postgresql_are_shared_among_the_workers() {
    let farm = Farm::sample();
    let (installed, other) = (postgresql().0, other_postgresql());
    let embedded = other.to_string();
    let show = Show::start(&farm, demo_master(&farm, &["--idle", "--embedded", &embedded]));
    let builders: Vec<String> =
        show.get("builders").iter().map(|builder| builder["name"].as_str().unwrap().to_owned()).collect();
    for major in [installed, other] {
        assert!(builders.contains(&format!("demo-pg{major}")), "{builders:?}");
    }
    let ran = show.stop_all(Signal::SIGINT).exits(0);
    let line = ran.out.lines().find(|line| line.contains("this machine is the slaves")).unwrap();
    let (first, second) = line.split_once("; and ").unwrap();
    let has = |text: &str, major: u32| text.contains(&format!(" {major},")) || text.contains(&format!(" {major} "));
    assert!(has(first, installed) != has(second, installed) && has(first, other) != has(second, other), "{line}");
}
