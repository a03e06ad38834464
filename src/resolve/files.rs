//! Which files make up the farm, and their reading.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use globset::Glob;

use super::FarmFile;
use crate::diagnostic::{Diagnostics, Failure, problem, suggest};
use crate::source::{Read, ReadError, SourceId, Sources, Span};

/// The name by which a manifest comes through standard input.
const STANDARD_INPUT: &str = "-";

/// Where the farm is, and what the command line says instead of its own files.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// The farm's directory.
    pub root: Utf8PathBuf,
    /// Manifests to read instead of the farm's, relative to the current directory; `-` is standard input. One of the
    /// farm's own slave fragments among them is read as such.
    pub manifests: Vec<Utf8PathBuf>,
    /// Slave fragments to read instead of the farm's, relative to the current directory.
    pub fragments: Vec<Utf8PathBuf>,
    /// A fragment that is no file: its name and its text, instead of the farm's fragments.
    pub fragment: Option<(String, String)>,
}

impl Layout {
    /// A path of the farm, as a person in the current directory would write it.
    pub fn path(&self, path: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        if self.root == "." { path.as_ref().to_owned() } else { self.root.join(path) }
    }
}

/// The farm's files, read.
#[derive(Debug, Default)]
pub struct Files {
    /// `farm.yaml`, or its defaults.
    pub farm: FarmFile,
    /// Whether `farm.yaml` has a mistake: then the farm may have more than what is here.
    pub incomplete: bool,
    /// The templates that the farm's capabilities bring, and where they are named.
    pub variants: Vec<(String, Span)>,
    /// The manifests with the directories that they are in.
    pub manifests: Vec<(SourceId, Utf8PathBuf)>,
    /// The slave fragments, and where they are; nowhere for one that is no file.
    pub fragments: Vec<(SourceId, Option<Utf8PathBuf>)>,
    /// The step templates of the farm's own.
    pub templates: Vec<SourceId>,
    /// Whether it has, or may have, more of them.
    pub lacks_templates: bool,
}

impl Files {
    /// Reads the farm's files. All that cannot be read is told at once.
    ///
    /// # Errors
    /// A failure for each file that is missing or unreadable.
    pub fn read(layout: &Layout, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Result<Self, Vec<Failure>> {
        let manifests = FarmFile::default().manifests;
        let mut reading = Reading { layout, sources, diagnostics, manifests, failures: Vec::new() };
        let mut files = Self::default();
        let mut folders = Vec::new();
        if let Some(id) = layout.path("farm.yaml").exists().then(|| reading.file("farm.yaml".into())).flatten() {
            let read = FarmFile::parse(reading.sources, id, reading.diagnostics);
            (files.farm, files.incomplete, files.variants) = (read.farm, read.broken, read.templates);
            files.lacks_templates = files.incomplete;
            reading.manifests.clone_from(&files.farm.manifests);
            reading.missing(&read.fragments);
            folders = read.folders;
            reading.programs(&read.programs);
        }
        let own: Vec<_> = files.farm.slaves.iter().flat_map(|pattern| reading.matching(pattern)).collect();
        let (manifests, mut fragments) = reading.named(&layout.manifests, &own);
        if manifests.is_empty() {
            // The default need not be there where farm.yaml may have meant to name others.
            let guessed = files.incomplete && files.farm.manifests == FarmFile::default().manifests;
            for manifest in files.farm.manifests.clone() {
                if guessed && !layout.path(&manifest).exists() {
                    continue;
                }
                let id = reading.own_manifest(&manifest);
                files.manifests.extend(id.map(|id| (id, layout.path(manifest.parent().unwrap_or("".into())))));
            }
        }
        for manifest in manifests {
            files.manifests.extend(reading.manifest(manifest));
        }
        match &layout.fragment {
            Some((name, text)) => files.fragments.push((reading.sources.add(name, text), None)),
            // Fragments of the farm's own are read with the others.
            None if layout.fragments.is_empty() => {
                for fragment in own {
                    let id = reading.file(fragment.clone());
                    files.fragments.extend(id.map(|id| (id, Some(layout.path(fragment)))));
                }
            }
            None => {
                fragments.extend(layout.fragments.iter().map(Utf8PathBuf::as_path));
                for fragment in distinct(fragments) {
                    let id = reading.read(fragment, name(fragment));
                    files.fragments.extend(id.map(|id| (id, Some(fragment.to_owned()))));
                }
            }
        }
        for (folder, place) in folders {
            let path = layout.path(&folder);
            if !path.is_dir() {
                let problem = problem::Farm::Folder { folder: path.to_string(), file: path.is_file() };
                reading.diagnostics.push(problem, place);
                files.lacks_templates = true;
                continue;
            }
            for template in reading.matching(folder.join("*.yaml").as_str()) {
                let id = reading.file(template);
                files.templates.extend(id);
            }
        }
        if reading.failures.is_empty() { Ok(files) } else { Err(reading.failures) }
    }
}

struct Reading<'a> {
    layout: &'a Layout,
    sources: &'a mut Sources,
    diagnostics: &'a mut Diagnostics,
    /// The farm's own manifests.
    manifests: Vec<Utf8PathBuf>,
    failures: Vec<Failure>,
}

impl Reading<'_> {
    /// Which of the files that the user names are manifests, and which are fragments of the farm's own: a tool that
    /// passes the names of changed files does not tell them apart.
    fn named<'a>(&self, files: &'a [Utf8PathBuf], own: &[Utf8PathBuf]) -> (Vec<&'a Utf8Path>, Vec<&'a Utf8Path>) {
        let own: Vec<_> = own.iter().map(|path| identity(&self.layout.path(path))).collect();
        let is_own = |path: &&Utf8Path| path.as_str() != STANDARD_INPUT && own.contains(&identity(path));
        let (fragments, manifests) = distinct(files.iter().map(Utf8PathBuf::as_path)).into_iter().partition(is_own);
        (manifests, fragments)
    }

    /// Reads a manifest that the user names, and gives the directory that its paths are relative to. What comes through
    /// standard input is taken to be in the farm's `buildouts`.
    fn manifest(&mut self, path: &Utf8Path) -> Option<(SourceId, Utf8PathBuf)> {
        if path.as_str() == STANDARD_INPUT {
            let read = self.sources.standard_input("<stdin>");
            return Some((self.take(read)?, self.layout.path("buildouts")));
        }
        let read = self.sources.read(path, name(path));
        if let Err(error @ ReadError::Missing(_)) = &read
            && let Some(help) = self.manifests(path)
        {
            self.failures.push(Failure::misuse(error.to_string()).help(help));
            return None;
        }
        let id = self.take(read)?;
        let parent = path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(".".into());
        Some((id, parent.to_owned()))
    }

    /// Reports the fragments that `farm.yaml` names and that do not exist. Patterns may find nothing.
    fn missing(&mut self, slaves: &[(String, Span)]) {
        if !self.layout.fragments.is_empty() || self.layout.fragment.is_some() {
            return;
        }
        for (name, place) in slaves.iter().filter(|(name, _)| !is_pattern(name) && !self.layout.path(name).exists()) {
            let problem = problem::Farm::Missing { file: self.layout.path(name).to_string() };
            self.diagnostics.push(problem, *place);
        }
    }

    /// Reports the programs of the farm's own that `farm.yaml` names and that are none.
    fn programs(&mut self, programs: &[(String, Span)]) {
        for (name, place) in programs {
            let file = self.layout.path(name);
            let metadata = file.metadata().ok();
            let runs = |metadata: &std::fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
            if !metadata.as_ref().is_some_and(runs) {
                let problem = problem::Farm::Program { file: file.to_string(), exists: metadata.is_some() };
                self.diagnostics.push(problem, *place);
            }
        }
    }

    /// What to say where a manifest that the user names is missing: which ones there are.
    fn manifests(&self, missing: &Utf8Path) -> Option<String> {
        let farm = self.manifests.iter().map(|path| self.layout.path(path)).filter(|path| path.is_file());
        let mut names: Vec<String> = farm.map(|path| name(&path).to_owned()).collect();
        let beside = missing.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(".".into());
        let beside = beside.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
        let mut near: Vec<String> = beside.map(|entry| name(entry.path()).to_owned()).collect();
        near.retain(|path| path.ends_with(".cfg"));
        near.sort();
        if let Some(near) = suggest::nearest(name(missing), names.iter().chain(&near).map(String::as_str)) {
            return Some(format!("did you mean `{near}`?"));
        }
        names.dedup();
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("the farm's manifest is `{one}`")),
            all => Some(format!("the farm's manifests are {}", suggest::list(all.iter().map(String::as_str)))),
        }
    }

    /// Reads one of the farm's own manifests.
    fn own_manifest(&mut self, manifest: &Utf8Path) -> Option<SourceId> {
        let path = self.layout.path(manifest);
        let read = self.sources.read(&path, path.as_str());
        if let (Err(error @ ReadError::Missing(_)), false) = (&read, path.ends_with("MANIFEST.cfg")) {
            let help = "`manifests` in farm.yaml names it, by its path from the farm's directory";
            self.failures.push(Failure::misuse(error.to_string()).help(help));
            return None;
        }
        self.take(read)
    }

    /// Reads a file of the farm. Messages call it by its path from the current directory.
    fn file(&mut self, path: Utf8PathBuf) -> Option<SourceId> {
        let path = self.layout.path(path);
        self.read(&path, path.as_str())
    }

    fn read(&mut self, path: &Utf8Path, name: &str) -> Option<SourceId> {
        let read = self.sources.read(path, name);
        self.take(read)
    }

    fn take(&mut self, read: Result<Read, ReadError>) -> Option<SourceId> {
        match read {
            Ok(read) => {
                // That it is no text at all says it better, and the parser does.
                let binary = self.sources.get(read.id).text().contains('\0');
                if let Some((byte, span)) = read.invalid.filter(|_| !binary) {
                    self.diagnostics.push(problem::Source::Encoding { byte }, span);
                }
                Some(read.id)
            }
            Err(error) => {
                self.failures.push(unreadable(&error));
                None
            }
        }
    }

    /// The files of the farm that a pattern names, sorted. Only the last part of it may hold `*`; a name without one is
    /// optional.
    fn matching(&self, pattern: &str) -> Vec<Utf8PathBuf> {
        let path = Utf8Path::new(pattern);
        let (parent, name) = (path.parent().unwrap_or("".into()), path.file_name().unwrap_or_default());
        if !is_pattern(name) {
            return if self.layout.path(path).exists() { vec![path.to_owned()] } else { Vec::new() };
        }
        let Ok(glob) = Glob::new(name) else { return Vec::new() };
        let glob = glob.compile_matcher();
        let Ok(entries) = self.layout.root.join(parent).read_dir_utf8() else { return Vec::new() };
        let mut found: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_owned())
            .filter(|name| !name.starts_with('.') && glob.is_match(name))
            .map(|name| parent.join(name))
            .collect();
        found.sort();
        found
    }
}

/// Whether a name stands for several files.
fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// What messages call a file: its path from the current directory.
fn name(path: &Utf8Path) -> &str {
    path.strip_prefix(".").unwrap_or(path).as_str()
}

/// What makes two paths the same file. One that cannot be looked up is only itself.
fn identity(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned())
}

/// Each file once, however often it is named.
fn distinct<'a>(paths: impl IntoIterator<Item = &'a Utf8Path>) -> Vec<&'a Utf8Path> {
    let mut seen = HashSet::new();
    paths.into_iter().filter(|path| seen.insert(identity(path))).collect()
}

fn unreadable(error: &ReadError) -> Failure {
    let failure = Failure::misuse(error.to_string());
    match error {
        ReadError::Missing(path) if path.ends_with("MANIFEST.cfg") => failure.help(
            "a farm is a directory with buildouts/MANIFEST.cfg: go there, or name it with --farm, or name manifests with --manifest",
        ),
        _ => failure,
    }
}

/// The farm's directory: `named`, else the nearest one upwards from the current directory that has a `farm.yaml` or a
/// `buildouts/MANIFEST.cfg`, else the current one.
pub fn find_farm(named: Option<Utf8PathBuf>) -> Utf8PathBuf {
    if let Some(named) = named {
        return named;
    }
    let is_farm = |directory: &Utf8Path| {
        directory.join("farm.yaml").is_file() || directory.join("buildouts/MANIFEST.cfg").is_file()
    };
    let here = Utf8PathBuf::from(".");
    if is_farm(&here) {
        return here;
    }
    let absolute = std::env::current_dir().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    let found = absolute.as_deref().and_then(|path| path.ancestors().position(is_farm));
    // As a person here would write it: `..`, `../..`.
    found.map_or(here, |levels| vec![".."; levels].into_iter().collect())
}
