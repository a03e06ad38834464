//! Which files make up the farm, and their reading.

use camino::{Utf8Path, Utf8PathBuf};
use globset::Glob;

use super::FarmFile;
use crate::diagnostic::{Diagnostics, Failure, Problem};
use crate::source::{ReadError, SourceId, Sources};

/// Where the farm is, and what the command line says instead of its own files.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// The farm's directory.
    pub root: Utf8PathBuf,
    /// Manifests to read instead of the farm's, relative to the current directory.
    pub manifests: Vec<Utf8PathBuf>,
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
    /// The manifests with the directories that they are in.
    pub manifests: Vec<(SourceId, Utf8PathBuf)>,
    /// The slave fragments, and where they are; nowhere for one that is no file.
    pub fragments: Vec<(SourceId, Option<Utf8PathBuf>)>,
    /// The step templates of the farm's own.
    pub templates: Vec<SourceId>,
}

impl Files {
    /// Reads the farm's files. All that cannot be read is told at once.
    ///
    /// # Errors
    /// A failure for each file that is missing or unreadable.
    pub fn read(layout: &Layout, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Result<Self, Vec<Failure>> {
        let mut reading = Reading { layout, sources, diagnostics, failures: Vec::new() };
        let mut files = Self::default();
        if let Some(id) = layout.path("farm.yaml").exists().then(|| reading.file("farm.yaml".into())).flatten() {
            match FarmFile::parse(reading.sources, id, reading.diagnostics) {
                Some(farm) => files.farm = farm,
                // Without knowing what the farm is made of, nothing that is said of its other files would be true.
                None => return Ok(files),
            }
        }
        if layout.manifests.is_empty() {
            for manifest in files.farm.manifests.clone() {
                let id = reading.file(manifest.clone());
                files.manifests.extend(id.map(|id| (id, layout.path(manifest.parent().unwrap_or("".into())))));
            }
        }
        for manifest in &layout.manifests {
            let id = reading.read(manifest, manifest.as_str());
            let parent = manifest.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(".".into());
            files.manifests.extend(id.map(|id| (id, parent.to_owned())));
        }
        match &layout.fragment {
            Some((name, text)) => files.fragments.push((reading.sources.add(name, text), None)),
            None => {
                for pattern in files.farm.slaves.clone() {
                    for fragment in reading.matching(&pattern) {
                        let id = reading.file(fragment.clone());
                        files.fragments.extend(id.map(|id| (id, Some(layout.path(fragment)))));
                    }
                }
            }
        }
        for folder in files.farm.templates.clone() {
            if !layout.path(&folder).is_dir() {
                let failure = Failure::misuse(format!("{} is no directory", layout.path(&folder)));
                reading.failures.push(failure.help("`templates` in farm.yaml names folders of step templates"));
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
    failures: Vec<Failure>,
}

impl Reading<'_> {
    /// Reads a file of the farm. Messages call it by its path from the current directory.
    fn file(&mut self, path: Utf8PathBuf) -> Option<SourceId> {
        let path = self.layout.path(path);
        self.read(&path, path.as_str())
    }

    fn read(&mut self, path: &Utf8Path, name: &str) -> Option<SourceId> {
        match self.sources.read(path, name) {
            Ok(read) => {
                if let Some((byte, span)) = read.invalid {
                    self.diagnostics.push(Problem::SourceEncoding { byte }, span);
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
        if !name.contains(['*', '?', '[']) {
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
    let found = absolute.as_deref().and_then(|path| path.ancestors().find(|path| is_farm(path)));
    found.map_or(here, Utf8Path::to_owned)
}
