//! `farmout graph` through the binary: the three languages of drawings.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::process::Output;

use common::binary::{farmout, text};
use common::snapshot::snapshot;

fn graph(arguments: &[&str]) -> Output {
    farmout(&["graph"]).args(arguments).output().unwrap()
}

fn drawn(arguments: &[&str]) -> String {
    let historic = ["--farm", "fixtures/historic"];
    let farm = if arguments.contains(&"--farm") { &[][..] } else { &historic };
    let output = graph(&[farm, arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let drawing = text(&output.stdout);
    assert!(!drawing.contains("not-a-real-password"), "a password is drawn");
    drawing
}

#[test]
fn the_historic_farm_for_graphviz() {
    snapshot!("graph-dot", drawn(&[]));
}

#[test]
fn the_historic_farm_for_mermaid() {
    snapshot!("graph-mermaid", drawn(&["--format", "mermaid"]));
}

#[test]
fn some_builders_as_a_picture() {
    let drawing = drawn(&["--format", "svg", "openerp-7.0-matrix-*", "mill-py2.6"]);
    assert!(!drawing.contains("attic"), "a slave without a part in it is drawn");
    snapshot!("graph-svg", drawing);
}

#[test]
fn the_picture_shows_builds_that_no_slave_takes() {
    let drawing = drawn(&["--format", "svg"]);
    assert_eq!(drawing.matches("no slave takes it").count(), 1);
    assert!(drawing.contains(">attic<"));
}

#[test]
fn odd_names_do_not_break_out_of_their_quotes() {
    let farm = tempfile::tempdir().unwrap();
    std::fs::create_dir(farm.path().join("buildouts")).unwrap();
    let manifest = "[a\"<b>&'\\ `#]\nbuildout = git https://x.example/a main b.cfg\nbuild-for =\n";
    std::fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    std::fs::write(farm.path().join("slaves.cfg"), "[s\u{1}]\npassword = x\n").unwrap();
    let draw = |format: &str| drawn(&["--farm", farm.path().to_str().unwrap(), "--format", format]);
    assert!(draw("svg").contains("a&quot;&lt;b&gt;&amp;&#x27;\\ `#"), "{}", draw("svg"));
    assert!(draw("dot").contains("tooltip=\"a\\\"<b>&'\\\\ `#\\n"), "{}", draw("dot"));
    assert!(draw("mermaid").contains("\"a#34;#60;b#62;#38;'#92; #96;#35;"), "{}", draw("mermaid"));
    for format in ["svg", "dot", "mermaid"] {
        assert!(draw(format).contains("s\u{FFFD}") && !draw(format).contains('\u{1}'), "{}", draw(format));
    }
}

#[test]
fn a_builder_that_does_not_exist_is_a_slip() {
    let output = graph(&["--farm", "fixtures/historic", "mil-py2.6"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `mill-py2.6`?"), "{}", text(&output.stderr));
}

#[test]
fn without_fragments_this_machine_is_the_slave() {
    let output = graph(&["--farm", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("this machine is the slave `local`"), "{}", text(&output.stderr));
    let drawing = text(&output.stdout);
    assert!(drawing.contains("local") && drawing.contains("demo-pg"), "{drawing}");
}
