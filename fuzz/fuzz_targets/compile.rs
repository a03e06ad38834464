//! The whole of compiling: a farm from one text, its files divided by lines that begin with `===`. Everything that comes
//! out of a farm is made: reports in all formats, the graph, plans.
#![no_main]

use std::cell::OnceCell;
use std::fs;

use camino::Utf8PathBuf;
use farmout::diagnostic::{Format, Levels, Report};
use farmout::plan::{bind, lower};
use farmout::resolve::Layout;

/// The files of a farm that the parts of the input become.
const FILES: [&str; 4] = ["buildouts/MANIFEST.cfg", "buildouts/b.cfg", "farm.yaml", "buildouts/base.cfg"];
/// So many plans show what there is to be shown.
const MOST_PLANS: usize = 20;

thread_local! {
    /// One directory for all runs: in memory, where there is a /dev/shm.
    static FARM: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    FARM.with(|farm| {
        let farm = farm.get_or_init(|| {
            let made = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            fs::create_dir(made.path().join("buildouts")).unwrap();
            made
        });
        run(farm.path(), input);
    });
});

fn run(root: &std::path::Path, input: &[u8]) {
    let mut parts = vec![Vec::new()];
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"===") {
            parts.push(Vec::new());
        } else {
            parts.last_mut().unwrap().extend_from_slice(line);
        }
    }
    let mut parts = parts.into_iter();
    // The slaves come first, and in memory: most of the language's depth is there and in the manifest.
    let fragment = String::from_utf8_lossy(&parts.next().unwrap()).into_owned();
    for file in FILES {
        match parts.next() {
            Some(part) => fs::write(root.join(file), part).unwrap(),
            None if file.ends_with("MANIFEST.cfg") => fs::write(root.join(file), b"").unwrap(),
            None => drop(fs::remove_file(root.join(file))),
        }
    }
    let layout = Layout {
        root: Utf8PathBuf::from_path_buf(root.to_owned()).unwrap(),
        fragment: Some(("slaves.cfg".to_owned(), fragment)),
        ..Layout::default()
    };
    let Ok(compilation) = farmout::compile(&layout) else { return };
    for diagnostic in compilation.diagnostics.sorted() {
        for span in std::iter::once(diagnostic.span).chain(diagnostic.related.iter().map(|(span, _)| *span)) {
            let text = compilation.sources.get(span.source).text();
            assert!(text.get(span.range()).is_some(), "{:?} at {:?}", diagnostic.problem, span);
        }
    }
    let report = Report::new(&compilation.diagnostics, &compilation.sources, &Levels::default());
    for format in [Format::Human, Format::Short, Format::Json, Format::Sarif, Format::Github, Format::Gitlab] {
        format.write(&report, &mut std::io::sink()).unwrap();
    }
    let graph = &compilation.graph;
    let plans = graph.builders.iter().flat_map(|builder| builder.slaves.iter().map(move |slave| (builder, slave)));
    for (builder, slave) in plans.take(MOST_PLANS) {
        assert!(!builder.slaves.is_empty());
        if let Ok(procedure) = lower(&compilation, builder, None) {
            let _ = bind(&procedure, &graph.farm.slaves[slave], &graph.farm.declarations);
        }
    }
}
