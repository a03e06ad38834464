//! What it does not do, and says so before anything is made: wrong names, a farm with mistakes, a port that is taken.

use std::net::TcpListener;

use crate::common::Farm;
use crate::support::{demo_master, marked, run};

#[test]
fn a_farm_with_a_mistake_is_told_of() {
    let farm = Farm::sample();
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\nbuild-for = postgresql 15\n");
    let ran = run(&farm, &mut demo_master(&farm, &["--once"])).exits(1);
    ran.says("the farm does not compile").says_no("waterfall");
    assert!(!farm.state().exists());
}

#[test]
fn names_that_are_none() {
    let sample = Farm::sample();
    run(&sample, &mut demo_master(&sample, &["dema-*"])).exits(2).says("no builder is called `dema-*`");
    run(&sample, &mut demo_master(&sample, &["--once", "--idle"])).exits(2);
    run(&sample, &mut demo_master(&sample, &["--worker", "atlas"])).exits(2).says("no slave `atlas`");
    assert!(!sample.state().exists());
    let farm = Farm::demo();
    let ran = run(&farm, &mut demo_master(&farm, &["--worker", "hare"])).exits(2);
    ran.says("no slave `hare` of this farm takes a builder").says("did you mean `here`?");
    run(&farm, &mut demo_master(&farm, &["--embedded", "17"])).exits(2).says("--embedded is for farms without slave");
    assert!(!farm.state().exists());
}

#[test]
fn a_build_that_asks_for_properties_does_not_begin_by_itself() {
    let farm = Farm::demo();
    farm.write(
        "buildouts/MANIFEST.cfg",
        "[tagged]\nbuildout = hgtag https://hg.example/shop buildout.cfg\nbuild-for = postgresql\n",
    );
    let ran = run(&farm, &mut demo_master(&farm, &["--once"])).exits(2);
    ran.says("no build can begin by itself: each asks for properties").says("leave --once out");
    run(&farm, &mut demo_master(&farm, &["tagged-*"])).exits(2).says(" asks for the property `");
}

#[test]
fn a_port_that_somebody_has() {
    let farm = Farm::demo();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = run(&farm, &mut demo_master(&farm, &["--once", "--port", &port])).exits(1);
    ran.says(&format!("the port {port} on 127.0.0.1 cannot be had")).says("name another with --port");
}

#[test]
fn no_buildbot() {
    let farm = Farm::demo();
    let nowhere = farm.root.join("nowhere");
    let arguments = ["demo-master", "--buildbot", nowhere.to_str().unwrap()];
    let ran = run(&farm, &mut marked(&farm, farm.farmout(&arguments))).exits(2);
    ran.says("/nowhere has no Buildbot that can be used: there is no ").says("pip install buildbot==4.3.0 ");

    // Nobody answers there.
    let mut offline = marked(&farm, farm.farmout(&["demo-master", "--once"]));
    offline.env("PIP_INDEX_URL", "http://127.0.0.1:9/").env("PIP_RETRIES", "1").env_remove("PIP_FIND_LINKS");
    let ran = run(&farm, &mut offline).exits(1);
    ran.says("Buildbot 4.3.0 cannot be installed: the package index cannot be reached").says("--buildbot DIR");
    assert!(!farm.state().join("cache/buildbot-4.3.0").exists());
}
