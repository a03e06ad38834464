//! Which paths are the farm's own. A manifest is often somebody else's proposal, checked by a machine that may read much
//! more: what it names outside of the farm is not read, and nothing of it is quoted. Goes by the text of paths, and follows no
//! link: those are files of the farm, too.

use camino::{Utf8Path, Utf8PathBuf};

use crate::model::normal;

/// Directories whose files a farm may name.
#[derive(Debug, Clone, Default)]
pub struct Within {
    /// The current directory, that paths of both kinds can be compared.
    here: Utf8PathBuf,
    directories: Vec<Utf8PathBuf>,
}

impl Within {
    /// The directory of a farm, and everything below it.
    pub fn new(farm: &Utf8Path) -> Self {
        let here = std::env::current_dir().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
        let within = Self { here: here.unwrap_or_default(), directories: Vec::new() };
        within.and(farm)
    }

    /// Another directory besides: that of a manifest which is read instead of the farm's own.
    #[must_use]
    pub fn and(mut self, directory: &Utf8Path) -> Self {
        self.directories.push(self.absolute(directory));
        self
    }

    /// Whether a path, from the current directory, is in one of them.
    pub fn holds(&self, path: &Utf8Path) -> bool {
        let path = self.absolute(path);
        let inside = |rest: &Utf8Path| !rest.components().any(|part| part == camino::Utf8Component::ParentDir);
        self.directories.iter().any(|directory| path.strip_prefix(directory).is_ok_and(inside))
    }

    fn absolute(&self, path: &Utf8Path) -> Utf8PathBuf {
        normal(&self.here.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_is_not_within() {
        let within = Within { here: "/srv/all/farm/sub".into(), directories: Vec::new() };
        let within = within.and("..".into()).and("/other/manifests".into());
        let holds = |path: &str| within.holds(Utf8Path::new(path));
        let inside = ["a.cfg", "../a.cfg", "../buildouts/../a.cfg", "/srv/all/farm/b/a.cfg", "/other/manifests/a.cfg"];
        assert!(inside.into_iter().all(holds));
        let outside = ["../../a.cfg", "../../farmer/a.cfg", "/etc/shadow", "/srv/all/farm/../a.cfg", "/other/a.cfg"];
        assert!(!outside.into_iter().any(holds));
        assert!(!holds("../../../../../../../../srv/all/farm/../../../etc/shadow"));
    }
}
