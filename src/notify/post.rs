//! The farm's rules and what happened in, each rule's call or mail out. What goes wrong is counted by rule, and said once.

use std::time::Duration;

use super::call::{Daemons, Trouble, call};
use super::document::{BuilderNews, Document, FORMAT, Kind};
use super::{Origin, mail};
use crate::model::{Each, Means, Notification, Occasion};
use crate::runner::{Outcome, Veil};

/// Sends what rules ask for.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) origin: Origin,
    rules: Vec<Rule>,
    veil: Veil,
}

#[derive(Debug)]
struct Rule {
    notification: Notification,
    /// It took too long once, and is left alone from then on.
    hung: bool,
    /// What went wrong first, and how often anything did.
    trouble: Option<(String, usize)>,
}

/// What a run is about, besides builders.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) folder: camino::Utf8PathBuf,
    pub(super) total: usize,
    pub(super) ended: Option<(Outcome, f64)>,
}

impl Post {
    pub(super) fn new(rules: &[Notification], origin: Origin) -> Self {
        let veil = Veil::new(&origin.secrets);
        let rule =
            |notification: &Notification| Rule { notification: notification.clone(), hung: false, trouble: None };
        Self { origin, rules: rules.iter().map(rule).collect(), veil }
    }

    /// Whether anybody is told of this.
    pub(super) fn is_wanted(&self, event: Occasion) -> bool {
        self.rules.iter().any(|rule| wants(&rule.notification, event))
    }

    /// Tells of a builder, where that is told by itself.
    pub(super) fn builder(&mut self, run: &Run, news: &BuilderNews, stop: &dyn Fn() -> bool) {
        let document = Document {
            event: Kind::Builder,
            outcome: None,
            seconds: None,
            builders: vec![news.clone()],
            ..self.document(run)
        };
        self.send(Each::Builder, news.event, &|_| Some(document.clone()), stop);
    }

    /// Tells of a run, where it has builders that a rule is about.
    pub(super) fn run(&mut self, run: &Run, news: &[BuilderNews], stop: &dyn Fn() -> bool) {
        let whole = self.document(run);
        let document = |notification: &Notification| {
            let builders: Vec<_> = news.iter().filter(|news| wants(notification, news.event)).cloned().collect();
            (!builders.is_empty()).then(|| Document { builders, ..whole.clone() })
        };
        for number in 0..self.rules.len() {
            if self.rules[number].notification.each == Each::Run {
                self.one(number, &document, &[], stop);
            }
        }
    }

    /// Tells that the slave cannot be used.
    pub(super) fn missing(&mut self, problem: &str, stop: &dyn Fn() -> bool) {
        let document = Document {
            event: Kind::Missing,
            run: None,
            folder: None,
            total: None,
            problem: Some(problem.to_owned()),
            ..self.document(&Run::default())
        };
        let more = self.origin.notify_on_missing.clone();
        for number in 0..self.rules.len() {
            if wants(&self.rules[number].notification, Occasion::Missing) {
                self.one(number, &|_| Some(document.clone()), &more, stop);
            }
        }
    }

    /// What was not told, a text for each rule.
    pub(super) fn problems(self) -> Vec<String> {
        let problem = |rule: Rule| {
            let (problem, count) = rule.trouble?;
            let what = match &rule.notification.means {
                Means::Command(run) => format!("`{}`", shell_words::join(run)),
                Means::Mail(mail) => format!("the mail by {}", mail.via),
            };
            let often = if count > 1 { format!(" ({count} times; the first is shown)") } else { String::new() };
            let left = if rule.hung { "; it was not tried again" } else { "" };
            Some(self.veil.text(&format!("{what} did not tell what happened{often}: {problem}{left}")))
        };
        self.rules.into_iter().filter_map(problem).collect()
    }

    fn document(&self, run: &Run) -> Document {
        Document {
            format: FORMAT,
            event: Kind::Run,
            farm: self.origin.farm.clone(),
            slave: self.origin.slave.clone(),
            run: Some(run.id.clone()),
            folder: Some(run.folder.clone()),
            outcome: run.ended.map(|(outcome, _)| outcome),
            seconds: run.ended.map(|(_, seconds)| seconds),
            total: Some(run.total),
            problem: None,
            builders: Vec::new(),
        }
    }

    fn send(
        &mut self,
        each: Each,
        event: Occasion,
        document: &dyn Fn(&Notification) -> Option<Document>,
        stop: &dyn Fn() -> bool,
    ) {
        for number in 0..self.rules.len() {
            let notification = &self.rules[number].notification;
            if notification.each == each && wants(notification, event) {
                self.one(number, document, &[], stop);
            }
        }
    }

    fn one(
        &mut self,
        number: usize,
        document: &dyn Fn(&Notification) -> Option<Document>,
        more: &[String],
        stop: &dyn Fn() -> bool,
    ) {
        let (origin, veil, rule) = (&self.origin, &self.veil, &mut self.rules[number]);
        if rule.hung {
            return;
        }
        let Some(document) = document(&rule.notification) else { return };
        let limit = Duration::from_secs(rule.notification.timeout);
        let sent = if stop() {
            Err(Trouble::Stopped)
        } else {
            match &rule.notification.means {
                Means::Command(run) => match document.json(veil) {
                    Ok(json) => call(origin, run, &json, limit, Daemons::End, stop),
                    Err(error) => Err(Trouble::Failed(error.to_string())),
                },
                Means::Mail(mail) => mail::send(origin, veil, mail, more, &document, limit, stop),
            }
        };
        let Err(trouble) = sent else { return };
        rule.hung |= matches!(trouble, Trouble::Hung(_));
        let problem = match trouble {
            Trouble::Failed(problem) | Trouble::Hung(problem) => problem,
            Trouble::Stopped => "interrupted".to_owned(),
        };
        rule.trouble.get_or_insert((problem, 0)).1 += 1;
    }
}

/// Whether a rule is about this. What is fixed is a success as well.
fn wants(notification: &Notification, event: Occasion) -> bool {
    let on = &notification.on;
    on.contains(&event) || (event == Occasion::Fixed && on.contains(&Occasion::Success))
}
