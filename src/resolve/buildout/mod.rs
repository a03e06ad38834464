//! Standalone buildouts, looked into: the path of a configuration in, what its files say together out. Reads files of
//! this machine only; addresses in `extends` are left alone.

mod condition;
mod file;
mod interpolate;
mod live;
mod merge;

use std::collections::HashMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::Within;
use crate::diagnostic::{Diagnostics, Label, problem, suggest};
use crate::model::{Configuration, normal};
use crate::source::{ReadError, SourceId, Sources, Span};

use file::File;
pub(crate) use interpolate::interpolate;
pub(super) use live::{Live, live};
use merge::Merging;

/// So many files make up a configuration at most, each counted as often as it is extended.
const MOST_FILES: usize = 1000;

/// The configurations of a farm. Each file is read and parsed once, however many builds and configurations it is in.
#[derive(Debug, Default)]
pub struct Library {
    /// The farm's directory.
    farm: Utf8PathBuf,
    files: HashMap<Utf8PathBuf, Option<Arc<File>>>,
    configurations: HashMap<(Utf8PathBuf, Option<Utf8PathBuf>), Arc<Configuration>>,
    read: Vec<SourceId>,
}

impl Library {
    /// Without any configuration, for the farm in this directory.
    pub fn new(farm: &Utf8Path) -> Self {
        Self { farm: farm.to_owned(), ..Self::default() }
    }

    /// Reads a configuration and everything that it extends. `place` is where the farm names it.
    pub fn configuration(
        &mut self,
        file: &Utf8Path,
        with: Option<&Utf8Path>,
        place: Span,
        sources: &mut Sources,
        diagnostics: &mut Diagnostics,
    ) -> Arc<Configuration> {
        let key = (file.to_owned(), with.map(Utf8Path::to_owned));
        if let Some(known) = self.configurations.get(&key) {
            return known.clone();
        }
        let directory = file.parent().unwrap_or(Utf8Path::new(""));
        let within = Within::new(&self.farm).and(directory);
        let mut configuration = Configuration {
            directory: directory.to_owned(),
            file: file.to_owned(),
            with: with.map(Utf8Path::to_owned),
            ..Configuration::default()
        };
        let mut merging = Merging::default();
        let mut reading = Reading {
            library: self,
            sources,
            diagnostics,
            configuration: &mut configuration,
            within: &within,
            place,
            left: MOST_FILES,
        };
        match reading.load(file) {
            Ok(read) => reading.add(&read, &mut vec![(normal(file), place)], &mut merging),
            // That the file itself is unreadable is said when it is to be sent: here it only says nothing.
            Err(_) => reading.configuration.open = true,
        }
        merging.finish(&mut configuration, diagnostics);
        let configuration = Arc::new(configuration);
        self.configurations.insert(key, configuration.clone());
        configuration
    }

    /// The sources that it added.
    pub fn sources(&self) -> &[SourceId] {
        &self.read
    }
}

/// One configuration being read.
struct Reading<'a> {
    library: &'a mut Library,
    sources: &'a mut Sources,
    diagnostics: &'a mut Diagnostics,
    configuration: &'a mut Configuration,
    /// What may be read.
    within: &'a Within,
    place: Span,
    /// How many files may still be added.
    left: usize,
}

impl Reading<'_> {
    /// Reads a file, or takes the one that was read before.
    fn load(&mut self, path: &Utf8Path) -> Result<Arc<File>, Option<ReadError>> {
        let key = normal(path);
        if let Some(known) = self.library.files.get(&key) {
            return known.clone().ok_or(None);
        }
        let name = path.strip_prefix(".").unwrap_or(path);
        let read = self.sources.read(path, name.as_str());
        let file = read.map(|read| {
            self.library.read.push(read.id);
            if let Some((byte, span)) = read.invalid {
                self.diagnostics.push(problem::Source::Encoding { byte }, span);
            }
            Arc::new(File::parse(self.sources, read.id, self.diagnostics))
        });
        self.library.files.insert(key, file.as_ref().ok().cloned());
        file.map_err(Some)
    }

    /// Adds what a file says after what it extends; `chain` are the files that led here, itself the last, and
    /// where they were named.
    fn add(&mut self, file: &File, chain: &mut Vec<(Utf8PathBuf, Span)>, merging: &mut Merging) {
        self.configuration.open |= file.open;
        // Files that extend others twice, and these others again, multiply.
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.configuration.open = true;
            return;
        }
        for (word, span) in &file.extends {
            if let Some(extended) = self.extended(word, *span, chain) {
                chain.push((extended.0, *span));
                self.add(&extended.1, chain, merging);
                chain.pop();
            }
        }
        merging.add(file);
    }

    /// The file that an `extends` names; none if it is not to be read, whatever the reason.
    fn extended(&mut self, word: &str, span: Span, chain: &[(Utf8PathBuf, Span)]) -> Option<(Utf8PathBuf, Arc<File>)> {
        // An address is the slave's to fetch, and an absolute path a file of the slave's own.
        if word.contains("://") || word.starts_with(['/', '~']) {
            self.configuration.open = true;
            return None;
        }
        let here = chain.last().and_then(|(file, _)| file.parent()).unwrap_or(Utf8Path::new(""));
        let path = normal(&here.join(word));
        if let Some(at) = chain.iter().position(|(file, _)| *file == path) {
            let circle = &chain[at..];
            let files = circle.iter().map(|(file, _)| file).chain([&path]);
            let files: Vec<String> = files.map(|file| self.configuration.relative(file).to_string()).collect();
            let places: Vec<Span> = circle.iter().skip(1).map(|(_, place)| *place).collect();
            let problem = problem::Buildout::ExtendsCycle { chain: files.clone() };
            self.diagnostics.push(problem, span).circle(&files, &places, Label::Extends);
            return None;
        }
        if !self.within.holds(&path) {
            self.configuration.open = true;
            let problem = problem::Buildout::Outside { path: word.to_owned() };
            self.diagnostics.push(problem, span).label(self.place, Label::ItsBuildout);
            return None;
        }
        if path.is_dir() {
            self.configuration.open = true;
            let problem =
                problem::Buildout::ExtendsDirectory { path: word.to_owned(), files: configurations(&path, word) };
            self.diagnostics.push(problem, span);
            return None;
        }
        let file = match self.load(&path) {
            Ok(file) => file,
            Err(error) => {
                self.configuration.open = true;
                if let Some(error @ (ReadError::Io(..) | ReadError::TooLarge(_) | ReadError::TooManyLines(_))) = error {
                    self.diagnostics.push(problem::Source::Unreadable { message: error.to_string() }, span);
                } else {
                    let near = nearest(&path).map(|name| Utf8Path::new(word).with_file_name(name).to_string());
                    self.diagnostics.push(problem::Buildout::ExtendsMissing { path: path.to_string(), near }, span);
                }
                return None;
            }
        };
        if !self.configuration.carries(&path) {
            let problem = not_carried(self.configuration, &path);
            self.diagnostics.push(problem, span).label(self.place, Label::ItsBuildout);
        }
        Some((path, file))
    }
}

/// What is wrong with a path that the configuration needs and does not take along.
pub(crate) fn not_carried(configuration: &Configuration, path: &Utf8Path) -> problem::Buildout {
    let relative = configuration.relative(path);
    let first = relative.components().next().map(|part| part.to_string()).filter(|part| part != "..");
    let directory = first.filter(|first| configuration.directory.join(first).is_dir());
    let with = configuration.with.as_ref().map(|with| configuration.relative(&normal(with)).to_string());
    let path = if relative.as_str().is_empty() { ".".to_owned() } else { relative.to_string() };
    problem::Buildout::NotCarried { path, directory, with }
}

/// The configurations in a directory, which is written `word`.
fn configurations(directory: &Utf8Path, word: &str) -> Vec<String> {
    let entries = directory.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_owned()).filter(|name| name.ends_with(".cfg")).collect();
    names.sort();
    names.into_iter().map(|name| Utf8Path::new(word).join(name).to_string()).collect()
}

/// The file beside a missing one that may have been meant.
fn nearest(path: &Utf8Path) -> Option<String> {
    let entries = path.parent()?.read_dir_utf8().ok()?.filter_map(Result::ok);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_owned()).collect();
    names.sort();
    suggest::nearest(path.file_name()?, names.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests;
