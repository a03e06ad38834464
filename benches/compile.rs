//! The passes one by one, and `farmout compile` as a whole, over farms made by rule.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Duration;

use camino::Utf8PathBuf;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use farmout::check::check;
use farmout::diagnostic::Diagnostics;
use farmout::dispatch::dispatch;
use farmout::model::Farm;
use farmout::resolve::{Layout, Sheet, slaves};
use farmout::source::Sources;
use farmout::steps::{CoreOptions, declarations};
use farmout::syntax::ini;
use farmout::{Compilation, compile};

mod support;

/// As many builds as slaves.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// A farm on the disk, as long as it is needed.
struct OnDisk(tempfile::TempDir);

impl OnDisk {
    fn new(size: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        support::FarmText::new(size, size).write(directory.path()).unwrap();
        Self(directory)
    }

    fn layout(&self) -> Layout {
        Layout { root: Utf8PathBuf::from_path_buf(self.0.path().to_owned()).unwrap(), ..Layout::default() }
    }

    fn compile(&self) -> Compilation {
        compile(&self.layout()).unwrap_or_else(|_| panic!("the generated farm can be read"))
    }
}

/// Text to syntax trees: bytes of manifest a second.
fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for size in SIZES {
        let text = support::FarmText::new(size, 0).manifest;
        let mut sources = Sources::default();
        let id = sources.add("MANIFEST.cfg", text.as_str());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| ini::parse(&sources, id, &mut Diagnostics::default()));
        });
    }
}

/// Syntax trees of fragments to typed slaves.
fn resolve(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resolve");
    let (options, declarations) = (CoreOptions::builtin(), declarations(&[]));
    for size in &SIZES[..3] {
        let text = support::FarmText::new(0, *size).fragments.concat();
        let mut sources = Sources::default();
        let id = sources.add("slaves.cfg", text.as_str());
        group.throughput(Throughput::Elements(*size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_batched(
                || ini::parse(&sources, id, &mut Diagnostics::default()),
                |document| {
                    let mut diagnostics = Diagnostics::default();
                    let sheet = Sheet::new(document, &mut diagnostics);
                    slaves(&[sheet], &[], &options.slave, &declarations, &mut diagnostics)
                },
                BatchSize::LargeInput,
            );
        });
    }
}

/// The typed model to the graph; the graph to diagnostics; the graph to JSON.
fn graph(criterion: &mut Criterion) {
    for size in SIZES {
        let compilation = OnDisk::new(size).compile();
        let graph = &compilation.graph;
        let model = || Farm {
            builds: graph.farm.builds.clone(),
            slaves: graph.farm.slaves.clone(),
            declarations: graph.farm.declarations.clone(),
            ..Farm::default()
        };
        let builders = Throughput::Elements(graph.builders.len() as u64);
        let mut group = criterion.benchmark_group("dispatch");
        group.throughput(builders.clone()).sample_size(10);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_batched(model, dispatch, BatchSize::PerIteration);
        });
        group.finish();
        let mut group = criterion.benchmark_group("check");
        group.throughput(builders.clone()).sample_size(10);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| check(graph, &compilation.templates, &mut Diagnostics::default()));
        });
        group.finish();
        if size < 10_000 {
            let mut group = criterion.benchmark_group("emit");
            group.throughput(builders).sample_size(10);
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| serde_json::to_writer_pretty(std::io::sink(), &graph.emit()).unwrap());
            });
        }
    }
}

/// All passes: in this process, and from exec to exit.
fn whole(criterion: &mut Criterion) {
    for size in [10, 50, 100, 1_000, 10_000] {
        let farm = OnDisk::new(size);
        let mut group = criterion.benchmark_group("compile");
        group.sample_size(10).measurement_time(Duration::from_secs(3));
        group.bench_function(BenchmarkId::new("passes", size), |bencher| bencher.iter(|| black_box(farm.compile())));
        group.bench_function(BenchmarkId::new("process", size), |bencher| {
            bencher.iter(|| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
                let quiet = command.args(["compile", "--farm"]).arg(farm.0.path()).stderr(Stdio::null());
                quiet.status().unwrap()
            });
        });
    }
}

criterion_group!(benches, parse, resolve, graph, whole);
criterion_main!(benches);
