//! What holds for every farm, tried on made-up ones: nothing panics, places are places, dispatch is what a naive model
//! says, order of files and of hashing does not matter, and secrets stay secret.
//!
//! `PROPTEST_CASES=10000 cargo test --release --test properties` tries harder.

mod common {
    pub mod binary;
}

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use clap::ValueEnum as _;
use common::binary::farmout;
use farmout::diagnostic::{Format, Levels, Report, Severity};
use farmout::plan::{bind, lower};
use farmout::resolve::Layout;
use farmout::{Compilation, compile};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;

/// As many cases as the environment says, else `few`: all of them together take some seconds.
fn cases(few: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few);
    // Nothing is written beside the tests: what fails is printed whole, and belongs into a test of its own.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A farm in a directory of its own.
struct Farm {
    directory: tempfile::TempDir,
}

impl Farm {
    fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let farm = Self { directory: tempfile::tempdir().unwrap() };
        for (path, content) in files {
            let path = farm.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        farm
    }

    fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.directory.path()).unwrap()
    }

    fn compile(&self) -> Option<Compilation> {
        compile(&Layout { root: Utf8PathBuf::from(self.root()), ..Layout::default() }).ok()
    }
}

/// All that is ever shown of the diagnostics, in every format.
fn shown(compilation: &Compilation) -> String {
    let report = Report::new(&compilation.diagnostics, &compilation.sources, &Levels::default());
    let mut written = Vec::new();
    Format::value_variants().iter().for_each(|format| format.write(&report, &mut written).unwrap());
    String::from_utf8(written).unwrap()
}

fn graph(compilation: &Compilation) -> serde_json::Value {
    serde_json::to_value(compilation.graph.emit()).unwrap()
}

/// The plans of all builders on all their slaves, as far as they can be made.
fn plans(compilation: &Compilation) -> String {
    let graph = &compilation.graph;
    let mut plans = String::new();
    for builder in &graph.builders {
        let Ok(procedure) = lower(compilation, builder, None) else { continue };
        for slave in builder.slaves.iter() {
            if let Ok(plan) = bind(&procedure, &graph.farm.slaves[slave], &graph.farm.declarations) {
                plans.push_str(&serde_json::to_string(&plan).unwrap());
            }
        }
    }
    plans
}

fn places_are_places(compilation: &Compilation) -> Result<(), TestCaseError> {
    for diagnostic in compilation.diagnostics.sorted() {
        for span in std::iter::once(diagnostic.span).chain(diagnostic.related.iter().map(|(span, _)| *span)) {
            let text = compilation.sources.get(span.source).text();
            let range = span.range();
            prop_assert!(
                text.get(range.clone()).is_some(),
                "{:?} at {range:?} of {} bytes",
                diagnostic.problem,
                text.len()
            );
        }
    }
    Ok(())
}

// Farm-like texts.

const OPTIONS: [&str; 34] = [
    "auto-watch",
    "bootstrap-type",
    "bootstrap-version",
    "build-category",
    "build-for",
    "build-only-if-requires",
    "build-requires",
    "buildout",
    "buildout-part",
    "capability",
    "db-steps",
    "db-template",
    "db_prefix",
    "db_template",
    "git-shallow",
    "inherit",
    "max_builds",
    "notify_on_missing",
    "openerp-addons",
    "passwd",
    "password",
    "pg_host",
    "pg_passwd",
    "pg_port",
    "pg_version",
    "post-buildout-steps",
    "post-dl-steps",
    "rem",
    "slave_priority",
    "test-command",
    "tree-stable-timer",
    "virtualenv",
    "watch",
    "été",
];

const WORDS: [&str; 62] = [
    "postgresql",
    "python",
    "private-code",
    "not-used",
    "AND",
    "or",
    "OR",
    ">=",
    "<",
    "==",
    "!=",
    "~=",
    "=",
    ">",
    "9.1",
    "9.2-devel",
    "9.",
    "17rc1",
    "09.3",
    "99999999999999999999",
    "9.1é",
    "port=5433",
    "port=",
    "passwd=geheim",
    "bin=/opt/%",
    "cluster=ephemeral",
    "cluster=",
    "=x",
    "standalone",
    "b.cfg",
    "../b.cfg",
    "git",
    "hg",
    "bzr",
    "hgtag",
    "archive",
    "https://vcs.example/a",
    "lp:~a/b/c",
    "main",
    "subdir=below",
    "with=.",
    "%(a)s",
    "%(A)s",
    "%(password)s",
    "%(__name__)s",
    "%(build-category)s",
    "%%",
    "%",
    "%(",
    "%(é)s",
    "a",
    "b",
    "c",
    "5",
    "-1",
    "1e400",
    "NaN",
    "\"\"",
    "'",
    "install-modules-test",
    "simple_create",
    "${name}",
];

fn words() -> impl Strategy<Value = String> {
    vec(select(&WORDS[..]), 0..6).prop_map(|words| words.join(" "))
}

fn line() -> impl Strategy<Value = String> {
    let option = (select(&OPTIONS[..]), select(&["=", " = ", ":", ": ", " "][..]), words());
    prop_oneof![
        8 => option.prop_map(|(name, delimiter, value)| format!("{name}{delimiter}{value}")),
        3 => (select(&["a", "b", "c", "DEFAULT", "a]b", "", "é"][..]), select(&["]", "", "] x"][..]))
            .prop_map(|(name, end)| format!("[{name}{end}")),
        4 => (select(&["  ", "\t", "    "][..]), words()).prop_map(|(indent, words)| format!("{indent}{words}")),
        1 => (select(&["#", ";", "rem ", "  # ", " ; ", "", " "][..]), words()).prop_map(|(begin, words)| format!("{begin}{words}")),
        1 => words(),
        1 => "\\PC{0,20}",
    ]
}

/// Texts of the language's tokens, some of them damaged: cut, doubled, joined.
fn text() -> impl Strategy<Value = String> {
    let change =
        (any::<Index>(), any::<Index>(), select(&["", "\n", "\r\n", "\u{feff}", "é", "\0", "%", "[", ";"][..]));
    (vec(line(), 0..24), vec(change, 0..4), any::<bool>()).prop_map(|(lines, changes, section)| {
        let mut text = if section { "[a]\n".to_owned() } else { String::new() };
        text.push_str(&lines.join("\n"));
        for (one, two, with) in changes {
            let boundaries: Vec<usize> =
                text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len())).collect();
            let (one, two) = (*one.get(&boundaries), *two.get(&boundaries));
            // Mostly a short cut: a long one leaves little to be wrong.
            let (from, to) = (one.min(two), one.max(two).min(one.min(two) + 8));
            let to = boundaries.iter().copied().find(|at| *at >= to).unwrap_or(text.len());
            text.replace_range(from..to, with);
        }
        text
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        text().prop_map(String::into_bytes),
        vec(select(&b"[]=:%()s \n\t#;a\xff\xc3\xa9"[..]), 0..200)
    ]
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn any_bytes_compile_or_are_refused(manifest in bytes(), fragment in bytes(), farm in vec(any::<u8>(), 0..40)) {
        let farm = Farm::new([("buildouts/MANIFEST.cfg", &manifest[..]), ("slaves.cfg", &fragment), ("farm.yaml", &farm)]);
        if let Some(compilation) = farm.compile() {
            places_are_places(&compilation)?;
            let _ = (shown(&compilation), graph(&compilation), plans(&compilation));
        }
    }
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn farm_like_text_compiles_with_diagnostics_at_places(manifest in text(), fragment in text(), other in text()) {
        let files = [
            ("buildouts/MANIFEST.cfg", manifest.as_bytes()),
            ("buildouts/b.cfg", b"[buildout]\nparts = openerp\n[openerp]\nrecipe = a:b\n"),
            ("slaves.cfg", fragment.as_bytes()),
            ("slaves.d/x.cfg", other.as_bytes()),
        ];
        let farm = Farm::new(files);
        let compilation = farm.compile().unwrap();
        places_are_places(&compilation)?;
        let again = farm.compile().unwrap();
        prop_assert_eq!(shown(&compilation), shown(&again));
        prop_assert_eq!(graph(&compilation).to_string(), graph(&again).to_string());
        prop_assert_eq!(plans(&compilation), plans(&again));
    }
}

// Dispatch against a model.

/// Versions, no two of which are equal.
const NUMBERS: [&str; 9] = ["08", "9", "9.0", "9.1", "9.1.0", "9.2", "9.10", "10", "16"];
const SUFFIXES: [&str; 8] = ["", "", "", "-devel", "alpha1", "beta2", "rc1", "-acme"];
const CAPABILITIES: [(&str, &str, &str); 4] = [
    ("postgresql", "pg", "pg_version"),
    ("python", "py", "py_version"),
    ("wkhtmltopdf", "wkhtmltopdf", "wkhtmltopdf_version"),
    ("private-code", "private-code", "private-code_version"),
];

/// A version as the model sees it: numbers, the rank of its suffix, the number in that, the suffix.
type Parsed = (Vec<u64>, u8, u64, String);

fn parsed(text: &str) -> Parsed {
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let numbers = text[..end].split('.').map(|number| number.parse().unwrap()).collect();
    let suffix = text[end..].trim_start_matches('-').to_owned();
    let stages = ["devel", "alpha", "beta", "rc"];
    let stage = stages.iter().position(|stage| suffix.starts_with(stage));
    let number = suffix.trim_start_matches(char::is_alphabetic).parse().unwrap_or(0);
    let rank = match stage {
        Some(stage) => stage as u8,
        None if suffix.is_empty() => 4,
        None => 5,
    };
    (numbers, rank, number, suffix)
}

/// None: neither is above the other.
fn compared(one: &Parsed, two: &Parsed) -> Option<Ordering> {
    match one.0.cmp(&two.0) {
        Ordering::Equal if one == two => Some(Ordering::Equal),
        Ordering::Equal if one.1 == 5 || two.1 == 5 => None,
        Ordering::Equal => Some((one.1, one.2).cmp(&(two.1, two.2))),
        numbers => Some(numbers),
    }
}

/// Alternatives of criteria.
type Filter = Vec<Vec<(&'static str, String)>>;

fn criterion_allows(operator: &str, wanted: &str, version: &str) -> bool {
    let order = compared(&parsed(version), &parsed(wanted));
    match operator {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        ">" => order == Some(Ordering::Greater),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// An empty version is none.
fn allows(filter: &Filter, version: &str) -> bool {
    let all = |criteria: &Vec<(&str, String)>| {
        !version.is_empty() && criteria.iter().all(|(operator, wanted)| criterion_allows(operator, wanted, version))
    };
    filter.is_empty() || filter.iter().any(all)
}

/// Whether each alternative of a filter lets some version pass, found by trying many.
fn possible(filter: &Filter) -> bool {
    let numbers = NUMBERS.iter().copied();
    let between =
        ["0", "7", "8.99", "9.0.0", "9.0.5", "9.1.0.0", "9.1.5", "9.2.0", "9.9", "9.10.3", "11", "15.5", "99"];
    let numbers: Vec<_> = numbers.chain(between).collect();
    let suffixes =
        ["", "devel", "alpha", "alpha1", "alpha2", "beta", "beta1", "beta2", "beta3", "rc", "rc1", "rc2", "acme"];
    filter.iter().all(|criteria| {
        let alone = vec![criteria.clone()];
        numbers.iter().any(|number| suffixes.iter().any(|suffix| allows(&alone, &format!("{number}{suffix}"))))
    })
}

#[derive(Debug, Clone)]
struct Line {
    capability: usize,
    filter: Filter,
    not_used: bool,
    /// How it is written: OR in which case, AND written or not, spaces or none.
    style: u8,
}

#[derive(Debug, Clone)]
struct ModelSlave {
    name: String,
    priority: i32,
    /// By capability, then version; an empty version is none.
    offers: std::collections::BTreeMap<usize, Vec<String>>,
    only: Vec<usize>,
}

#[derive(Debug, Clone)]
struct ModelBuild {
    name: String,
    build_for: Option<Vec<Line>>,
    requires: Vec<Line>,
}

fn version() -> impl Strategy<Value = String> {
    (select(&NUMBERS[..]), select(&SUFFIXES[..])).prop_map(|(numbers, suffix)| format!("{numbers}{suffix}"))
}

fn filter() -> impl Strategy<Value = Filter> {
    let operator = select(&["==", "!=", "<", ">", "<=", ">=", ">=", "<="][..]);
    prop_oneof![2 => Just(Vec::new()), 3 => vec(vec((operator, version()), 1..3), 1..3)]
}

fn a_line() -> impl Strategy<Value = Line> {
    (0..CAPABILITIES.len(), filter(), prop::bool::weighted(0.1), any::<u8>())
        .prop_map(|(capability, filter, not_used, style)| Line { capability, filter, not_used, style })
}

fn slaves() -> impl Strategy<Value = Vec<ModelSlave>> {
    let offers =
        btree_map(0..CAPABILITIES.len(), btree_set(prop_oneof![1 => Just(String::new()), 5 => version()], 1..4), 0..4);
    let slave = (offers, -2..3, prop_oneof![4 => Just(Vec::new()), 1 => vec(0..CAPABILITIES.len(), 1..3)]);
    btree_map("[a-z]{1,4}", slave, 1..6).prop_map(|slaves| {
        let slave = |(name, (offers, priority, only)): (String, _)| ModelSlave {
            name,
            priority,
            offers: std::collections::BTreeMap::into_iter(offers)
                .map(|(capability, versions): (usize, std::collections::BTreeSet<String>)| {
                    (capability, versions.into_iter().collect())
                })
                .collect(),
            only,
        };
        slaves.into_iter().map(slave).collect()
    })
}

fn builds() -> impl Strategy<Value = Vec<ModelBuild>> {
    let build = (prop::option::weighted(0.8, vec(a_line(), 0..3)), vec(a_line(), 0..3));
    vec(build, 1..5).prop_map(|builds| {
        let named = |(number, (build_for, requires)): (usize, (Option<Vec<Line>>, Vec<Line>))| {
            let build_for = build_for.map(|lines| {
                // Two lines for one capability are an error.
                let mut seen = std::collections::BTreeSet::new();
                lines.into_iter().filter(|line| seen.insert(line.capability)).collect()
            });
            // `not-used` is no requirement.
            let requires = requires.into_iter().map(|line| Line { not_used: false, ..line }).collect();
            ModelBuild { name: format!("build{number}"), build_for, requires }
        };
        builds.into_iter().enumerate().map(named).collect()
    })
}

impl Line {
    fn write(&self) -> String {
        let name = CAPABILITIES[self.capability].0;
        if self.not_used {
            return format!("{name} not-used");
        }
        let space = if self.style & 1 == 0 { " " } else { "" };
        let and = if self.style & 2 == 0 { " " } else { " AND " };
        let or = if self.style & 4 == 0 { " OR " } else { " or " };
        let criteria = |criteria: &Vec<(&str, String)>| {
            let written = criteria.iter().map(|(operator, version)| format!("{operator}{space}{version}"));
            written.collect::<Vec<_>>().join(and)
        };
        format!("{name} {}", self.filter.iter().map(criteria).collect::<Vec<_>>().join(or))
    }
}

fn manifest(builds: &[ModelBuild]) -> String {
    let mut text = "[DEFAULT]\nbuildout = git https://vcs.example/a main b.cfg\n".to_owned();
    for build in builds {
        let _ = writeln!(text, "[{}]", build.name);
        let mut list = |option: &str, lines: &[Line]| {
            let _ = writeln!(text, "{option} =");
            lines.iter().for_each(|line| text.push_str(&format!("    {}\n", line.write())));
        };
        build.build_for.iter().for_each(|lines| list("build-for", lines));
        list("build-requires", &build.requires);
    }
    text
}

fn fragment(slave: &ModelSlave) -> String {
    let mut text = format!("[{0}]\npassword = correct-horse-{0}\nslave_priority = {1}\n", slave.name, slave.priority);
    let only: Vec<_> = slave.only.iter().map(|capability| CAPABILITIES[*capability].0).collect();
    let _ = writeln!(text, "build-only-if-requires = {}\ncapability =", only.join(", "));
    for (capability, versions) in &slave.offers {
        for (number, version) in versions.iter().enumerate() {
            let name = CAPABILITIES[*capability].0;
            // Two clusters cannot be at one port.
            let port = if *capability == 0 { format!(" port={}", 5432 + number) } else { String::new() };
            let _ = writeln!(text, "    {name} {version}{port}");
        }
    }
    text
}

/// A builder: name, slaves, version properties.
type ModelBuilder = (String, Vec<String>, Vec<(String, String)>);

/// Builders by loops over everything.
fn model(builds: &[ModelBuild], slaves: &[ModelSlave]) -> Vec<ModelBuilder> {
    let mut builders = Vec::new();
    // All versions that any slave offers of anything, in order; no version comes first.
    let mut versions: Vec<&String> = slaves.iter().flat_map(|slave| slave.offers.values().flatten()).collect();
    versions.sort_by_key(|version| if version.is_empty() { None } else { Some(parsed(version)) });
    versions.dedup();
    for build in builds {
        let all_of_postgresql = vec![Line { capability: 0, filter: Vec::new(), not_used: false, style: 0 }];
        let build_for = build.build_for.as_ref().unwrap_or(&all_of_postgresql);
        let offers = |slave: &ModelSlave, capability: usize, version: &str| {
            slave.offers.get(&capability).is_some_and(|versions| versions.iter().any(|offered| offered == version))
        };
        let able = |slave: &&ModelSlave| {
            let only = slave.only.iter().all(|only| build.requires.iter().any(|line| line.capability == *only));
            let meets = |line: &Line| {
                versions.iter().any(|version| offers(slave, line.capability, version) && allows(&line.filter, version))
            };
            only && build.requires.iter().all(meets)
        };
        let able: Vec<&ModelSlave> = slaves.iter().filter(able).collect();
        // Every choice of a version for each capability, the first capability's slowest.
        let mut choices: Vec<Vec<(usize, &str)>> = vec![Vec::new()];
        for line in build_for.iter().filter(|line| !line.not_used) {
            let right = |version: &&&String| {
                let mut same = build.requires.iter().filter(|other| other.capability == line.capability);
                allows(&line.filter, version) && same.all(|other| allows(&other.filter, version))
            };
            let mut longer = Vec::new();
            for choice in &choices {
                for version in versions.iter().filter(right) {
                    longer.push([&choice[..], &[(line.capability, version.as_str())]].concat());
                }
            }
            choices = longer;
        }
        for choice in choices {
            let has_all =
                |slave: &&&ModelSlave| choice.iter().all(|(capability, version)| offers(slave, *capability, version));
            let mut chosen: Vec<_> = able.iter().filter(has_all).collect();
            if chosen.is_empty() {
                continue;
            }
            chosen.sort_by_key(|slave| (-slave.priority, slave.name.clone()));
            let mut name = build.name.clone();
            let mut properties = Vec::new();
            for (capability, version) in &choice {
                let (_, abbreviation, property) = CAPABILITIES[*capability];
                let _ = write!(name, "-{abbreviation}{version}");
                if !version.is_empty() {
                    properties.push((property.to_owned(), (*version).to_owned()));
                }
            }
            builders.push((name, chosen.iter().map(|slave| slave.name.clone()).collect(), properties));
        }
    }
    builders
}

fn compiled(compilation: &Compilation) -> Vec<ModelBuilder> {
    let graph = &compilation.graph;
    let builder = |builder: &farmout::dispatch::Builder| {
        let slaves = builder.slaves.iter().map(|slave| graph.farm.slaves[slave].name.clone()).collect();
        let properties = graph.properties(builder).into_iter().filter(|(name, _)| name != "build_requires").collect();
        (builder.name.clone(), slaves, properties)
    };
    graph.builders.iter().map(builder).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn dispatch_is_what_loops_over_everything_give(builds in builds(), slaves in slaves()) {
        let fragments: String = slaves.iter().map(fragment).collect();
        let manifest = manifest(&builds);
        let farm = Farm::new([("buildouts/MANIFEST.cfg", manifest.as_bytes()), ("slaves.cfg", fragments.as_bytes())]);
        let compilation = farm.compile().unwrap();
        let lines = |build: &ModelBuild| [build.build_for.clone().unwrap_or_default(), build.requires.clone()].concat();
        let all_possible = builds.iter().flat_map(lines).all(|line| line.not_used || possible(&line.filter));
        let errors: Vec<_> = compilation
            .diagnostics
            .sorted()
            .into_iter()
            .map(|diagnostic| diagnostic.problem.wording())
            .filter(|wording| wording.severity == Severity::Error)
            .map(|wording| wording.code)
            // A server without a version takes builds, and then nothing can be put into their PGCLUSTER.
            .filter(|code| *code != "capability::lacking")
            .collect();
        prop_assert!(errors.iter().all(|code| *code == "filter::impossible"), "{errors:?}\n{manifest}\n{fragments}");
        prop_assert_eq!(errors.is_empty(), all_possible, "{}", manifest);
        if all_possible {
            prop_assert_eq!(compiled(&compilation), model(&builds, &slaves), "\n{}\n{}", manifest, fragments);
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn the_order_of_fragments_does_not_matter(
        builds in builds(),
        (slaves, shuffled) in slaves().prop_flat_map(|slaves| (Just(slaves.clone()), Just(slaves).prop_shuffle())),
    ) {
        let manifest = manifest(&builds);
        let compile = |slaves: &[ModelSlave]| {
            let fragments: Vec<_> = slaves.iter().enumerate().map(|(number, slave)| (format!("slaves.d/{number}.cfg"), fragment(slave))).collect();
            let files = fragments.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
            let farm = Farm::new(files.chain([("buildouts/MANIFEST.cfg", manifest.as_bytes())]));
            let compilation = farm.compile().unwrap();
            let mut graph = graph(&compilation);
            let slaves = graph["slaves"].as_array_mut().unwrap();
            // Slaves are listed as they are written; everything else is the same.
            slaves.sort_by_key(|slave| slave["name"].to_string());
            (graph.to_string().replace(farm.root().as_str(), ""), compiled(&compilation))
        };
        prop_assert_eq!(compile(&slaves), compile(&shuffled));
    }
}

// Secrets.

/// What no output may hold. Its upper case is looked for too.
const MARKER: &str = "zqxgeheimqz";

/// Lines with a secret in them, right and wrong.
const SECRET_LINES: [&str; 27] = [
    "password = M",
    "passwd: M",
    "PassWord=M",
    "password =\n    M",
    "password = first\n    M",
    "password = M ; note",
    "password = M # note",
    "password M",
    "password = M%(nothing)s",
    "password = M%",
    "passwd = %(password)sM",
    "pg_passwd = M",
    "pg_passwd = M %(pg_user)s",
    "capability = postgresql 9.1 passwd=M",
    "capability = postgresql 9.1 passwd=@M",
    "capability = postgresql 9.1 passwd=$M",
    "capability = postgresql 9.1 passwd=$$M passwd=@@M",
    "capability = postgresql 9.1 port=1 passwd=M oops",
    "capability = postgresql 9.1 passwd=M passwd=MM",
    "capability = postgresql 9.x passwd=M",
    "    postgresql 9.1 passwd=M",
    "    postgresql 9.1 passwd = M",
    "    password = M",
    "\tpasswd: M",
    "#password = M",
    "    # password = M",
    "capability =\n    postgresql 9.2 passwd=M\n    postgresql 9.2 passwd=MM port=x",
];

const PLAIN_LINES: [&str; 14] = [
    "[one]",
    "[two]",
    "[one",
    "[DEFAULT]",
    "capability = postgresql 9.1 port=5433",
    "    python 2.7 bin=x",
    "    python",
    "pg_version = 9.0",
    "pg_user = me",
    "max_builds = many",
    "slave_priority = high",
    "junk",
    "note = %(nothing)s",
    "  # x",
];

fn secret_fragment() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        select(&SECRET_LINES[..]).prop_map(|line| line.replace('M', MARKER)),
        select(&PLAIN_LINES[..]).prop_map(str::to_owned),
    ];
    vec(line, 1..14).prop_map(|lines| format!("[slave]\n{}\n", lines.join("\n")))
}

fn no_secret(what: &str, text: &str, fragment: &str) -> Result<(), TestCaseError> {
    prop_assert!(!text.to_lowercase().contains(MARKER), "{what} shows a secret:\n{text}\nof\n{fragment}");
    Ok(())
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn no_secret_is_ever_shown(fragment in secret_fragment(), other in secret_fragment()) {
        let manifest = b"[a]\nbuildout = git https://vcs.example/a main b.cfg\n[b]\nbuildout = git https://vcs.example/a main b.cfg\nbuild-for =\n";
        let farm = Farm::new([
            ("buildouts/MANIFEST.cfg", &manifest[..]),
            ("slaves.cfg", fragment.as_bytes()),
            ("slaves.d/x.cfg", other.as_bytes()),
        ]);
        let compilation = farm.compile().unwrap();
        let whole = format!("{fragment}\n--- slaves.d/x.cfg\n{other}");
        no_secret("a diagnostic", &shown(&compilation), &whole)?;
        // Nothing is made of a farm with errors.
        if !compilation.diagnostics.has_errors() {
            no_secret("the graph", &graph(&compilation).to_string(), &whole)?;
            no_secret("a plan", &plans(&compilation), &whole)?;
            no_secret("`Debug`", &format!("{:?}", compilation.graph), &whole)?;
        }
    }
}

/// The same through the program, which draws what the library knows.
#[test]
fn no_secret_is_printed() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..8 {
        let fragment = secret_fragment().new_tree(&mut runner).unwrap().current();
        let manifest = b"[a]\nbuildout = git https://vcs.example/a main b.cfg\n";
        let farm = Farm::new([("buildouts/MANIFEST.cfg", &manifest[..]), ("slaves.cfg", fragment.as_bytes())]);
        for arguments in [&["compile", "--emit", "json"][..], &["plan", "--slave", "slave", "--format", "yaml"]] {
            let output = farmout(arguments).current_dir(farm.root()).output().unwrap();
            for stream in [output.stdout, output.stderr] {
                let text = common::binary::text(&stream);
                assert!(!text.contains(MARKER), "{text}\nof\n{fragment}");
            }
        }
    }
}
