//! A build: a section of a manifest.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Configuration, Credentials, Dispatch, Requirement, Value};
use crate::source::Span;

/// A section of a manifest.
#[derive(Debug, Clone)]
pub struct Build {
    /// Its name.
    pub name: String,
    /// Where its section begins.
    pub span: Span,
    /// The manifest, as the farm spells its path.
    pub manifest: Arc<Utf8Path>,
    /// Where its buildout comes from; without one it has no builder.
    pub buildout: Option<Box<Buildout>>,
    /// What its configuration says, where that can be read without fetching anything.
    pub inside: Option<Inside>,
    /// Free text.
    pub category: Option<String>,
    /// The branches whose changes schedule it, URLs rewritten.
    pub watch: Vec<Watch>,
    /// Seconds without a change before it starts.
    pub tree_stable_timer: u64,
    /// The capabilities over whose versions it is dispatched, in order; without a buildout, those that it names.
    pub dispatch: Vec<Dispatch>,
    /// What a slave must offer to take it.
    pub requires: Vec<Requirement>,
    /// The step templates of its phases that it names, in the order in which they run.
    pub steps: Vec<StepUse>,
    /// The values of the options that its step templates declare; builds that have the same share them.
    pub options: Arc<IndexMap<String, Value>>,
    /// Whether all that its section says was understood; else what it lacks has been reported.
    pub whole: bool,
}

/// What is inside a buildout.
#[derive(Debug, Clone)]
pub struct Inside {
    /// Its configuration; builds of one file share it.
    pub configuration: Arc<Configuration>,
    /// The part that drives the server.
    pub part: String,
    /// Where that part is named, or the buildout if it is not.
    pub part_span: Span,
}

/// A step template that a build uses.
#[derive(Debug, Clone)]
pub struct StepUse {
    /// The template's name, not an alias.
    pub template: String,
    /// Where it is named, or the option or section that brought it.
    pub span: Span,
}

/// A version control system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vcs {
    /// Bazaar, or Breezy.
    Bzr,
    /// Git.
    Git,
    /// Mercurial.
    Hg,
}

/// A branch of a repository whose changes schedule builds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Watch {
    /// The system.
    pub vcs: Vcs,
    /// The repository, rewritten as the farm says.
    pub url: String,
    /// The branch; a Bazaar URL is a branch itself.
    #[serde(serialize_with = "blank_if_none")]
    pub branch: Option<String>,
    /// Who logs in there, for the mirror alone: no graph has it.
    #[serde(skip)]
    pub credentials: Credentials,
}

fn blank_if_none<S: serde::Serializer>(branch: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(branch.as_deref().unwrap_or_default())
}

/// Where a buildout comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buildout {
    /// The value as it was written, on one line.
    pub written: String,
    /// Where it was written.
    pub span: Span,
    /// The source itself.
    pub source: BuildoutSource,
}

/// The kinds of sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildoutSource {
    /// A packed source tree below the directory of archives.
    Archive {
        /// The property that names the directory below it.
        directory_property: String,
        /// The property that names the archive.
        name_property: String,
        /// The configuration in it.
        path: String,
    },
    /// A tag of a Mercurial repository, from the property `buildout-tag`.
    HgTag {
        /// The repository.
        url: String,
        /// The configuration in it.
        path: String,
    },
    /// A configuration beside the manifest, sent to the slave.
    Standalone {
        /// Where it is.
        file: Utf8PathBuf,
        /// A directory beside it that is sent along.
        with: Option<Utf8PathBuf>,
    },
    /// A branch of a repository.
    Vcs {
        /// The system.
        vcs: Vcs,
        /// The repository, or for Bazaar the branch.
        url: String,
        /// The branch.
        branch: Option<String>,
        /// The configuration in it.
        path: String,
        /// The directory, in the repository, in which everything happens.
        subdir: Option<String>,
    },
}

impl BuildoutSource {
    /// The repository's address, if it is in one.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::HgTag { url, .. } | Self::Vcs { url, .. } => Some(url),
            Self::Archive { .. } | Self::Standalone { .. } => None,
        }
    }

    /// The step template that fetches it.
    pub fn template(&self) -> &'static str {
        match self {
            Self::Archive { .. } => "archive",
            Self::HgTag { .. } => "hgtag",
            Self::Standalone { .. } => "standalone",
            Self::Vcs { vcs: Vcs::Bzr, .. } => "bzr",
            Self::Vcs { vcs: Vcs::Git, .. } => "git",
            Self::Vcs { vcs: Vcs::Hg, .. } => "hg",
        }
    }
}
