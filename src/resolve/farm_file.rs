//! `farm.yaml`: what a farm says about itself. All of it is optional.

use camino::Utf8PathBuf;
use serde::Deserialize;

use crate::diagnostic::{Diagnostics, problem};
use crate::model::Declaration;
use crate::source::{SourceId, Sources, Span};

/// The contents of `farm.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FarmFile {
    /// The manifests, relative to the farm.
    pub manifests: Vec<Utf8PathBuf>,
    /// The slave fragments, relative to the farm; `*` stands for any part of a file's name.
    pub slaves: Vec<String>,
    /// Capabilities that are not built in, or other declarations of those that are.
    pub capabilities: Vec<Declaration>,
    /// Folders of step templates, relative to the farm.
    pub templates: Vec<Utf8PathBuf>,
    /// Seconds without a change before a build starts, where the build does not say.
    pub tree_stable_timer: u64,
    /// Rewrites of repository addresses, applied one after the other.
    pub rewrite_urls: Vec<Rewrite>,
}

/// Addresses that begin with `from` begin with `to` instead.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
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
        }
    }
}

impl FarmFile {
    /// Reads it; none if it has a mistake, which is reported.
    pub fn parse(sources: &Sources, id: SourceId, diagnostics: &mut Diagnostics) -> Option<Self> {
        yaml(sources, id, diagnostics)
    }
}

/// Reads a YAML file of the farm; none if it has a mistake, which is reported at its place. An empty file is all
/// defaults.
pub(crate) fn yaml<T: for<'de> Deserialize<'de>>(
    sources: &Sources,
    id: SourceId,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let text = sources.get(id).text();
    // A file of comments only is `null` to YAML; its reader means "nothing set".
    let text_or_empty = if serde_yaml::from_str::<Option<serde::de::IgnoredAny>>(text).is_ok_and(|any| any.is_none()) {
        "{}"
    } else {
        text
    };
    serde_yaml::from_str(text_or_empty)
        .map_err(|error| {
            let at = error.location().map_or(0, |location| location.index().min(text.len()));
            let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            diagnostics.push(problem::Farm::Yaml { message }, Span::new(id, at..end));
        })
        .ok()
}
