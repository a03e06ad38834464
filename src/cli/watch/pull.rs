//! The farm under version control: what its checkout's upstream has is compiled beside the farm, and the checkout is brought to
//! it if it has no mistake. What waits for other machines or for clients does so in threads; compiling is the scheduler's own.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::farm::{Farm, Site, Stamp};
use super::news::{News, thread};
use super::{Watcher, tell};
use crate::cli::Exit;
use crate::diagnostic::{Failure, plain};
use crate::resolve::Layout;
use crate::watch::checkout::{Begun, Checkout, Look, Preview, Revision, Trouble};

/// What came of a look at the upstream, or of what was done about it.
#[derive(Debug)]
pub(super) enum Pulled {
    /// There is nothing new, or what there is was rejected.
    Nothing,
    /// The farm can be what is here.
    Found(Box<Preview>),
    /// The checkout is at this revision now.
    Brought(Revision),
    /// What a person has to do something about.
    Stuck(String),
}

/// Who brings the checkout up to date.
#[derive(Debug)]
pub(super) struct Pull {
    checkout: Arc<Checkout>,
    root: Utf8PathBuf,
    /// The scheduler's own folder.
    folder: Utf8PathBuf,
    interval: Duration,
    /// Held while the farm's files are changed, or read.
    files: Arc<Mutex<()>>,
    began: Option<Instant>,
    is_at_work: bool,
    found: Option<Box<Preview>>,
    /// The revision that does not compile, with the farm's other files as they are.
    rejected: Option<(String, Stamp)>,
    /// What was told last of what keeps it from its work, and is not told again.
    told: Option<String>,
}

impl Pull {
    /// Finds the checkout that the farm's manifests are in, and takes up what was begun with it.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn new(layout: &Layout, state: &Utf8Path, interval: Duration) -> Result<Self, Failure> {
        let manifest = layout.manifests.first().cloned().map_or_else(|| own_manifest(layout), Ok)?;
        let directory = manifest.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(".".into());
        let checkout = Checkout::find(directory).ok_or_else(|| {
            Failure::misuse(format!("the farm cannot be pulled: {directory} is in no checkout of git, hg or bzr"))
                .help("clone the farm's repository to there, or leave --pull out")
        })?;
        let folder = crate::watch::folder(state);
        let pull = Self {
            checkout: Arc::new(checkout),
            root: layout.root.clone(),
            folder,
            interval,
            files: Arc::default(),
            began: None,
            is_at_work: false,
            found: None,
            rejected: None,
            told: None,
        };
        pull.recover();
        Ok(pull)
    }

    /// Takes up what a farmout that was killed has left.
    fn recover(&self) {
        // Another one is at work, and will say so.
        if crate::watch::holder(&self.folder).is_some() {
            return;
        }
        let Some(begun) = Begun::read(&self.folder) else { return };
        let top = self.checkout.top();
        let swept = || begun.sweep().map_err(|error| Trouble(plain(&error.to_string())));
        let recovered = swept().and_then(|()| self.checkout.recover(&begun));
        match (recovered, &begun.way) {
            (Err(trouble), _) => {
                tell(&format!("warning: {top} was left half-way when farmout ended, and cannot be mended: {trouble}"));
            }
            (Ok(()), Some(_)) => tell(&format!("{top} was on its way when farmout ended, and is whole again")),
            (Ok(()), None) => {}
        }
        // What cannot be removed is found again by the next call.
        let _ = Begun::forget(&self.folder);
    }

    /// Whether the end has to wait for it.
    pub(super) fn is_at_work(&self) -> bool {
        self.is_at_work
    }

    /// What is held while the farm's files are changed, or read.
    pub(super) fn files(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.files)
    }

    /// How long until the next look.
    pub(super) fn rest(&self) -> Option<Duration> {
        let began = self.began.filter(|_| !self.is_at_work)?;
        Some(self.interval.saturating_sub(began.elapsed()))
    }

    /// Has whoever waits for the upstream wait no longer.
    pub(super) fn stop(&self) {
        self.checkout.stop();
    }

    fn look(&mut self, skip: Option<String>, news: Sender<News>) -> Result<(), Failure> {
        (self.is_at_work, self.began) = (true, Some(Instant::now()));
        let (checkout, root, folder) = (Arc::clone(&self.checkout), self.root.clone(), self.folder.clone());
        thread("pull", move || {
            let pulled = look(&checkout, &root, &folder, skip.as_deref());
            if !matches!(pulled, Pulled::Found(_)) {
                let _ = Begun::forget(&folder);
            }
            // Nobody who listens: the process ends.
            let _ = news.send(News::Pulled(pulled));
        })
    }

    fn bring(&self, preview: Box<Preview>, news: Sender<News>) -> Result<(), Failure> {
        let (checkout, files, folder) = (Arc::clone(&self.checkout), self.files(), self.folder.clone());
        thread("pull", move || {
            let held = files.lock().unwrap_or_else(PoisonError::into_inner);
            let way = Some((preview.from.clone(), preview.to.id.clone()));
            let noted = Begun { temporary: preview.temporary().to_owned(), way }.write(&folder);
            let brought = noted
                .map_err(|error| Trouble(format!("cannot write in {folder}: {}", plain(&error.to_string()))))
                .and_then(|()| checkout.bring(&preview.to.id));
            drop(held);
            let pulled = match brought {
                Ok(()) => Pulled::Brought(preview.to.clone()),
                Err(trouble) => {
                    Pulled::Stuck(format!("{} is not brought to {}: {trouble}", checkout.top(), preview.to))
                }
            };
            drop(preview);
            let _ = Begun::forget(&folder);
            let _ = news.send(News::Pulled(pulled));
        })
    }
}

/// The first manifest that the farm names.
fn own_manifest(layout: &Layout) -> Result<Utf8PathBuf, Failure> {
    let farm = super::super::farm::farm_file(layout)?;
    Ok(layout.path(farm.manifests.first().map_or("buildouts/MANIFEST.cfg".into(), Utf8PathBuf::as_path)))
}

fn look(checkout: &Checkout, root: &Utf8Path, folder: &Utf8Path, skip: Option<&str>) -> Pulled {
    let top = checkout.top();
    let begun = Begun::new();
    if let Err(error) = begun.write(folder) {
        return Pulled::Stuck(format!("{top} is not pulled: cannot write in {folder}: {}", plain(&error.to_string())));
    }
    match checkout.look() {
        Err(trouble) => Pulled::Stuck(format!("{top} cannot be pulled: {trouble}")),
        Ok(Look::Same) => Pulled::Nothing,
        Ok(Look::New(revision)) if skip == Some(&revision.id) => Pulled::Nothing,
        Ok(Look::New(revision)) => match checkout.preview(root, &revision, &begun.temporary) {
            Ok(preview) => Pulled::Found(Box::new(preview)),
            Err(trouble) => Pulled::Stuck(format!("{top} stays as it is: {trouble}")),
        },
        Ok(Look::Diverged(revision)) => Pulled::Stuck(format!(
            "{top} stays as it is: it has commits that its upstream, at {revision}, has not. Push them; or, if the \
             upstream was rewritten, put the checkout on it by hand"
        )),
    }
}

impl Watcher<'_> {
    /// Begins a look at the upstream when it is time.
    pub(super) fn pull(&mut self) -> Result<(), Failure> {
        let Some(pull) = self.pull.as_mut().filter(|pull| !pull.is_at_work && !self.stopping) else { return Ok(()) };
        if pull.began.is_some_and(|began| self.arguments.once || began.elapsed() < pull.interval) {
            return Ok(());
        }
        // With other files beside it, what was rejected may be right.
        let rejected = pull.rejected.take_if(|(_, stamp)| stamp.again() != *stamp);
        drop(rejected);
        let skip = pull.rejected.as_ref().map(|(id, _)| id.clone());
        pull.look(skip, self.sender.clone())
    }

    /// Takes what came of a look, or of bringing the checkout.
    pub(super) fn pulled(&mut self, pulled: Pulled) {
        let Some(pull) = &mut self.pull else { return };
        pull.is_at_work = matches!(pulled, Pulled::Found(_));
        let told = match &pulled {
            Pulled::Stuck(problem) => Some(problem.clone()),
            _ => None,
        };
        match pulled {
            Pulled::Nothing => {}
            Pulled::Found(preview) => pull.found = Some(preview),
            Pulled::Brought(revision) => {
                tell(&format!("{} is brought to {revision}", pull.checkout.top()));
                pull.rejected = None;
                self.looked = None;
            }
            Pulled::Stuck(problem) => {
                if pull.told.as_ref() != Some(&problem) && !self.stopping {
                    tell(&format!("warning: {problem}"));
                }
                if self.arguments.once {
                    self.worst = Exit::Errors;
                }
            }
        }
        pull.told = told;
    }

    /// Compiles what a look has found, and brings the checkout to it if it has no mistake.
    pub(super) fn judge(
        &mut self,
        site: &mut Site<'_>,
        machine: &mut dyn FnMut() -> Result<crate::host::Machine, Failure>,
    ) -> Result<(), Failure> {
        let Some(pull) = &mut self.pull else { return Ok(()) };
        let Some(preview) = pull.found.take() else { return Ok(()) };
        if self.stopping {
            pull.is_at_work = false;
            drop(preview);
            let _ = Begun::forget(&pull.folder);
            return Ok(());
        }
        let place = |paths: &[Utf8PathBuf]| paths.iter().map(|path| preview.place(path)).collect();
        let layout = Layout {
            root: preview.root.clone(),
            manifests: place(&site.layout.manifests),
            fragments: place(&site.layout.fragments),
            fragment: site.layout.fragment.clone(),
        };
        let shown = |text: &str| preview.rename(text, &site.layout.root);
        let mut aside = Site { layout, slave: site.slave, machine: site.machine.take() };
        let judged = Farm::compile(&mut aside, machine, &shown);
        let Site { machine, .. } = aside;
        let Some(wrong) = judged.err() else {
            site.machine = machine;
            return pull.bring(preview, self.sender.clone());
        };
        wrong.print();
        tell(&format!("warning: {} DOES NOT COMPILE AND IS REJECTED: the farm stays at {}", preview.to, &preview.from));
        pull.is_at_work = false;
        // Its own files, and those beside them: what is mended in either is tried again.
        pull.rejected = Some((preview.to.id.clone(), self.stamp.again()));
        drop(preview);
        let _ = Begun::forget(&pull.folder);
        self.worst = Exit::Errors;
        site.machine = machine;
        Ok(())
    }
}
