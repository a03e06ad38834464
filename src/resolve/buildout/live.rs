//! The driving part's sources: `version`, `addons`, `merges` and `revisions` of the OpenERP and Odoo recipes in, the
//! branches that are live out. Lines that the recipe would refuse are reported.
//!
//! A source is live when a commit to its repository changes what is built:
//!
//! - Bazaar: the URL is the branch. Live are no revision, `last:N` and negative numbers; everything else (`2438`,
//!   `revno:…`, `revid:…`, `tag:…`, `date:…`) stays where it is.
//! - Git: the revision is the branch, unless it looks like a SHA (seven hexadecimal digits or more) or is below
//!   `refs/tags/`, or says `tag:`. `HEAD` names no branch that could be watched.
//! - Mercurial: the revision is the branch, unless it is a number, looks like a changeset (twelve hexadecimal digits or more) or
//!   says `tag:`; `tip` is watched as `default`.
//!
//! A tag's name by itself looks like a branch's, and is taken for one: a branch that never changes costs nothing, a
//! missed one costs builds. What `revisions` says is a pin, unless it says `last:N` to Bazaar.

use super::interpolate;
use crate::diagnostic::{Diagnostics, problem};
use crate::model::{Configuration, Vcs, masked};
use crate::source::Text;

const SOURCE: &str = "TYPE URL DESTINATION REVISION [OPTION=VALUE]…";
const VERSION: &str = "TYPE URL DESTINATION REVISION [OPTION=VALUE]…` or a release such as `6.1-1";
const LOCAL: &str = "local DIRECTORY [OPTION=VALUE]…";
const REVISION: &str = "[DESTINATION] REVISION";

/// A branch that a build depends on.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub vcs: Vcs,
    /// As it is written, credentials and all.
    pub url: String,
    pub branch: Option<String>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} {:?}", self.vcs, masked(&self.url), self.branch)
    }
}

/// The live sources of a part, each once, in the order of its lines.
pub(crate) fn live(configuration: &Configuration, part: &str, diagnostics: &mut Diagnostics) -> Vec<Live> {
    let recipe = configuration.option(part, "recipe");
    let reads_sources = recipe.is_some_and(|recipe| {
        recipe
            .values
            .iter()
            .any(|value| value.contains("recipe") && (value.contains("openerp") || value.contains("odoo")))
    });
    let mut live: Vec<Live> = Vec::new();
    if !reads_sources {
        return live;
    }
    for variant in 0..configuration.variants {
        let mut sources = Vec::new();
        let mut whole = true;
        for (option, kind) in [("version", Kind::Version), ("addons", Kind::Addons), ("merges", Kind::Merges)] {
            if let Some(value) = value(configuration, part, option, variant) {
                for line in lines(&value) {
                    let source = Reading { value: &value, line, diagnostics }.source(kind);
                    whole &= source.is_some();
                    sources.extend(source);
                }
            }
        }
        if let Some(value) = value(configuration, part, "revisions", variant) {
            for line in lines(&value) {
                Reading { value: &value, line, diagnostics }.revision(&mut sources, whole);
            }
        }
        for source in sources {
            if let Some(source) = source.live().filter(|source| !live.contains(source)) {
                live.push(source);
            }
        }
    }
    live
}

fn value(configuration: &Configuration, part: &str, option: &str, variant: usize) -> Option<Text> {
    let values = &configuration.option(part, option)?.values;
    Some(interpolate(configuration, part, values.get(variant).or(values.last())?, variant))
}

/// The lines of a value without their comments, which a `;` after white space begins.
fn lines(value: &Text) -> impl Iterator<Item = &str> {
    let comment = |line: &str| {
        let mut semicolons = line.match_indices(';').map(|(at, _)| at);
        semicolons.find(|at| *at == 0 || line[..*at].ends_with(char::is_whitespace))
    };
    value.lines().map(move |line| line[..comment(line).unwrap_or(line.len())].trim()).filter(|line| !line.is_empty())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Version,
    Addons,
    Merges,
}

/// A source that a line names.
struct Source {
    kind: Kind,
    /// None for what is no repository, or one of a system that nothing watches.
    vcs: Option<Vcs>,
    url: String,
    destination: String,
    revision: String,
    pinned: bool,
}

impl Source {
    fn live(self) -> Option<Live> {
        // What a recipe fills in is not known here.
        if self.pinned || self.url.contains("${") || self.revision.contains("${") {
            return None;
        }
        let revision = &*self.revision;
        let vcs = self.vcs?;
        let branch = match vcs {
            Vcs::Bzr => {
                return moves(revision).then_some(Live { vcs, url: self.url, branch: None });
            }
            _ if revision.starts_with("tag:") || revision.starts_with("refs/tags/") => return None,
            Vcs::Git if revision == "HEAD" || is_hexadecimal(revision, 7) => return None,
            Vcs::Git => revision.strip_prefix("refs/heads/").unwrap_or(revision),
            Vcs::Hg if revision == "tip" => "default",
            Vcs::Hg if revision.bytes().all(|byte| byte.is_ascii_digit()) || is_hexadecimal(revision, 12) => {
                return None;
            }
            Vcs::Hg => revision,
        };
        Some(Live { vcs, branch: Some(branch.to_owned()), url: self.url })
    }
}

/// Whether a Bazaar revision follows its branch.
fn moves(revision: &str) -> bool {
    let number = revision.strip_prefix("revno:").unwrap_or(revision);
    number.is_empty() || number.starts_with('-') || revision.starts_with("last:")
}

fn is_hexadecimal(revision: &str, least: usize) -> bool {
    (least..=64).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// One line being read.
struct Reading<'a, 'd> {
    value: &'a Text,
    line: &'a str,
    diagnostics: &'d mut Diagnostics,
}

impl Reading<'_, '_> {
    fn source(mut self, kind: Kind) -> Option<Source> {
        let words: Vec<&str> = self.line.split_whitespace().collect();
        let mut source = Source {
            kind,
            vcs: None,
            url: String::new(),
            destination: String::new(),
            revision: String::new(),
            pinned: false,
        };
        let known: &[&str] = match kind {
            Kind::Version => &["bzr", "git", "hg", "svn", "local", "nightly", "path", "url"],
            Kind::Addons => &["bzr", "git", "hg", "svn", "local"],
            Kind::Merges => &["bzr", "git"],
        };
        source.vcs = match (*words.first()?, kind) {
            // A whole line that only the recipe knows.
            (first, _) if first.starts_with("${") => return None,
            ("bzr", _) => Some(Vcs::Bzr),
            ("git", _) => Some(Vcs::Git),
            ("hg", Kind::Version | Kind::Addons) => Some(Vcs::Hg),
            ("svn", Kind::Version | Kind::Addons) => None,
            // Releases and archives, of one form or another; the recipe knows which there are.
            (_, Kind::Version) if words.len() == 1 => return Some(source),
            ("nightly" | "url" | "local" | "path", Kind::Version) => return Some(source),
            ("local", Kind::Addons) => {
                self.options(&words, 2, LOCAL)?;
                source.destination = destination(&words, 1, 2);
                return Some(source);
            }
            (first, _) => {
                let known = known.iter().map(|name| (*name).to_owned()).collect();
                let problem = problem::Buildout::SourceKind { kind: first.to_owned(), known };
                self.diagnostics.push(problem, self.value.span_of(first));
                return None;
            }
        };
        // Bazaar sources were written without a revision, too: the branch's last.
        let least = if words.first() == Some(&"bzr") && words.len() == 3 { 3 } else { 4 };
        let usage = if kind == Kind::Version { VERSION } else { SOURCE };
        self.options(&words, least, usage)?;
        source.url = words[1].to_owned();
        source.destination = destination(&words, 2, least);
        source.revision = words.get(3).map(|word| (*word).to_owned()).unwrap_or_default();
        Some(source)
    }

    /// Checks that there are `count` words, and that those after them are options.
    fn options(&mut self, words: &[&str], count: usize, usage: &'static str) -> Option<()> {
        let few = words.len() < count;
        let wrong = words.iter().skip(count).find(|word| word.matches('=').count() != 1 && !word.contains("${"));
        if !few && wrong.is_none() {
            return Some(());
        }
        let problem = problem::Buildout::SourceWords { usage, extra: !few };
        self.diagnostics.push(problem, self.value.span_of(wrong.unwrap_or(&self.line)));
        None
    }

    /// A line of `revisions`: pins the source of that destination, or without one the main one. Whether a destination is
    /// unknown can be said only where the `whole` of the sources was understood.
    fn revision(&mut self, sources: &mut [Source], whole: bool) {
        let words: Vec<&str> = self.line.split_whitespace().collect();
        let (named, revision) = match words[..] {
            [revision] => (None, revision),
            [named, revision] => (Some(named), revision),
            _ => {
                let problem = problem::Buildout::SourceWords { usage: REVISION, extra: true };
                let extra = words.get(2).unwrap_or(&self.line);
                self.diagnostics.push(problem, self.value.span_of(extra));
                return;
            }
        };
        let meant = |source: &&mut Source| match named {
            Some(named) => source.kind == Kind::Addons && source.destination == named.trim_end_matches('/'),
            None => source.kind == Kind::Version,
        };
        // The last of two sources in one place is the one that counts.
        if let Some(source) = sources.iter_mut().rev().find(meant) {
            source.pinned = !(source.vcs == Some(Vcs::Bzr) && moves(revision));
            revision.clone_into(&mut source.revision);
        } else if let Some(named) = named.filter(|named| whole && !named.contains("${")) {
            let known: Vec<String> = sources
                .iter()
                .filter(|source| source.kind == Kind::Addons && source.vcs.is_some())
                .map(|source| source.destination.clone())
                .collect();
            if !known.iter().any(|name| name.contains("${")) {
                let problem = problem::Buildout::Revision { destination: named.to_owned(), known };
                self.diagnostics.push(problem, self.value.span_of(named));
            }
        }
    }
}

/// Where a source is put: the word numbered `at`, in the group that one of the options names, which begin at `options`.
fn destination(words: &[&str], at: usize, options: usize) -> String {
    let written = words[at].trim_end_matches('/');
    let group = words.iter().skip(options).find_map(|word| word.strip_prefix("group="));
    match (group, written.rsplit_once('/')) {
        (None, _) => written.to_owned(),
        (Some(group), None) => format!("{group}/{written}"),
        (Some(group), Some((parent, name))) => format!("{parent}/{group}/{name}"),
    }
}
