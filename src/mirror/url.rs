//! Addresses of watched repositories: as farms write them in; what tells two repositories apart, and what the directory of a
//! mirror is called, out. Nothing secret is in either.

use sha2::{Digest as _, Sha256};

use crate::model::{Vcs, without_credentials};

/// Ports that need not be said.
const PORTS: [(&str, &str); 4] = [("http", "80"), ("https", "443"), ("ssh", "22"), ("git", "9418")];
/// How long the readable part of a directory's name gets.
const READABLE: usize = 80;

/// The spelling that all addresses of one repository share: without credentials, needless slashes and ports, the host in lower
/// case, and of a Git repository behind a server without `.git`, which servers add by themselves. Paths are told apart by every
/// letter.
pub fn identity(vcs: Vcs, url: &str) -> String {
    let bare = without_credentials(url);
    let Some((scheme, rest)) = bare.split_once("://") else { return without_scheme(vcs, &bare) };
    let scheme = scheme.to_ascii_lowercase();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = path.trim_end_matches('/');
    if scheme == "file" {
        return path.to_owned();
    }
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let host = host.to_ascii_lowercase();
    let usual =
        |(name, port): &(&str, &str)| (*name == scheme).then(|| host.strip_suffix(&format!(":{port}"))).flatten();
    let host = PORTS.iter().find_map(usual).unwrap_or(&host);
    let path = if vcs == Vcs::Git { without_git(path) } else { path };
    let user = if user.is_empty() { String::new() } else { format!("{user}@") };
    format!("{scheme}://{user}{host}{path}")
}

/// Of a local path, and of the `user@host:path` that Git takes.
fn without_scheme(vcs: Vcs, url: &str) -> String {
    let url = url.trim_end_matches('/');
    let short = url.split_once(':').filter(|(host, _)| vcs == Vcs::Git && !host.contains('/'));
    let Some((authority, path)) = short else { return url.to_owned() };
    if path.starts_with('/') {
        return identity(vcs, &format!("ssh://{authority}{path}"));
    }
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let at = if user.is_empty() { "" } else { "@" };
    format!("{user}{at}{}:{}", host.to_ascii_lowercase(), without_git(path))
}

/// Of `shop/.git`, too, nothing is left but `shop`: the spelling of a spelling is the same.
fn without_git(path: &str) -> &str {
    path.strip_suffix(".git").map_or(path, |path| path.trim_end_matches('/'))
}

/// Other addresses that one as told by [`identity`] may stand for: that of a local one as it was escaped.
pub(super) fn others(identity: &str) -> Vec<String> {
    identity.starts_with('/').then(|| format!("file://{identity}")).into_iter().collect()
}

/// Whether an address says the same from wherever it is read.
pub(super) fn is_whole(vcs: Vcs, url: &str) -> bool {
    let short = || url.split_once(':').is_some_and(|(host, _)| vcs == Vcs::Git && !host.contains('/'));
    url.contains("://") || url.starts_with('/') || short()
}

/// What Bazaar branches that are beside each other have in common, and the branch's own part: one repository holds the revisions of
/// all of them, of which most are the same.
pub(super) fn beside(identity: &str) -> (&str, &str) {
    let path = identity.find("://").map_or(0, |at| at + 3);
    match identity[path..].rfind('/').map(|at| path + at) {
        Some(at) if at > 0 => (&identity[..at], &identity[at + 1..]),
        _ => (identity, ""),
    }
}

/// The name of a mirror's directory: enough of the address for people to know it by, and a hash of all of it.
pub(super) fn directory(identity: &str) -> String {
    let after = identity.find("://").map_or(identity, |at| &identity[at + 3..]);
    let after = after.split_once('@').filter(|(user, _)| !user.contains('/')).map_or(after, |(_, rest)| rest);
    let mut readable = String::new();
    for c in after.chars().take(READABLE) {
        let fine = c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        if fine {
            readable.push(c);
        } else if !readable.ends_with('-') {
            readable.push('-');
        }
    }
    let hash = Sha256::digest(identity.as_bytes());
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hash}", readable.trim_matches(['-', '.'])).trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_repository_are_one() {
        let git = |url| identity(Vcs::Git, url);
        for url in [
            "https://git.example/shop/addons.git",
            "https://git.example/shop/addons",
            "https://git.example/shop/addons.git/",
            "https://git.example/shop/addons/.git",
            "https://me:pw@GIT.example:443/shop/addons//",
            "HTTPS://token@git.example/shop/addons",
        ] {
            assert_eq!(git(url), "https://git.example/shop/addons", "{url}");
        }
        assert_eq!(git("git@Git.Example:shop/a.git"), "git@git.example:shop/a");
        assert_eq!(git("git@git.example:/shop/a.git"), git("ssh://git@git.example:22/shop/a"));
        assert_eq!(git("file:///srv/a/"), "/srv/a");
        assert_eq!(identity(Vcs::Hg, "https://Hg.Example/a/"), "https://hg.example/a");
    }

    #[test]
    fn what_may_be_another_stays_apart() {
        let git = |url| identity(Vcs::Git, url);
        for (one, other) in [
            ("https://git.example/a", "http://git.example/a"),
            ("https://git.example/a", "https://git.example/A"),
            ("https://git.example/a", "https://git.example:8443/a"),
            ("ssh://git@git.example/a", "ssh://me@git.example/a"),
            ("git@git.example:a", "git@git.example:/a"),
            ("/srv/a", "/srv/a.git"),
        ] {
            assert_ne!(git(one), git(other));
            assert_ne!(directory(&git(one)), directory(&git(other)));
        }
        assert_ne!(identity(Vcs::Hg, "https://hg.example/a.git"), identity(Vcs::Hg, "https://hg.example/a"));
    }

    #[test]
    fn names_of_directories_are_readable_and_safe() {
        assert_eq!(directory("https://git.example/shop/addons"), "git.example-shop-addons-6a1f1f449447");
        assert!(directory("git@git.example:a/b").starts_with("git.example-a-b-"));
        for identity in ["", "/", "..", "../../etc", "-x", ".git", "é", &"x/".repeat(300)] {
            let name = directory(identity);
            assert!(!name.starts_with(['.', '-']) && !name.contains('/') && name.len() < 100, "{identity}: {name}");
        }
    }

    #[test]
    fn branches_are_beside_each_other() {
        let server = "https://bazaar.launchpad.net/+branch/openobject-server";
        assert_eq!(beside(&format!("{server}/7.0")), (server, "7.0"));
        assert_eq!(beside("https://bzr.example"), ("https://bzr.example", ""));
        assert_eq!(beside("/a"), ("/a", ""));
    }

    #[test]
    fn whole_addresses_are_known() {
        assert!(is_whole(Vcs::Git, "git@host:a") && is_whole(Vcs::Hg, "/a") && is_whole(Vcs::Bzr, "bzr://a/b"));
        assert!(!is_whole(Vcs::Git, "../a:b") && !is_whole(Vcs::Hg, "host:a") && !is_whole(Vcs::Bzr, "a"));
    }
}
