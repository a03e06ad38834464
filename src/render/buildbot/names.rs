//! What slaves and secrets are called on Buildbot, and the secrets that are known here. Names of the farm come in, names that a master
//! and its files take go out.

use indexmap::IndexMap;

use crate::Compilation;
use crate::compile::secret_sources;
use crate::model;
use crate::plan::short_hash;

/// What a worker's name may be: letters, digits, `-` and `_`, no digit first, and at most 50 characters (Buildbot's
/// `util.identifiers`). Characters from U+00A0 on count as letters.
const LONGEST_WORKER: usize = 50;

/// What a slave is called on Buildbot: its own name where that can be one; else as much of it as can be, and digits that keep
/// apart those which differ only in what cannot.
pub fn worker_name(slave: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || c >= '\u{a0}';
    let first = |c: char| fits(c) && !c.is_ascii_digit();
    if slave.starts_with(first) && slave.chars().all(fits) && slave.chars().count() <= LONGEST_WORKER {
        return slave.to_owned();
    }
    let hash = short_hash(slave);
    let name = slave.chars().map(|c| if fits(c) { c } else { '_' }).take(LONGEST_WORKER - hash.len() - 2);
    let name: String = name.collect();
    format!("{}{name}-{hash}", if name.starts_with(first) { "" } else { "_" })
}

/// What a slave's password is called among the secrets.
pub fn password_name(slave: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if slave.chars().all(plain) && !slave.starts_with('.') {
        return format!("{slave}-worker-password");
    }
    // Such a name is no file's, and two of them may differ in nothing else.
    let name: String = slave.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    format!("{}-{}-worker-password", name.trim_start_matches('.'), short_hash(slave))
}

/// What the credentials of a watched branch are called among the secrets.
pub fn watch_secret(url: &str) -> String {
    format!("watch-{}", short_hash(url))
}

/// The secrets themselves, as far as they are known here: passwords of workers and databases, credentials of repositories.
pub fn known_secrets(compilation: &Compilation) -> IndexMap<String, model::SecretSource> {
    let graph = &compilation.graph;
    let mut known: IndexMap<String, model::SecretSource> = IndexMap::new();
    for slave in &graph.farm.slaves {
        known.insert(password_name(&slave.name), slave.password.clone());
    }
    known.extend(secret_sources(graph).into_iter().map(|(name, named)| (name, named.source)));
    for watch in graph.farm.builds.iter().flat_map(|build| &build.watch).filter(|watch| !watch.credentials.is_empty()) {
        let secret = model::Secret::new(watch.credentials.expose());
        known.insert(watch_secret(&watch.url), model::SecretSource::Given(secret));
    }
    known
}
