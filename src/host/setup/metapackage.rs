//! The needs of builds as a Debian package without files of its own, for those who install everything as packages. In: needs, a
//! distribution. Out: files of a source package, which are also the tree that dpkg-deb builds. Nothing is written here.

use camino::Utf8PathBuf;
use minijinja::context;

use super::template;
use crate::diagnostic::Failure;
use crate::host::needs::{Distribution, Need, Weight, packages};

/// The package's name.
pub const NAME: &str = "farmout-slave";

/// A file of the source package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path within the package.
    pub path: Utf8PathBuf,
    /// Its mode.
    pub mode: u32,
    /// What is in it.
    pub content: String,
}

/// The source of the metapackage.
///
/// Comes in: the needs; the distribution, which must be Debian's or a relative's; the maintainer, `NAME <ADDRESS>`. Goes out:
/// `debian/…` for dpkg-buildpackage, and `farmout-slave/DEBIAN/control` for dpkg-deb by itself. What builds need is depended on,
/// what some want is suggested.
///
/// # Errors
/// A template is broken, which a test rules out.
pub fn files(needs: &[Need], distribution: &Distribution, maintainer: &str) -> Result<Vec<File>, Failure> {
    let (optional, needed): (Vec<&Need>, Vec<&Need>) = needs.iter().partition(|need| need.weight == Weight::Optional);
    let depends = packages(needed.iter().copied(), distribution);
    let mut suggests = packages(optional, distribution);
    suggests.retain(|package| !depends.contains(package));
    let purposes: Vec<(String, String)> = needed.iter().map(|need| (need.name.clone(), need.purpose.clone())).collect();
    let program = env!("CARGO_PKG_VERSION");
    let release = format!("{}{}", distribution.id, distribution.version);
    // Of a version only these may be written; a native package has no revision.
    let release: String = release.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let version = format!("{program}+{release}");
    let values = context! {
        name => NAME,
        version => version,
        program => program,
        release => distribution.name.as_str(),
        maintainer => maintainer,
        depends => depends,
        suggests => suggests,
        purposes => purposes,
    };
    let file = |path: &str, mode, content: String| File { path: path.into(), mode, content };
    let filled = |name: &str| template::fill(name, values.clone());
    Ok(vec![
        file("debian/changelog", 0o644, filled("debian/changelog")?),
        file("debian/control", 0o644, filled("debian/control")?),
        file("debian/rules", 0o755, filled("debian/rules")?),
        file("debian/source/format", 0o644, "3.0 (native)\n".to_owned()),
        file(&format!("{NAME}/DEBIAN/control"), 0o644, filled("DEBIAN/control")?),
    ])
}
