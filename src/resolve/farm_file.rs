//! `farm.yaml`: what a farm says about itself. All of it is optional.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};
use globset::Glob;
use schemars::JsonSchema;

use super::declaration::{Declared, declaration};
use super::notify::{notification, retention};
use crate::diagnostic::{Diagnostics, problem};
use crate::model::{Declaration, Notification, Retention};
use crate::source::{SourceId, Sources, Span};
use crate::syntax::yaml::{self, Decoder, Node};

const KEYS: [&str; 8] =
    ["manifests", "slaves", "capabilities", "templates", "tree-stable-timer", "rewrite-urls", "notify", "keep"];

/// The contents of `farm.yaml`.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FarmFile {
    /// The manifests, relative to the farm.
    #[schemars(with = "Vec<String>")]
    pub manifests: Vec<Utf8PathBuf>,
    /// The slave fragments, relative to the farm; `*` stands for any part of a file's name.
    pub slaves: Vec<String>,
    /// Capabilities that are not built in, or other declarations of those that are.
    pub capabilities: Vec<Declaration>,
    /// Folders of step templates, relative to the farm.
    #[schemars(with = "Vec<String>")]
    pub templates: Vec<Utf8PathBuf>,
    /// Seconds without a change before a build starts, where the build does not say.
    pub tree_stable_timer: u64,
    /// Rewrites of repository addresses, applied one after the other.
    pub rewrite_urls: Vec<Rewrite>,
    /// Who is told of what happens in runs.
    pub notify: Vec<Notification>,
    /// How much of earlier runs is kept: each run removes what is beyond it.
    pub keep: Retention,
}

/// Addresses that begin with `from` begin with `to` instead.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rewrite {
    /// The beginning that is replaced.
    pub from: String,
    /// What replaces it.
    pub to: String,
}

impl Default for FarmFile {
    fn default() -> Self {
        Self {
            manifests: vec!["buildouts/MANIFEST.cfg".into()],
            slaves: vec!["slaves.cfg".to_owned(), "slaves.d/*.cfg".to_owned()],
            capabilities: Vec::new(),
            templates: Vec::new(),
            tree_stable_timer: 600,
            rewrite_urls: Vec::new(),
            notify: Vec::new(),
            keep: Retention::default(),
        }
    }
}

/// `farm.yaml`, read.
#[derive(Debug, Default)]
pub struct FarmReading {
    /// What it says, as far as it can be understood.
    pub farm: FarmFile,
    /// Whether it could not be understood in full. What it names is then not all that the farm has.
    pub broken: bool,
    /// The slave fragments that it names, and where.
    pub fragments: Vec<(String, Span)>,
    /// The folders of step templates that it names, and where.
    pub folders: Vec<(Utf8PathBuf, Span)>,
    /// The templates that its capabilities bring, and where they are named.
    pub templates: Vec<(String, Span)>,
    /// The programs of the farm's own that its notifications call, and where they are named.
    pub programs: Vec<(String, Span)>,
}

impl FarmFile {
    /// Reads it. Each mistake is reported at its place; what has one is left at its default.
    pub fn parse(sources: &Sources, id: SourceId, diagnostics: &mut Diagnostics) -> FarmReading {
        let document = yaml::parse(sources, id, diagnostics);
        let mut decoder = Decoder::new(diagnostics);
        let mut reading = FarmReading::default();
        reading.decode(&document.root, &mut decoder);
        reading.broken = !document.complete || decoder.errors() > 0;
        reading
    }
}

impl FarmReading {
    fn decode(&mut self, root: &Node, decoder: &mut Decoder<'_>) {
        let farm = &mut self.farm;
        let Some(fields) = decoder.fields(root, "farm.yaml", &KEYS) else { return };
        let paths = |texts: Vec<crate::source::Text>| texts.iter().map(|text| Utf8PathBuf::from(&**text)).collect();
        if let Some(manifests) = fields.list(decoder, "manifests", "a list of manifests") {
            farm.manifests = paths(manifests);
        }
        if let Some(patterns) = fields.list(decoder, "slaves", "a list of slave fragments") {
            for text in &patterns {
                if let Some(expected) = no_pattern(text) {
                    let found = format!("`{}`", &**text);
                    decoder.error(problem::Farm::Value { expected, found, help: None }, text.whole());
                }
            }
            self.fragments = patterns.iter().map(|text| (text.to_string(), text.whole())).collect();
            farm.slaves = patterns.iter().map(|text| text.to_string()).collect();
        }
        let folders = fields.texts(decoder, "templates", "a list of folders");
        self.folders = folders.iter().map(|text| (Utf8PathBuf::from(&**text), text.whole())).collect();
        farm.templates = paths(folders);
        if let Some(node) = fields.get("tree-stable-timer") {
            let seconds = decoder.number(node, 0, "a whole number of seconds");
            farm.tree_stable_timer = seconds.unwrap_or(farm.tree_stable_timer);
        }
        let rewrite = |decoder: &mut Decoder<'_>, node: &Node| {
            let fields = decoder.fields(node, "a rewrite", &["from", "to"])?;
            let from = fields.words(decoder, "from");
            let to = fields.required(decoder, "to").and_then(|node| decoder.text(node));
            Some(Rewrite { from: from?, to: to?.to_string() })
        };
        let rewrites = fields.get("rewrite-urls").map(|node| decoder.list(node, "a list of rewrites", rewrite));
        farm.rewrite_urls = rewrites.unwrap_or_default();
        if let Some(node) = fields.get("notify") {
            let programs = &mut self.programs;
            let one = |decoder: &mut Decoder<'_>, node: &Node| notification(decoder, node, programs);
            farm.notify = decoder.list(node, "a list of notifications", one);
        }
        farm.keep = fields.get("keep").and_then(|node| retention(decoder, node)).unwrap_or_default();
        let declared = fields.get("capabilities").map(|node| decoder.list(node, "a list of capabilities", declaration));
        let mut names: HashMap<String, Span> = HashMap::new();
        for Declared { declaration, name, templates: brought } in declared.unwrap_or_default() {
            if let Some(first) = names.get(&declaration.name) {
                let problem = problem::Capability::Duplicate { capability: declaration.name.clone() };
                decoder.error_after(problem, name, *first);
                continue;
            }
            names.insert(declaration.name.clone(), name);
            self.templates.extend(brought);
            farm.capabilities.push(declaration);
        }
    }
}

/// What should stand in place of a pattern that names no files, where it is such a one.
fn no_pattern(pattern: &str) -> Option<String> {
    let path = Utf8Path::new(pattern);
    let special = |part: &str| part.contains(['*', '?', '[']);
    if path.parent().is_some_and(|parent| special(parent.as_str())) {
        return Some("`*` in a file's name only, not in its folder's".to_owned());
    }
    let name = path.file_name().filter(|name| special(name))?;
    Glob::new(name).err().map(|error| format!("a pattern such as `slaves.d/*.cfg` ({})", error.kind()))
}
