use super::*;
use crate::diagnostic::Diagnostics;
use crate::model::{Vcs, without_credentials};

/// Reads a configuration of several files, the first of which is the configuration itself.
fn read(files: &[(&str, &str)]) -> (Arc<Configuration>, Diagnostics, Library) {
    let directory = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    for (name, text) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let mut library = Library::new(&root);
    let place = Span::new(sources.add("MANIFEST.cfg", ""), 0..0);
    let (file, with) = (root.join(files[0].0), root.join("with"));
    let mut once = || library.configuration(&file, Some(&with), place, &mut sources, &mut diagnostics);
    let configuration = once();
    assert!(Arc::ptr_eq(&configuration, &once()));
    (configuration, diagnostics, library)
}

fn codes(diagnostics: &Diagnostics) -> Vec<&'static str> {
    diagnostics.sorted().iter().map(|diagnostic| diagnostic.code).collect()
}

/// The values of `[a] x`.
fn values(configuration: &Configuration) -> Vec<String> {
    configuration.option("a", "x").unwrap().values.iter().map(|value| value.to_string()).collect()
}

#[test]
fn files_and_sections_come_together_as_zc_buildout_does_it() {
    let (configuration, diagnostics, library) = read(&[
        ("a.cfg", "[buildout]\nextends = with/b.cfg with/c.cfg\n[a]\nx += 4\nx -= 2\n"),
        ("with/b.cfg", "[buildout]\nextends = c.cfg\n[a]\nx = 1\n  2\n"),
        ("with/c.cfg", "[a]\nx += 3\ny = c\n"),
    ]);
    assert_eq!(codes(&diagnostics), [""; 0]);
    assert_eq!(values(&configuration), ["1\n3\n4"]);
    assert_eq!(library.sources().len(), 3);

    let own = "[a]\n<= b\n   c\nx += 2\n[b]\nx = 0\ny = b\n[c]\nx = 1\nz = ${:y}\n";
    let (configuration, diagnostics, _) = read(&[("a.cfg", own)]);
    assert_eq!(codes(&diagnostics), [""; 0]);
    assert_eq!(values(&configuration), ["1\n2"]);
    let z = &configuration.option("a", "z").unwrap().values[0];
    assert_eq!(&*interpolate(&configuration, "a", z, 0), "b");
    assert!(configuration.sections["b"].is_macro && !configuration.sections["a"].is_macro);
}

#[test]
fn conditions_that_only_a_slave_decides_leave_several_values() {
    let (configuration, diagnostics, _) =
        read(&[("a.cfg", "[a]\nx = 1\n[a : python2]\nx = 2\n[a : python3]\nx += 3\n[a : windows]\nx = 4\n")]);
    assert_eq!(codes(&diagnostics), [""; 0]);
    assert_eq!(values(&configuration), ["1", "2", "2\n3"]);
    assert_eq!(configuration.variants, 3);
}

#[test]
fn a_file_with_mistakes_is_reported_once_in_however_many_configurations() {
    let (_, diagnostics, library) = read(&[
        ("a.cfg", "[buildout]\nextends = with/b.cfg with/c.cfg\n"),
        ("with/b.cfg", "[buildout]\nextends = c.cfg\n"),
        ("with/c.cfg", "what\n[a]\n"),
    ]);
    assert_eq!(codes(&diagnostics), ["buildout::no-section"]);
    assert_eq!(library.sources().len(), 3);
}

/// What is watched of a part with these lines.
fn watched(lines: &str) -> Vec<String> {
    let text = format!("[openerp]\nrecipe = anybox.recipe.openerp:server\n{lines}");
    let (configuration, mut diagnostics, _) = read(&[("a.cfg", &text)]);
    let found = live(&configuration, "openerp", &mut diagnostics);
    assert_eq!(codes(&diagnostics), [""; 0], "{lines}");
    found.into_iter().map(|live| live.branch.unwrap_or_else(|| without_credentials(&live.url))).collect()
}

#[test]
fn what_stays_where_it_is_is_not_watched() {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    for (source, expected) in [
        ("bzr lp:x x last:1", "lp:x"),
        ("bzr lp:x x last:3", "lp:x"),
        ("bzr lp:x x -1", "lp:x"),
        ("bzr lp:x x", "lp:x"),
        ("bzr https://user:hunter2@x.example:80/a@b x", "https://x.example:80/a@b"),
        ("bzr https://token@x.example x", "https://x.example"),
        ("bzr bzr+ssh://user@x.example/a x", "bzr+ssh://user@x.example/a"),
        ("bzr lp:x x revno:-1", "lp:x"),
        ("bzr lp:x x 2438", ""),
        ("bzr lp:x x revno:2438", ""),
        ("bzr lp:x x revid:someone@example.org-1", ""),
        ("bzr lp:x x tag:7.0", ""),
        ("git u x 7.0", "7.0"),
        ("git u x feature/bad", "feature/bad"),
        ("git u x bad", "bad"),
        ("git u x refs/heads/7.0", "7.0"),
        ("git u x refs/tags/7.0", ""),
        ("git u x badcafe", ""),
        (&*format!("git u x {sha}"), ""),
        ("hg u x default", "default"),
        ("hg u x 7.0", "7.0"),
        ("hg u x 7.0.1", "7.0.1"),
        ("hg u x tip", "default"),
        ("hg u x 1234", ""),
        ("hg u x badcafe", "badcafe"),
        ("hg u x 0123456789ab", ""),
        ("svn u x 12", ""),
        ("6.1-1", ""),
        ("nightly 7.0 latest", ""),
        ("url https://example.org/x.tar.gz", ""),
        ("local ../openerp", ""),
    ] {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(watched(&format!("version = {source}\n")), expected, "{source}");
    }
}

#[test]
fn revisions_pin_what_they_name() {
    let sources = "version = git u openerp 7.0\naddons = git u one one\n  git u two two group=g\n  bzr lp:x x\n";
    assert_eq!(watched(sources), ["7.0", "one", "two", "lp:x"]);
    assert_eq!(watched(&format!("{sources}revisions = 7.0.1\n  one/ 1.0\n  x 12\n")), ["two"]);
    assert_eq!(watched(&format!("{sources}revisions = g/two 1.0\n  x last:1\n")), ["7.0", "one", "lp:x"]);
}

#[test]
fn other_recipes_have_options_of_their_own() {
    let (configuration, mut diagnostics, _) =
        read(&[("a.cfg", "[openerp]\nrecipe = zc.recipe.egg\nversion = git u openerp 7.0\naddons = what ever\n")]);
    assert_eq!(live(&configuration, "openerp", &mut diagnostics), []);
    assert_eq!(codes(&diagnostics), [""; 0]);
    let (configuration, mut diagnostics, _) =
        read(&[("a.cfg", "[openerp]\nrecipe = anybox.recipe.odoo:server\nversion = git u odoo 9.0\n")]);
    let expected = Live { vcs: Vcs::Git, url: "u".to_owned(), branch: Some("9.0".to_owned()) };
    assert_eq!(live(&configuration, "openerp", &mut diagnostics), [expected]);
}
