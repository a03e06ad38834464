//! The scheduler is killed, again and again, while changes come: none is lost, and none is built twice.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Watch, Watched, change};

#[test]
fn kills_lose_no_change_and_build_none_twice() {
    let watched = Watched::new(
        "[shop]\ninherit = base\nwatch = git https://git.example/shop main\n\
         [pay]\ninherit = base\nwatch = git https://git.example/pay main\n",
    );
    let mut delivered = 0;
    for round in 0u64..12 {
        let watch = Watch::begin(&watched, &["--poll", "0", "--jobs", "2"]);
        for number in 0..3 {
            watched.deliver(vec![change("https://git.example/shop", &format!("shop-{round}-{number}"))]);
            watched.deliver(vec![change("https://git.example/pay", &format!("pay-{round}-{number}"))]);
            delivered += 2;
            std::thread::sleep(Duration::from_millis(round * 37 % 150));
        }
        watch.kill();
    }
    let watch = Watch::begin(&watched, &["--poll", "0", "--jobs", "2"]);
    watched.settle();
    let mut finished: BTreeMap<String, usize> = BTreeMap::new();
    for run in watched.results().iter().filter(|run| run["outcome"] != "interrupted") {
        for change in run["trigger"]["changes"].as_array().unwrap() {
            *finished.entry(change["revision"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(finished.len(), delivered, "{finished:?}\n{}", watch.said());
    assert!(finished.values().all(|&count| count == 1), "{finished:?}\n{}", watch.said());
}

#[test]
fn what_is_stopped_is_begun_again() {
    let watched = Watched::new("[shop]\ninherit = base\nwatch = git https://git.example/shop main\n");
    watched.farm.edit("templates/mark.yaml", "pwd >>", "sleep 1; pwd >>");
    let watch = Watch::begin(&watched, &["--poll", "0"]);
    watched.deliver(vec![change("https://git.example/shop", "1")]);
    watched.farm.await_step("mark");
    assert_eq!(watch.stop(), Some(130));
    let book = watched.book();
    assert_eq!(book["builds"]["shop"]["pending"]["changes"].as_array().unwrap().len(), 1, "{book}");
    let _watch = Watch::begin(&watched, &["--poll", "0"]);
    watched.settle();
    assert_eq!(watched.results().last().unwrap()["outcome"], "failure");
    assert_eq!(watched.begun()["shop"], 1);
}
