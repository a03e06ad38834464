//! `buildout` and `watch`: where a buildout comes from, and what to watch.

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexSet;

use super::{Rewrite, Within, requirement};
use crate::diagnostic::{Diagnostics, problem};
use crate::model::{
    Buildout, BuildoutSource, Credentials, Vcs, Watch, is_property, launchpad, leads_out, normal, without_credentials,
};
use crate::source::Text;
use crate::syntax::words::{self, Word};

/// What paths of most sources are in.
const REPOSITORY: &str = "repository";

/// The kinds of sources and how they are written.
const KINDS: [(&str, &str); 6] = [
    ("archive", "archive SUBDIR_PROPERTY NAME_PROPERTY PATH"),
    ("bzr", "bzr URL PATH [subdir=D]"),
    ("git", "git URL BRANCH PATH [subdir=D]"),
    ("hg", "hg URL BRANCH PATH"),
    ("hgtag", "hgtag URL PATH"),
    ("standalone", "standalone PATH [with=DIRECTORY]"),
];

/// Lines of `watch` and how they are written.
const WATCHES: [(&str, &str); 3] = [("bzr", "bzr URL"), ("git", "git URL BRANCH"), ("hg", "hg URL BRANCH")];

/// The directories that a standalone configuration is looked for in.
pub(super) struct Places<'a> {
    /// The manifest's own.
    pub manifest: &'a Utf8Path,
    /// The farm's, tried second: the oldest manifests were written that way.
    pub farm: &'a Utf8Path,
    /// What may be read at all.
    pub within: &'a Within,
}

/// Reads the value of `buildout`; none if it has a mistake.
pub(super) fn buildout(value: &Text, places: &Places<'_>, diagnostics: &mut Diagnostics) -> Option<Buildout> {
    let mut words = Words::new(value, value, &KINDS, diagnostics)?;
    let plain = words.plain.clone();
    let text = |index: usize| plain.get(index).map(|word| (*word).to_owned());
    let source = match words.kind {
        "archive" => {
            words.expect(3)?;
            words.properties(2)?;
            words.inside(plain[2], "", "archive")?;
            BuildoutSource::Archive { directory_property: text(0)?, name_property: text(1)?, path: text(2)? }
        }
        "bzr" => {
            words.expect(2)?;
            let subdir = words.below(plain[1])?;
            BuildoutSource::Vcs { vcs: Vcs::Bzr, url: text(0)?, branch: None, path: text(1)?, subdir }
        }
        "hgtag" => {
            words.expect(2)?;
            words.inside(plain[1], "", REPOSITORY)?;
            BuildoutSource::HgTag { url: text(0)?, path: text(1)? }
        }
        "standalone" => {
            words.expect(1)?;
            let file = words.file(plain[0], places)?;
            let with = match words.option("with") {
                Some(directory) => Some(words.directory(directory, &file)?),
                None => None,
            };
            BuildoutSource::Standalone { file, with }
        }
        kind => {
            words.expect(3)?;
            let (vcs, subdir) = if kind == "git" {
                (Vcs::Git, words.below(plain[2])?)
            } else {
                words.inside(plain[2], "", REPOSITORY)?;
                (Vcs::Hg, None)
            };
            BuildoutSource::Vcs { vcs, url: text(0)?, branch: text(1), path: text(2)?, subdir }
        }
    };
    words.no_more_options()?;
    let written = value.split_whitespace().map(without_credentials).collect::<Vec<_>>().join(" ");
    Some(Buildout { written, span: value.whole(), source })
}

/// Reads the lines of `watch`; one with a mistake is reported and left out.
pub(super) fn watches(value: &Text, rewrites: &[Rewrite], diagnostics: &mut Diagnostics) -> IndexSet<Watch> {
    let mut watches = IndexSet::new();
    for line in value.lines() {
        let Some(mut words) = Words::new(value, line, &WATCHES, diagnostics) else { continue };
        let vcs = match words.kind {
            "bzr" => Vcs::Bzr,
            "git" => Vcs::Git,
            _ => Vcs::Hg,
        };
        let plain = words.plain.clone();
        let expected = if vcs == Vcs::Bzr { 1 } else { 2 };
        if words.expect(expected).and_then(|()| words.no_more_options()).is_some() {
            let branch = plain.get(1).map(|branch| (*branch).to_owned());
            watches.insert(watch(vcs, plain[0], branch, rewrites));
        }
    }
    watches
}

/// A branch, at the address by which its repository is reached: `lp:NAME` is Launchpad's public HTTPS address of the branch, and
/// the farm's rewrites apply one after the other. Credentials in it are kept apart, since the graph shows the address to everybody;
/// where a rewrite leads to another server, those for the former one do not go there.
pub fn watch(vcs: Vcs, url: &str, branch: Option<String>, rewrites: &[Rewrite]) -> Watch {
    let public = if vcs == Vcs::Bzr { launchpad(url) } else { None };
    let mut resolved = public.unwrap_or_else(|| url.to_owned());
    for rewrite in rewrites {
        let bare = without_credentials(&resolved);
        if let Some(rest) = resolved.strip_prefix(&rewrite.from).or_else(|| bare.strip_prefix(&rewrite.from)) {
            resolved = format!("{}{rest}", rewrite.to);
        }
    }
    Watch { vcs, url: without_credentials(&resolved), branch, credentials: Credentials::of(&resolved) }
}

/// The words of a source or a watch, being checked.
struct Words<'a, 'd> {
    value: &'a Text,
    line: &'a str,
    kind: &'a str,
    usage: &'static str,
    plain: Vec<&'a str>,
    options: Vec<(&'a str, &'a str)>,
    diagnostics: &'d mut Diagnostics,
}

impl<'a, 'd> Words<'a, 'd> {
    fn new(
        value: &'a Text,
        line: &'a str,
        kinds: &[(&'static str, &'static str)],
        diagnostics: &'d mut Diagnostics,
    ) -> Option<Self> {
        requirement::fits(value, line, diagnostics)?;
        let mut plain = Vec::new();
        let mut options = Vec::new();
        for word in words::source(line) {
            match word {
                Word::Plain(word) => plain.push(word),
                Word::Option(key, text) => options.push((key, text)),
            }
        }
        let kind = if plain.is_empty() { "" } else { plain.remove(0) };
        let Some((_, usage)) = kinds.iter().find(|(name, _)| *name == kind) else {
            let known = kinds.iter().map(|(name, _)| (*name).to_owned()).collect();
            let span = if kind.is_empty() { value.whole() } else { value.span_of(kind) };
            diagnostics.push(problem::Source::Kind { kind: kind.to_owned(), known }, span);
            return None;
        };
        Some(Self { value, line, kind, usage, plain, options, diagnostics })
    }

    /// Reports a wrong number of words.
    fn expect(&mut self, count: usize) -> Option<()> {
        if self.plain.len() == count {
            return Some(());
        }
        let at = self.plain.get(count).copied().unwrap_or(self.line);
        let problem = problem::Source::Words { usage: self.usage, extra: self.plain.len() > count };
        self.diagnostics.push(problem, self.value.span_of(at));
        None
    }

    /// Reports those of the first words that cannot be names of properties.
    fn properties(&mut self, count: usize) -> Option<()> {
        let wrong: Vec<&str> = self.plain.iter().take(count).copied().filter(|name| !is_property(name)).collect();
        for name in &wrong {
            let problem = problem::Source::Property { name: (*name).to_owned(), usage: self.usage };
            self.diagnostics.push(problem, self.value.span_of(name));
        }
        wrong.is_empty().then_some(())
    }

    /// Takes an option out.
    fn option(&mut self, key: &str) -> Option<&'a str> {
        let index = self.options.iter().position(|(name, _)| *name == key)?;
        Some(self.options.remove(index).1)
    }

    /// Reports the options that nobody took out.
    fn no_more_options(&mut self) -> Option<()> {
        for (key, text) in &self.options {
            let span = self.value.span_of(key).to(self.value.span_of(text));
            self.diagnostics.push(problem::Source::Option { option: (*key).to_owned(), usage: self.usage }, span);
        }
        self.options.is_empty().then_some(())
    }

    /// Takes out the directory of a repository in which the configuration is, if one is named; reports what leads out of the
    /// repository.
    fn below(&mut self, configuration: &str) -> Option<Option<String>> {
        // Slashes around it have never meant anything.
        let subdir = self.option("subdir").unwrap_or_default().trim_matches('/');
        self.inside(subdir, "", REPOSITORY)?;
        self.inside(configuration, subdir, REPOSITORY)?;
        Some(Some(normal(subdir.into()).into_string()).filter(|subdir| !subdir.is_empty()))
    }

    /// Reports a path that leads out of what is fetched.
    fn inside(&mut self, written: &str, below: &str, whole: &'static str) -> Option<()> {
        if !leads_out(&Utf8Path::new(below).join(written)) {
            return Some(());
        }
        let problem = problem::Source::Leaves { path: written.to_owned(), whole };
        self.diagnostics.push(problem, self.value.span_of(written));
        None
    }

    /// Looks for a standalone configuration in the farm.
    fn file(&mut self, written: &str, places: &Places<'_>) -> Option<Utf8PathBuf> {
        // Only as the text says: through a link, `..` would lead elsewhere.
        let candidate =
            |base: &Utf8Path| if written.contains("..") { normal(&base.join(written)) } else { base.join(written) };
        let bases = [places.manifest, places.farm].map(|base| (base, candidate(base)));
        let own: Vec<_> = bases.into_iter().filter(|(_, file)| places.within.holds(file)).collect();
        if own.is_empty() {
            let problem = problem::Source::Outside { path: written.to_owned() };
            self.diagnostics.push(problem, self.value.span_of(written));
            return None;
        }
        if let Some((_, file)) = own.iter().find(|(_, file)| file.is_file()) {
            return Some(file.clone());
        }
        if own.iter().any(|(_, path)| path.is_dir()) {
            let problem = problem::Source::IsDirectory { path: written.to_owned() };
            self.diagnostics.push(problem, self.value.span_of(written));
            return None;
        }
        let near = own.first().and_then(|(base, _)| nearest_file(base, written));
        let looked: Vec<_> = own.into_iter().map(|(_, file)| file.to_string()).collect();
        self.diagnostics.push(problem::Source::Missing { looked, near }, self.value.span_of(written));
        None
    }

    /// Looks for a directory that is sent along. It stays below the one that the configuration is in, so that it has
    /// the same place beside it on the slave.
    fn directory(&mut self, written: &str, file: &Utf8Path) -> Option<Utf8PathBuf> {
        let directory = file.parent().unwrap_or("".into()).join(written);
        let inside = Utf8Path::new(written).components().all(|part| matches!(part, camino::Utf8Component::Normal(_)));
        if inside && directory.is_dir() {
            return Some(directory);
        }
        let problem = problem::Source::Directory { directory: directory.to_string(), inside };
        self.diagnostics.push(problem, self.value.span_of(written));
        None
    }
}

fn nearest_file(directory: &Utf8Path, written: &str) -> Option<String> {
    let wanted = Utf8Path::new(written);
    let folder = directory.join(wanted.parent().unwrap_or(Utf8Path::new("")));
    let mut names: Vec<String> = folder
        .read_dir_utf8()
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_owned())
        .collect();
    names.sort();
    let near = crate::diagnostic::suggest::nearest(wanted.file_name()?, names.iter().map(String::as_str))?;
    Some(wanted.with_file_name(near).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_kept_apart_and_go_to_no_other_server() {
        let rewrite = |from: &str, to: &str| Rewrite { from: from.to_owned(), to: to.to_owned() };
        let of = |url, rewrites: &[Rewrite]| {
            let watch = watch(Vcs::Hg, url, None, rewrites);
            (watch.url, watch.credentials.expose().to_owned())
        };
        let told = |url: &str, credentials: &str| (url.to_owned(), credentials.to_owned());
        let url = "https://me:pw@hg.example/a";
        assert_eq!(of(url, &[]), told("https://hg.example/a", "me:pw"));
        assert_eq!(of(url, &[rewrite("https://hg.example/", "http://cache/")]), told("http://cache/a", ""));
        let chain = [rewrite("https://me:pw@hg.example/", "lan:"), rewrite("lan:", "http://you:x@cache/")];
        assert_eq!(of(url, &chain), told("http://cache/a", "you:x"));
    }
}
