//! Events of a run in, one at a time; what is known of each builder when it ends out.

use std::collections::{HashMap, HashSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::document::{BuilderNews, StepNews};
use crate::model::Occasion;
use crate::runner::{Ended, Entry, Event, Outcome};

/// Something to tell of.
#[derive(Debug)]
pub(super) enum News {
    /// A run began.
    Started { run: String, folder: Utf8PathBuf, total: usize },
    /// A builder ended well or badly. Excerpts of logs are not read yet.
    Builder(BuilderNews),
    /// The run ended.
    Finished { outcome: Outcome, seconds: f64 },
    /// The user wants everything to end at once.
    Hurry,
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Gathering {
    /// How each builder ended the last time.
    before: HashMap<String, Outcome>,
    /// The builders of the run, with the builds that they come from; none before it began.
    builders: Option<HashMap<String, String>>,
    folders: HashMap<String, Utf8PathBuf>,
    steps: HashMap<String, Vec<StepNews>>,
    /// Builders of which something earlier is being cleaned up: those steps are not the run's.
    recovering: HashSet<String>,
}

impl Gathering {
    /// Begins, knowing how builders ended before.
    pub(super) fn new(history: &[Ended]) -> Self {
        let counts = |ended: &&Ended| came_to_an_end(ended.outcome);
        let before = history.iter().filter(counts).map(|ended| (ended.builder.clone(), ended.outcome)).collect();
        let (folders, steps, recovering) = (HashMap::new(), HashMap::new(), HashSet::new());
        Self { before, builders: None, folders, steps, recovering }
    }

    /// Whether a run has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.builders.is_some()
    }

    /// Takes the next event.
    pub(super) fn take(&mut self, entry: &Entry) -> Option<News> {
        match &entry.event {
            Event::RunStarted { run, folder, builders, .. } => {
                let names = builders.iter().map(|planned| (planned.builder.clone(), planned.build.clone()));
                self.builders = Some(names.collect());
                Some(News::Started { run: run.clone(), folder: absolute(folder), total: builders.len() })
            }
            Event::Interrupted { again: true } => Some(News::Hurry),
            // Before the run begins there is only what others have left.
            _ if self.builders.is_none() => None,
            Event::Recovering { builder, .. } => {
                self.recovering.insert(builder.clone());
                None
            }
            Event::Recovered { builder, .. } => {
                self.recovering.remove(builder);
                None
            }
            Event::BuilderStarted { builder, folder, .. } => {
                self.folders.insert(builder.clone(), absolute(folder));
                None
            }
            Event::StepFinished { builder, result }
                if matches!(result.outcome, Outcome::Failure | Outcome::Warnings)
                    && !self.recovering.contains(builder) =>
            {
                let folder = self.folders.get(builder);
                let log = folder.zip(result.log.as_ref()).map(|(folder, log)| folder.join(log));
                let (step, reason) = (result.name.clone(), result.reason.clone());
                let news = StepNews { step, outcome: result.outcome, reason, log, excerpt: Vec::new() };
                self.steps.entry(builder.clone()).or_default().push(news);
                None
            }
            Event::BuilderFinished { builder, outcome, seconds, reason, properties } => {
                let build = self.builders.as_ref()?.get(builder)?.clone();
                let steps = self.steps.remove(builder).unwrap_or_default();
                let before = self.before.get(builder).copied();
                let event = match outcome {
                    Outcome::Failure => Occasion::Failure,
                    Outcome::Success | Outcome::Warnings if before == Some(Outcome::Failure) => Occasion::Fixed,
                    Outcome::Success | Outcome::Warnings => Occasion::Success,
                    // Whoever stopped it knows.
                    Outcome::Interrupted | Outcome::Skipped => return None,
                };
                Some(News::Builder(BuilderNews {
                    builder: builder.clone(),
                    build,
                    event,
                    outcome: *outcome,
                    before,
                    seconds: *seconds,
                    reason: reason.clone(),
                    properties: properties.clone(),
                    steps,
                }))
            }
            Event::RunFinished { outcome, seconds } => Some(News::Finished { outcome: *outcome, seconds: *seconds }),
            _ => None,
        }
    }
}

/// A path for somebody who is not where farmout was called.
fn absolute(path: &Utf8Path) -> Utf8PathBuf {
    camino::absolute_utf8(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a builder that ended so was neither stopped nor left out.
fn came_to_an_end(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Success | Outcome::Warnings | Outcome::Failure)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use jiff::Timestamp;

    use super::*;
    use crate::runner::Planned;

    fn entry(event: Event) -> Entry {
        Entry { time: Timestamp::UNIX_EPOCH, at: 0.0, event }
    }

    fn finished(builder: &str, outcome: Outcome) -> Entry {
        let (builder, properties) = (builder.to_owned(), IndexMap::new());
        entry(Event::BuilderFinished { builder, outcome, seconds: 1.0, reason: None, properties })
    }

    fn begun(outcomes: &[Outcome]) -> Gathering {
        let ended = |outcome: &Outcome| Ended {
            run: String::new(),
            builder: "a".to_owned(),
            outcome: *outcome,
            ended: Timestamp::UNIX_EPOCH,
            seconds: 1.0,
            steps: IndexMap::new(),
            properties: IndexMap::new(),
        };
        let mut gathering = Gathering::new(&outcomes.iter().map(ended).collect::<Vec<_>>());
        assert!(gathering.take(&finished("a", Outcome::Failure)).is_none(), "of an earlier run");
        let (builder, build, directory) = ("a".to_owned(), "a".to_owned(), "a".to_owned());
        let started = Event::RunStarted {
            format: 1,
            farmout: String::new(),
            run: "r".to_owned(),
            folder: "/r".into(),
            slave: "s".to_owned(),
            jobs: 1,
            builders: vec![Planned { builder, build, directory, steps: 1, expected: None }],
            trigger: None,
        };
        assert!(matches!(gathering.take(&entry(started)), Some(News::Started { total: 1, .. })));
        gathering
    }

    #[test]
    fn it_is_fixed_if_it_had_failed_when_it_last_came_to_an_end() {
        use Outcome::{Failure, Interrupted, Success, Warnings};
        for (before, now, event) in [
            (&[][..], Success, Some(Occasion::Success)),
            (&[Failure], Success, Some(Occasion::Fixed)),
            (&[Failure], Warnings, Some(Occasion::Fixed)),
            (&[Failure, Interrupted], Success, Some(Occasion::Fixed)),
            (&[Failure, Warnings], Success, Some(Occasion::Success)),
            (&[Success, Failure], Failure, Some(Occasion::Failure)),
            (&[Failure], Interrupted, None),
            (&[Failure], Outcome::Skipped, None),
        ] {
            let told = match begun(before).take(&finished("a", now)) {
                Some(News::Builder(news)) => Some(news.event),
                _ => None,
            };
            assert_eq!(told, event, "{before:?}, then {now:?}");
        }
    }
}
