//! `farmout compile` through the binary: the formats of its report, what is denied and allowed, which files it reads.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::process::Output;

use assert_cmd::Command;
use common::binary::{farmout, text};
use common::snapshot::snapshot;

const FARM: [&str; 2] = ["--farm", "fixtures/formats/farm"];
/// What depends on where the tests run: whether git or others can read the fixtures.
const ALLOW: [&str; 2] = ["--allow", "secret::*"];
const FORMATS: [&str; 6] = ["human", "short", "json", "sarif", "github", "gitlab"];

fn command(arguments: &[&str]) -> Command {
    farmout(&[&["compile"], arguments].concat())
}

fn compile(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// The report on the fixture.
fn report(format: &str, arguments: &[&str]) -> String {
    let output = compile(&[&FARM, &ALLOW, &["--format", format][..], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The report on a farm of one manifest, in short, with the exit code.
fn short(manifest: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    fs::write(farm.path().join("slaves.cfg"), "[s]\npassword = p\ncapability = postgresql 9.1\n").unwrap();
    let output = command(&["--format", "short"]).args(ALLOW).args(arguments).current_dir(farm.path()).output().unwrap();
    (output.status.code(), text(&output.stdout) + text(&output.stderr).trim_start_matches("no errors"))
}

fn misuse(arguments: &[&str]) -> String {
    let output = compile(&[&FARM, arguments].concat());
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    text(&output.stderr)
}

#[test]
fn short_is_a_line_each() {
    snapshot!("format-short", report("short", &[]));
}

#[test]
fn json_is_an_object_a_line() {
    let report = report("json", &[]);
    let manifest = fs::read_to_string("fixtures/formats/farm/buildouts/MANIFEST.cfg").unwrap();
    for line in report.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        if object["code"] == "ini::hash-in-value" {
            // Bytes and characters are told apart.
            let number = |name: &str| usize::try_from(object[name].as_u64().unwrap()).unwrap();
            assert_eq!(&manifest[number("start")..number("end")], "# ja, wirklich");
            assert_eq!((number("column"), number("end_column")), (30, 44));
        }
    }
    snapshot!("format-json", report);
}

#[test]
fn sarif_is_as_its_schema_wants_it() {
    let schema = fs::read_to_string("fixtures/formats/schema/sarif-2.1.0.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let valid = |document: &str| {
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    };
    let report = report("sarif", &[]);
    valid(&report);
    valid(&text(&compile(&["--farm", "fixtures/mistakes", "--format", "sarif"]).stdout));
    let broken = report.replace("\"error\"", "\"fatal\"");
    assert!(!validator.is_valid(&serde_json::from_str(&broken).unwrap()), "the schema checks nothing");
    let version = concat!("\"semanticVersion\": \"", env!("CARGO_PKG_VERSION"), "\"");
    snapshot!("format-sarif", report.replace(version, "\"semanticVersion\": \"[version]\""));
}

#[test]
fn nothing_found_is_a_document_too() {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), "[a]\n").unwrap();
    let told = |format: &str| {
        let output = command(&["--format", format]).current_dir(farm.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!([told("short"), told("json"), told("github")], ["", "", ""]);
    assert_eq!(told("gitlab"), "[]\n");
    let document: serde_json::Value = serde_json::from_str(&told("sarif")).unwrap();
    assert_eq!(document["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn github_takes_a_command_each() {
    snapshot!("format-github", report("github", &[]));
}

#[test]
fn gitlab_takes_an_array() {
    snapshot!("format-gitlab", report("gitlab", &[]));
}

#[test]
fn fingerprints_do_not_move_with_their_lines() {
    let fingerprints = |manifest: &str| {
        let file = tempfile::tempdir().unwrap();
        fs::write(file.path().join("m.cfg"), manifest).unwrap();
        let farm = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/historic");
        let arguments = ["--farm", farm, "--allow", "secret::*", "--allow", "slave::*", "--format", "gitlab", "m.cfg"];
        let output = command(&arguments).current_dir(file.path()).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let report = report.as_array().unwrap().iter();
        report.map(|found| found["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let one = "[a]\nbuildout = git https://example.org/a main b.cfg\nwacth = x\n";
    let two = "\n[b]\nbuildout = git https://example.org/a main b.cfg\nwacth = x\n";
    let both = fingerprints(&format!("{one}{two}"));
    assert_eq!(both, fingerprints(&format!("# moved\n\n{one}# and moved\n{two}")));
    assert!(both.len() == 2 && both[0] != both[1], "{both:?}");
}

#[test]
fn no_format_shows_a_secret() {
    for format in FORMATS {
        let output = compile(&[&FARM, &["--format", format][..]].concat());
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(told.contains("*******") && !told.contains("hunter"), "{format} shows a password:\n{told}");
    }
}

#[test]
fn a_graph_and_a_report_do_not_share_standard_output() {
    snapshot!("format-emit", misuse(&["--emit", "json", "--format", "sarif"]));
}

#[test]
fn what_is_denied_is_an_error() {
    let manifest = "[a]\nbuildout = git https://example.org/a main b.cfg\nwacth = x\npost-buildout-steps = standard\n";
    let told = [
        short(manifest, &[]),
        short(manifest, &["--deny", "warnings"]),
        short(manifest, &["--deny", "steps::alias"]),
        short(manifest, &["--deny", "warnings", "--allow", "option::*"]),
        short(manifest, &["--allow", "option::*", "--deny", "option::unread", "--allow", "steps::alias"]),
    ];
    let told: Vec<_> = told.iter().map(|(code, told)| format!("{told}exit {}\n", code.unwrap())).collect();
    snapshot!("format-levels", told.join("\n"));
}

#[test]
fn only_codes_that_exist_are_denied_and_allowed() {
    snapshot!(
        "format-codes",
        [
            misuse(&["--deny", "option::unred"]),
            misuse(&["--deny", "warning"]),
            misuse(&["--allow", "option"]),
            misuse(&["--allow", "everything"]),
            misuse(&["--allow", "option::value"]),
            misuse(&["--allow", "inherit::*"]),
        ]
        .join("\n")
    );
}

#[test]
fn a_comment_allows_even_what_is_denied() {
    let manifest = "[a]\nbuildout = git https://example.org/a main b.cfg\n# farmout: allow option::*\nwacth = x\n";
    assert_eq!(short(manifest, &["--deny", "option::unread"]), (Some(0), ": 1 build, 1 slave, 1 builder\n".to_owned()));
}

#[test]
fn files_may_be_named_without_an_option() {
    let (one, two) = ("fixtures/formats/farm/buildouts/MANIFEST.cfg", "fixtures/historic/buildouts/MANIFEST.cfg");
    let told = |arguments: &[&str]| {
        let output = compile(&[&["--farm", "fixtures/historic", "--format", "short"][..], arguments].concat());
        text(&output.stdout) + &text(&output.stderr)
    };
    assert_eq!(told(&[two]), told(&["--manifest", two]));
    // Twice the same file is once.
    assert_eq!(told(&["--manifest", two, "fixtures/historic/buildouts/../buildouts/MANIFEST.cfg"]), told(&[two]));
    let output = compile(&["--farm", "fixtures/historic", one, two, "--format", "short"]);
    assert!(text(&output.stdout).contains(one) && text(&output.stderr).contains("builds"));
    let output = compile(&["--farm", "fixtures/historic", "missing.cfg"]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (
            Some(2),
            "error: missing.cfg does not exist\n  help: the farm's manifest is `fixtures/historic/buildouts/MANIFEST.cfg`\n"
                .to_owned()
        )
    );
}

#[test]
fn a_manifest_comes_through_standard_input() {
    let manifest = "[a]\nbuildout = standalone base.cfg\nwacth = x\n";
    let arguments =
        ["--farm", "fixtures/mistakes", "--slaves", "fixtures/historic/slaves.cfg", "--format", "short", "-"];
    let output = command(&arguments).write_stdin(manifest).output().unwrap();
    let told = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("<stdin>:3:1: warning[option::unread]: "), "{told}");
}

#[test]
fn fragments_are_read_instead_of_the_farm_s_own() {
    let farm = &FARM[..];
    let slaves = |arguments: &[&str]| {
        let output = compile(&[farm, arguments, &["--format", "short"]].concat());
        let told = text(&output.stdout);
        let about = |name: &str| told.lines().any(|line| line.contains(name));
        let manifest = about("MANIFEST.cfg");
        [manifest, about("slaves.cfg"), about("beta.cfg")]
    };
    let (own, beta) = ("fixtures/formats/farm/slaves.cfg", "fixtures/formats/farm/slaves.d/beta.cfg");
    assert_eq!(slaves(&[]), [true, true, true]);
    assert_eq!(slaves(&["--slaves", beta]), [true, false, true]);
    // A fragment of the farm's own is no manifest: the farm is read as it is.
    assert_eq!(slaves(&[own]), [true, true, true]);
    assert_eq!(slaves(&[own, "--slaves", beta]), [true, true, true]);
    let output = compile(&[farm, &[beta, own, "--format", "short"][..]].concat());
    assert_eq!(output.stdout, compile(&[farm, &["--format", "short"][..]].concat()).stdout);
}
