//! `farmout slave detect --update`, `--format json` and `--pg-prefix` on this real machine, with programs that the tests put on
//! `PATH`.

mod common {
    pub mod executable;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Output};

use common::executable::script;
use common::snapshot::snapshot;
use serde_json::Value;
use tempfile::TempDir;

const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A directory with a `wkhtmltopdf` in it that says a version, and a fragment.
struct Stage {
    directory: TempDir,
}

impl Stage {
    fn new(version: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let stage = Self { directory };
        stage.says(version);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn says(&self, version: &str) {
        script(self.path("bin/wkhtmltopdf"), &format!("echo wkhtmltopdf {version} with patched qt"));
    }

    fn detect(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        command.args(["slave", "detect"]).args(arguments).current_dir(self.directory.path());
        command.env("PATH", format!("{}:{SYSTEM}", self.path("bin").display())).output().unwrap()
    }

    /// What a call that succeeds prints, and what it says.
    fn fine(&self, arguments: &[&str]) -> (String, String) {
        let output = self.detect(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (String::from_utf8(output.stdout).unwrap(), said)
    }

    fn read(&self) -> String {
        fs::read_to_string(self.path("slaves.cfg")).unwrap()
    }

    fn write(&self, text: &str) {
        fs::write(self.path("slaves.cfg"), text).unwrap();
    }

    /// A call that is refused, with what it says; the file stays as it is.
    fn refused(&self, text: &str, arguments: &[&str]) -> String {
        self.write(text);
        let output = self.detect(arguments);
        assert_eq!(self.read(), text);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.stdout, b"");
        format!("exit {}\n{said}", output.status.code().unwrap())
    }
}

#[test]
fn a_fragment_follows_the_machine_and_keeps_hand_edits() {
    let stage = Stage::new("0.12.5");
    let (fragment, _) = stage.fine(&["--name", "atlas"]);
    assert!(fragment.contains("\n    wkhtmltopdf 0.12.5\n"), "{fragment}");
    let edited = fragment
        .replace("max_builds = 1\n", "; two disks\nmax_builds = 4\nrack = 7\n")
        .replace("    wkhtmltopdf 0.12.5\n", "    private-code key=/srv/key\n    wkhtmltopdf 0.12.5 display=:7\n");
    stage.write(&edited);
    assert_eq!(
        stage.fine(&["--update", "slaves.cfg"]),
        (String::new(), "slaves.cfg: [atlas] is up to date\n".to_owned())
    );
    assert_eq!(stage.read(), edited);

    stage.says("0.12.6");
    let (printed, said) = stage.fine(&["--update", "slaves.cfg", "--name", "atlas"]);
    assert_eq!(printed, "");
    assert_eq!(
        said,
        "slaves.cfg: marked wkhtmltopdf 0.12.5 display=:7: wkhtmltopdf 0.12.5; what is there now: 0.12.6\n\
         slaves.cfg: added wkhtmltopdf 0.12.6\n"
    );
    let mark = "# Not found by `farmout slave detect` any more: wkhtmltopdf 0.12.5; what is there now: 0.12.6\n";
    let line = "    wkhtmltopdf 0.12.5 display=:7\n";
    let expected = edited
        .replace(line, &format!("{mark}{line}    wkhtmltopdf 0.12.6\n"))
        .replace(", wkhtmltopdf 0.12.5", ", wkhtmltopdf 0.12.5 0.12.6");
    assert_eq!(stage.read(), expected);
    assert_eq!(stage.fine(&["--update", "slaves.cfg"]).1, "slaves.cfg: [atlas] is up to date\n");
    assert_eq!(stage.read(), expected);

    // The old one is back, and the new one was taken out by hand.
    stage.says("0.12.5");
    stage.write(&expected.replace("    wkhtmltopdf 0.12.6\n", ""));
    assert_eq!(stage.fine(&["--update", "slaves.cfg"]).1, "slaves.cfg: wkhtmltopdf 0.12.5 display=:7 is there again\n");
    stage.says("0.12.6");
    stage.fine(&["--update", "slaves.cfg"]);
    assert!(!stage.read().contains("\n    wkhtmltopdf 0.12.6\n"), "{}", stage.read());
}

#[test]
fn links_and_modes_stay() {
    let stage = Stage::new("0.12.6");
    fs::create_dir(stage.path("real")).unwrap();
    fs::write(stage.path("real/atlas.cfg"), "[atlas]\npassword = x\n").unwrap();
    fs::set_permissions(stage.path("real/atlas.cfg"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/atlas.cfg", stage.path("slaves.cfg")).unwrap();
    stage.fine(&["--update", "slaves.cfg"]);
    assert!(stage.path("slaves.cfg").symlink_metadata().unwrap().is_symlink());
    assert!(stage.read().contains("    wkhtmltopdf 0.12.6\n"), "{}", stage.read());
    assert_eq!(fs::metadata(stage.path("real/atlas.cfg")).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(fs::read_dir(stage.path("real")).unwrap().count(), 1, "something was left aside");
}

#[test]
fn a_fragment_that_cannot_be_brought_up_to_date() {
    let stage = Stage::new("0.12.6");
    let update = ["--update", "slaves.cfg"];
    let shared = "[DEFAULT]\ncapability = python 2.7\n[atlas]\npassword = x\n[rhea]\npassword = y\n";
    let said = [
        stage.refused("[atlas\npassword = KvT3xLqMm\njunk\n", &update),
        stage.refused("[atlas]\npassword = x\n[rhea]\npassword = y\n", &update),
        stage.refused("[atlas]\npassword = x\n", &["--update", "slaves.cfg", "--name", "atlsa"]),
        stage.refused("[DEFAULT]\npassword = x\n", &update),
        stage.refused(shared, &["--update", "slaves.cfg", "--name", "rhea"]),
        stage.refused("", &["--update", "none.cfg"]),
        stage.refused("", &["--update", "slaves.cfg", "--format", "json"]),
    ];
    assert!(said.iter().all(|said| !said.contains("KvT3")), "{said:?}");
    snapshot!("slave-update-refused", said.join("\n"));
    fs::write(stage.path("slaves.cfg"), b"[atlas]\npassword = \xff\n").unwrap();
    let output = stage.detect(&update);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read(stage.path("slaves.cfg")).unwrap(), b"[atlas]\npassword = \xff\n");
}

#[test]
fn the_document_has_everything() {
    let stage = Stage::new("0.12.6");
    let (printed, said) = stage.fine(&["--format", "json"]);
    assert_eq!(said, "");
    let document: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(document["format"], 1);
    assert!(document["user"].is_string() && document["system"].is_string(), "{printed}");
    assert!(document["postgresql"].as_array().unwrap().iter().all(|install| install["psql"].is_boolean()));
    let pythons = document["pythons"].as_array().unwrap();
    let three = pythons.iter().find(|python| python["minor"].as_str().unwrap().starts_with("3.")).unwrap();
    assert_eq!(three["buildout"]["bootstraps"], "yes");
    assert!(three["buildout"]["version"].as_str().unwrap().starts_with(char::is_numeric));
    let names = |list: &str| -> Vec<&str> {
        document[list].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
    };
    assert!(names("programs").contains(&"git") && names("programs").contains(&"wkhtmltopdf"), "{printed}");
    assert!(names("supplies").contains(&"libpq"), "{printed}");
    let ports = document["ports"].as_array().unwrap();
    assert!(ports.len() == 2 && ports.iter().all(|range| range["free"].as_u64() > Some(100)), "{printed}");
    assert!(!printed.contains("password"), "{printed}");
}

#[test]
fn a_prefix_comes_first() {
    let stage = Stage::new("0.12.6");
    // Its version is that of the system's PostgreSQL, and one that nobody has.
    let bin = fs::read_dir("/usr/lib/postgresql").expect("these tests need PostgreSQL").next().unwrap().unwrap();
    let major = bin.file_name().into_string().unwrap();
    for (prefix, version) in [("own", format!("{major}.99")), ("other/bin", "9.1.24".to_owned())] {
        for program in ["postgres", "initdb", "pg_ctl"] {
            let directory = if prefix == "own" { "own/bin" } else { prefix };
            script(stage.path(directory).join(program), &format!("echo '{program} (PostgreSQL) {version}'"));
        }
    }
    let (fragment, _) = stage.fine(&["--pg-prefix", "own", "--pg-prefix", "other/bin"]);
    let root = stage.directory.path().display();
    for line in [
        format!("\n    postgresql {major} bin={root}/own/bin cluster=ephemeral\n"),
        format!("\n    postgresql 9.1 bin={root}/other/bin cluster=ephemeral\n"),
        format!(": {root}/own/bin has the same version\n"),
    ] {
        assert!(fragment.contains(&line), "{line}{fragment}");
    }
    let output = stage.detect(&["--pg-prefix", "bin"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("'bin' for '--pg-prefix <DIR>': neither bin/postgres nor postgres is in it"), "{said}");
}
