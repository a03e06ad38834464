//! The observer: events in; what is to be told is told by a thread of its own, so that a builder never waits for a program
//! or a mail server; what was not told out, once the run is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use super::Origin;
use super::document::BuilderNews;
use super::gather::{Gathering, News};
use super::post::{Post, Run};
use crate::diagnostic::{Failure, plain};
use crate::model::Notification;
use crate::report::matters;
use crate::runner::{Ended, Entry, Requests};

/// Tells of a run while it goes on.
#[derive(Debug)]
pub struct Notifier {
    gathering: Gathering,
    news: Sender<News>,
    manners: Arc<Manners>,
    thread: JoinHandle<Vec<String>>,
}

/// How patient the thread is.
#[derive(Debug)]
struct Manners {
    requests: Requests,
    /// From how many requests to stop on nothing is told any more.
    patience: AtomicUsize,
    hurry: AtomicBool,
}

impl Manners {
    fn is_over(&self) -> bool {
        self.hurry.load(Ordering::Relaxed) || self.requests.count() >= self.patience.load(Ordering::Relaxed)
    }
}

impl Notifier {
    /// Begins, with the farm's rules and how builders ended before.
    ///
    /// # Errors
    /// The system has no more threads or file handles.
    pub fn start(rules: &[Notification], origin: Origin, history: &[Ended]) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::error(format!("cannot prepare notifications: {error}"));
        let requests = Requests::listen().map_err(failed)?;
        let (news, told) = mpsc::channel();
        // While the run goes on, a first request ends the run; what failed until then is told.
        let manners = Arc::new(Manners { requests, patience: AtomicUsize::new(2), hurry: AtomicBool::new(false) });
        let (post, shared) = (Post::new(rules, origin), Arc::clone(&manners));
        let thread = std::thread::Builder::new().spawn(move || work(post, &told, &shared)).map_err(failed)?;
        Ok(Self { gathering: Gathering::new(history), news, manners, thread })
    }

    /// Takes the next event.
    pub fn observe(&mut self, entry: &Entry) {
        if let Some(news) = self.gathering.take(entry) {
            if matches!(news, News::Hurry) {
                self.manners.hurry.store(true, Ordering::Relaxed);
            }
            // A thread that is gone tells nothing.
            let _ = self.news.send(news);
        }
    }

    /// Whether a run has begun.
    pub fn has_begun(&self) -> bool {
        self.gathering.has_begun()
    }

    /// Waits until all is told; another request to stop ends that. What was not told, and why.
    pub fn finish(self) -> Vec<String> {
        self.manners.patience.store(self.manners.requests.count() + 1, Ordering::Relaxed);
        drop(self.news);
        self.thread.join().unwrap_or_else(|_| vec!["notifications ended in a fault of farmout's own".to_owned()])
    }
}

fn work(mut post: Post, told: &Receiver<News>, manners: &Manners) -> Vec<String> {
    let stop = || manners.is_over();
    let mut run = Run::default();
    let mut builders: Vec<BuilderNews> = Vec::new();
    for news in told {
        match news {
            News::Started { run: id, folder, total } => run = Run { id, folder, total, ended: None },
            News::Builder(mut news) => {
                if !post.is_wanted(news.event) {
                    continue;
                }
                for step in &mut news.steps {
                    step.excerpt = step.log.as_ref().map(|log| matters(&step.step, log)).unwrap_or_default();
                }
                post.builder(&run, &news, &stop);
                builders.push(news);
            }
            News::Finished { outcome, seconds } => run.ended = Some((outcome, seconds)),
            News::Hurry => {}
        }
    }
    // Also of a run whose end could not be kept: what failed has failed.
    post.run(&run, &builders, &stop);
    post.problems()
}

/// Tells that the slave cannot be used. What was not told, and why.
pub fn missing(rules: &[Notification], origin: Origin, failure: &Failure) -> Vec<String> {
    let mut post = Post::new(rules, origin);
    if !post.is_wanted(crate::model::Occasion::Missing) {
        return Vec::new();
    }
    let requests = Requests::listen();
    let stop = || requests.as_ref().is_ok_and(|requests| requests.count() > 0);
    post.missing(&plain(&failure.message), &stop);
    post.problems()
}
