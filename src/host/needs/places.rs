//! Where needs are looked for. In: a root, `PATH`, and the account that must be able to use what is found. Out: whether a
//! need is there. Only names are looked at.

use std::env;
use std::ffi::{OsStr, OsString};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Look, Need};
use crate::host::detect::step;
use crate::host::{Account, environment};

/// Fonts are looked for this many directories deep; Debian's are three deep.
const DEPTH: usize = 5;

/// Where to look.
#[derive(Debug, Clone)]
pub struct Places {
    root: Utf8PathBuf,
    path: OsString,
    include: Vec<Utf8PathBuf>,
    libraries: Vec<Utf8PathBuf>,
    account: Option<Account>,
}

impl Places {
    /// This machine's places: `PATH` without virtualenvs, the compiler's and the linker's directories, and those that
    /// `CPATH`, `C_INCLUDE_PATH` and `LD_LIBRARY_PATH` add. The account is the one that builds run as, if that is not the
    /// caller.
    pub fn of_this_machine(account: Option<&Account>) -> Self {
        let path = environment::search_path();
        let path = environment::free_of_virtualenv(&path, env::var_os("VIRTUAL_ENV").as_deref());
        let mut places = Self::below("/".into(), &path);
        places.include.extend(["CPATH", "C_INCLUDE_PATH"].into_iter().flat_map(variable));
        places.libraries.extend(variable("LD_LIBRARY_PATH"));
        places.account = account.cloned();
        places
    }

    /// The usual places below another root, for tests; `path` is a value of `PATH`, taken from that root.
    pub fn below(root: Utf8PathBuf, path: &OsStr) -> Self {
        let machine = architecture();
        let expand = |patterns: &[String]| -> Vec<Utf8PathBuf> {
            patterns.iter().flat_map(|pattern| matches(&root, pattern)).collect()
        };
        let include = ["usr/local/include", "usr/include"];
        let include: Vec<_> = include.iter().flat_map(|at| [at.to_string(), format!("{at}/{machine}-*")]).collect();
        let libraries = ["usr/local/lib", "usr/local/lib64", "usr/lib", "usr/lib64", "lib", "lib64"];
        let libraries: Vec<_> = libraries.iter().flat_map(|at| [at.to_string(), format!("{at}/{machine}-*")]).collect();
        let (include, libraries) = (expand(&include), expand(&libraries));
        Self { path: path.to_owned(), include, libraries, account: None, root }
    }

    /// Whether a need is there.
    pub fn have(&self, need: &Need) -> bool {
        match &need.look {
            Look::Program(names) => names.iter().any(|name| self.program(name).is_some()),
            Look::Header(names) => found(&self.include, names),
            Look::Library(names) => found(&self.libraries, names),
            Look::File(names) => found(std::slice::from_ref(&self.root), names),
            Look::Font(names) => ["usr/share/fonts", "usr/local/share/fonts"]
                .iter()
                .any(|directory| names.iter().any(|name| anywhere(&self.root.join(directory), name, DEPTH))),
        }
    }

    /// The needs that are not there, in their order.
    pub fn missing<'a>(&self, needs: &'a [Need]) -> Vec<&'a Need> {
        needs.iter().filter(|need| !self.have(need)).collect()
    }

    /// The first program of that name on `PATH` that builds can start.
    pub fn program(&self, name: &str) -> Option<Utf8PathBuf> {
        let elements = env::split_paths(&self.path).filter_map(|element| Utf8PathBuf::from_path_buf(element).ok());
        elements.map(|element| self.root.join(element.as_str().trim_start_matches('/')).join(name)).find(|path| {
            path.is_file()
                && match &self.account {
                    Some(account) => account.can_execute(path),
                    None => nix::unistd::access(path.as_std_path(), nix::unistd::AccessFlags::X_OK).is_ok(),
                }
        })
    }
}

/// The architecture, as directories for several of them are named.
fn architecture() -> &'static str {
    match env::consts::ARCH {
        "x86" => "i386",
        other => other,
    }
}

/// The directories in an environment variable; an empty element would be the current directory, which is no place here.
fn variable(name: &str) -> Vec<Utf8PathBuf> {
    let value = env::var_os(name).unwrap_or_default();
    let elements = env::split_paths(&value).filter_map(|element| Utf8PathBuf::from_path_buf(element).ok());
    elements.filter(|element| element.is_absolute()).collect()
}

fn found(directories: &[Utf8PathBuf], names: &[String]) -> bool {
    directories.iter().any(|directory| names.iter().any(|name| !matches(directory, name).is_empty()))
}

/// What is there of what a pattern names below a directory.
fn matches(directory: &Utf8Path, pattern: &str) -> Vec<Utf8PathBuf> {
    let mut found = vec![directory.to_owned()];
    for part in pattern.split('/') {
        found = found.into_iter().flat_map(|directory| step(&directory, part)).collect();
    }
    found.retain(|path| path.exists());
    found
}

fn anywhere(directory: &Utf8Path, name: &str, depth: usize) -> bool {
    if !matches(directory, name).is_empty() {
        return true;
    }
    let Ok(entries) = directory.read_dir_utf8() else { return false };
    depth > 0
        && entries
            .flatten()
            .any(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && anywhere(entry.path(), name, depth - 1))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn finds_each_kind_where_distributions_put_it() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(temporary.path()).unwrap();
        let needs = Need::all();
        let names = |root: &Utf8Path| -> Vec<String> {
            let places = Places::below(root.to_owned(), OsStr::new("/usr/bin:/bin"));
            let missing = places.missing(&needs);
            needs.iter().filter(|need| !missing.contains(need)).map(|need| need.name.clone()).collect()
        };
        assert_eq!(names(root), [""; 0]);
        let multiarch = format!("{}-linux-gnu", architecture());
        for file in [
            &format!("usr/include/{multiarch}/ffi.h"),
            "usr/include/python3.11/Python.h",
            "usr/include/stdio.h",
            "usr/include/libxml2/libxml/xmlversion.h",
            "usr/include/openjpeg-2.5/openjpeg.h",
            "usr/include/another-machine/yaml.h",
            &format!("usr/lib/{multiarch}/libmagic.so.1"),
            "usr/lib/postgresql/15/bin/postgres",
            "usr/lib/python3.11/ensurepip/__init__.py",
            "usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
            "usr/bin/gcc",
            "usr/bin/make",
            "bin/svn/hidden",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
        }
        fs::set_permissions(root.join("usr/bin/gcc"), fs::Permissions::from_mode(0o755)).unwrap();
        // make cannot be started, svn is a directory, yaml.h is for another machine.
        let expected = [
            "C compiler",
            "C library headers",
            "Python headers",
            "venv",
            "PostgreSQL server",
            "libxml2",
            "OpenJPEG",
            "libffi",
            "libmagic",
            "fonts",
        ];
        assert_eq!(names(root), expected);
    }

    #[test]
    fn programs_are_those_that_the_account_can_start() {
        let account = Account { name: "x".into(), uid: 54_321, gid: 54_321, home: "/".into(), created: false };
        let closed = tempfile::tempdir().unwrap();
        let at = Utf8Path::from_path(closed.path()).unwrap().join("tool");
        fs::write(&at, "").unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut places = Places::below("/".into(), closed.path().as_os_str());
        assert_eq!(places.program("tool"), Some(at));
        places.account = Some(account);
        assert_eq!(places.program("tool"), None);
    }
}
