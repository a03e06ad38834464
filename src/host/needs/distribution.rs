//! The machine's distribution, and how it installs packages. In: `/etc/os-release`. Out: keys for package names, and
//! commands; none is run here.

use camino::Utf8Path;

/// A distribution of Linux, as `/etc/os-release` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`: `debian`; empty where nothing is known.
    pub id: String,
    /// `VERSION_ID`: `12`; empty where there is none.
    pub version: String,
    /// `ID_LIKE`: what it was made from, nearest first.
    pub like: Vec<String>,
    /// `PRETTY_NAME`, else the ID.
    pub name: String,
}

/// Distributions that have the packages and the package manager of another, and do not say so themselves.
const FAMILIES: &[(&str, &str)] = &[("rhel", "fedora"), ("centos", "fedora"), ("postmarketos", "alpine")];

impl Distribution {
    /// Reads `etc/os-release`, else `usr/lib/os-release`, below `root`, which is `/` but in tests. Where neither can be
    /// read, nothing is known.
    pub fn of_this_machine(root: &Utf8Path) -> Self {
        let files = ["etc/os-release", "usr/lib/os-release"];
        let text = files.iter().find_map(|file| std::fs::read_to_string(root.join(file)).ok());
        Self::read(&text.unwrap_or_default())
    }

    /// Reads the text of an `os-release`: shell assignments, one a line.
    pub fn read(text: &str) -> Self {
        let mut distribution = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.trim().split_once('=') else { continue };
            // A value is one word for a shell; a line that is none is skipped.
            let value = shell_words::split(value).unwrap_or_default().join(" ");
            match name {
                "ID" => distribution.id = value,
                "VERSION_ID" => distribution.version = value,
                "ID_LIKE" => distribution.like = value.split_whitespace().map(str::to_owned).collect(),
                "PRETTY_NAME" => distribution.name = value,
                _ => {}
            }
        }
        if distribution.name.is_empty() {
            distribution.name.clone_from(&distribution.id);
        }
        distribution
    }

    /// The family whose packages and package manager it has: `debian`, `fedora`, `arch` or `alpine`.
    pub fn family(&self) -> Option<&'static str> {
        let known = |id: &str| {
            let families = ["debian", "fedora", "arch", "alpine"];
            let own = families.into_iter().find(|family| *family == id);
            own.or_else(|| FAMILIES.iter().find(|(other, _)| *other == id).map(|(_, family)| *family))
        };
        std::iter::once(&self.id).chain(&self.like).find_map(|id| known(id))
    }

    /// Under which keys the data of needs may have its packages, the nearest first.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = vec![format!("{}-{}", self.id, self.version), self.id.clone()];
        keys.extend(self.like.iter().cloned());
        keys.extend(self.family().map(str::to_owned));
        keys
    }
}

/// The command that installs packages without asking, for root; none where the package manager is not known.
pub fn install_command(distribution: &Distribution, packages: &[String]) -> Option<Vec<String>> {
    let install: &[&str] = match distribution.family()? {
        "debian" => &["apt-get", "install", "-y"],
        "fedora" => &["dnf", "install", "-y"],
        "arch" => &["pacman", "-S", "--needed", "--noconfirm"],
        "alpine" => &["apk", "add"],
        _ => return None,
    };
    Some(install.iter().map(|&word| word.to_owned()).chain(packages.iter().cloned()).collect())
}

/// The command that fetches the lists of packages, which a fresh machine lacks; none where installing does it by itself.
pub fn refresh_command(distribution: &Distribution) -> Option<Vec<String>> {
    let refresh: &[&str] = match distribution.family()? {
        "debian" => &["apt-get", "update"],
        "arch" => &["pacman", "-Sy"],
        "alpine" => &["apk", "update"],
        _ => return None,
    };
    Some(refresh.iter().map(|&word| word.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_distributions_write() {
        let debian =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n";
        let debian = Distribution::read(debian);
        assert_eq!((debian.id.as_str(), debian.version.as_str(), debian.family()), ("debian", "12", Some("debian")));
        assert_eq!(debian.name, "Debian GNU/Linux 12 (bookworm)");
        for (text, family) in [
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID='9.4'", Some("fedora")),
            ("ID=rhel\nID_LIKE=fedora", Some("fedora")),
            ("ID=\"centos\"", Some("fedora")),
            ("ID=fedora\nVERSION_ID=41\n", Some("fedora")),
            ("ID=manjaro\nID_LIKE=arch\n", Some("arch")),
            ("ID=arch\nBUILD_ID=rolling", Some("arch")),
            ("# a comment\n\nID=alpine\nVERSION_ID=3.20.3\n", Some("alpine")),
            ("ID=ubuntu\nID_LIKE=debian\n", Some("debian")),
            ("ID=opensuse-leap\nID_LIKE=\"suse opensuse\"", None),
            ("", None),
            ("ID='unclosed\nno assignment\n", None),
        ] {
            assert_eq!(Distribution::read(text).family(), family, "{text}");
        }
    }

    #[test]
    fn reads_the_second_file_where_the_first_is_missing() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(temporary.path()).unwrap();
        assert_eq!(Distribution::of_this_machine(root), Distribution::default());
        std::fs::create_dir_all(root.join("usr/lib")).unwrap();
        std::fs::write(root.join("usr/lib/os-release"), "ID=arch\n").unwrap();
        assert_eq!(Distribution::of_this_machine(root).family(), Some("arch"));
        std::fs::create_dir(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/os-release"), "ID=alpine\n").unwrap();
        assert_eq!(Distribution::of_this_machine(root).name, "alpine");
    }

    #[test]
    fn commands_are_the_distributions() {
        let packages = ["a".to_owned(), "b".to_owned()];
        let command = |id: &str| install_command(&Distribution::read(&format!("ID={id}")), &packages);
        for (id, expected) in [
            ("debian", "apt-get install -y a b"),
            ("fedora", "dnf install -y a b"),
            ("arch", "pacman -S --needed --noconfirm a b"),
            ("alpine", "apk add a b"),
        ] {
            assert_eq!(command(id).unwrap().join(" "), expected);
        }
        assert_eq!(command("plan9"), None);
        let refresh = |id: &str| refresh_command(&Distribution::read(&format!("ID={id}")));
        assert_eq!(refresh("debian").unwrap(), ["apt-get", "update"]);
        assert_eq!(refresh("fedora"), None);
    }
}
