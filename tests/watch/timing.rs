//! Which builds begin when something changes, how often, and what is said of it.

use std::collections::BTreeMap;
use std::fs;

use crate::common::eventually;
use crate::common::snapshot::snapshot;
use crate::support::{Watch, Watched, change};

const SHOP: &str = "https://git.example/shop";

#[test]
fn a_change_begins_what_watches_it_and_nothing_else() {
    let watched = Watched::new(
        "[shop]\ninherit = base\nwatch = git https://git.example/shop main\n\
         [shop-2]\ninherit = base\nwatch = git https://git.example/shop.git/ main\n    hg https://hg.example/pay default\n\
         [pay]\ninherit = base\nwatch = hg https://hg.example/pay default\n\
         [old]\ninherit = base\nwatch = git https://git.example/shop 1.0\n\
         [never]\ninherit = base\n",
    );
    let watch = Watch::begin(&watched, &["--poll", "0"]);
    watched.deliver(vec![change(SHOP, "1"), change(SHOP, "2"), change("https://git.example/other", "1")]);
    eventually("both have ended", || watched.results().len() == 2);
    watched.settle();
    // What is known already is no news.
    watched.deliver(vec![change(SHOP, "2")]);
    watched.deliver(vec![change(SHOP, "1"), change(SHOP, "2")]);
    watched.settle();
    assert_eq!(watched.begun(), BTreeMap::from([("shop".to_owned(), 1), ("shop-2".to_owned(), 1)]));
    let result = &watched.results()[0];
    let revisions: Vec<_> =
        result["trigger"]["changes"].as_array().unwrap().iter().map(|change| change["revision"].clone()).collect();
    assert_eq!(revisions, ["1", "2"]);
    watched
        .farm
        .run(&["report"])
        .exits(0)
        .says("change 1, Ann <ann@shop.example>: Change to 1 (https://git.example/shop main)");
    watch.hears("nothing watches https://git.example/other main");
    assert_eq!(watch.stop(), Some(130));
}

#[test]
fn a_build_waits_for_quiet_and_tells_who_waits_for_what() {
    let watched = Watched::new(
        "[slow]\ninherit = base\nwatch = git https://git.example/shop main\ntree-stable-timer = 3600\n\
         [quick]\ninherit = base\nwatch = git https://git.example/shop main\ntree-stable-timer = 1\n",
    );
    snapshot!("queue_of_nobody", watched.farm.run(&["queue"]).exits(0).out);
    watched
        .farm
        .run(&["force", "slow", "--by", "Bob", "--reason", "a try"])
        .exits(0)
        .says("no `farmout watch` is at work");
    snapshot!("queue_of_what_has_arrived", watched.farm.run(&["queue"]).exits(0).out);
    let watch = Watch::begin(&watched, &["--poll", "0"]);
    eventually("the wish is fulfilled", || watched.begun().contains_key("slow"));
    watched.settle();
    for revision in ["1", "2", "3"] {
        watched.deliver(vec![change(SHOP, revision)]);
    }
    eventually("the quick one has ended", || watched.book()["builds"]["quick"].get("last").is_some());
    assert_eq!(watched.begun(), BTreeMap::from([("quick".to_owned(), 1), ("slow".to_owned(), 1)]));
    let table = watched.farm.run(&["queue"]).exits(0).out;
    let table = regex::Regex::new(r"\d\d:\d\d:\d\d \([^)]*\)").unwrap().replace_all(&table, "[time]").into_owned();
    let table = regex::Regex::new(r"\d{8}-\d{6}-\w{4}").unwrap().replace_all(&table, "[run]").into_owned();
    // What is cut out has its own width.
    let table = regex::Regex::new(" {2,}").unwrap().replace_all(&table, "  ").into_owned();
    snapshot!("queue_of_what_waits", table);
    // A wish does not wait, and takes with it what has changed.
    watched.farm.run(&["force", "slow"]).exits(0);
    eventually("the slow one has ended again", || watched.begun()["slow"] == 2);
    watched.settle();
    assert_eq!(watched.results().last().unwrap()["trigger"]["changes"].as_array().unwrap().len(), 3);
    drop(watch);
    let wrong = watched.farm.run(&["force", "slwo"]).exits(2);
    snapshot!("force_of_a_build_that_is_none", wrong.err);
}

#[test]
fn a_burst_is_one_run_for_each_build() {
    use std::fmt::Write as _;
    let mut manifest = String::new();
    for build in 0..20 {
        write!(manifest, "[b{build}]\ninherit = base\ntree-stable-timer = 3\nwatch =").unwrap();
        for repository in 0..10 {
            writeln!(manifest, "    git https://git.example/r{} main", build * 10 + repository).unwrap();
        }
    }
    let watched = Watched::new(&manifest);
    let watch = Watch::begin(&watched, &["--poll", "0", "--jobs", "4"]);
    std::thread::scope(|scope| {
        for part in 0..4 {
            let watched = &watched;
            scope.spawn(move || {
                for number in 0..250 {
                    let number = part * 250 + number;
                    watched
                        .deliver(vec![change(&format!("https://git.example/r{}", number % 200), &number.to_string())]);
                }
            });
        }
    });
    eventually("all have ended", || watched.results().len() >= 20);
    watched.settle();
    assert_eq!(watched.begun(), (0..20).map(|build| (format!("b{build}"), 1)).collect());
    let blamed: usize = watched.results().iter().map(|run| run["trigger"]["changes"].as_array().unwrap().len()).sum();
    assert_eq!(blamed, 1000, "{}", watch.said());
}

#[test]
fn there_is_one_for_each_state_directory() {
    let watched = Watched::new("[shop]\ninherit = base\n");
    let _watch = Watch::begin(&watched, &["--poll", "0"]);
    watched.farm.run(&["watch", "--poll", "0"]).exits(0).says("another `farmout watch` (pid ");
    // Builds are watched whole, and all of them.
    watched.farm.run(&["watch", "shop"]).exits(2).says("unexpected argument 'shop'");
    watched.farm.run(&["watch", "--slave", "hree"]).exits(2).says("did you mean `here`?");
}

#[test]
fn once_takes_what_is_there_and_ends() {
    let watched = Watched::new(
        "[now]\ninherit = base\nwatch = git https://git.example/shop main\n\
         [later]\ninherit = base\nwatch = git https://git.example/shop main\ntree-stable-timer = 3600\n",
    );
    watched.farm.run(&["watch", "--once", "--poll", "0"]).exits(0);
    watched.deliver(vec![change(SHOP, "1")]);
    // The build fails, as all of these do.
    watched.farm.run(&["watch", "--once", "--poll", "0"]).exits(1);
    assert_eq!(watched.begun(), BTreeMap::from([("now".to_owned(), 1)]));
    watched.farm.run(&["watch", "--once", "--poll", "0"]).exits(0);
    assert_eq!(watched.begun(), BTreeMap::from([("now".to_owned(), 1)]));
    // However the clock is set, what waits neither is lost nor waits longer than it would.
    let path = watched.farm.state().join("watch/state.json");
    let set = |time: &str| {
        let mut book = watched.book();
        book["time"] = time.into();
        fs::write(&path, book.to_string()).unwrap();
    };
    set("2099-01-01T00:00:00Z");
    watched.farm.run(&["watch", "--once", "--poll", "0"]).exits(0);
    assert!(watched.book()["builds"]["later"].get("pending").is_some());
    set("2020-01-01T00:00:00Z");
    watched.farm.run(&["watch", "--once", "--poll", "0"]).exits(1);
    assert_eq!(watched.begun(), BTreeMap::from([("later".to_owned(), 1), ("now".to_owned(), 1)]));
}

#[test]
fn what_cannot_be_read_is_told_and_kept() {
    let watched = Watched::new("[shop]\ninherit = base\nwatch = git https://git.example/shop main\n");
    let watch = Watch::begin(&watched, &["--poll", "0"]);
    let spool = watched.farm.state().join("watch/spool");
    fs::write(spool.join("x.json"), "{").unwrap();
    watched.deliver(vec![change(SHOP, "1")]);
    watch.hears("rejected/x.json is no delivery");
    eventually("the other is taken", || watched.results().len() == 1);
    assert_eq!(watch.stop(), Some(130));
    fs::write(watched.farm.state().join("watch/state.json"), "{\"format\": 7}").unwrap();
    watched.farm.run(&["watch", "--poll", "0"]).exits(2).says("format 7").says("a later farmout made it");
    watched.farm.run(&["queue"]).exits(2).says("format 7");
    fs::write(watched.farm.state().join("watch/state.json"), "{").unwrap();
    watched.farm.run(&["watch", "--poll", "0"]).exits(2).says("is damaged");
}
