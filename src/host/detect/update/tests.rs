//! Fragments with hand edits, brought up to date.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;

use super::*;
use crate::host::detect::{Kind, PgInstall, Program, Python};

/// A machine with PostgreSQL 15 and 16, Python 2.7 and 3.11 and a wkhtmltopdf; their programs are really there.
struct Fixture {
    _directory: tempfile::TempDir,
    root: Utf8PathBuf,
    machine: Machine,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        let mut machine = Machine::default();
        for major in ["15", "16"] {
            let bin = root.join(major);
            program(&bin.join("postgres"));
            machine.postgresql.push(PgInstall { major: major.into(), version: format!("{major}.1"), bin, psql: true });
        }
        for minor in ["2.7", "3.11"] {
            let path = root.join(format!("python{minor}"));
            program(&path);
            machine.pythons.push(Python { minor: minor.into(), path, ..Python::default() });
        }
        let (version, path) = ("0.12.6".into(), root.join("wkhtmltopdf"));
        let name = "wkhtmltopdf".into();
        machine.programs.push(Program { name, kind: Kind::Reports, version, path, on_path: true });
        Self { _directory: directory, root, machine }
    }

    /// Brings a text up to date, in which `ROOT` is the directory of the programs. Doing it again must change nothing.
    fn update(&self, text: &str) -> Result<(String, Vec<Change>), Refused> {
        let text = text.replace("ROOT", self.root.as_str());
        let updated = update(&text, "a", &self.machine, None)?;
        let again = update(&updated.text, "a", &self.machine, None).unwrap();
        assert_eq!((again.text.as_str(), again.changes.as_slice()), (updated.text.as_str(), &[][..]));
        Ok((updated.text.replace(self.root.as_str(), "ROOT"), updated.changes))
    }

    fn check(&self, before: &str, after: &str) {
        assert_eq!(self.update(before).unwrap().0, after);
    }
}

fn program(path: &Utf8Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

const EDITED: &str = "\
; Ours.
[DEFAULT]
notify_on_missing = builds@shop.example

[a]
password: secret
# The fast one.
Capability = private-code
  # not a comment
  postgresql 15   bin=ROOT/15 cluster=ephemeral db=x
# python 2.7 bin=ROOT/python2.7
  selenium 4 display=:1

rack = 4 ; upper floor
[b]
password: other
";

#[test]
fn what_is_new_is_added_and_nothing_else_changes() {
    let after = EDITED.replace(
        "db=x\n# python 2.7 bin=ROOT/python2.7\n  selenium 4 display=:1\n",
        "db=x\n  postgresql 16 bin=ROOT/16 cluster=ephemeral\n# python 2.7 bin=ROOT/python2.7\n  selenium 4 display=:1\n  \
         python 3.11 bin=ROOT/python3.11\n  wkhtmltopdf 0.12.6\n# Offered so far, so that `--update` adds only what is \
         new: postgresql 15 16, python 2.7 3.11, wkhtmltopdf 0.12.6\n",
    );
    Fixture::new().check(EDITED, &after);
    Fixture::new().check(&EDITED.replace('\n', "\r\n"), &after.replace('\n', "\r\n"));
}

#[test]
fn what_was_taken_out_stays_out() {
    let text = "[a]\npassword = x\ncapability =\n    postgresql 16\n# Offered so far, so that `--update` adds only what is \
                new: postgresql 14 15, python 2.7 3.11, wkhtmltopdf 0.12.6\n";
    Fixture::new().check(text, text);
    let after = text.replace("python 2.7 3.11", "python 2.7");
    let back = "    postgresql 16\n    python 3.11 bin=ROOT/python3.11\n# Offered so far, so that `--update` adds only what \
                is new: postgresql 14 15 16, python 2.7 3.11, wkhtmltopdf 0.12.6\n";
    let (updated, changes) = Fixture::new().update(&after).unwrap();
    assert!(updated.ends_with(back), "{updated}");
    assert!(matches!(changes.as_slice(), [Change::Added(line)] if line.starts_with("python 3.11 bin=")));
}

#[test]
fn what_is_gone_is_marked_and_back_again_unmarked() {
    let fixture = Fixture::new();
    let text = "[a]\ncapability = postgresql 16 bin=ROOT/16 lib=/own\n    postgresql 9.6 bin=/gone\n    python 3.9\n    \
                python 3.11 bin=/gone/python\n    wkhtmltopdf 0.12.5\n# python 2.7\n    postgresql 13 host=db.example \
                port=5432\n    postgresql 12 bin=%(x)s\n    own 3\n    wkhtmltopdf 0.12.6\n    postgresql 15 bin=/gone\n";
    let (marked, changes) = fixture.update(text).unwrap();
    let mark = |reason: &str| format!("# Not found by `farmout slave detect` any more: {reason}\n");
    let expected = [
        "[a]\ncapability = postgresql 16 bin=ROOT/16 lib=/own\n".to_owned(),
        mark("there is no /gone/postgres"),
        "    postgresql 9.6 bin=/gone\n".to_owned(),
        mark("Python 3.9"),
        "    python 3.9\n".to_owned(),
        mark("there is no /gone/python; what is there now: bin=ROOT/python3.11"),
        "    python 3.11 bin=/gone/python\n".to_owned(),
        mark("wkhtmltopdf 0.12.5; what is there now: 0.12.6"),
        "    wkhtmltopdf 0.12.5\n# python 2.7\n    postgresql 13 host=db.example port=5432\n    postgresql 12 bin=%(x)s\n    \
         own 3\n    wkhtmltopdf 0.12.6\n"
            .to_owned(),
        mark("there is no /gone/postgres; what is there now: bin=ROOT/15 cluster=ephemeral"),
        "    postgresql 15 bin=/gone\n".to_owned(),
    ];
    assert_eq!(marked, expected.concat());
    assert!(changes.len() == 5 && changes.iter().all(|change| matches!(change, Change::Marked { .. })), "{changes:?}");
    // The programs come back at those places, but for one.
    let back = marked.replace("/gone/python\n", "ROOT/python3.11\n").replace("bin=/gone\n", "bin=ROOT/15\n");
    let (unmarked, changes) = fixture.update(&back).unwrap();
    assert_eq!(unmarked.matches(MARK).count(), 2, "{unmarked}");
    assert_eq!(changes.iter().filter(|change| matches!(change, Change::Unmarked(_))).count(), 3, "{changes:?}");
    // A mark that is no longer true is put right.
    let other = marked.replace("Python 3.9\n", "something else\n");
    let (right, changes) = fixture.update(&other).unwrap();
    assert_eq!(right, marked);
    assert!(matches!(changes.as_slice(), [Change::Marked { reason, .. }] if reason == "Python 3.9"));
}

#[test]
fn a_value_on_the_line_of_its_option() {
    let after = "[a]\n# Not found by `farmout slave detect` any more: Python 3.9\ncapability = python 3.9\n    python 3.11 \
                 bin=ROOT/python3.11\n    postgresql 15 bin=ROOT/15 cluster=ephemeral\n    postgresql 16 bin=ROOT/16 \
                 cluster=ephemeral\n    wkhtmltopdf 0.12.6\n# Offered so far, so that `--update` adds only what is new: \
                 postgresql 15 16, python 2.7 3.11, wkhtmltopdf 0.12.6\n# python 2.7";
    Fixture::new().check("[a]\ncapability = python 3.9\n# python 2.7", after);
}

#[test]
fn a_slave_without_capabilities_gets_some() {
    let fixture = Fixture::new();
    for text in
        ["[a]", "[a]\n", "[a]\npassword = x", "[a]\npassword = x\n\n# of b\n[b]\npassword = y\n", "[a]\ncapability =\n"]
    {
        let (updated, changes) = fixture.update(text).unwrap();
        assert_eq!(changes.len(), 5, "{updated}");
        assert!(updated.contains("capability =\n    postgresql 15 bin=ROOT/15 cluster=ephemeral\n"), "{updated}");
        assert!(updated.ends_with('\n'));
    }
    let (updated, _) = fixture.update("[a]\npassword = x\n\n# of b\n[b]\npassword = y\n").unwrap();
    assert!(updated.ends_with("wkhtmltopdf 0.12.6\n\n# of b\n[b]\npassword = y\n"), "{updated}");
}

#[test]
fn the_value_that_counts_is_the_one_that_changes() {
    let fixture = Fixture::new();
    // The last of two sections of one name wins, and so does the last of two values.
    let text = "[a]\ncapability = x\n[b]\n[a]\ncapability = y\ncapability = z\n";
    let (updated, _) = fixture.update(text).unwrap();
    assert!(
        updated.starts_with("[a]\ncapability = x\n[b]\n[a]\ncapability = y\ncapability = z\n    postgresql 15"),
        "{updated}"
    );
    // A value in [DEFAULT] is everybody's.
    let text = "[DEFAULT]\ncapability =\n  x\n[a]\npassword = y\n";
    let (updated, _) = fixture.update(text).unwrap();
    assert!(updated.starts_with("[DEFAULT]\ncapability =\n  x\n  postgresql 15 bin="), "{updated}");
    assert_eq!(fixture.update(&format!("{text}[b]\n")), Err(Refused::Shared(vec!["b".to_owned()])));
    assert!(fixture.update(&format!("{text}[b]\ncapability = z\n")).is_ok());
}

#[test]
fn a_fragment_of_old_offers_its_version() {
    let (updated, _) = Fixture::new().update("[a]\npasswd = x\npg_version = 15\npg_port = 5433\n").unwrap();
    assert!(updated.contains("postgresql 16 bin=") && !updated.contains("postgresql 15 bin="), "{updated}");
}

#[test]
fn alternatives_come_with_a_new_line() {
    use crate::host::detect::Server;
    use crate::tool::pg::{Access, Rights};
    let mut fixture = Fixture::new();
    let access = Access::Open { create_databases: true, superuser: false, authentication: None };
    fixture.machine.servers.push(Server {
        host: "/run/pg".into(),
        port: 5433,
        major: Some("15".into()),
        cluster: None,
        data: None,
        owner: None,
        runs: true,
        rights: Some(Rights { user: "me".into(), version: None, access }),
    });
    let (updated, _) = fixture.update("[a]\ncapability =\n\tx\n").unwrap();
    let lines = "\tpostgresql 15 bin=ROOT/15 cluster=ephemeral\n#   postgresql 15 bin=ROOT/15 port=5433 host=/run/pg\n\t\
                 postgresql 16 bin=ROOT/16 cluster=ephemeral\n";
    assert!(updated.contains(lines), "{updated}");
}

#[test]
fn a_new_fragment_is_up_to_date() {
    let fixture = Fixture::new();
    let text = fixture.machine.fragment("a", &crate::model::Secret::new("x"));
    assert_eq!(fixture.update(&text).unwrap().1, []);
}

/// Lines that fragments are made of, and some that nobody would write.
const LINES: [&str; 24] = [
    "[a]",
    "[b] rest",
    "[DEFAULT]",
    "capability =",
    "capability = python 3.9",
    "Capability : postgresql 15 bin=/gone ; as it was",
    "capability = \"\"",
    "password = x",
    "pg_version = 15",
    "    postgresql 16 cluster=ephemeral",
    "\tpython 2.7",
    "  python 3.11 bin=/gone",
    " wkhtmltopdf 0.12.5",
    "    own",
    "    # python 3.11",
    "# python 3.11 bin=/x",
    "#   postgresql 15 port=5433",
    "; a comment",
    "rem one",
    "",
    "   ",
    "# Not found by `farmout slave detect` any more: Python 3.9",
    "# Offered so far, so that `--update` adds only what is new: python 2.7, x",
    "rack = 4\r",
];

proptest::proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_fragment_looks_like(chosen in proptest::collection::vec(0..LINES.len(), 0..14), ended: bool) {
        let lines: Vec<&str> = std::iter::once("[a]").chain(chosen.iter().map(|at| LINES[*at])).collect();
        let text = lines.join("\n") + if ended { "\n" } else { "" };
        let fixture = Fixture::new();
        let all: Vec<String> = text.split('\n').map(str::to_owned).collect();
        match fixture.update(&text) {
            Ok((updated, changes)) => {
                prop_assert_eq!(updated == text, changes.is_empty());
                // Each line is still there, in its order; only farmout's own comments may go or change.
                let mut left = updated.split('\n').map(|line| line.trim_end_matches('\r'));
                for line in all.iter().filter(|line| !line.starts_with(MARK) && !line.starts_with(OFFERED)) {
                    let line = line.trim_end_matches('\r');
                    prop_assert!(left.any(|found| found == line), "{line:?} is lost:\n{updated}");
                }
            }
            Err(refused) => prop_assert!(matches!(refused, Refused::Shared(_)), "{refused:?}: {text}"),
        }
    }
}
