//! Stable timers, and which build a change is for.

use std::time::{Duration, Instant};

use super::support::Case;

/// Long enough for three reconfigurations, and to tell one that goes on from one that was begun anew.
const TIMER: u32 = 9;

const SHOP: &str = "https://git.example/shop";

#[test]
fn a_reconfiguration_leaves_timers_alone() {
    let mut case = Case::new();
    let main = case.branch("git", "https://git.example/shop.git", Some("main"), "//git.example/shop");
    let next = case.branch("git", "https://git.example/shop.git", Some("next"), "//git.example/shop");
    case.build("shop", TIMER, &[main]);
    case.build("other", 1, &[next]);
    case.options = "poll=None, change_hook=None".to_owned();
    case.more = "c['www']['change_hook_dialects'] = {'base': True}\n".to_owned();
    case.start();

    case.tell(SHOP, "main", "r1");
    let start = Instant::now();
    case.changes(1);
    let second = Duration::from_secs(1);
    std::thread::sleep(second);
    case.reconfig();
    std::thread::sleep(2 * second);
    case.builds[1]["watch"] = serde_json::json!([main, next]);
    case.reconfig();
    std::thread::sleep(2 * second);
    // What it watches now is something else; what it waited for stays.
    case.builds[0]["watch"] = serde_json::json!([next]);
    case.reconfig();
    assert_eq!(case.asked(1), ["changes for shop: r1"]);
    let waited = start.elapsed();
    assert!((TIMER - 1..TIMER + 4).contains(&(waited.as_secs() as u32)), "{waited:?}");

    case.tell(SHOP, "main", "r2");
    assert_eq!(case.asked(2)[1], "changes for other: r2");
    case.tell(SHOP, "next", "r3");
    case.changes(3);
    assert_eq!(case.asked(3)[2], "changes for other: r3");
    assert_eq!(case.asked(4)[3], "changes for shop: r3");
}
