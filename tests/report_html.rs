//! The pages of `report::html`, without a browser: what is in them.

mod common {
    pub mod kept;
    pub mod snapshot;
}

use std::fs;
use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::kept::{Kept, NASTY, step};
use common::snapshot::snapshot;
use farmout::report::html::{Entry, Run, write_index, write_run};
use farmout::runner::Ended;

fn page(kept: &Kept, past: &[Ended]) -> String {
    let mut out = Vec::new();
    write_run(&kept.result("failure"), past, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Without style and scripts, which are files for themselves, and without logs, which are packed.
const FILTERS: [(&str, &str); 3] = [
    (r"(?s)<style>.*?</style>", "<style>…</style>"),
    (r"(?s)(<script[^>]*>).*?</script>", "$1…</script>"),
    (r"sha256-(?:[\w+=]|&#x2f;)+", "sha256-…"),
];

#[test]
fn the_page_of_a_run() {
    let kept = Kept::small();
    let past = Kept::past(&[("success", 100.0), ("failure", 130.0), ("failure", 90.0)]);
    snapshot!("report-html-run", page(&kept, &past), FILTERS);
}

#[test]
fn the_index_over_runs() {
    let kept = Kept::small();
    let runs = [Kept::other(1, None, 100.0), Kept::other(2, Some("failure"), 130.0), kept.result("failure")];
    let pages = ["20261101/report.html", "javascript:alert(1)/a b#c?d.html"];
    let entries: Vec<_> =
        runs.iter().enumerate().map(|(number, result)| Entry { result, page: pages.get(number).copied() }).collect();
    let mut out = Vec::new();
    write_index(&entries, &mut out).unwrap();
    snapshot!("report-html-index", String::from_utf8(out).unwrap(), FILTERS);
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let kept = Kept::small();
    let first = page(&kept, &[]);
    for _ in 0..5 {
        assert!(page(&kept, &[]) == first);
    }
}

#[test]
fn only_what_ended_before_it_counts_as_past() {
    let kept = Kept::small();
    let mut past = Kept::past(&[("success", 100.0), ("skipped", 0.0), ("success", 130.0)]);
    // In any order, and with what ended after it.
    past.reverse();
    past.push(Ended { ended: "2026-11-22T21:51:00Z".parse().unwrap(), ..past[0].clone() });
    let run = Run::new(&kept.result("failure"), &past);
    let earlier: Vec<_> = run.builders[1].past.iter().map(|past| past.seconds).collect();
    assert_eq!(earlier, [100.0, 130.0]);
    assert!(run.builders[0].past.is_empty());
}

/// The logs that are packed in a page, block by block.
fn blocks(page: &str) -> Vec<Vec<u8>> {
    let unpack = |block: &str| {
        let packed = BASE64_STANDARD.decode(block.split_once('>').unwrap().1).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let parts = page.split("<script type=\"text/plain\"").skip(1);
    parts.map(|part| unpack(part.split_once("</script>").unwrap().0)).collect()
}

#[test]
fn logs_are_kept_byte_by_byte() {
    let kept = Kept::small();
    let html = page(&kept, &[]);
    assert!(blocks(&html).iter().any(|block| block == NASTY));
    // None of it is in the page as it is, but for the excerpt, in which it is escaped.
    assert!(!html.contains("window.broken = 1</script>") && !html.contains("<img src=x"));
    assert!(html.contains("&lt;script&gt;window.broken = 1"));
}

#[test]
fn what_is_not_there_is_said() {
    let mut kept = Kept::new();
    let mut elsewhere = step("elsewhere", "db", "success", 2, 1.0);
    elsewhere["log"] = "../../secret".into();
    let steps = vec![
        (step("gone", "fetch", "success", 0, 1.0), Some(&b"x\n"[..])),
        (step("link", "fetch", "failure", 1, 1.0), Some(b"x\n")),
        (elsewhere, None),
    ];
    kept.add("shop", "15", "failure", None, steps);
    let folder = kept.folder().join("shop-pg15");
    fs::write(kept.folder().parent().unwrap().join("secret"), "the secret\n").unwrap();
    fs::remove_file(folder.join("01-gone.log")).unwrap();
    fs::remove_file(folder.join("02-link.log")).unwrap();
    fs::write(kept.folder().join("private"), "the secret\n").unwrap();
    std::os::unix::fs::symlink(kept.folder().join("private"), folder.join("02-link.log")).unwrap();
    let html = page(&kept, &[]);
    assert!(html.contains("the log is not kept any more"), "{html}");
    assert!(html.contains("it is no file"), "{html}");
    assert!(!html.contains("the secret") && blocks(&html).is_empty(), "{html}");

    // Without its plan a builder is still shown.
    fs::remove_file(folder.join("plan.yaml")).unwrap();
    assert!(page(&kept, &[]).contains("<th scope=\"col\">none</th>"));
}

#[test]
fn what_was_added_to_files_is_beside_the_log() {
    let mut kept = Kept::new();
    let mut test = step("test", "post-buildout", "failure", 0, 1.0);
    test["followed"] = serde_json::json!([
        {"file": "/srv/farm/<build>/test.log", "log": "01-test.attempt-2.followed-1.log"},
        {"file": "/srv/farm/build/gone.log", "log": "01-test.attempt-2.followed-2.log"},
        {"file": "/srv/farm/build/elsewhere.log", "log": "../../secret"},
    ]);
    let first = serde_json::json!([{"file": "/srv/farm/build/test.log", "log": "01-test.followed-1.log"}]);
    test["retried"] = serde_json::json!([{"reason": "exit status 7", "seconds": 2.0, "followed": first}]);
    kept.add("shop", "15", "failure", None, vec![(test, Some(b"said\n"))]);
    let folder = kept.folder().join("shop-pg15");
    fs::write(kept.folder().parent().unwrap().join("secret"), "the secret\n").unwrap();
    fs::write(folder.join("01-test.attempt-2.followed-1.log"), "added <b>\nand more\n").unwrap();
    fs::write(folder.join("01-test.followed-1.log"), "first\n").unwrap();
    let html = page(&kept, &[]);
    assert_eq!(blocks(&html).concat(), b"said\nadded <b>\nand more\nfirst\n");
    let section = html.split("<details class=\"step\"").nth(1).unwrap().split("<dl class=\"facts\">").nth(1).unwrap();
    snapshot!("report-html-followed", section.split_once("</dl>").unwrap().1);
}

#[test]
fn a_reader_who_went_away_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space left"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::small();
    let error = write_run(&kept.result("failure"), &[], &mut Full).unwrap_err();
    assert_eq!(error.to_string(), "no space left");
}

#[test]
fn a_run_that_is_not_over_has_a_page() {
    let kept = Kept::small();
    let mut result = kept.result("failure");
    (result.outcome, result.seconds) = (None, 0.0);
    for builder in &mut result.builders {
        (builder.outcome, builder.reason, builder.seconds) = (None, None, 0.0);
    }
    result.builders[0].steps.clear();
    let mut out = Vec::new();
    write_run(&result, &[], &mut out).unwrap();
    let html = String::from_utf8(out).unwrap();
    assert!(html.contains("<title>unfinished: run 20261122-215000-k3f9</title>"), "{html}");
    assert!(html.contains("4 builders: <span class=\"count unfinished\">4 unfinished</span>"), "{html}");
    // The axis is as long as the steps that ended; what failed is told.
    assert!(html.contains("title=\"static-analysis 12s\"") && html.contains("error: ERROR in a log (1)"), "{html}");
    result.builders.clear();
    write_run(&result, &[], &mut Vec::new()).unwrap();
}
