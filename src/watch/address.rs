//! Which watched branches a change is of: changes and watches in, however each of them spells a repository's address; whether
//! they mean the same one out. No repository is asked.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use percent_encoding::percent_decode_str;

use crate::model::{Change, Vcs, Watch, without_credentials};
use crate::resolve::{Rewrite, watch};

/// The ways to a server, and their ports that need not be said. By whichever of them, one path of one server is one repository:
/// servers tell of a push by `https`, and farms watch by `ssh`.
const WAYS: [(&str, &str); 14] = [
    ("bzr", "4155"),
    ("bzr+http", "80"),
    ("bzr+https", "443"),
    ("bzr+ssh", "22"),
    ("ftp", "21"),
    ("git", "9418"),
    ("git+http", "80"),
    ("git+https", "443"),
    ("git+ssh", "22"),
    ("http", "80"),
    ("https", "443"),
    ("sftp", "22"),
    ("ssh", "22"),
    ("ssh+git", "22"),
];
/// Services that do not tell paths apart by the case of their letters.
const CASELESS: [&str; 3] = ["bitbucket.org", "github.com", "gitlab.com"];
/// Users of servers on which nobody has a home.
const SERVICES: [&str; 3] = ["bzr", "git", "hg"];
/// What Git calls branches in full.
const HEADS: &str = "refs/heads/";

/// The spelling that all addresses of one repository share. It is for comparing, and no address itself.
pub fn place(vcs: Vcs, url: &str) -> String {
    let bare = without_credentials(url.trim());
    let written = match bare.split_once("://") {
        Some((scheme, rest)) => with_scheme(&scheme.to_ascii_lowercase(), rest),
        None => without_scheme(vcs, &bare),
    };
    let mut written = without_end_slashes(&written);
    if vcs == Vcs::Git {
        written = without_end_slashes(written.strip_suffix(".git").unwrap_or(written));
    }
    written.to_owned()
}

fn with_scheme(scheme: &str, rest: &str) -> String {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = percent_decode_str(path).decode_utf8().unwrap_or(Cow::Borrowed(path));
    if scheme == "file" {
        return single_slashes(&path);
    }
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = host.to_ascii_lowercase();
    let Some((_, port)) = WAYS.iter().find(|(name, _)| *name == scheme) else {
        return format!("{scheme}://{user}@{host}{path}");
    };
    let host = host.strip_suffix(&format!(":{port}")).unwrap_or(&host);
    match path.strip_prefix("/~/") {
        Some(path) => at_home(user, host, path),
        None => on_server(host, &path),
    }
}

/// A local path, or the `user@host:path` that Git takes.
fn without_scheme(vcs: Vcs, url: &str) -> String {
    let short = url.split_once(':').filter(|(host, _)| vcs == Vcs::Git && !host.is_empty() && !host.contains('/'));
    let Some((authority, path)) = short else { return single_slashes(url) };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = host.to_ascii_lowercase();
    if path.starts_with('/') { on_server(&host, path) } else { at_home(user, &host, path.trim_start_matches("~/")) }
}

/// A path below a user's home. Services have but one user, and what is in his home is the server's.
fn at_home(user: &str, host: &str, path: &str) -> String {
    if user.is_empty() || SERVICES.contains(&user) {
        on_server(host, &format!("/{path}"))
    } else {
        on_server(host, &format!("/~{user}/{path}"))
    }
}

fn on_server(host: &str, path: &str) -> String {
    let path = single_slashes(path);
    format!("//{host}{}", if CASELESS.contains(&host) { path.to_lowercase() } else { path })
}

fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !single.ends_with('/') {
            single.push(c);
        }
    }
    single
}

fn without_end_slashes(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// All places that a change is said to be at: as they were told, and as the farm's rewrites have them, by which it watches.
pub fn places(change: &Change, rewrites: &[Rewrite]) -> BTreeSet<String> {
    let urls = std::iter::once(&change.url).chain(&change.other_urls);
    let both = |url: &String| [&[], rewrites].map(|rewrites| watch(change.vcs, url, None, rewrites).url);
    urls.flat_map(both).map(|url| place(change.vcs, &url)).collect()
}

/// The branch's name for comparing; a Bazaar address is a branch itself.
pub(crate) fn branch_name(vcs: Vcs, name: Option<&str>) -> &str {
    match vcs {
        Vcs::Bzr => "",
        Vcs::Git => name.map_or("", |name| name.strip_prefix(HEADS).unwrap_or(name)),
        Vcs::Hg => name.unwrap_or_default(),
    }
}

/// Whether the change is one of the branch that is watched, by an address that these rewrites have been applied to.
pub fn matches(change: &Change, watch: &Watch, rewrites: &[Rewrite]) -> bool {
    change.vcs == watch.vcs
        && branch_name(change.vcs, change.branch.as_deref()) == branch_name(watch.vcs, watch.branch.as_deref())
        && places(change, rewrites).contains(&place(watch.vcs, &watch.url))
}

/// Many watched branches, in which those of a change are found at once: what [`matches()`] says of each.
#[derive(Debug, Clone, Default)]
pub struct Index {
    rewrites: Vec<Rewrite>,
    watches: HashMap<(Vcs, String), Vec<Watch>>,
}

impl Index {
    /// An index of these branches, whose addresses the rewrites have been applied to.
    pub fn new<'a>(watches: impl IntoIterator<Item = &'a Watch>, rewrites: &[Rewrite]) -> Self {
        let mut index = Self { rewrites: rewrites.to_vec(), watches: HashMap::new() };
        for watch in watches {
            let there = index.watches.entry((watch.vcs, place(watch.vcs, &watch.url))).or_default();
            if !there.contains(watch) {
                there.push(watch.clone());
            }
        }
        index
    }

    /// The branches that the change is of: several where the farm spells one address in several ways.
    pub fn find(&self, change: &Change) -> Vec<&Watch> {
        let name = branch_name(change.vcs, change.branch.as_deref());
        let at = places(change, &self.rewrites).into_iter().filter_map(|place| self.watches.get(&(change.vcs, place)));
        let found = at.flatten().filter(|watch| branch_name(watch.vcs, watch.branch.as_deref()) == name);
        found.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn change(vcs: Vcs, url: &str, branch: Option<&str>) -> Change {
        Change {
            vcs,
            url: url.to_owned(),
            other_urls: Vec::new(),
            branch: branch.map(str::to_owned),
            revision: "1".to_owned(),
            author: None,
            comment: None,
            files: Vec::new(),
            time: Timestamp::UNIX_EPOCH,
        }
    }

    fn watched(vcs: Vcs, url: &str, branch: Option<&str>) -> Watch {
        watch(vcs, url, branch.map(str::to_owned), &[])
    }

    fn same(vcs: Vcs, one: &str, other: &str) -> bool {
        let watch = watched(vcs, other, Some("b"));
        let found = matches(&change(vcs, one, Some("b")), &watch, &[]);
        assert_eq!(Index::new([&watch], &[]).find(&change(vcs, one, Some("b"))).len(), usize::from(found));
        found
    }

    #[test]
    fn spellings_of_one_repository_are_one() {
        for url in [
            "https://git.example/shop/addons.git",
            "https://git.example/shop/addons/",
            "https://me:pw@GIT.example:443/shop//addons.git/",
            "http://git.example/shop/addons",
            "HTTPS://token@git.example/shop/%61ddons",
            "git@git.example:shop/addons.git",
            "Git.Example:shop/addons",
            "git@git.example:/shop/addons",
            "ssh://git@git.example:22/shop/addons.git",
            "git+ssh://ann@git.example/shop/addons",
            "git://git.example/shop/addons",
        ] {
            assert!(same(Vcs::Git, url, "https://git.example/shop/addons"), "{url}");
            assert!(same(Vcs::Git, "ssh://git@git.example/shop/addons.git", url), "{url}");
        }
        assert!(same(Vcs::Git, "file:///srv/a.git/", "/srv/a"));
        assert!(same(Vcs::Git, "file://localhost/srv/a%20b", "/srv/a b/.git"));
        assert!(same(Vcs::Git, "https://github.com/Shop/Addons", "git@github.com:shop/addons.git"));
        assert!(same(Vcs::Git, "ann@host.example:a", "ssh://ann@host.example/~/a"));
        assert!(same(Vcs::Hg, "ssh://hg@hg.example//a/b", "https://hg.example/a/b/"));
        assert!(same(Vcs::Bzr, "lp:~a/b/c", "https://bazaar.launchpad.net/%7Ea/b/c"));
        assert!(same(Vcs::Bzr, "bzr+ssh://ann@bazaar.launchpad.net/~a/b/c", "https://bazaar.launchpad.net/~a/b/c"));
    }

    #[test]
    fn what_is_another_stays_apart() {
        for (one, other) in [
            ("https://git.example/a", "https://git.example/A"),
            ("https://git.example/a", "https://git.example:8443/a"),
            ("https://git.example/a", "https://other.example/a"),
            ("https://git.example/a", "https://git.example/a/b"),
            ("ann@git.example:a", "bob@git.example:a"),
            ("/srv/a", "https://git.example/srv/a"),
            ("/srv/a", "srv/a"),
            ("/git.example/a", "https://git.example/a"),
        ] {
            assert!(!same(Vcs::Git, one, other), "{one} {other}");
        }
        assert!(!same(Vcs::Hg, "https://hg.example/a.git", "https://hg.example/a"));
    }

    #[test]
    fn system_and_branch_count_too() {
        let watch = watched(Vcs::Git, "https://x.example/a", Some("16.0"));
        let told = |vcs, branch| matches(&change(vcs, "https://x.example/a", branch), &watch, &[]);
        assert!(told(Vcs::Git, Some("refs/heads/16.0")));
        assert!(!told(Vcs::Git, Some("16.0-fix")) && !told(Vcs::Git, None) && !told(Vcs::Hg, Some("16.0")));
        let bazaar = watched(Vcs::Bzr, "https://x.example/a", None);
        assert!(matches(&change(Vcs::Bzr, "https://x.example/a", Some("trunk")), &bazaar, &[]));
    }

    #[test]
    fn a_farms_rewrites_and_a_services_other_addresses_lead_there_as_well() {
        let rewrites = [
            Rewrite { from: "https://git.example/".to_owned(), to: "ssh://mirror.example/git/".to_owned() },
            Rewrite { from: "ssh://mirror.example/".to_owned(), to: "/srv/".to_owned() },
        ];
        let watch = watched(Vcs::Git, "/srv/git/shop", Some("b"));
        let mut told = change(Vcs::Git, "git@git.example:shop", Some("b"));
        assert!(!matches(&told, &watch, &rewrites));
        told.other_urls.push("https://git.example/shop".to_owned());
        assert!(matches(&told, &watch, &rewrites));
        assert_eq!(Index::new([&watch], &rewrites).find(&told), [&watch]);
        // A hook in the mirror itself knows no other address.
        assert!(matches(&change(Vcs::Git, "file:///srv/git/shop", Some("b")), &watch, &rewrites));
    }

    #[test]
    fn an_index_finds_each_spelling_once() {
        let spellings = ["https://x.example/a", "git@x.example:a.git", "https://x.example/a", "https://x.example/b"];
        let watches = spellings.map(|url| watched(Vcs::Git, url, Some("b")));
        let mut told = change(Vcs::Git, "ssh://git@x.example/a", Some("b"));
        told.other_urls.push("https://x.example/a.git".to_owned());
        assert_eq!(Index::new(&watches, &[]).find(&told), [&watches[1], &watches[0]]);
    }

    #[test]
    fn no_address_is_too_odd() {
        for url in ["", "/", ":", "://", "a:", ":b", "x://", "https://", "https://@:443//", "%", "https://h/%ff", "é"]
        {
            for vcs in [Vcs::Bzr, Vcs::Git, Vcs::Hg] {
                assert!(same(vcs, url, url), "{url}");
            }
        }
    }
}
