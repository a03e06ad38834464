//! `farmout fmt` through the binary, and the proof that it keeps what files say.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use common::binary::{farmout, text};
use common::snapshot::snapshot;
use farmout::format::{format, same_meaning};
use proptest::prelude::*;

fn fmt(directory: &Path, arguments: &[&str], input: &str) -> Output {
    farmout(&["fmt"]).args(arguments).current_dir(directory).write_stdin(input).output().unwrap()
}

const UNTIDY: &str = "\u{FEFF}# The builds.\r\n\r\n\r\n[a]\r\nBuildout: standalone a.cfg   ; the first\r\n\
    build-for = postgresql >= 9.1\r\n\tpython   \r\n# between\r\n\r\n\r\n   # believed to be a comment\r\n\
    tree-stable-timer=60\r\n; of b\r\n[b]\r\ninherit =a\r\nx = one\r\n  two";

const UNTIDY_FRAGMENT: &str =
    "[one]\npassword   = hidden-word\ncapability = postgresql 9.1 passwd=hidden-too\n  python\n";

/// A farm with an untidy manifest and an untidy fragment.
fn farm() -> tempfile::TempDir {
    let farm = tempfile::tempdir().unwrap();
    std::fs::create_dir(farm.path().join("buildouts")).unwrap();
    std::fs::write(farm.path().join("buildouts/MANIFEST.cfg"), UNTIDY).unwrap();
    std::fs::write(farm.path().join("buildouts/a.cfg"), "[buildout]\nparts =\n").unwrap();
    std::fs::write(farm.path().join("slaves.cfg"), UNTIDY_FRAGMENT).unwrap();
    farm
}

#[test]
fn standard_input_is_laid_out_on_standard_output() {
    let output = fmt(Path::new("."), &["-"], UNTIDY);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    snapshot!("fmt-stdin", text(&output.stdout));
    let again = fmt(Path::new("."), &["-"], &text(&output.stdout));
    assert_eq!(text(&again.stdout), text(&output.stdout));
}

#[test]
fn check_lists_and_shows_and_writes_nothing() {
    let farm = farm();
    let output = fmt(farm.path(), &["--check", "--diff"], "");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(!shown.contains("hidden"), "a password is shown:\n{shown}");
    snapshot!("fmt-check-diff", shown);
    assert_eq!(std::fs::read_to_string(farm.path().join("buildouts/MANIFEST.cfg")).unwrap(), UNTIDY);
    assert_eq!(fmt(farm.path(), &["--check", "-"], UNTIDY).status.code(), Some(1));
    assert_eq!(fmt(farm.path(), &["--check", "-"], "[a]\nx = 1\n").status.code(), Some(0));
}

#[test]
fn the_farm_s_files_are_written_in_place() {
    let farm = farm();
    let slaves = farm.path().join("slaves.cfg");
    std::fs::set_permissions(&slaves, std::fs::Permissions::from_mode(0o600)).unwrap();
    let link = farm.path().join("link.cfg");
    std::os::unix::fs::symlink("slaves.cfg", &link).unwrap();
    let output = fmt(farm.path(), &[], "");
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(0), "buildouts/MANIFEST.cfg\nslaves.cfg\n")
    );
    assert_eq!(std::fs::metadata(&slaves).unwrap().permissions().mode() & 0o777, 0o600);
    let clean = fmt(farm.path(), &["--check"], "");
    assert_eq!((clean.status.code(), text(&clean.stdout).as_str()), (Some(0), ""));
    std::fs::write(&slaves, UNTIDY_FRAGMENT).unwrap();
    assert_eq!(fmt(farm.path(), &["link.cfg"], "").status.code(), Some(0));
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(&slaves).unwrap().starts_with("[one]\npassword = hidden-word\n"));
    let mut names: Vec<_> = farm.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["buildouts", "link.cfg", "slaves.cfg"], "something was left behind");
}

#[test]
fn files_with_mistakes_are_left_alone() {
    let farm = farm();
    let wrong = "lost=1\n[a]\nx=1\nno option\n[b\npassword=hidden-word y\n";
    std::fs::write(farm.path().join("wrong.cfg"), wrong).unwrap();
    std::fs::write(farm.path().join("latin.cfg"), b"[a]\nx=caf\xe9\n").unwrap();
    let output = fmt(farm.path(), &["wrong.cfg", "latin.cfg", "slaves.cfg"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(!text(&output.stderr).contains("hidden"), "a password is shown:\n{}", text(&output.stderr));
    snapshot!("fmt-mistakes", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(farm.path().join("wrong.cfg")).unwrap(), wrong);
    assert_eq!(std::fs::read(farm.path().join("latin.cfg")).unwrap(), b"[a]\nx=caf\xe9\n");
    let output = fmt(farm.path(), &["nowhere.cfg", "wrong.cfg", "buildouts"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nowhere.cfg does not exist"));
    assert!(text(&output.stderr).contains("buildouts is a directory, not a file"));
}

/// Copies a farm of the fixtures, lays it out, and compares the graphs.
#[test]
fn the_graphs_of_the_fixtures_stay_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let emit = |farm: &Path| {
        let output = farmout(&["compile", "--emit", "json"]).current_dir(farm).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    for farm in [root.join("fixtures/historic"), root.to_owned()] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir(copy.path().join("buildouts")).unwrap();
        for name in ["slaves.cfg", "buildouts"] {
            let _ = std::process::Command::new("cp").arg("-r").arg(farm.join(name)).arg(copy.path()).output().unwrap();
        }
        let before = emit(copy.path());
        assert_eq!(fmt(copy.path(), &[], "").status.code(), Some(0));
        assert_eq!(fmt(copy.path(), &["--check"], "").status.code(), Some(0));
        assert_eq!(emit(copy.path()), before);
    }
}

/// Lines of a file: what people write, and what they should not.
fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("watch".to_owned()),
        Just("Build-For".to_owned()),
        Just("capability".to_owned()),
        Just("x".to_owned()),
        "(rem|REM|Rem)",
        "[ \t\u{a0}#;rR\\]a-c.-]{1,5}",
    ];
    let value = prop_oneof!["[a-c ;#\"%()=:\u{a0}\r-]{0,8}", Just("\"\"".to_owned()), Just(" %(watch)s".to_owned())];
    let blank = "[ \t\r\u{a0}]{0,3}";
    prop_oneof![
        4 => (name, blank, "[=:]", value.clone(), blank).prop_map(|(n, b, d, v, e)| format!("{n}{b}{d}{v}{e}")),
        3 => ("[ \t]{1,3}", value.clone(), blank).prop_map(|(i, v, e)| format!("{i}{v}{e}")),
        1 => ("[#;]", value.clone()).prop_map(|(c, v)| format!("{c}{v}")),
        1 => Just("rem x = 1".to_owned()),
        1 => ("[abé# ]{1,3}", value.clone()).prop_map(|(n, v)| format!("[{n}]{v}")),
        1 => Just("[DEFAULT]".to_owned()),
        2 => blank,
        1 => value,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_keeps_its_meaning_and_is_laid_out_once(
        top in prop_oneof![Just(""), Just("\u{FEFF}"), Just("# x\n")],
        lines in prop::collection::vec(line(), 0..14),
        end in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let before = format!("{top}[s]{end}{}", lines.join(end));
        let after = format(&before);
        prop_assert!(same_meaning(&before, &after), "{before:?}\n{after:?}");
        prop_assert_eq!(format(&after), after);
    }

    #[test]
    fn no_text_is_too_odd(before in "\\PC*|[\\[\\]a=: \t\n\r;#%\u{0}\u{FEFF}\u{2028}\u{b}\u{c}]*") {
        let mut sources = farmout::source::Sources::default();
        let mut diagnostics = farmout::diagnostic::Diagnostics::default();
        let id = sources.add("odd", before.as_str());
        farmout::syntax::ini::parse(&sources, id, &mut diagnostics);
        let after = format(&before);
        // Files with syntax errors are left alone.
        if !diagnostics.has_errors() {
            prop_assert!(same_meaning(&before, &after), "{before:?}\n{after:?}");
            prop_assert_eq!(format(&after), after);
        }
    }
}
