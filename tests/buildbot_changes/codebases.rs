//! What a build shows of the changes that it was started by, in several repositories.

use super::support::Case;

/// Commits to two repositories within one stable timer; the repositories and revisions of the build's sources, and how many
/// changes the build lists.
fn two(options: &str) -> (Vec<String>, usize, [String; 2]) {
    let mut case = Case::new();
    case.repository("git", "addons");
    case.repository("bzr", "server");
    case.repository("git", "quiet");
    let watch = [
        case.local("git", "addons", Some("main")),
        case.local("bzr", "server", None),
        case.local("git", "quiet", Some("main")),
    ];
    case.build("shop", 8, &watch);
    case.options = format!("poll=1{options}");
    case.start();
    case.looked(3);
    let revisions = [case.commit("git", "addons", "a"), case.commit("bzr", "server", "s")];
    case.changes(2);
    case.reconfig();
    case.asked(1);
    let build = case.master.until("builds", |builds| builds[0]["complete"].as_bool()?.then(|| builds[0].clone()));
    let request = case.master.get(&format!("buildrequests/{}", build["buildrequestid"]));
    let set = case.master.get(&format!("buildsets/{}", request[0]["buildsetid"]));
    let mut sources: Vec<_> = set[0]["sourcestamps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let repository = it["repository"].as_str().unwrap().rsplit('/').next().unwrap();
            format!("{repository} {}", it["revision"].as_str().unwrap_or("-"))
        })
        .collect();
    sources.sort_unstable();
    let changes = case.master.get(&format!("builds/{}/changes", build["buildid"]));
    (sources, changes.as_array().unwrap().len(), revisions)
}

#[test]
fn of_one_codebase_a_build_shows_the_last_change() {
    let (sources, changes, [a, s]) = two("");
    assert!(sources == [format!("addons {a}")] || sources == [format!("server {s}")], "{sources:?}");
    assert_eq!(changes, 1);
}

#[test]
fn of_a_codebase_for_each_repository_a_build_shows_them_all() {
    let (sources, changes, [a, s]) = two(", codebases=True");
    assert_eq!(sources, [format!("addons {a}"), "quiet -".to_owned(), format!("server {s}")]);
    assert_eq!(changes, 2);
}
