//! The downloads and the eggs that builds of a slave share, removed on request; builds make them again.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::active::Active;
use super::recover::records;
use crate::diagnostic::plain;
use crate::workspace::folder::Folder;

/// The folder of caches in a base directory.
const CACHES: &str = "buildout-caches";
/// Its name on its way out.
const GOING: &str = ".buildout-caches.old";

/// The caches of one slave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// Where they are.
    pub path: Utf8PathBuf,
    /// How much room they take, in bytes.
    pub size: u64,
    /// Why they are there still, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Removes the caches of every slave whose base directory is in one of `homes`, unless a builder of it is at work. With
/// `rehearse` it only says how large they are.
pub fn remove_caches(state: &Utf8Path, homes: &[Utf8PathBuf], rehearse: bool) -> Vec<Cache> {
    let mut found = Vec::new();
    for home in homes {
        let Ok(home) = Folder::open(home) else { continue };
        for name in home.names().unwrap_or_default() {
            // What is no folder is no slave's.
            let Ok(base) = home.enter(&name) else { continue };
            let mut cache = Cache { path: base.path().join(CACHES), size: 0, problem: None };
            match remove(&base, rehearse, &|| refuse_at_work(state, base.path())) {
                Ok(Some(size)) => cache.size = size,
                Ok(None) => continue,
                Err(problem) => cache.problem = Some(plain(&problem)),
            }
            found.push(cache);
        }
    }
    found
}

/// How large they were; none if there were none. They stay where `refuse` says why.
fn remove(base: &Folder, rehearse: bool, refuse: &dyn Fn() -> Result<(), String>) -> Result<Option<u64>, String> {
    let told = |error: std::io::Error| error.to_string();
    if base.is_link(CACHES) {
        return Err("it is a link, which is not followed".to_owned());
    }
    let names = base.names().map_err(told)?;
    let (there, left) = (names.iter().any(|name| name == CACHES), names.iter().any(|name| name == GOING));
    if !there && !left {
        return Ok(None);
    }
    let mut size = 0;
    if left {
        // An earlier call was killed.
        size += base.enter(GOING).and_then(|folder| folder.size()).map_err(told)?;
        if !rehearse {
            base.remove_all(GOING).map_err(told)?;
        }
    }
    if there {
        refuse()?;
        size += base.enter(CACHES).and_then(|folder| folder.size()).map_err(told)?;
        if !rehearse {
            base.rename(CACHES, GOING).map_err(told)?;
            // A builder may have begun in between, and not yet looked at them.
            if let Err(problem) = refuse() {
                return Err(match base.rename(GOING, CACHES) {
                    Ok(()) => problem,
                    Err(error) => format!("{problem}; they are in {GOING} now, and go the next time: {error}"),
                });
            }
            base.remove_all(GOING).map_err(told)?;
        }
    }
    Ok(Some(size))
}

/// Refuses while a builder of the slave is at work, or may be.
fn refuse_at_work(state: &Utf8Path, basedir: &Utf8Path) -> Result<(), String> {
    let basedir = basedir.canonicalize_utf8().unwrap_or_else(|_| basedir.to_owned());
    for path in records(&state.join("active")).unwrap_or_default() {
        let Some(active) = Active::read(&path).map_err(|error| format!("the record {path} cannot be read: {error}"))?
        else {
            continue;
        };
        let record = active.record;
        let its = record.basedir.canonicalize_utf8().unwrap_or(record.basedir);
        if its == basedir && record.kept.is_empty() {
            return Err(format!("the builder {} is at work, or still to be cleaned up", record.builder));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Removes the caches of a slave, of which a builder begins between the two looks and does something. What came of it,
    /// and the names of what is there then.
    fn with_a_builder_in_between(does: impl Fn(&Utf8Path)) -> (String, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        std::fs::create_dir_all(path.join(CACHES).join("eggs")).unwrap();
        let looks = Cell::new(0);
        let refuse = || {
            looks.set(looks.get() + 1);
            if looks.get() == 1 {
                return Ok(());
            }
            assert!(!path.join(CACHES).exists());
            does(path);
            Err("it is at work".to_owned())
        };
        let base = Folder::open(path).unwrap();
        let problem = remove(&base, false, &refuse).unwrap_err();
        let mut names = base.names().unwrap();
        names.sort();
        for name in &names {
            assert!(path.join(name).read_dir().unwrap().count() == 1, "what is in {name} is there");
        }
        (problem, names)
    }

    #[test]
    fn a_builder_that_begins_meanwhile_has_its_caches() {
        assert_eq!(with_a_builder_in_between(|_| {}), ("it is at work".to_owned(), vec![CACHES.to_owned()]));
        let (problem, names) =
            with_a_builder_in_between(|base| std::fs::create_dir_all(base.join(CACHES).join("new")).unwrap());
        assert!(problem.starts_with("it is at work; they are in .buildout-caches.old now, and go the next time: "));
        assert_eq!(names, [GOING, CACHES]);
    }
}
