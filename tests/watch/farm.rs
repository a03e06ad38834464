//! The farm changes while it is watched.

use crate::common::eventually;
use crate::support::{Watch, Watched, change};

#[test]
fn a_farm_with_a_mistake_is_not_taken_over() {
    let watched = Watched::new("[shop]\ninherit = base\nwatch = git https://git.example/shop main\n");
    let watch = Watch::begin(&watched, &["--poll", "0"]);
    watched.farm.edit("buildouts/MANIFEST.cfg", "[shop]", "[shop");
    watched.deliver(vec![change("https://git.example/shop", "1")]);
    watch.hears("THE FARM HAS CHANGED AND DOES NOT COMPILE");
    watch.hears("buildouts/MANIFEST.cfg");
    eventually("it is built as before", || watched.results().len() == 1);
    watched.farm.edit(
        "buildouts/MANIFEST.cfg",
        "[shop\n",
        "[pay]\ninherit = base\nwatch = hg https://hg.example/pay default\n[shop]\n",
    );
    watch.hears("the farm has changed");
    let mut pay = change("https://hg.example/pay", "1");
    (pay.vcs, pay.branch) = (farmout::model::Vcs::Hg, Some("default".to_owned()));
    watched.deliver(vec![pay]);
    eventually("the new build is begun", || watched.begun().contains_key("pay"));
    watched.settle();
    assert_eq!(watch.stop(), Some(130));
}

#[test]
fn a_build_that_cannot_begin_waits() {
    let watched = Watched::new(
        "[tagged]\ninherit = base\nbuildout = hgtag https://hg.example/shop buildout.cfg\nwatch = git https://git.example/shop main\n",
    );
    let watch = Watch::begin(&watched, &["--poll", "0"]);
    watched.deliver(vec![change("https://git.example/shop", "1")]);
    watch.hears("tagged: it cannot begin, and is tried again in");
    watch.hears("buildout-tag");
    assert_eq!(watch.stop(), Some(130));
    assert_eq!(watched.book()["builds"]["tagged"]["pending"]["changes"].as_array().unwrap().len(), 1);
}
