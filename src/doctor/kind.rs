//! What a doctor can find: names, how grave it is, and why it bites. The words for why are here and nowhere else;
//! the findings and the table in the docs are made from them.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// What belongs together, checked by one file each and told on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Who builds run as, and where they were started.
    Account,
    /// Locale, clock, limits.
    Surroundings,
    /// Room and rights for the state directory.
    Disk,
    /// The servers that the slave offers.
    PostgreSql,
    /// The Pythons that the slave offers.
    Python,
    /// Programs and headers of the system.
    Needs,
    /// Repositories.
    Vcs,
}

impl Family {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 7] =
        [Self::Account, Self::Surroundings, Self::Disk, Self::PostgreSql, Self::Python, Self::Needs, Self::Vcs];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Surroundings => "surroundings",
            Self::Disk => "disk",
            Self::PostgreSql => "postgresql",
            Self::Python => "python",
            Self::Needs => "needs",
            Self::Vcs => "vcs",
        }
    }
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A build would fail.
    Error,
    /// It may bite some day.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// How it is coloured.
    pub fn style(self) -> Style {
        match self {
            Self::Error => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
            Self::Note => AnsiColor::Cyan.on_default(),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that can be found.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, which stays.
    pub name: &'static str,
    /// Where it belongs.
    pub family: Family,
    /// How grave it is.
    pub severity: Severity,
    /// Why it bites, a clause.
    pub why: &'static str,
}

macro_rules! kinds {
    ($($id:ident $name:literal $family:ident $severity:ident $why:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $id: Kind =
                Kind { name: $name, family: Family::$family, severity: Severity::$severity, why: $why };
        )*
        /// All of them, family by family.
        pub const ALL: &[&Kind] = &[$(&$id),*];
    };
}

kinds! {
    ACCOUNT_NONE "account-none" Account Error
        "PostgreSQL and OpenERP refuse to run as root, so that what root starts needs an account";
    ACCOUNT_LOGIN "account-login" Account Warning
        "a build runs the code of others, with that user's keys, files and sessions";
    ACCOUNT_ROOT "account-root" Account Note
        "servers see the account, not root: it is whom PostgreSQL's peer authentication must know";
    VIRTUALENV_ACTIVE "virtualenv-active" Account Note
        "builds do not see it: what works in this shell may be missing there";
    VIRTUALENV_ON_PATH "virtualenv-on-path" Account Note
        "builds do not see it: what works in this shell may be missing there";
    WINDOWS_DRIVE "windows-drive" Account Error
        "files there have no owners and modes, without which PostgreSQL does not start";

    LOCALE_MISSING "locale-missing" Surroundings Warning
        "programs fall back to ASCII: Python 2 fails at the first accent in a path or a log";
    LOCALE_ASCII "locale-ascii" Surroundings Warning
        "Python 2 and programs in C take all text for ASCII, and fail at the first accent";
    CLOCK_PAST "clock-past" Surroundings Error
        "certificates are not valid yet, so that no download over HTTPS works";
    CLOCK_FUTURE_FILES "clock-future-files" Surroundings Warning
        "buildout and make compare times, and take what is new for old";
    CLOCK_UNSYNCHRONIZED "clock-unsynchronized" Surroundings Note
        "a clock that drifts makes logs and certificates wrong in the end";
    FILES_FEW "files-few" Surroundings Error
        "initdb and servers give up where they may open so few files";
    FILES_SCARCE "files-scarce" Surroundings Warning
        "a server under test with its workers opens more files than that";
    PROCESSES_SCARCE "processes-scarce" Surroundings Warning
        "a cluster, a server with workers and compilers are that many processes in no time";
    FILE_SIZE "file-size" Surroundings Warning
        "logs and database files are ended in the middle when they grow beyond it";
    MEMORY_LIMIT "memory-limit" Surroundings Warning
        "OpenERP sets limits of its own above it, and is killed where it loads many modules";

    STATE_UNFIT "state-unfit" Disk Error
        "builds break in such a directory";
    STATE_CLOSED "state-closed" Disk Error
        "nothing can be built where nothing can be written";
    STATE_NOEXEC "state-noexec" Disk Error
        "bin/buildout and all that it makes must be started from there";
    DISK_FULL "disk-full" Disk Error
        "a first build takes a clone, eggs and a database: a gigabyte and more";
    DISK_LOW "disk-low" Disk Warning
        "each builder keeps a clone and its parts, all share the eggs, and logs add up";
    INODES_FULL "inodes-full" Disk Error
        "a checkout of Odoo and its eggs have more files than that";
    INODES_LOW "inodes-low" Disk Warning
        "each builder keeps a checkout with tens of thousands of files";
    TEMPORARY_LOW "temporary-low" Disk Warning
        "sockets, downloads and fetches use the directory for temporary files";

    POSTGRESQL_PROGRAMS "postgresql-programs" PostgreSql Error
        "a private cluster is made and started with initdb, pg_ctl and postgres";
    POSTGRESQL_VERSION "postgresql-version" PostgreSql Error
        "builds would be green for a version on which they never ran";
    POSTGRESQL_CLUSTER "postgresql-cluster" PostgreSql Error
        "each build starts a cluster in just this way";
    POSTGRESQL_UNREACHABLE "postgresql-unreachable" PostgreSql Error
        "no build gets its database";
    POSTGRESQL_REFUSED "postgresql-refused" PostgreSql Error
        "the server is there, and lets no build in";
    POSTGRESQL_PASSWORD "postgresql-password" PostgreSql Error
        "builds connect with it";
    POSTGRESQL_PASSWORD_OPEN "postgresql-password-open" PostgreSql Warning
        "whoever logs in on this machine can read the password";
    POSTGRESQL_ROLE "postgresql-role" PostgreSql Error
        "builds connect as that user";
    POSTGRESQL_CREATEDB "postgresql-createdb" PostgreSql Error
        "each build makes a database of its own";
    POSTGRESQL_TEMPLATE "postgresql-template" PostgreSql Error
        "the testing database is made as a copy of it";
    POSTGRESQL_ENCODING "postgresql-encoding" PostgreSql Warning
        "a copy has the same encoding, and OpenERP needs UTF-8";
    POSTGRESQL_CLIENT "postgresql-client" PostgreSql Warning
        "pg_dump and psql of another version stand first on PATH, and pg_dump refuses a newer server";
    POSTGRESQL_LIB "postgresql-lib" PostgreSql Warning
        "programs take another libpq, or none";
    POSTGRESQL_CLOCK "postgresql-clock" PostgreSql Warning
        "what a test writes and what the database stamps are apart, and tests compare them";
    REMOTE_COPY "remote-copy" PostgreSql Error
        "the step copy-remote-database starts it";

    PYTHON_MISSING "python-missing" Python Error
        "bootstrap makes the build's private environment with it";
    PYTHON_OUT_OF_REACH "python-out-of-reach" Python Error
        "steps run as that user, and cannot start it";
    PYTHON_BROKEN "python-broken" Python Error
        "bootstrap makes the build's private environment with it";
    PYTHON_VERSION "python-version" Python Error
        "builds would be green for a version on which they never ran";
    PYTHON_OLD "python-old" Python Error
        "no zc.buildout can be installed for it any more";
    PYTHON_NO_VENV "python-no-venv" Python Error
        "bootstrap makes a private environment for each builder";
    PYTHON_VENV_ONLINE "python-venv-online" Python Warning
        "bootstrap downloads virtualenv instead, and fails where the package index cannot be reached";
    PYTHON_MODULES "python-modules" Python Error
        "pip needs them to install zc.buildout and eggs";
    PYTHON_HEADERS "python-headers" Python Warning
        "eggs with C code, such as psycopg2 and lxml, cannot be compiled for it";
    PYTHON_VIRTUALENV "python-virtualenv" Python Warning
        "it goes when somebody makes that environment anew, and an old virtualenv makes broken ones";

    NEEDS_REQUIRED "needs-required" Needs Error
        "about every buildout compiles something that needs them";
    NEEDS_USUAL "needs-usual" Needs Warning
        "the eggs of a stock OpenERP or Odoo need them where no wheel fits";
    NEEDS_OPTIONAL "needs-optional" Needs Note
        "some builds want them";
    WKHTMLTOPDF_MISSING "wkhtmltopdf-missing" Needs Error
        "the slave promises it, and reports would not print";
    WKHTMLTOPDF_VERSION "wkhtmltopdf-version" Needs Error
        "builds would be green for a version on which they never ran";

    VCS_CLIENT "vcs-client" Vcs Error
        "repositories are fetched with it";
    VCS_UNREACHABLE "vcs-unreachable" Vcs Error
        "the build ends at its first step";
    VCS_WATCHED "vcs-watched" Vcs Warning
        "changes there are not seen, and a buildout that takes sources from it fails";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_families_together() {
        let mut names: Vec<_> = ALL.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        let families: Vec<_> = ALL.iter().map(|kind| kind.family).collect();
        assert!(families.is_sorted(), "a family is in two places");
        for kind in ALL {
            assert!(!kind.why.ends_with('.') && !kind.why.is_empty(), "{}", kind.name);
        }
    }
}
